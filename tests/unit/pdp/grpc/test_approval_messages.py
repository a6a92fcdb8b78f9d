"""An approval as a message: everything that people need to answer."""

from __future__ import annotations

import json

from pdp.api.model import ApprovalState as State
from pdp.api.v1 import approvals_pb2
from pdp.approvals import answers
from pdp.approvals.approvals import Seen
from pdp.approvals.terms import Standing, Terms
from pdp.grpc.approval_messages import held_to_wire
from tests.held import ANA, BO, START, held_call


def test_people_see_who_asks_what_on_which_terms_and_who_has_answered() -> None:
    """Times in milliseconds."""
    terms = Terms(("finance",), 2, standing=Standing(60, ("/a",)), note="always")
    held = answers.grant(held_call(terms), BO, "fine", START + 1000)
    message = held_to_wire(Seen(held, 3))
    assert (message.id, message.digest, message.waiting) == ("a-1", "sha256:1", 3)
    assert message.state == approvals_pb2.APPROVAL_STATE_PENDING
    assert (message.principal.id, message.client.name) == ("token:ana-agent", "bot")
    assert json.loads(message.arguments_json) == {"n": 1}
    (shown,) = message.terms
    assert (shown.rule, shown.count, shown.standing_max) == ("servers.s.tools.t0", 2, 60)
    assert (list(shown.approvers), list(shown.standing_match)) == (["finance"], ["/a"])
    (answer,) = message.answers
    assert (answer.by, answer.is_grant, answer.note) == ("bo", True, "fine")
    assert (message.created_at_ms, answer.at_ms) == (START // 1000, START // 1000 + 1)


def test_every_state_has_a_name_on_the_wire() -> None:
    """And none is the one that is never sent."""
    names = {name for name, _ in approvals_pb2.ApprovalState.items()}
    assert names == {
        "APPROVAL_STATE_UNSPECIFIED", *(f"APPROVAL_STATE_{state.upper()}" for state in State)
    }  # fmt: skip


def test_a_standing_grant_for_all_arguments_names_none() -> None:
    """Nothing is left open by it."""
    held = held_call(Terms(standing=Standing(60)))
    granted = answers.grant(held, BO, "", START, standing=60)
    message = held_to_wire(Seen(granted, 0))
    assert (message.is_standing, list(message.terms[0].standing_match)) == (True, [])
    assert not held_to_wire(Seen(held_call(), 0)).terms[0].standing_max
    assert ANA.id != BO.id
