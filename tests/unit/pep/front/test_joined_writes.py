"""Small writes of one turn go out as one, large ones at once, and nothing is lost or out of order."""

from __future__ import annotations

import asyncio

from pep.front.joined_writes import JoinedWrites


class Wire:
    """A transport that only remembers."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.ends: list[str] = []

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def close(self) -> None:
        self.ends.append("close")

    def abort(self) -> None:
        self.ends.append("abort")

    def is_closing(self) -> bool:
        return bool(self.ends)

    def get_write_buffer_size(self) -> int:
        return 7


def joined() -> tuple[JoinedWrites, Wire]:
    wire = Wire()
    return JoinedWrites(wire, asyncio.get_running_loop()), wire


async def test_writes_of_one_turn_are_one_write() -> None:
    """Those of the next are another."""
    transport, wire = joined()
    transport.write(b"head ")
    transport.write(b"body")
    assert (wire.written, transport.get_write_buffer_size()) == ([], 7 + 9)
    await asyncio.sleep(0)
    transport.write(b"next")
    await asyncio.sleep(0)
    assert (wire.written, transport.get_write_buffer_size()) == ([b"head body", b"next"], 7)


async def test_a_large_write_does_not_wait() -> None:
    """The connection must tell at once that its client does not read."""
    transport, wire = joined()
    transport.write(b"head ")
    transport.write(b"x" * 20_000)
    assert wire.written == [b"head " + b"x" * 20_000]
    await asyncio.sleep(0)
    assert len(wire.written) == 1


async def test_what_was_written_is_sent_before_a_close_and_lost_with_an_abort() -> None:
    """As on any transport."""
    closed, closed_wire = joined()
    closed.write(b"bye")
    closed.close()
    assert (closed_wire.written, closed_wire.ends) == ([b"bye"], ["close"])
    aborted, aborted_wire = joined()
    aborted.write(b"bye")
    aborted.abort()
    await asyncio.sleep(0)
    assert (aborted_wire.written, aborted_wire.ends) == ([], ["abort"])
    assert aborted.is_closing()
