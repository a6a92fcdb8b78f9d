"""What can go wrong towards a server, as kinds: whoever catches the one must catch the other."""

from __future__ import annotations

import asyncio

from pep.ports import BusyError, LostError, NeverReachedError, NeverSentCancelledError


def test_a_busy_server_was_never_reached_and_a_lost_one_may_have_been() -> None:
    """The first is given back, the second stays counted."""
    assert issubclass(BusyError, NeverReachedError)
    assert not issubclass(LostError, NeverReachedError)
    assert not issubclass(NeverReachedError, LostError)


def test_a_cancellation_before_anything_was_sent_is_a_cancellation() -> None:
    """It ends the task like any other, past every `except Exception`."""
    assert issubclass(NeverSentCancelledError, asyncio.CancelledError)
    assert not issubclass(NeverSentCancelledError, Exception)
