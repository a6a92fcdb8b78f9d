"""The key under which a limit counts, and the counter read back from its key. Pure.

A key is written as length-prefixed parts, so that no name or id a caller chooses can be read as
another's. The maximum is not part of the key: a stricter limit counts what was already taken.
"""

from __future__ import annotations

from msgspec import Struct

from pdp.answer import Limit
from pdp.api.model import Call
from pdp.limits.algorithms import SECOND, Units, live


class Counter(Struct, frozen=True, kw_only=True):
    """One counter in use: its limit, its subject, and how much it holds.

    `used` is 0 where the algorithm does not count units; `free_in_ms` is the time until it holds nothing.
    """

    key: str
    name: str
    scope: str
    window: int
    algorithm: str
    shadow: bool
    subject: tuple[str, ...]
    used: int
    free_in_ms: int


class CounterFilter(Struct, frozen=True):
    """A selection of counters; an empty field matches any."""

    name: str = ""
    principal: str = ""
    session: str = ""

    def fits(self, counter: Counter) -> bool:
        """Whether `counter` matches."""
        by_session = counter.scope == "session"
        has_principal = by_session or counter.scope == "principal"
        return (
            self.name in ("", counter.name)
            and (not self.principal or (has_principal and counter.subject[0] == self.principal))
            and (not self.session or (by_session and counter.subject[2] == self.session))
        )


class Subject(Struct, frozen=True):
    """All of a call that limits may count by."""

    principal: str
    session_kind: str
    session: str
    server: str
    target: str


def subject_of(call: Call) -> Subject:
    """What limits may count `call` by."""
    session = call.session
    return Subject(call.principal.id, session.kind, session.id, call.server, call.target)


def key_of(limit: Limit, subject: Subject) -> str:
    """The key under which `limit` counts the calls of `subject`."""
    kind = (limit.algorithm, "shadow" if limit.shadow else "")
    parts = (limit.name, limit.scope, str(limit.window), *kind, *_counted(limit.scope, subject))
    return "".join(f"{len(part)}:{part}" for part in parts)


def read(key: str, units: Units, now: int) -> Counter | None:
    """The counter under `key`; `None` when it holds nothing at `now` (microseconds)."""
    name, scope, window, algorithm, shadow, *subject = _parts(key)
    is_rate = algorithm == "gcra"
    held = units if is_rate else live(units, int(window), now)
    free_at = (held[-1] + (0 if is_rate else int(window) * SECOND)) if held else now
    if free_at <= now:
        return None
    return Counter(
        key=key,
        name=name,
        scope=scope,
        window=int(window),
        algorithm=algorithm,
        shadow=bool(shadow),
        subject=tuple(subject),
        used=0 if is_rate else len(held),
        free_in_ms=-(-(free_at - now) // 1000),
    )


def algorithm_of(key: str) -> str:
    """The algorithm of the counter under `key`, which says how its state is kept."""
    return _parts(key)[3]


def _parts(key: str) -> list[str]:
    counters = []
    while key:
        length, _, rest = key.partition(":")
        counters.append(rest[: int(length)])
        key = rest[int(length) :]
    return counters


def _counted(scope: str, subject: Subject) -> tuple[str, ...]:
    match scope:
        case "session":
            return (subject.principal, subject.session_kind, subject.session)
        case "principal":
            return (subject.principal,)
        case "tool":
            return (subject.server, subject.target)
        case "server":
            return (subject.server,)
        case _:
            return ()
