"""What the Redis store does by itself; a real server is asked in `tests/contract`."""

from __future__ import annotations

from pdp.limits.breaker import Breaker


class Seconds:
    """A clock of seconds that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def broken(clock: Seconds) -> Breaker:
    breaker = Breaker(clock)
    for _ in range(5):
        assert not breaker.is_open()
        breaker.failed()
    return breaker


def test_five_failures_in_a_row_open_the_breaker_for_a_second() -> None:
    """And one more try that fails opens it again."""
    clock = Seconds()
    breaker = broken(clock)
    assert breaker.is_open()
    clock.now = 1.0
    assert not breaker.is_open()
    breaker.failed()
    assert breaker.is_open()


def test_an_answer_closes_the_breaker() -> None:
    """The next five failures count from nothing."""
    clock = Seconds()
    breaker = broken(clock)
    breaker.worked()
    for _ in range(4):
        breaker.failed()
    assert not breaker.is_open()
