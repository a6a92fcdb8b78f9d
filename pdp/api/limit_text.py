"""What a limit allows, and whose it is, as a clause for agents and for people. Pure."""

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
    """Whose budget it is. A caller without a session of its own is counted as the caller it is."""
    if scope == "session" and session_kind == "principal":
        scope = "principal"
    return _WHOSE.get(scope, f"per {scope}")
