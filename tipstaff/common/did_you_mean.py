"""What a word that nobody knows was probably meant to be. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_MOST_LISTED = 8


def nearest(word: str, known: Iterable[str]) -> str:
    """A hint at what may have been meant, or what there is."""
    known = sorted(known)
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    if close:
        return f"did you mean `{close[0]}`?"
    listed = ", ".join(known[:_MOST_LISTED])
    more = ", …" if len(known) > _MOST_LISTED else ""
    return f"known are: {listed}{more}" if known else "none is known"
