"""What a server is answered that asks its client for something while it is asked for its tools.

Some servers show tools only to clients that declare roots, sampling or elicitation, as the clients of
people do. So all three are declared here; but there is no folder, no model and nobody to ask.
"""

from __future__ import annotations

from typing import Any

from mcp.types import ElicitResult, ErrorData, ListRootsResult

# MCP 2025-11-25, sampling, error handling: the user has rejected the request.
_REJECTED = -1


async def no_roots(_context: Any) -> ListRootsResult:
    """Roots: none. A server that has its folders from elsewhere keeps them."""
    return ListRootsResult(roots=[])


async def no_sampling(_context: Any, _params: Any) -> ErrorData:
    """Sampling: refused."""
    return ErrorData(code=_REJECTED, message="Only the tools are listed here: no model is asked")


async def no_elicitation(_context: Any, _params: Any) -> ElicitResult:
    """Elicitation: declined."""
    return ElicitResult(action="decline")
