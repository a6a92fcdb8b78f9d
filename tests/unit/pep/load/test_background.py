"""Work that nobody waits for: what is done at once, what waits, what is dropped."""

from __future__ import annotations

import asyncio

from pep.load.background import Background


class Work:
    """Pieces of work that wait until they are let go, and keep their order."""

    def __init__(self) -> None:
        self.begun: list[int] = []
        self.go_on = asyncio.Event()

    async def piece(self, number: int) -> None:
        self.begun.append(number)
        await self.go_on.wait()


async def test_what_waits_is_done_in_order_once_there_is_a_place() -> None:
    """Nothing that may wait is lost."""
    work, lane = Work(), Background(at_once=2, waiting=3)
    for number in range(5):
        lane.start("piece", work.piece(number))
    await asyncio.sleep(0)
    assert work.begun == [0, 1]
    work.go_on.set()
    await lane.close(5)
    assert work.begun == [0, 1, 2, 3, 4]


async def test_what_finds_no_place_is_dropped_and_the_lane_goes_on() -> None:
    """A lane without room to wait drops at once."""
    work, lane = Work(), Background(at_once=1)
    for number in range(3):
        lane.start("piece", work.piece(number))
    await asyncio.sleep(0)
    work.go_on.set()
    await asyncio.sleep(0.01)
    lane.start("piece", work.piece(9))
    await lane.close(5)
    assert work.begun == [0, 9]


async def test_the_end_waits_a_little_and_no_longer() -> None:
    """Also for a lane in which much waits behind something that hangs."""
    work, lane = Work(), Background(at_once=1, waiting=10)
    for number in range(5):
        lane.start("piece", work.piece(number))
    began = asyncio.get_running_loop().time()
    await lane.close(0.05)
    assert asyncio.get_running_loop().time() - began < 1
    assert work.begun == [0]


async def test_a_piece_that_fails_makes_room_for_the_next() -> None:
    """Its failure is its own."""

    async def failing() -> None:
        raise OSError("gone")

    work, lane = Work(), Background(at_once=1, waiting=1)
    work.go_on.set()
    lane.start("failing", failing())
    lane.start("piece", work.piece(1))
    await lane.close(5)
    assert work.begun == [1]
