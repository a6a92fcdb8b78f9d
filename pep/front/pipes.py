"""This process's own stdin and stdout as lines. Edge: threads, because any kind of file may be there."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator

from pep.mcp.lines import LineSplitter

_PIECE = 64 * 1024
_AHEAD = 16


async def lines_of(descriptor: int) -> AsyncIterator[bytes | None]:
    """The lines as they come; `None` for one that is too long."""
    loop = asyncio.get_running_loop()
    chunks: asyncio.Queue[bytes] = asyncio.Queue(_AHEAD)

    def read() -> None:
        chunk = b"-"
        while chunk:
            try:
                chunk = os.read(descriptor, _PIECE)
            except OSError:
                chunk = b""
            try:
                asyncio.run_coroutine_threadsafe(chunks.put(chunk), loop).result()
            except (RuntimeError, asyncio.CancelledError):
                return  # the loop has ended

    threading.Thread(target=read, name="stdin", daemon=True).start()
    lines = LineSplitter()
    while chunk := await chunks.get():
        for line in lines.feed(chunk):
            yield line
    for line in lines.end():
        yield line


class Output:
    """Writes lines, one after the other; a reader that does not read does not hold up the loop."""

    def __init__(self, descriptor: int) -> None:
        """Write to `descriptor`."""
        self._descriptor = descriptor
        self._writing = asyncio.Lock()

    async def write(self, line: bytes) -> None:
        """Write one line; raises `OSError` when the reader has gone."""
        async with self._writing:
            await asyncio.to_thread(self._all, line + b"\n")

    def _all(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._descriptor, view) :]
