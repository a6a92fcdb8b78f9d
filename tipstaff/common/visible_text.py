"""Foreign text made visible: characters that nobody sees, or that a terminal obeys, as escapes. Pure.

Names, arguments, descriptions and errors are written by strangers. Shown as they are, they could move the
cursor, forge a line of a log, or read in another order than they stand.
"""

from __future__ import annotations

import re

# Ranges for a character class, by what is wrong with them.
TAGS = "\U000e0000-\U000e007f"
BIDI = "\u202a-\u202e\u2066-\u2069"
SELECTORS = "\ufe00-\ufe0f\U000e0100-\U000e01ef\u180b-\u180d\u180f"
PRIVATE = "\ue000-\uf8ff\U000f0000-\U0010ffff"
CONTROLS = "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"
BLANKS = (  # zero width, fillers, and what else leaves no ink
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u2060-\u2065\u206a-\u206f"
    "\u2800\u3164\ufeff\uffa0\ufff9-\ufffb\U00013430-\U0001343f\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a"
)
BROKEN = "\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff"
HIDDEN = TAGS + BIDI + SELECTORS + PRIVATE + CONTROLS + BLANKS + BROKEN
RUN_OF_HIDDEN = re.compile(f"[{HIDDEN}]+")


def visible(text: str) -> str:
    r"""The text on one line, every hidden character as `\u{200b}`, every blank as a space."""
    return "".join(map(_visible_character, text))


def visible_lines(text: str) -> str:
    """The text with its lines, and on them nothing that a terminal obeys."""
    if text.isascii() and text.replace("\n", "").isprintable():
        return text
    return "\n".join(map(visible, text.split("\n")))


def _visible_character(character: str) -> str:
    if character.isspace():
        return " "
    if character.isprintable() and not RUN_OF_HIDDEN.match(character):
        return character
    return f"\\u{{{ord(character):x}}}"
