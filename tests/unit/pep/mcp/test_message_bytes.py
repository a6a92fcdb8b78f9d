"""What the bytes of a message tell before it is parsed, and where it never is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pep.errors import AnswerUnreadable
from pep.mcp.message_bytes import Watch, check_begin, check_text, is_text, may_matter

WORDS = [
    b'"method"', b'"tools"', b'"prompts"', b'"resources"', b'"resourceTemplates"', b'"tasks"',
    b'"taskId"', b'"inputRequests"', b'"elicitations"', b'"\\u0049nputRequests"', b'{"TOOLS":1}',
    b'{"res\\u0075lt":1}', b'"tool\xc5\xbf"', b'"ta\xe2\x84\xaas"', b"\\u212A", b"\\u017F",
]  # fmt: skip


def watched(data: bytes, cuts: list[int]) -> None:
    """Raises `AnswerUnreadable`."""
    watch, start = Watch(), 0
    for cut in [*sorted(cuts), len(data)]:
        watch.see(data[start:cut])
        start = max(start, cut)
    watch.finish()


@pytest.mark.parametrize("word", WORDS)
def test_a_word_matters_in_any_disguise(word: bytes) -> None:
    """Escaped letters, capitals, letters that fold to others."""
    assert may_matter(b"x" * 100 + word)
    assert not may_matter(b'{"text":"\\u00e9 \\u2028 tools", "method ": "\\"tools\\""}')


@pytest.mark.parametrize(
    "data", [b"", b" ", b"[]", b'"{"', b"7", b"\xef\xbb\xbf{}", b"{\x00}", b"{\xff}", b"\xfe\xff{}"]
)
def test_what_is_no_object_in_utf_8_is_no_message(data: bytes) -> None:
    """As far as a look tells."""
    with pytest.raises(AnswerUnreadable):
        check_text(data)


@pytest.mark.parametrize("data", [b"{}", b" \t\r\n{", "{é\u2028".encode()])
def test_an_object_in_utf_8_may_be_a_message(data: bytes) -> None:
    """Whether it is one, its parse tells, if it matters at all."""
    check_text(data)
    check_begin(data)
    assert is_text(data)


@given(st.sampled_from(WORDS), st.integers(0, 400), st.lists(st.integers(0, 450), max_size=6))
def test_no_way_of_cutting_a_large_message_hides_a_word(
    word: bytes, before: int, cuts: list[int]
) -> None:
    """What would have been judged must not stream by."""
    data = b" " * before + word + b" " * 30
    with pytest.raises(AnswerUnreadable):
        watched(data, cuts)


@given(st.text(), st.lists(st.integers(0, 40), max_size=6))
def test_harmless_text_streams_by_however_it_is_cut(text: str, cuts: list[int]) -> None:
    """Also in the middle of a character."""
    data = text.replace("\0", "").replace('"', "").replace("\\", "").encode()
    if may_matter(data):
        return
    watched(data, cuts)


@pytest.mark.parametrize(
    ("data", "cut"), [(b"\0", 1), (b"\xff", 1), (b"x\xe2\x80", 2), (b"\xc3x", 1)]
)
def test_a_large_message_that_is_no_text_does_not_stream_by(data: bytes, cut: int) -> None:
    """Like a small one; also when it ends within a character."""
    with pytest.raises(AnswerUnreadable):
        watched(data, [cut])
