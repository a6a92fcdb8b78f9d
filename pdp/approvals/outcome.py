"""What asking people about a held call has come to: the reason it does not go on, or the grant by which it does. Pure."""

from __future__ import annotations

from types import MappingProxyType

from msgspec import Struct

from pdp.api.model import Approval, Effect, Reason
from pdp.api.model import ApprovalState as State
from pdp.api.reasons import REASONS
from pdp.approvals import life
from pdp.approvals.life import HeldCall
from tipstaff.common.masking import masked_text

_LONGEST_NOTE = 500
_IN_VAIN = MappingProxyType(
    {
        State.EXPIRED: "approval_expired",
        State.LAPSED: "approval_expired",
        State.WITHDRAWN: "approval_withdrawn",
        State.VOID: "approval_withdrawn",
    }
)


class Outcome(Struct, frozen=True):
    """The approval of a held call, or the code of the reason for having none, at `now` microseconds.

    With neither, nobody has been asked: in a trial, and about what cannot be held.
    """

    held: HeldCall | None = None
    code: str = ""
    now: int = 0

    def reason(self, message: str) -> Reason | None:
        """Why the call does not go on, `None` when it may; `message` is that of the rule that holds it."""
        held = self.held
        if self.code or held is None:
            return Reason(self.code, REASONS[self.code]) if self.code else _required(message)
        if held.state in {State.GRANTED, State.USED}:
            return None
        if held.state is State.REFUSED:
            return Reason("approval_refused", _refused(held))
        if code := _IN_VAIN.get(held.state):
            return Reason(code, REASONS[code])
        return _required(message)

    @property
    def effect(self) -> Effect:
        """What happens to a call that does not go on: it is held while people are asked, or would be."""
        if self.held is None:
            return Effect.DENY if self.code else Effect.HOLD
        return Effect.HOLD if self.held.state is State.PENDING else Effect.DENY

    @property
    def approval(self) -> Approval | None:
        """What the caller is told of the approval."""
        return None if self.held is None else life.summary(self.held, self.now)


def _required(message: str) -> Reason:
    return Reason("approval_required", message)


def _refused(held: HeldCall) -> str:
    """The reason with the note of the person who refused, which is what changes an agent's course."""
    note = next((answer.note for answer in reversed(held.answers) if not answer.is_grant), "")
    shown = masked_text(note)
    short = shown if len(shown) <= _LONGEST_NOTE else shown[:_LONGEST_NOTE] + "…"
    return f"a person refused this call: {short}" if short else "a person refused this call"
