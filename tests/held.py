"""A held call for tests, and people who answer."""

from __future__ import annotations

from typing import Any

from msgspec import structs

from pdp.api.model import Client, Reason
from pdp.approvals import life
from pdp.approvals.answers import Person
from pdp.approvals.life import SECOND, Caller, HeldCall, Subject
from pdp.approvals.terms import Hold, Terms

START = 1_800_000_000 * SECOND
ANA = Person("ana", ("finance", "ops"), "cli", ("token:ana-agent",))
BO = Person("bo", ("finance",), "console")
CY = Person("cy", (), "cli")


def holds(*terms: Terms) -> tuple[Hold, ...]:
    """A rule for each of the terms; one with the usual terms when none are given."""
    given = terms or (Terms(),)
    return tuple(
        Hold(f"servers.s.tools.t{number}", Reason("approval_required", "Ask."), each)
        for number, each in enumerate(given)
    )


def held_call(*terms: Terms, number: int = 1, now: int = START, **more: Any) -> HeldCall:
    """A pending approval."""
    subject = Subject("s", "tools/call", "t", '{"n":1}', risk=more.pop("risk", ""))
    caller = more.pop("caller", Caller("token:ana-agent", "token", Client("bot", "1")))
    held = life.begin(
        f"a-{number}",
        (f"sha256:{number}", more.pop("standing_key", "")),
        caller=caller,
        subject=subject,
        holds=holds(*terms),
        revision="rev",
        decision_id=f"d-{number}",
        now=now,
    )
    return structs.replace(held, **more)
