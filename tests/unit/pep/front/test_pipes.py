"""Lines over real pipes."""

from __future__ import annotations

import asyncio
import os

import pytest

from pep.front.pipes import Output, lines_of
from pep.mcp.lines import MAX_LINE


async def test_lines_come_as_they_are_written_and_the_last_without_its_end() -> None:
    """A reader does not wait for the next one."""
    reading, writing = os.pipe()
    lines = lines_of(reading)
    os.write(writing, b"one\ntw")
    assert await asyncio.wait_for(anext(lines), 5) == b"one"
    os.write(writing, b"o\nthree")
    os.close(writing)
    assert [line async for line in lines] == [b"two", b"three"]
    os.close(reading)


async def test_a_line_that_is_too_long_is_none_and_the_next_is_read() -> None:
    """Nothing of it is kept."""
    reading, writing = os.pipe()

    def write() -> None:
        with os.fdopen(writing, "wb") as file:
            file.write(b"x" * (MAX_LINE + 1) + b"\nnext\n")

    written = asyncio.ensure_future(asyncio.to_thread(write))
    assert [line async for line in lines_of(reading)] == [None, b"next"]
    await written
    os.close(reading)


async def test_a_descriptor_that_cannot_be_read_has_no_lines() -> None:
    """As when it is closed."""
    reading, writing = os.pipe()
    os.close(writing)
    assert [line async for line in lines_of(reading)] == []
    os.close(reading)


async def test_lines_are_written_whole_one_after_the_other() -> None:
    """Also when the pipe takes only a part of one at a time, and nobody reads yet."""
    reading, writing = os.pipe()
    output = Output(writing)
    large = b"y" * 300_000
    writes = [asyncio.ensure_future(output.write(line)) for line in (large, b"short")]
    await asyncio.sleep(0.01)
    assert not any(write.done() for write in writes)

    def read() -> bytes:
        data = b""
        while not data.endswith(b"short\n"):
            data += os.read(reading, 65536)
        return data

    assert await asyncio.to_thread(read) == large + b"\nshort\n"
    await asyncio.gather(*writes)
    os.close(reading)
    with pytest.raises(OSError, match="Broken pipe"):
        await output.write(b"nobody")
    os.close(writing)
