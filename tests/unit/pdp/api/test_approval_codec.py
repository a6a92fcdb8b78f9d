"""The approval of a held call on the wire."""

from __future__ import annotations

import pytest

from pdp.api import approval_codec
from pdp.api.bounds import CodecError
from pdp.api.model import Approval, ApprovalState
from pdp.api.v1 import types_pb2


def test_an_approval_survives_the_wire() -> None:
    """Whoever waits is told what the service knows."""
    approval = Approval("a-1", ApprovalState.PENDING, 900_000, ("finance",), 45_000)
    sent = approval_codec.approval_to_wire(approval).SerializeToString()
    assert approval_codec.approval_from_wire(types_pb2.Approval.FromString(sent)) == approval


@pytest.mark.parametrize(
    ("message", "field"),
    [
        (types_pb2.Approval(state="pending"), "approval.id"),
        (types_pb2.Approval(id="a" * 129, state="pending"), "approval.id"),
        (types_pb2.Approval(id="a-1"), "approval.state"),
        (types_pb2.Approval(id="a-1", state="allowed"), "approval.state"),
    ],
)
def test_a_malformed_approval_is_refused(message: types_pb2.Approval, field: str) -> None:
    """A state that nobody knows must not be taken for a grant."""
    with pytest.raises(CodecError) as caught:
        approval_codec.approval_from_wire(message)
    assert caught.value.field == field
