"""Converts the approval of a held call to protobuf and back. Pure and total, as `pdp.api.codec`."""

from __future__ import annotations

from pdp.api.bounds import MAX_NAME, CodecError, text
from pdp.api.model import Approval, ApprovalState
from pdp.api.v1 import types_pb2


def approval_to_wire(approval: Approval) -> types_pb2.Approval:
    """Write the approval of a held call."""
    return types_pb2.Approval(
        id=approval.id,
        state=approval.state,
        expires_in_ms=approval.expires_in_ms,
        approvers=approval.approvers,
        hold_ms=approval.hold_ms,
    )


def approval_from_wire(message: types_pb2.Approval) -> Approval:
    """Read the approval of a held call; raises `CodecError`."""
    text("approval.id", message.id, MAX_NAME)
    try:
        state = ApprovalState(message.state)
    except ValueError as error:
        raise CodecError("approval.state", f"unknown state {message.state!r}") from error
    return Approval(
        message.id, state, message.expires_in_ms, tuple(message.approvers), message.hold_ms
    )
