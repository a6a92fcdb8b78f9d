"""Answers to requests of a server that come while it is asked for its tools.

Some servers show tools only to clients that declare roots, sampling or elicitation, as the clients of
people do. So all three are declared here; but there is no folder, no model and nobody to ask.
"""

from __future__ import annotations

from mcp.client.session import ClientRequestContext
from mcp.types import (
    CreateMessageRequestParams,
    ElicitRequestParams,
    ElicitResult,
    ErrorData,
    ListRootsResult,
)

# MCP 2025-11-25, sampling, error handling: the user has rejected the request.
_REJECTED = -1


async def no_roots(context: ClientRequestContext) -> ListRootsResult:  # noqa: ARG001
    """Roots: none. A server that has its folders from elsewhere keeps them."""
    return ListRootsResult(roots=[])


async def no_sampling(
    context: ClientRequestContext,  # noqa: ARG001
    params: CreateMessageRequestParams,  # noqa: ARG001
) -> ErrorData:
    """Sampling: refused."""
    return ErrorData(code=_REJECTED, message="Only the tools are listed here: no model is asked")


async def no_elicitation(
    context: ClientRequestContext,  # noqa: ARG001
    params: ElicitRequestParams,  # noqa: ARG001
) -> ElicitResult:
    """Elicitation: declined."""
    return ElicitResult(action="decline")
