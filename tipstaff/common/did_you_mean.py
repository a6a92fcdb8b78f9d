"""Guesses which known word an unknown one was meant to be. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_MOST_LISTED = 8


def closest(word: str, known: Iterable[str], likeness: float = 0.6) -> str | None:
    """The known word that was probably meant; `None` when none is as like as `likeness`, from 0 to 1."""
    return next(iter(difflib.get_close_matches(word, list(known), n=1, cutoff=likeness)), None)


def nearest(word: str, known: Iterable[str]) -> str:
    """A hint for an error message: the nearest known word, or the words that are known."""
    known = sorted(known)
    meant = closest(word, known)
    if meant is not None:
        return f"did you mean `{meant}`?"
    listed = ", ".join(known[:_MOST_LISTED])
    more = ", …" if len(known) > _MOST_LISTED else ""
    return f"known are: {listed}{more}" if known else "none is known"
