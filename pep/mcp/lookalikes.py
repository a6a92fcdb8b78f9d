"""Keys that merely look like the keys of the protocol. Pure.

Some parsers match keys loosely: they take `Params`, `params` with a long s, or `params` with a blank
behind it for `params`; and servers of the Python SDK take `task_id` for `taskId`. A message with such
a key would be judged by one reading and carried out by another.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from msgspec import Struct

MAX_KEY = 1024  # in characters; some compatibility forms are eighteen times as long


class KnownKeys(Struct, frozen=True):
    """The keys of one kind of object, and what loose parsers might take for them."""

    known: frozenset[str]
    folded: frozenset[str]

    def lookalike(self, keys: Iterable[str]) -> str | None:
        """The first of `keys` that is not known but looks like a known key, or is too long to compare."""
        for key in keys:
            if key not in self.known and (len(key) > MAX_KEY or fold(key) in self.folded):
                return key
        return None


def keys(*known: str) -> KnownKeys:
    """The keys `known`."""
    return KnownKeys(frozenset(known), frozenset(map(fold, known)))


def fold(key: str) -> str:
    """The form of `key` in a loose parser: its letters and digits, whatever their case or form."""
    if not key.isascii():
        key = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", key).casefold())
    return "".join(filter(str.isalnum, key.casefold()))
