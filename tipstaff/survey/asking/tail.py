"""The end of what a program writes to a pipe, kept while the pipe is emptied. Edge: reads a descriptor."""

from __future__ import annotations

import asyncio
import os

_KEPT_BYTES = 64 * 1024
_PIECE = 64 * 1024


class Tail:
    """The end of what is written to a pipe, which is kept from filling up."""

    def __init__(self, descriptor: int) -> None:
        """Read from `descriptor`, in this loop, until `close`."""
        self._descriptor = descriptor
        self._kept = b""
        self._is_cut = False
        os.set_blocking(descriptor, False)
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(descriptor, self._read)

    def text(self) -> str:
        """The text that is kept, in whole lines, because half a secret could not be masked."""
        kept = self._kept.partition(b"\n")[2] if self._is_cut else self._kept
        return kept.decode(errors="replace")

    def close(self) -> None:
        """Read what is in the pipe now, and stop."""
        while self._read():
            pass
        self._loop.remove_reader(self._descriptor)
        os.close(self._descriptor)

    def _read(self) -> bool:
        try:
            chunk = os.read(self._descriptor, _PIECE)
        except BlockingIOError:
            return False
        if not chunk:
            self._loop.remove_reader(self._descriptor)
            return False
        self._is_cut = self._is_cut or len(self._kept) + len(chunk) > _KEPT_BYTES
        self._kept = (self._kept + chunk)[-_KEPT_BYTES:]
        return True
