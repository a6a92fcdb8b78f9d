r"""Makes untrusted text visible: every hidden character is shown, and no terminal obeys any. Pure.

Names, descriptions, arguments and errors come from servers and callers. Each character that prints stays
as it is. Each blank, also a tab or a line end, becomes a space, so that no text forges a line. Every other
character is written as its number, as in `\u{200b}`: what a terminal obeys, what turns the direction of the
text beside it, and what takes no room or leaves no ink.

`exact` is for a person who answers for what a text says: there a line end and a blank of another kind than
the common one are told apart as well, and nothing in the text can be taken for such a mark.

The result is plain text: whoever puts it into HTML, YAML or JSON quotes it for that besides.
"""

from __future__ import annotations

import re

TAGS = "\U000e0000-\U000e007f"
"""Characters that spell a text which only a model reads; like those below, for a class of a pattern."""
BIDI = "\u202a-\u202e\u2066-\u2069"
"""Controls that show a text in another order than it is read."""
SELECTORS = "\ufe00-\ufe0f\U000e0100-\U000e01ef\u180b-\u180d\u180f"
"""Selectors of a variant of the character before them."""
PRIVATE = "\ue000-\uf8ff\U000f0000-\U0010ffff"
"""Characters without an agreed meaning."""
CONTROLS = "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"
"""Control characters, which a terminal obeys, but for tab and line ends."""
BLANKS = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u2060-\u2065\u206a-\u206f"
    "\u2800\u3164\ufeff\uffa0\ufff9-\ufffb\U00013430-\U0001343f\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a"
)
"""Characters of no width, fillers, and what else leaves no ink."""
BROKEN = "\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff"
"""Code points that are no characters in Unicode."""
HIDDEN = TAGS + BIDI + SELECTORS + PRIVATE + CONTROLS + BLANKS + BROKEN
"""All of these."""

RUN_OF_HIDDEN = re.compile(f"[{HIDDEN}]+")
"""A run of them, whether it has business where it stands or not."""
_MARK = "⟨"
_NOT_PLAIN = re.compile(r"[^ -~]")
_PART_OF_ESCAPE = re.compile(r"\\(?:u(?:\{[0-9a-f]*)?)?\Z")


def visible(text: str, longest: int | None = None, *, folds: bool = False) -> str:
    """`text` on one line, of at most `longest` characters; what was cut off shows as `…`.

    With `folds`, blanks at its ends are left out, and several in a row are one space.
    """
    is_cut = False
    if longest is not None:
        most = 4 * longest if folds else longest + 1
        is_cut, text = len(text) > most, text[:most]
    if folds:
        text = " ".join(text.split())
    if not (text.isascii() and text.isprintable()):
        text = _NOT_PLAIN.sub(_seen, text)
    if longest is None or (len(text) <= longest and not is_cut):
        return text
    return f"{_PART_OF_ESCAPE.sub('', text[: longest - 1]).rstrip()}…"


def visible_lines(text: str) -> str:
    """The lines of `text`, each made visible."""
    if text.isascii() and text.replace("\n", "").isprintable():
        return text
    return "\n".join(map(visible, text.split("\n")))


def exact(text: str) -> str:
    """`text` on one line, every character that is no ink and no common blank as its number: `⟨U+202E⟩`.

    The bracket that begins such a mark is marked itself, so that no text forges one.
    """
    return text if text.isascii() and text.isprintable() else _NOT_PLAIN.sub(_marked, text)


def is_hidden(character: str) -> bool:
    """Whether nobody would see `character`, or would take it for a blank that it is not."""
    return not character.isprintable() or RUN_OF_HIDDEN.match(character) is not None


def _seen(match: re.Match[str]) -> str:
    character = match[0]
    if character.isspace():
        return " "
    return f"\\u{{{ord(character):x}}}" if is_hidden(character) else character


def _marked(match: re.Match[str]) -> str:
    character = match[0]
    is_plain = not (is_hidden(character) or character.isspace() or character == _MARK)
    return character if is_plain else f"⟨U+{ord(character):04X}⟩"
