"""Whether bytes hold any of some words, all looked for in one pass. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from ahocorasick_rs import BytesAhoCorasick

_PIECE = 64 * 1024


class WordScan:
    """A scan for `words`, which are never empty."""

    def __init__(self, words: Sequence[bytes]) -> None:
        """Prepare the scan."""
        self._find = BytesAhoCorasick(words).find_matches_as_indexes
        self._overlap = max(map(len, words)) - 1

    def finds_in(self, data: bytes) -> bool:
        """Whether any of the words is in `data`.

        Piece by piece: the library lists every match, and whoever wrote the data chooses how many there are.
        """
        if len(data) <= _PIECE:
            return bool(self._find(data))
        return any(
            self._find(data[start : start + _PIECE + self._overlap])
            for start in range(0, len(data), _PIECE)
        )
