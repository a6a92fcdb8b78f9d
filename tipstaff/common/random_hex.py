"""Names that nobody can guess, as `secrets.token_hex`, with one system call for many. Not for forks."""

from __future__ import annotations

import os

_AT_ONCE = 4096


class RandomHex:
    """Draws hexadecimal digits from the operating system's random numbers; none is given twice."""

    def __init__(self, size: int) -> None:
        """Each name has `size` random bytes, two digits each."""
        self._size = size
        self._bytes = b""
        self._used = 0

    def __call__(self) -> str:
        """A new name."""
        start, end = self._used, self._used + self._size
        if end > len(self._bytes):
            self._bytes = os.urandom(_AT_ONCE - _AT_ONCE % self._size)
            start, end = 0, self._size
        self._used = end
        return self._bytes[start:end].hex()
