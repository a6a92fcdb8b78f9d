"""The decision service for a caller in the same process."""

from __future__ import annotations

from msgspec import Struct

from pdp.grpc.decisions import DecisionService
from pdp.grpc.policy import PolicyService


class LocalService(Struct, frozen=True):
    """The servicers, to be called without gRPC."""

    decisions: DecisionService
    policy: PolicyService
