"""Bounds on the things that a caller may name in one message, where each costs a judgement. Pure."""

from __future__ import annotations

from typing import Any

from pep.errors import InvalidParams

# The policy looks at each of them: a decision on so many takes some 20 ms.
MAX_SUBSCRIPTIONS = 128
MAX_INPUT_RESPONSES = 128


def check_counts(params: dict[str, Any]) -> None:
    """Raises `InvalidParams` for parameters that name too much at once."""
    if "notifications" in params:
        notifications = params["notifications"]
        named = (
            notifications.get("resourceSubscriptions") if isinstance(notifications, dict) else ()
        )
        _check(named, MAX_SUBSCRIPTIONS, "notifications.resourceSubscriptions")
    if "inputResponses" in params:
        _check(params["inputResponses"], MAX_INPUT_RESPONSES, "inputResponses")


def _check(value: Any, most: int, shown: str) -> None:
    if isinstance(value, list | dict) and len(value) > most:
        raise InvalidParams(f"{shown} has more than {most} entries")
