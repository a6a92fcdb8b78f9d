"""Runs of base64 and hexadecimal digits that spell an order to the model, or are too long for a text.

Pure. Identifiers, digests, tokens in examples and long paths are runs too, and are left alone: a run is
told of when what it spells holds one of the known phrases, or when nobody can read it for its length.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from itertools import pairwise

from tipstaff.common.visible_text import visible
from tipstaff.survey.poisoning.characters import plain
from tipstaff.survey.poisoning.phrases import known_phrases

LONGEST_TOKEN = 160
"""Characters that an example of a token, or a digest of 512 bits in hexadecimal, may take."""

_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{36,}={0,2}")
_HEX = re.compile(r"(?:[0-9a-fA-F]{2}){18,}")


def encoded(text: str) -> Iterator[tuple[int, int, str]]:
    """The runs that are signs: from, to, and what each of them is."""
    for pattern, decode in ((_HEX, _from_hex), (_BASE64, _from_base64)):
        for run in pattern.finditer(text):
            spelt = decode(run[0])
            if spelt and _is_an_order(spelt):
                shown = visible(spelt, 60)
                yield *run.span(), f"It spells `{shown}` in an encoding that only the model reads."
            elif len(run[0]) > LONGEST_TOKEN and _is_data(run[0]):
                yield (
                    *run.span(),
                    f"{len(run[0])} characters of encoded data are nothing that people can read.",
                )


def _is_an_order(spelt: str) -> bool:
    text = plain(spelt).text
    return any(True for phrase in known_phrases().phrases for _ in phrase.matches(text))


def _is_data(run: str) -> bool:
    """Whether letters and digits are data: words and paths change between their kinds less often."""
    kinds = [
        "u" if letter.isupper() else "l" if letter.islower() else "d"
        for letter in run
        if letter.isalnum()
    ]
    changes = sum(letter != other for letter, other in pairwise(kinds))
    return changes > 0.3 * len(run)


def _from_hex(run: str) -> str:
    return _readable(bytes.fromhex(run))


def _from_base64(run: str) -> str:
    whole = run.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return _readable(base64.b64decode(whole + "=" * (-len(whole) % 4)))
    except binascii.Error:
        return ""


def _readable(data: bytes) -> str:
    """The data as a text, or nothing where it is none."""
    text = data.decode("latin-1")
    return text if text.isascii() and " ".join(text.split()).isprintable() else ""
