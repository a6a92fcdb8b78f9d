"""The decision service for a caller in the same process. Edge: asyncio."""

from __future__ import annotations

import asyncio

from msgspec import Struct

from pdp.api.model import Decision
from pdp.api.v1 import decision_pb2
from pdp.grpc.decisions import DecisionService
from pdp.grpc.policy import PolicyService


class LocalService(Struct, frozen=True):
    """The servicers, called without gRPC."""

    decisions: DecisionService
    policy: PolicyService

    async def submit(self, request: decision_pb2.DecideRequest) -> asyncio.Future[Decision]:
        """Submit a call as it comes over gRPC; returns its future decision. Raises as the reading of a call does."""
        return await self.decisions.submitted(request)
