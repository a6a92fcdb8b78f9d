"""Who may answer for a held call, and when the answers are enough. Pure.

Theory. Answers are counted in people, not in clicks: one person, one answer, by the identifier that was
proven. Each rule that holds the call must have its count, from its own groups. The person behind the
caller does not count for a rule that says `not_self`, which is the default; where the rule allows it, the
answer is on record as the caller's own. One no is enough to refuse, and anybody who is asked may say it;
so may the person behind the caller, whose agent it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct, structs

from pdp.api.model import ApprovalState as State
from pdp.approvals import life, terms
from pdp.approvals.life import SECOND, Answer, Event, HeldCall
from pdp.approvals.terms import Hold
from pdp.errors import AnswerError

MAX_NOTE = 2000
_NEVER_STANDING = "critical"


class Person(Struct, frozen=True):
    """Who answers: the proven identifier, the groups, how it was proven.

    `principals` are callers that act for this person: `human` of a call is one of them, or the identifier.
    """

    id: str
    groups: tuple[str, ...]
    method: str
    principals: tuple[str, ...] = ()


def grant(
    held: HeldCall, person: Person, note: str, now: int, *, standing: int = 0, digest: str = ""
) -> HeldCall:
    """The approval after `person` has said yes; raises `AnswerError`.

    `standing` is the time, in seconds, for which the grant is to stand for equal calls, and `digest` what
    the person was shown, "" when nobody says.
    """
    held = _checked(held, digest, now)
    if _has_said(held, person, is_grant=True):
        return held
    _check_pending(held)
    _check_note(held, note, is_grant=True)
    is_self = is_human_behind(held, person)
    answer = _answer(person, note, now, is_grant=True, is_self=is_self, standing=standing)
    if not any(_counts(hold, answer) for hold in held.holds):
        _refuse_answer(held, answer)
    _check_standing(held, standing)
    held = _with(held, answer)
    if not is_enough(held.holds, held.answers):
        return structs.replace(held, version=held.version + 1)
    granted = life.happens(held, Event.GRANTED, now)
    # It stands for as long as everybody who said yes wants it to.
    stands = min(given.standing for given in held.answers if given.is_grant)
    return life.stand_until(granted, now + stands * SECOND) if stands else granted


def refuse(held: HeldCall, person: Person, note: str, now: int, *, digest: str = "") -> HeldCall:
    """The approval after `person` has said no; raises `AnswerError`."""
    held = _checked(held, digest, now)
    if _has_said(held, person, is_grant=False):
        return held
    _check_pending(held)
    _check_note(held, note, is_grant=False)
    is_self = is_human_behind(held, person)
    answer = _answer(person, note, now, is_grant=False, is_self=is_self)
    if not is_self and not any(_is_asked(hold, answer) for hold in held.holds):
        _refuse_answer(held, answer)
    return life.happens(_with(held, answer), Event.REFUSED, now)


def withdraw(held: HeldCall, person: Person, note: str, now: int) -> HeldCall:
    """The approval after `person` has taken it back; raises `AnswerError`."""
    held = life.at(held, now)
    if held.state not in life.OPEN:
        raise _ended(held)
    is_self = is_human_behind(held, person)
    answer = _answer(person, note[:MAX_NOTE], now, is_grant=False, is_self=is_self)
    if not is_self and not any(_is_asked(hold, answer) for hold in held.holds):
        _refuse_answer(held, answer)
    return life.happens(_with(held, answer), Event.WITHDRAWN, now)


def is_enough(holds: Sequence[Hold], given: Iterable[Answer]) -> bool:
    """Whether each rule has its count of distinct people."""
    answers = tuple(given)
    return all(
        len({answer.by for answer in answers if answer.is_grant and _counts(hold, answer)})
        >= hold.terms.count
        for hold in holds
    )


def is_human_behind(held: HeldCall, person: Person) -> bool:
    """Whether `person` is the one behind the caller, as far as anybody knows."""
    behind = {held.caller.human, held.caller.id} - {""}
    return bool(behind & {person.id, *person.principals})


def _answer(
    person: Person, note: str, now: int, *, is_grant: bool, is_self: bool, standing: int = 0
) -> Answer:
    return Answer(
        by=person.id,
        method=person.method,
        at=now,
        is_grant=is_grant,
        note=note.strip(),
        is_self=is_self,
        groups=person.groups,
        standing=standing,
    )


def _checked(held: HeldCall, digest: str, now: int) -> HeldCall:
    """The approval at the time `now`, of which the person was shown what it is."""
    if digest and digest != held.key:
        raise AnswerError("APPROVAL_STALE", "this approval is for another call than the one shown")
    return life.at(held, now)


def _check_pending(held: HeldCall) -> None:
    if held.state is not State.PENDING:
        raise _ended(held)


def _check_note(held: HeldCall, note: str, *, is_grant: bool) -> None:
    if len(note) > MAX_NOTE:
        raise AnswerError("NOTE_TOO_LONG", f"a note has at most {MAX_NOTE} characters")
    demand = terms.note(held.holds)
    is_needed = demand == "always" or (demand == "on_refuse" and not is_grant)
    if is_needed and not note.strip():
        raise AnswerError("NOTE_MISSING", "the rule wants a note with this answer")


def _check_standing(held: HeldCall, seconds: int) -> None:
    longest = terms.standing_max(held.holds)
    if seconds and held.subject.risk == _NEVER_STANDING:
        raise AnswerError(
            "STANDING_NOT_ALLOWED", "a grant never stands for a tool of critical risk"
        )
    if seconds and not longest:
        raise AnswerError("STANDING_NOT_ALLOWED", "the rule allows no grant that stands")
    if not 0 <= seconds <= longest:
        raise AnswerError("STANDING_NOT_ALLOWED", f"a grant stands for {longest} s at most")


def _ended(held: HeldCall) -> AnswerError:
    last = held.answers[-1] if held.answers else None
    whose = f" by {last.by}" if last and held.state in {State.GRANTED, State.REFUSED} else ""
    return AnswerError("APPROVAL_ENDED", f"this approval is {held.state} already{whose}")


def _refuse_answer(held: HeldCall, answer: Answer) -> None:
    if answer.is_self and any(_is_asked(hold, answer) for hold in held.holds):
        raise AnswerError("APPROVAL_OF_OWN_CALL", "nobody approves a call of their own agent")
    groups = ", ".join(terms.groups(held.holds))
    raise AnswerError("APPROVER_NOT_ALLOWED", f"the rule asks people of: {groups}")


def _has_said(held: HeldCall, person: Person, *, is_grant: bool) -> bool:
    """Whether the person has given this answer already."""
    is_over = (
        held.state in {State.PENDING, State.GRANTED} if is_grant else held.state is State.REFUSED
    )
    return is_over and any(
        answer.by == person.id and answer.is_grant is is_grant for answer in held.answers
    )


def _is_asked(hold: Hold, answer: Answer) -> bool:
    return not hold.terms.approvers or bool(set(hold.terms.approvers) & set(answer.groups))


def _counts(hold: Hold, answer: Answer) -> bool:
    """Whether a yes counts for this rule."""
    return _is_asked(hold, answer) and not (hold.terms.not_self and answer.is_self)


def _with(held: HeldCall, answer: Answer) -> HeldCall:
    return structs.replace(held, answers=(*held.answers, answer))
