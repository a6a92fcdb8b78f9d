"""The clauses of messages that name what a limit allows, and to whom. Pure."""

from __future__ import annotations

_WHOSE = {
    "session": "per session",
    "principal": "per caller",
    "tool": "for all callers of the tool",
    "server": "for all callers of the server",
    "global": "for all callers together",
}


def allows(name: str, most: int, window: int, whose: str, algorithm: str = "") -> str:
    """`files/read allows 3 per 60 s per caller`; `window` in seconds, `whose` as `whose` gives it."""
    times = f"{most} at a time" if algorithm == "concurrency" else f"{most} per {window} s"
    return f"{name} allows {times} {whose}"


def whose(scope: str, session_kind: str) -> str:
    """The owner of a budget, as a clause. A caller without a session is counted as a principal."""
    if scope == "session" and session_kind == "principal":
        scope = "principal"
    return _WHOSE.get(scope, f"per {scope}")
