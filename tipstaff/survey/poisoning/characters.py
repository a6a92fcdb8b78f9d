"""Characters: which are not seen, which pass for others, and a text without such tricks. Pure.

Honest texts have invisible characters too: joiners in Persian and Indic words and in emoji, marks of
direction beside Hebrew and Arabic. Where they belong they are no finding, so that nobody learns to
overlook the ones that are.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator
from functools import cache

from msgspec import Struct

from tipstaff.common.visible_text import (
    BIDI,
    BLANKS,
    BROKEN,
    CONTROLS,
    HIDDEN,
    PRIVATE,
    RUN_OF_HIDDEN,
    SELECTORS,
    TAGS,
    visible,
)
from tipstaff.survey.poisoning.phrases import known_phrases

EXCERPT = 120
"""Characters in an excerpt, at most."""

_DROPPED = re.compile(rf"(?<=\s)[\s*`{HIDDEN}\u0300-\u036f]+|[*`{HIDDEN}\u0300-\u036f]+")
_CLASSES = tuple(
    (re.compile(f"[{members}]"), words)
    for members, words in (
        (TAGS, "tag characters, which spell a text that only the model reads"),
        (BIDI, "controls that show the text in another order than it is read"),
        (SELECTORS, "variation selectors where they change nothing that is seen"),
        (CONTROLS, "control characters, which a terminal obeys and nobody sees"),
        (PRIVATE, "private characters, which have no agreed meaning"),
        (BLANKS, "characters that take no room or leave no ink"),
        (BROKEN, "characters that are none in Unicode"),
    )
)
_RTL = re.compile("[\u0590-\u08ff\ufb1d-\ufdcf\ufdf0-\ufdff\ufe70-\ufefc]")
_DIRECTIONS = frozenset("\u200e\u200f\u061c")
_JOINING = re.compile("[\u0600-\u08ff\u0900-\u0dff\u0f00-\u109f\u1780-\u18af\ufb50-\ufdcf]")
_HAN = re.compile("[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
# What a copied page leaves beside its blanks; so few of them hold no message.
_REMNANT = re.compile("[\u200b\u2060\ufeff]{1,2}")
_FLAG = "\U0001f3f4"
_FLAGS = frozenset(
    "".join(chr(0xE0000 + ord(letter)) for letter in land) + "\U000e007f"
    for land in ("gbeng", "gbsct", "gbwls")
)
_FANCY = (  # ranges whose letters are Latin ones in another dress
    (0x2100, 0x214F), (0x2170, 0x217F), (0x24B6, 0x24E9), (0xFF01, 0xFF5E), (0x1D400, 0x1D7FF),
)  # fmt: skip
_ACCENTED = ((0xC0, 0x17F), (0x1E00, 0x1EFF))  # ranges of Latin letters with marks


class Plain(Struct, frozen=True):
    """A text in plain form, and where each character of it stood."""

    text: str
    starts: tuple[int, ...]
    origins: tuple[int, ...]

    def origin(self, at: int) -> int:
        """Where the character `at` stood in the text as it came."""
        piece = bisect_right(self.starts, at) - 1
        return self.origins[piece] + at - self.starts[piece] if piece >= 0 else 0


def plain(text: str) -> Plain:
    """Lower case, look-alikes made Latin, no accents, hidden characters and emphasis, single spaces."""
    pieces, starts, origins = [], [], []
    last = length = 0
    for dropped in _DROPPED.finditer(text):
        if dropped.start() > last:
            pieces.append(text[last : dropped.start()])
            starts.append(length)
            origins.append(last)
            length += dropped.start() - last
        last = dropped.end()
    pieces.append(text[last:])
    starts.append(length)
    origins.append(last)
    return Plain("".join(pieces).translate(_folds()), tuple(starts), tuple(origins))


def hidden(text: str) -> Iterator[tuple[int, int]]:
    """The runs of hidden characters that have no business where they stand: from, to."""
    if text.isascii() and text.isprintable():
        return
    is_rtl = _RTL.search(text) is not None
    for run in RUN_OF_HIDDEN.finditer(text):
        if not (is_rtl and run[0] in _DIRECTIONS) and not _is_at_home(text, *run.span()):
            yield run.span()


def kind_of_hidden(run: str) -> str:
    """In words what a run of hidden characters consists of; what tag characters spell, too."""
    kinds = [words for pattern, words in _CLASSES if pattern.search(run)]
    spelt = "".join(
        chr(ord(character) - 0xE0000)
        for character in run
        if "\U000e0020" <= character <= "\U000e007e"
    )
    return " and ".join(kinds[:2]) + (f" (`{spelt[:60]}`)" if spelt else "")


def excerpt(text: str, start: int, end: int) -> str:
    """What stands around a place, hidden characters made visible; at most `EXCERPT` characters."""
    left = max(0, start - 40)
    before = _cut(visible(text[left:start]).lstrip()[::-1], 30)[::-1]
    rest = visible(text[start : max(end, start) + EXCERPT])
    return _cut(" ".join((before + rest).split()), EXCERPT)


@cache
def foreign() -> frozenset[str]:
    """The letters of other scripts that pass for Latin ones."""
    letters = known_phrases().letters
    return frozenset(
        letter for letter in letters if not unicodedata.name(letter).startswith("LATIN")
    )


def fold(text: str) -> str:
    """The text with look-alike letters made Latin, in lower case."""
    return text.translate(_folds())


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _is_at_home(text: str, start: int, end: int) -> bool:
    """Whether a run of hidden characters is spelling, not hiding."""
    run, before, after = text[start:end], text[start - 1 : start], text[end : end + 1]
    if run in _FLAGS:
        return before == _FLAG
    if _REMNANT.fullmatch(run):
        return before.isspace() or after.isspace()
    if run in {"\u200d", "\ufe0f\u200d"} and _is_symbol(before) and _is_symbol(after):
        return True
    if run in {"\u200c", "\u200d"}:
        return bool(_JOINING.match(before) or _JOINING.match(after))
    if run in {"\ufe0e", "\ufe0f"}:
        return _is_symbol(before) or (after == "\u20e3" and before in "0123456789#*")
    return (
        len(run) == 1 and re.match(f"[{SELECTORS}]", run) is not None and bool(_HAN.match(before))
    )


def _is_symbol(character: str) -> bool:
    """Whether a character may be an emoji; the letter-like `i` of information is one too."""
    return (
        bool(character)
        and not character.isascii()
        and (unicodedata.category(character)[0] in "SP" or character == "\u2139")
    )


@cache
def _folds() -> dict[int, str]:
    """One character for one, so that places can be told."""
    table = {ord(upper): upper.lower() for upper in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}
    for first, last in _ACCENTED:
        for point in range(first, last + 1):
            letter = unicodedata.normalize("NFD", chr(point))[0].lower()
            if letter.isascii():
                table[point] = letter
    for first, last in _FANCY:
        for point in range(first, last + 1):
            folded = unicodedata.normalize("NFKC", chr(point)).lower()
            if len(folded) == 1 and folded.isascii():
                table[point] = folded
    table.update({ord(alike): latin for alike, latin in known_phrases().letters.items()})
    blanks = "\t\n\r\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    table.update({ord(blank): " " for blank in blanks + "\u2028\u2029\u202f\u205f\u3000"})
    table.update({ord(quote): "'" for quote in "\u2018\u2019\u02bc\uff07"})
    table.update({ord(quote): '"' for quote in "\u201c\u201d"})
    return table
