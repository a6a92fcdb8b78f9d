"""The life of an approval, as one table. Pure.

Theory. An approval begins when a rule holds a call, and waits for people. It is granted once, by as many
people as the rules count, and a grant is used once: the use is in the store before the call may go on, so
that of any number of equal calls, in any number of services, one goes on. Two clocks run: people have a
time to answer, and a granted call has a time to be made. Everything else ends it for good, and an equal
call begins a new one; only a refusal answers equal calls until the time to answer is over, so that an
agent that asks again does not ask a person again.

A standing grant differs in one thing: it stays granted when it is used, until its time is over.

`LIFE` holds every transition. A missing one means that the event changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType

from msgspec import Struct, structs

from pdp.api.model import Approval, Client
from pdp.api.model import ApprovalState as State
from pdp.approvals import terms
from pdp.approvals.terms import Hold

SECOND = 1_000_000
KEPT = 30 * 24 * 3600 * SECOND
"""Microseconds for which an approval that has ended is kept, to be shown."""


class Event(Enum):
    """What happens to an approval."""

    GRANTED = "enough people say yes"
    REFUSED = "somebody says no"
    TIME = "its time is over"
    WITHDRAWN = "somebody takes it back"
    CONTRADICTED = "judged again, the call is not held on these terms"
    CLAIMED = "the call is made"
    LOST = "the server's answer is lost"


LIFE: Mapping[tuple[State, Event], State] = MappingProxyType(
    {
        (State.PENDING, Event.GRANTED): State.GRANTED,
        (State.PENDING, Event.REFUSED): State.REFUSED,
        (State.PENDING, Event.TIME): State.EXPIRED,
        (State.PENDING, Event.WITHDRAWN): State.WITHDRAWN,
        (State.PENDING, Event.CONTRADICTED): State.WITHDRAWN,
        (State.GRANTED, Event.CLAIMED): State.USED,
        (State.GRANTED, Event.TIME): State.LAPSED,
        (State.GRANTED, Event.WITHDRAWN): State.VOID,
        (State.GRANTED, Event.CONTRADICTED): State.VOID,
        (State.USED, Event.LOST): State.UNKNOWN,
    }
)
OPEN = frozenset({State.PENDING, State.GRANTED})
"""The states that an equal call joins."""

IN_VAIN = frozenset({State.EXPIRED, State.WITHDRAWN, State.LAPSED, State.VOID})
"""The states in which an approval ended without a use, and without a no."""


class Answer(Struct, frozen=True):
    """One person's answer, at `at` microseconds.

    `groups` are those the person was in by then, `standing` the seconds for which a yes is to stand.
    """

    by: str
    method: str
    at: int
    is_grant: bool
    note: str = ""
    is_self: bool = False
    groups: tuple[str, ...] = ()
    standing: int = 0


class Caller(Struct, frozen=True):
    """Who makes the held call: the principal, the client's own account, and the person behind them, if known."""

    id: str
    kind: str
    client: Client = Client()
    human: str = ""


class Budget(Struct, frozen=True):
    """A limit that the call takes from when it goes on: `cost` of `max` units in `window` seconds."""

    name: str
    scope: str
    max: int
    window: int
    cost: int


class Subject(Struct, frozen=True):
    """What the call would do, as people are shown it: secrets in `arguments`, a JSON object, are masked."""

    server: str
    method: str
    target: str
    arguments: str
    definition: str = ""
    category: str = ""
    risk: str = ""
    confidence: float = 0.0
    limits: tuple[Budget, ...] = ()


class HeldCall(Struct, frozen=True, kw_only=True):
    """An approval and the call that it is for. Times in microseconds since the epoch.

    `key` is the digest of what is approved, `standing_key` the one that equal calls share, "" when the
    rules allow no standing grant. The state ends by itself at `ends`, never when that is 0. `used_by` is the
    request that used it last, `version` counts the changes. `unrecorded` counts the newest answers that
    are not in the journal yet: nobody goes on by a grant that rests on them.
    """

    id: str
    key: str
    standing_key: str = ""
    state: State = State.PENDING
    caller: Caller
    subject: Subject
    holds: tuple[Hold, ...]
    revision: str
    decision_id: str
    created: int
    changed: int
    ends: int
    answers: tuple[Answer, ...] = ()
    joined: int = 1
    uses: int = 0
    used_by: str = ""
    is_standing: bool = False
    unrecorded: int = 0
    version: int = 0


def begin(
    approval_id: str,
    keys: tuple[str, str],
    *,
    caller: Caller,
    subject: Subject,
    holds: tuple[Hold, ...],
    revision: str,
    decision_id: str,
    now: int,
) -> HeldCall:
    """A new approval; `keys` are its key and its standing key."""
    return HeldCall(
        id=approval_id,
        key=keys[0],
        standing_key=keys[1],
        caller=caller,
        subject=subject,
        holds=holds,
        revision=revision,
        decision_id=decision_id,
        created=now,
        changed=now,
        ends=now + terms.decide_within(holds) * SECOND,
    )


def happens(held: HeldCall, event: Event, now: int) -> HeldCall:
    """The approval after `event`; itself when the event changes nothing in its state."""
    state = LIFE.get((held.state, event))
    if state is None:
        return held
    return structs.replace(
        held, state=state, changed=now, ends=_ends(held, state, now), version=held.version + 1
    )


def at(held: HeldCall, now: int) -> HeldCall:
    """The approval at the time `now`: ended, if its time is over."""
    is_over = held.state in OPEN and now >= held.ends
    return happens(held, Event.TIME, now) if is_over else held


def on_record(held: HeldCall) -> HeldCall:
    """The approval as others are told of it: a grant that is not in the journal is none yet."""
    is_ahead = held.state is State.GRANTED and held.unrecorded
    return structs.replace(held, state=State.PENDING) if is_ahead else held


def recorded(held: HeldCall, count: int) -> HeldCall:
    """The approval, whose first `count` answers are in the journal."""
    left = min(held.unrecorded, max(len(held.answers) - count, 0))
    if left == held.unrecorded:
        return held
    return structs.replace(held, unrecorded=left, version=held.version + 1)


def stand_until(held: HeldCall, until: int) -> HeldCall:
    """The granted approval as one that stands for equal calls until `until`."""
    return structs.replace(held, is_standing=True, ends=until)


def join(held: HeldCall) -> HeldCall:
    """The approval with one more call that waits for it."""
    return structs.replace(held, joined=held.joined + 1, version=held.version + 1)


def claim(held: HeldCall, request_id: str, now: int) -> HeldCall | None:
    """The approval after the request `request_id` has used it; `None` when there is nothing to use.

    A repeat of the request that used it uses the same grant, so that a lost reply may be asked for again.
    """
    held = at(held, now)
    if held.state is State.USED and held.used_by == request_id:
        return held
    if held.state is not State.GRANTED or held.unrecorded:
        return None
    used = structs.replace(held, uses=held.uses + 1, used_by=request_id)
    if held.is_standing:
        return structs.replace(used, changed=now, version=held.version + 1)
    return happens(used, Event.CLAIMED, now)


def summary(held: HeldCall, now: int) -> Approval:
    """What the caller is told of the approval at the time `now`."""
    left = max(held.ends - now, 0) * 1000 // SECOND if held.ends else 0
    return Approval(held.id, held.state, left, terms.groups(held.holds), terms.hold_ms(held.holds))


def answers_equal_calls(held: HeldCall, now: int) -> bool:
    """Whether an equal call finds its answer here, and begins no approval of its own."""
    held = at(held, now)
    return held.state in OPEN or (held.state is State.REFUSED and now < held.ends)


def _ends(held: HeldCall, state: State, now: int) -> int:
    if state is State.GRANTED:
        return now + terms.use_within(held.holds) * SECOND
    return held.ends if state is State.REFUSED else 0
