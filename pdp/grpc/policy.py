"""The policy in force over gRPC: its revision, whether it matches the files, its catalogue of tools."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from pdp.api.v1 import policy_pb2, policy_pb2_grpc
from pdp.decide import Parts
from pdp.grpc.status import Context, bland
from pdp.policy.reload import PolicyState
from pdp.tools.catalogue import Tool


class PolicyService(policy_pb2_grpc.PolicyServiceServicer):
    """Reports the policy in force and the tools it knows."""

    def __init__(
        self, state: Callable[[], PolicyState], ready: Callable[[], bool], parts: Parts
    ) -> None:
        """Answer from `state` and `ready`, and from the catalogue and the drift of `parts`."""
        self._state = state
        self._ready = ready
        self._parts = parts

    @bland
    async def GetStatus(  # noqa: N802
        self, request: policy_pb2.GetStatusRequest, context: Context
    ) -> policy_pb2.GetStatusResponse:
        """The state of the policy."""
        del request, context
        state = self._state()
        age = asyncio.get_running_loop().time() - state.confirmed_at if state.revision else 0.0
        return policy_pb2.GetStatusResponse(
            revision=state.revision,
            age_seconds=age,
            last_error=state.last_error,
            ready=self._ready(),
            stale=state.is_stale,
            questions=self._parts.known.questions,
            known_answers=self._parts.known.hits,
        )

    @bland
    async def Catalog(  # noqa: N802
        self, request: policy_pb2.CatalogRequest, context: Context
    ) -> policy_pb2.CatalogResponse:
        """The tools of the catalogue, and which of them have changed."""
        del context
        tools = self._parts.catalogues.in_force.tools(request.server)
        return policy_pb2.CatalogResponse(tools=[self._row(*tool) for tool in tools])

    def _row(self, server: str, name: str, tool: Tool) -> policy_pb2.CatalogTool:
        seen = self._parts.drift.seen(server, name, tool.pin) if tool.pin else ""
        return policy_pb2.CatalogTool(
            server=server,
            tool=name,
            category=tool.facts.category,
            risk=tool.facts.risk,
            confidence=tool.facts.confidence,
            marks=tool.facts.marks,
            pinned=tool.pin is not None,
            changed=bool(seen),
            digest=tool.pin.digest if tool.pin else "",
            seen_digest=seen,
        )
