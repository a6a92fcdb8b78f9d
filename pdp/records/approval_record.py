"""One change of an approval as one line of JSON, its secrets masked. Pure.

The lines stand between those of decisions, which name their approval by its identifier. They tell who
answered, and how that was proven, so that a grant can be traced to a person.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct, structs

from pdp.api.model import ApprovalState
from pdp.approvals.life import Answer, HeldCall
from pdp.records.record import timestamp
from tipstaff.common.masking import masked_credentials, masked_text


class ApprovalRecord(
    Struct, omit_defaults=True, kw_only=True, tag_field="type", tag="tipstaff.approval"
):
    """A line of the journal about an approval. A field that has nothing to say is left out."""

    approval_id: str
    """Names the approval; decisions name it, too."""
    timestamp: str
    """When the change happened (RFC 3339, UTC)."""
    labels: dict[str, str]
    """The labels of the configuration."""
    state: ApprovalState
    """The state from here on."""
    digest: str
    """The digest of what is approved: caller, call, definition, rules and terms."""
    decision_id: str
    """The decision that held the call."""
    server: str
    """The registered server."""
    method: str
    """The MCP method."""
    target: str
    """The tool's name, the resource's URI, the prompt's name."""
    principal: str
    """Who calls."""
    human: str = ""
    """The person behind the caller, where that is known."""
    rules: tuple[str, ...] = ()
    """The paths of the rules that hold the call."""
    by: str = ""
    """Who answered."""
    proven_by: str = ""
    """How that was proven: `console`, `oidc`, `cli`, `grpc`."""
    answer: str = ""
    """What the person said: `yes` or `no`; also for a yes that is not enough yet."""
    note: str = ""
    """What the person wrote."""
    self_confirmed: bool = False
    """Whether it was the person behind the caller who said yes."""
    standing_until: str = ""
    """Until when the grant stands for equal calls."""
    used_by: str = ""
    """The request that used the grant."""
    uses: int = 0
    """How many calls have used it."""


_encode = msgspec.json.Encoder().encode


def line(before: HeldCall | None, held: HeldCall, labels: dict[str, str]) -> bytes:
    """The record of the change from `before`, `None` for a new approval, with its line end."""
    answer = _new_answer(before, held)
    record = ApprovalRecord(
        approval_id=held.id,
        timestamp=timestamp(held.changed * 1000),
        labels=labels,
        state=held.state,
        digest=held.key,
        decision_id=held.decision_id,
        server=held.subject.server,
        method=masked_text(held.subject.method),
        target=masked_text(held.subject.target),
        principal=masked_credentials(held.caller.id),
        human=masked_credentials(held.caller.human),
        rules=tuple(hold.rule for hold in held.holds),
        standing_until=timestamp(held.ends * 1000) if held.is_standing and held.ends else "",
        used_by=masked_text(held.used_by),
        uses=held.uses,
        **_of_answer(answer),
    )
    return _encode(record) + b"\n"


def lines_of_answers(before: HeldCall, held: HeldCall, labels: dict[str, str]) -> list[bytes]:
    """The records of all answers that are not on record yet, the last one with what it has changed.

    There are several when a service ended between keeping an answer and recording it.
    """
    first = len(held.answers) - held.unrecorded
    earlier = [
        structs.replace(
            held,
            state=before.state,
            is_standing=before.is_standing,
            changed=held.answers[count].at,
            answers=held.answers[: count + 1],
        )
        for count in range(first, len(held.answers) - 1)
    ]
    return [
        line(structs.replace(each, answers=each.answers[:-1]), each, labels)
        for each in (*earlier, held)
    ]


def is_worth_a_line(before: HeldCall | None, held: HeldCall) -> bool:
    """Whether the change is recorded: a call that only joins is on record as a decision."""
    return before is None or (
        (before.state, len(before.answers), before.uses)
        != (held.state, len(held.answers), held.uses)
    )


def _new_answer(before: HeldCall | None, held: HeldCall) -> Answer | None:
    known = len(before.answers) if before else 0
    return held.answers[-1] if len(held.answers) > known else None


def _of_answer(answer: Answer | None) -> dict[str, Any]:
    if answer is None:
        return {}
    return {
        "by": answer.by,
        "proven_by": answer.method,
        "answer": "yes" if answer.is_grant else "no",
        "note": masked_text(answer.note),
        "self_confirmed": answer.is_grant and answer.is_self,
    }
