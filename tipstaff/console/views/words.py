"""States, times and moments in words. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from pdp.api.v1 import approvals_pb2

_PREFIX = "APPROVAL_STATE_"
PENDING = "pending"


def state(call: Any) -> str:
    """The state in a word."""
    name: str = approvals_pb2.ApprovalState.Name(call.state)
    return name.removeprefix(_PREFIX).lower()


def left(milliseconds: int) -> str:
    """A time that is left, rounded up."""
    seconds = -(-milliseconds // 1000)
    if seconds < 120:
        return f"{seconds} s"
    minutes = -(-seconds // 60)
    return f"{minutes} min" if minutes < 120 else f"{-(-minutes // 60)} h"


def moment(milliseconds: int) -> str:
    """A time since the epoch."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
