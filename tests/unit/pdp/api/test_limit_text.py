"""What a limit allows and whose it is, in words."""

from __future__ import annotations

import pytest

from pdp.api.limit_text import allows, whose


@pytest.mark.parametrize(
    ("scope", "kind", "words"),
    [
        ("session", "legacy", "per session"),
        ("session", "stdio", "per session"),
        ("session", "cooperative", "per session"),
        ("session", "principal", "per caller"),
        ("principal", "cooperative", "per caller"),
        ("tool", "principal", "for all callers of the tool"),
        ("server", "principal", "for all callers of the server"),
        ("global", "principal", "for all callers together"),
    ],
)
def test_a_limit_says_whose_it_is(scope: str, kind: str, words: str) -> None:
    """By its scope, and by whether the caller had a session at all."""
    assert whose(scope, kind) == words


def test_what_is_held_during_a_call_is_no_rate() -> None:
    """The window of such a limit is only when a forgotten place is free again."""
    assert allows("render", 1, 600, "per session", "concurrency") == (
        "render allows 1 at a time per session"
    )
    assert allows("read", 3, 60, "per caller") == "read allows 3 per 60 s per caller"
