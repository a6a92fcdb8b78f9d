"""The terms on which a rule lets a call be approved, as YAML and Rego write them. Pure.

Several rules may hold one call. Its approval then meets the terms of each: as many people as each rule
counts, from the groups that each names, in the shortest of their times.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from msgspec import Meta, Struct

from pdp.api.model import Reason

MAX_APPROVERS = 32
MAX_COUNT = 10
MAX_DECIDE = 7 * 24 * 3600
MAX_USE = 24 * 3600
MAX_HOLD = 3600
MAX_STANDING = 7 * 24 * 3600
MAX_POINTERS = 32

Group = Annotated[str, Meta(min_length=1, max_length=128)]
Pointer = Annotated[str, Meta(pattern="^/", max_length=1024)]
Note = Literal["optional", "on_refuse", "always"]
_STRICTNESS: tuple[Note, ...] = ("optional", "on_refuse", "always")


class Standing(Struct, frozen=True, forbid_unknown_fields=True):
    """A grant may stand for equal calls, for `max` seconds at most.

    Calls are equal when all arguments are (`exact`), or those at the JSON pointers (RFC 6901) of `match`.
    """

    max: Annotated[int, Meta(ge=1, le=MAX_STANDING)]
    match: (
        Literal["exact"]
        | Annotated[tuple[Pointer, ...], Meta(min_length=1, max_length=MAX_POINTERS)]
    ) = "exact"


class Terms(Struct, frozen=True, forbid_unknown_fields=True):
    """What a rule demands of an approval. Times in seconds.

    Any of the people in the groups `approvers` may answer, without groups anybody who may approve; `count`
    distinct people must say yes. With `not_self` the person behind the caller may not. `hold_seconds` bounds
    how long the caller waits with its call held. `note` says whether an answer needs a text.
    """

    approvers: Annotated[tuple[Group, ...], Meta(max_length=MAX_APPROVERS)] = ()
    count: Annotated[int, Meta(ge=1, le=MAX_COUNT)] = 1
    not_self: bool = True
    decide_within: Annotated[int, Meta(ge=1, le=MAX_DECIDE)] = 900
    use_within: Annotated[int, Meta(ge=1, le=MAX_USE)] = 600
    hold_seconds: Annotated[int, Meta(ge=0, le=MAX_HOLD)] | None = None
    note: Note = "optional"
    standing: Standing | None = None


class Hold(Struct, frozen=True):
    """A rule that holds a call: its path, why, and on which terms."""

    rule: str
    reason: Reason
    terms: Terms


def decide_within(holds: Sequence[Hold]) -> int:
    """Seconds in which people must answer."""
    return min(hold.terms.decide_within for hold in holds)


def use_within(holds: Sequence[Hold]) -> int:
    """Seconds in which a granted call must be made."""
    return min(hold.terms.use_within for hold in holds)


def hold_ms(holds: Sequence[Hold]) -> int:
    """Milliseconds that the caller may wait with its call held; 0 when no rule says so.

    A rule that wants no waiting at all is met with a millisecond, since 0 means that nothing is said.
    """
    bounds = [hold.terms.hold_seconds for hold in holds if hold.terms.hold_seconds is not None]
    return max(min(bounds) * 1000, 1) if bounds else 0


def groups(holds: Sequence[Hold]) -> tuple[str, ...]:
    """Every group that is asked, in the order of the rules."""
    return tuple(dict.fromkeys(group for hold in holds for group in hold.terms.approvers))


def note(holds: Sequence[Hold]) -> Note:
    """The strictest demand for a note."""
    return max((hold.terms.note for hold in holds), key=_STRICTNESS.index)


def standing_max(holds: Sequence[Hold]) -> int:
    """Seconds for which a grant may stand; 0 when one of the rules allows none."""
    return min(hold.terms.standing.max if hold.terms.standing else 0 for hold in holds)


def standing_match(holds: Sequence[Hold]) -> tuple[str, ...]:
    """The arguments in which calls must be equal for a standing grant: those of every rule; () means all."""
    pointers: dict[str, None] = {}
    for hold in holds:
        if hold.terms.standing is None or hold.terms.standing.match == "exact":
            return ()
        pointers.update(dict.fromkeys(hold.terms.standing.match))
    return tuple(pointers)
