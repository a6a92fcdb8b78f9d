"""Scans of the bytes of a server's message, before it is parsed or instead. Pure.

Most messages hold no word of the protocol that would have to be judged, and pass on this scan alone.
A message too large to hold must not have such a word either: so padding hides nothing.
"""

from __future__ import annotations

import codecs

from pep.errors import AnswerUnreadable
from tipstaff.common.word_scan import WordScan

# In lower case. A letter written as an escape, or one that folds to a letter, could be one of these.
_WORDS = (
    b'"method"',
    b'"tools"',
    b'"prompts"',
    b'"resources"',
    b'"resourcetemplates"',
    b'"tasks"',
    b'"taskid"',
    b'"inputrequests"',
    b'"elicitations"',
    # As the Python SDK's clients read them, too.
    b'"resource_templates"',
    b'"task_id"',
    b'"input_requests"',
    b"\\u004",
    b"\\u005",
    b"\\u006",
    b"\\u007",
    b"\\u017f",
    b"\\u212a",
    b"\xc5\xbf",
    b"\xe2\x84\xaa",
)
_BLANKS = b" \t\r\n"
LONGEST_WORD = max(map(len, _WORDS))


# Fewer words begin with fewer bytes, which are found many times as fast.
_words_of_ascii = WordScan([word for word in _WORDS if word.isascii()])
_words = WordScan(_WORDS)


def may_matter(message: bytes) -> bool:
    """Whether the message has to be parsed."""
    low = message.lower()
    return (_words_of_ascii if low.isascii() else _words).finds_in(low)


def check_text(message: bytes) -> None:
    """Raises `AnswerUnreadable` for bytes that are no JSON object in UTF-8, as far as a scan tells.

    Some readers guess the encoding of JSON, and would find words in another encoding than this scan.
    """
    check_begin(message)
    if not is_text(message):
        raise AnswerUnreadable("the server's message is no text in UTF-8")


def check_begin(message: bytes) -> None:
    """Raises `AnswerUnreadable` for bytes that do not begin as a JSON object does."""
    if message[:1] != b"{" and message.lstrip(_BLANKS)[:1] != b"{":
        raise AnswerUnreadable("the server's message is no JSON object")


def is_text(data: bytes) -> bool:
    """Whether the bytes are UTF-8 without null bytes, of which JSON and events have none."""
    if not data.isascii():
        try:
            data.decode()
        except UnicodeDecodeError:
            return False
    return b"\0" not in data


class Watch:
    """Scans a message that streams by. Every method raises `AnswerUnreadable`."""

    def __init__(self) -> None:
        """Begin at the first byte."""
        self._tail = b""
        self._utf8 = codecs.getincrementaldecoder("utf-8")()

    def see(self, piece: bytes) -> None:
        """Scan the next bytes."""
        seen = self._tail + piece
        if may_matter(seen) or b"\0" in piece:
            raise AnswerUnreadable("the server's message is too large to be judged")
        self._tail = seen[-LONGEST_WORD:]
        self._decode(piece)

    def finish(self) -> None:
        """The message has ended."""
        self._decode(b"", is_last=True)

    def _decode(self, piece: bytes, *, is_last: bool = False) -> None:
        try:
            self._utf8.decode(piece, is_last)
        except UnicodeDecodeError as error:
            raise AnswerUnreadable("the server's message is not in UTF-8") from error
