"""The end of what is written to a pipe."""

from __future__ import annotations

import asyncio
import os
import threading

from tipstaff.survey.asking.tail import Tail


async def test_the_end_is_kept_in_whole_lines_and_nobody_waits() -> None:
    """A pipe that nobody empties would stop its writer; half a line could be half a secret."""
    reading, writing = os.pipe()
    tail = Tail(reading)
    lines = b"".join(b"line %07d\n" % number for number in range(100_000))

    def write() -> None:
        os.write(writing, lines[:1000])
        with os.fdopen(writing, "wb") as pipe:
            pipe.write(lines[1000:])

    writer = threading.Thread(target=write)
    writer.start()
    async with asyncio.timeout(10):
        while writer.is_alive():
            await asyncio.sleep(0.01)
    tail.close()
    kept = tail.text().splitlines()
    assert kept[-1] == "line 0099999"
    assert 5000 < len(kept) < 6000
    assert {len(line) for line in kept} == {len("line 0000000")}


async def test_what_is_there_when_it_is_closed_is_kept_too() -> None:
    """Also of a pipe that others hold open; a short text is kept from its beginning."""
    reading, writing = os.pipe()
    tail = Tail(reading)
    os.write(writing, b"no line end")
    tail.close()
    assert tail.text() == "no line end"
    os.close(writing)
