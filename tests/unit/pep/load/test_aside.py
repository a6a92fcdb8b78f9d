"""Large work runs in a thread, small work where it is asked for."""

from __future__ import annotations

import threading

import pytest

from pep.load.aside import LARGE_BYTES, aside


@pytest.mark.parametrize(("size", "is_aside"), [(LARGE_BYTES, False), (LARGE_BYTES + 1, True)])
async def test_only_large_work_leaves_the_event_loop(size: int, is_aside: bool) -> None:
    """A thread costs more than small work does."""
    thread = await aside(size, threading.get_ident)
    assert (thread != threading.get_ident()) is is_aside


@pytest.mark.parametrize("size", [1, LARGE_BYTES + 1])
async def test_what_the_work_raises_is_raised(size: int) -> None:
    """With all its arguments."""
    assert await aside(size, int, "11", base=2) == 3
    with pytest.raises(ValueError, match="invalid"):
        await aside(size, int, "x")
