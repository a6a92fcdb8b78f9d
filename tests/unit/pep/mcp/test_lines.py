"""A message a line: LF ends it, and nothing else does."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pep.mcp.lines import LineSplitter, is_one


@given(st.binary(max_size=60), st.lists(st.integers(0, 60), max_size=5))
def test_no_way_of_cutting_the_bytes_changes_the_lines(stream: bytes, cuts: list[int]) -> None:
    """Two calls in one write, or one call in two."""
    lines, found, start = LineSplitter(), [], 0
    for cut in [*sorted(cuts), len(stream)]:
        found += lines.feed(stream[start:cut])
        start = max(start, cut)
    found += lines.end()
    expected = stream.split(b"\n")
    assert found == (expected if expected[-1] else expected[:-1])


def test_other_line_ends_are_part_of_the_line() -> None:
    """CR, the Unicode separators, and a LF that is written as an escape."""
    stream = "a\rb\r\nc\u2028d\u0085e\x0bf\\ng\n".encode()
    assert LineSplitter().feed(stream) == [b"a\rb\r", "c\u2028d\u0085e\x0bf\\ng".encode()]


def test_of_a_line_that_is_too_long_only_the_news_is_left() -> None:
    """However it comes; the next line is read again."""
    lines = LineSplitter(longest=4)
    assert lines.feed(b"12345\n1234\n") == [None, b"1234"]
    assert lines.feed(b"123") == []
    assert lines.feed(b"45") == []
    assert lines.feed(b"67\nok\n") == [None, b"ok"]
    lines.feed(b"12345")
    assert lines.end() == [None]
    assert lines.end() == []


def test_a_line_with_a_cr_inside_is_two_to_some() -> None:
    """At its end a CR belongs to the line's end."""
    assert is_one(b"{}")
    assert is_one(b"{}\r")
    assert not is_one(b"{}\r{}")
    assert not is_one(b"{}\r\r")
