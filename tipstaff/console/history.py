"""What the console has seen of the records: the newest decisions, counts by hour, limits, revisions. Pure.

Everything is bounded, since callers choose how many names there are.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator
from datetime import datetime
from fnmatch import fnmatchcase
from itertools import islice
from types import MappingProxyType
from typing import Any, TypeAlias

import msgspec
from msgspec import Struct

MOST = 5000
_MOST_BYTES = 32 * 1024 * 1024
_MOST_NAMES = 5000
_MOST_REVISIONS = 50
HOURS = 24
EFFECTS = ("deny", "hold", "allow")


class Reason(Struct, frozen=True):
    """Why."""

    code: str = ""
    message: str = ""


class Caller(Struct, frozen=True):
    """Who called."""

    id: str = ""
    kind: str = ""


class Limit(Struct, frozen=True):
    """What a limit said."""

    name: str
    scope: str
    max: int
    window: int
    cost: int = 1
    remaining: int = 0
    passed: bool = True
    shadow: bool = False
    algorithm: str = ""


class Timings(Struct, frozen=True):
    """Microseconds."""

    policy_us: int = 0
    total_us: int = 0


class ApprovalName(Struct, frozen=True):
    """The approval that a decision is about."""

    id: str = ""
    state: str = ""


class Finding(Struct, frozen=True):
    """What a rule that is not enforced would have done."""

    effect: str = ""
    reason: Reason = Reason()
    rule: str = ""


class Decision(Struct, frozen=True, tag_field="type", tag="tipstaff.decision"):
    """A record of a decision, as far as pages read it; the fields are those of docs/records.md."""

    decision_id: str
    timestamp: str
    server: str
    method: str
    target: str
    effect: str
    reason: Reason
    principal: Caller
    session: Caller = Caller()
    client: dict[str, Any] = {}
    revision: str = ""
    rule: str = ""
    phase: str = "call"
    transport: str = ""
    request_id: str = ""
    trace_id: str = ""
    fault: str = ""
    tool: dict[str, Any] = {}
    limits: tuple[Limit, ...] = ()
    approval: ApprovalName | None = None
    shadow: tuple[Finding, ...] = ()
    obligations: tuple[dict[str, Any], ...] = ()
    timings: Timings = Timings()
    masked: tuple[str, ...] = ()
    arguments: msgspec.Raw = msgspec.Raw(b"{}")


class ApprovalChange(Struct, frozen=True, tag_field="type", tag="tipstaff.approval"):
    """A record of a change of an approval, as far as pages read it."""

    approval_id: str
    timestamp: str
    state: str
    server: str = ""
    target: str = ""
    by: str = ""
    proven_by: str = ""
    answer: str = ""
    note: str = ""


class Revision(Struct):
    """A revision of the rules, as decisions named it."""

    name: str
    first: str
    last: str
    decisions: int


class Selection(Struct, frozen=True):
    """A selection of decisions; a text may hold `*` for anything, an empty one matches all."""

    effect: str = ""
    server: str = ""
    tool: str = ""
    caller: str = ""
    session: str = ""
    code: str = ""
    rule: str = ""
    phase: str = "call"

    def fits(self, decision: Decision) -> bool:
        """Whether the decision belongs to it."""
        return all(
            fnmatchcase(value, pattern)
            for value, pattern in (
                (decision.effect, self.effect),
                (decision.server, self.server),
                (decision.target, self.tool),
                (decision.principal.id, self.caller),
                (decision.session.id, self.session),
                (decision.reason.code, self.code),
                (decision.rule, self.rule),
                (decision.phase, self.phase),
            )
            if pattern
        )


Line: TypeAlias = Decision | ApprovalChange
Hours: TypeAlias = MappingProxyType[int, tuple[int, int, int]]
_decode = msgspec.json.Decoder(Line).decode


class History:
    """The records that have been seen."""

    def __init__(self, most: int = MOST) -> None:
        """Nothing has been seen yet."""
        self._most = most
        self._decisions: deque[tuple[Decision, int]] = deque()
        self._by_id: dict[str, Decision] = {}
        self._bytes = 0
        self._hours: OrderedDict[tuple[str, str], dict[int, list[int]]] = OrderedDict()
        self._limits: OrderedDict[tuple[str, str, int], int] = OrderedDict()
        self.answers: deque[ApprovalChange] = deque(maxlen=500)
        self.revisions: deque[Revision] = deque(maxlen=_MOST_REVISIONS)
        self.seen = 0
        self.missed = 0

    def add(self, lines: bytes, missed: int = 0) -> None:
        """Take in lines of the journal; one that cannot be read counts as missed."""
        self.missed += missed
        for line in lines.splitlines():
            try:
                record = _decode(line)
            except msgspec.DecodeError:
                self.missed += 1
                continue
            if isinstance(record, Decision):
                self._add(record, len(line))
            elif record.by:
                self.answers.appendleft(record)

    def newest(self, selection: Selection) -> Iterator[Decision]:
        """Decisions that fit, the newest first."""
        return (each for each, _ in reversed(self._decisions) if selection.fits(each))

    def get(self, decision_id: str) -> Decision | None:
        """The decision of that name, if it is still remembered."""
        return self._by_id.get(decision_id)

    def neighbours(
        self, decision: Decision, most: int = 5
    ) -> tuple[list[Decision], list[Decision]]:
        """What the same caller did in the same session before, and after; each in order of time."""
        mine = Selection(
            caller=_exact(decision.principal.id), session=_exact(decision.session.id), phase=""
        )
        others = [each for each in self.newest(mine) if each.decision_id != decision.decision_id]
        after = [each for each in others if each.decision_id > decision.decision_id]
        before = islice((each for each in others if each.decision_id < decision.decision_id), most)
        return list(before)[::-1], after[::-1][:most]

    def hours(self, server: str, target: str) -> Hours:
        """How many calls were denied, held, allowed, by hours since the epoch."""
        counts = self._hours.get((server, target), {})
        return MappingProxyType({hour: tuple(three) for hour, three in counts.items()})  # type: ignore[misc]

    def limit_max(self, name: str, scope: str, window: int) -> int:
        """What the limit allowed when a decision last named it, 0 when none has."""
        return self._limits.get((name, scope, window), 0)

    def minutes(self, now: datetime, count: int = 60) -> list[tuple[int, int, int]]:
        """How many calls were denied, held, allowed in each of the last `count` minutes that are remembered."""
        minutes = [[0, 0, 0] for _ in range(count)]
        last = int(now.timestamp()) // 60
        for decision, _ in reversed(self._decisions):
            age = last - _seconds(decision) // 60
            if age >= count:
                break
            if age >= 0 and decision.phase == "call" and decision.effect in EFFECTS:
                minutes[count - 1 - age][EFFECTS.index(decision.effect)] += 1
        return [(deny, hold, allow) for deny, hold, allow in minutes]

    def _add(self, decision: Decision, size: int) -> None:
        if decision.decision_id in self._by_id:
            return
        self.seen += 1
        self._decisions.append((decision, size))
        self._by_id[decision.decision_id] = decision
        self._bytes += size
        while len(self._decisions) > self._most or self._bytes > _MOST_BYTES:
            oldest, lightened = self._decisions.popleft()
            self._by_id.pop(oldest.decision_id, None)
            self._bytes -= lightened
        self._count(decision)
        self._note_revision(decision)
        for limit in decision.limits:
            self._limits[limit.name, limit.scope, limit.window] = limit.max
        _bound(self._limits)

    def _count(self, decision: Decision) -> None:
        if decision.phase != "call" or decision.effect not in EFFECTS:
            return
        name = (decision.server, decision.target)
        hours = self._hours.setdefault(name, {})
        self._hours.move_to_end(name)
        _bound(self._hours)
        hour = _seconds(decision) // 3600
        hours.setdefault(hour, [0, 0, 0])[EFFECTS.index(decision.effect)] += 1
        for old in [each for each in hours if each <= hour - HOURS]:
            del hours[old]

    def _note_revision(self, decision: Decision) -> None:
        if not decision.revision:
            return
        if not self.revisions or self.revisions[-1].name != decision.revision:
            self.revisions.append(
                Revision(decision.revision, decision.timestamp, decision.timestamp, 0)
            )
        self.revisions[-1].last = decision.timestamp
        self.revisions[-1].decisions += 1


def _bound(names: OrderedDict[Any, Any]) -> None:
    while len(names) > _MOST_NAMES:
        names.popitem(last=False)


def _seconds(decision: Decision) -> int:
    try:
        return int(datetime.fromisoformat(decision.timestamp).timestamp())
    except ValueError:
        return 0


def _exact(text: str) -> str:
    """A pattern that fits this text alone."""
    return "".join(f"[{character}]" if character in "*?[" else character for character in text)


def summed(hours: Iterable[tuple[int, int, int]]) -> tuple[int, int, int]:
    """The sums of counts."""
    deny, hold, allow = 0, 0, 0
    for counts in hours:
        deny, hold, allow = deny + counts[0], hold + counts[1], allow + counts[2]
    return deny, hold, allow
