"""A stream of events cut as the HTML specification cuts it, however its bytes arrive."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pep.errors import AnswerUnreadable
from pep.mcp.sse import Event, Splitter

BOM = b"\xef\xbb\xbf"
PIECES = st.lists(
    st.sampled_from(
        [b"data: a", b"data:b", b"data", b": c", b"id: 1", b"event: e", b"retry: 5", b"\r\n", b"\n",
         b"\r", b"\n\n", b"\r\n\r\n", b"\r\r", BOM, b" ", b"\xe2\x80\xa8", b"{}", b":"]
    ),
    max_size=40,
)  # fmt: skip


def fed(splitter: Splitter, chunk: bytes) -> list[Event]:
    """The events that `chunk` completes."""
    splitter.add(chunk)
    return splitter.events()


def split(stream: bytes, cuts: list[int]) -> list[Event]:
    splitter, events, start = Splitter(), [], 0
    for cut in [*sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]:
        events += fed(splitter, stream[start:cut])
        start = cut
    return events + splitter.end()


def reference(stream: bytes, *, drops_marks: bool = False) -> list[bytes]:
    """The data of each event, read one character after the other.

    The specification drops a byte order mark at the start of the stream, some readers at the start
    of every line.
    """
    stream = stream.removeprefix(BOM)
    lines, line, index = [], bytearray(), 0
    while index < len(stream):
        byte = stream[index : index + 1]
        if byte in b"\r\n":
            index += stream[index : index + 2] == b"\r\n"
            lines.append(bytes(line))
            line.clear()
        else:
            line += byte
        index += 1
    found: list[bytes] = []
    data: list[bytes] = []
    for one in (line.removeprefix(BOM) for line in lines) if drops_marks else lines:
        if not one:
            if data:
                found.append(b"\n".join(data))
            data = []
        name, _, value = one.partition(b":")
        if name == b"data":
            data.append(value.removeprefix(b" "))
    return found


@given(PIECES, st.lists(st.integers(0, 200), max_size=6))
def test_no_way_of_cutting_the_bytes_changes_the_events(
    pieces: list[bytes], cuts: list[int]
) -> None:
    """And nothing of the stream is lost or made up."""
    stream = b"".join(pieces)
    events = split(stream, cuts)
    assert b"".join(event.raw for event in events) == stream
    assert [event.data for event in events] == [event.data for event in split(stream, [])]


@given(PIECES)
def test_what_a_client_reads_is_what_is_read_here(pieces: list[bytes]) -> None:
    """Of whole events; one that never ends is read too, though the specification drops it."""
    stream = b"".join(piece for piece in pieces if piece != BOM)
    read = [event.data for event in split(stream, []) if event.data]
    expected = [data for data in reference(stream) if data]
    assert read[: len(expected)] == expected
    assert len(read) <= len(expected) + 1


@given(PIECES)
def test_of_a_doubtful_event_every_reader_reads_the_same(pieces: list[bytes]) -> None:
    """Once it is written anew, as one is that had to be judged."""
    shown = b"".join(
        event.raw if not event.is_doubtful
        else event.with_data(event.data) if event.data else event.without_data()
        for event in split(b"".join(pieces), [])
    )  # fmt: skip
    assert reference(shown) == reference(shown, drops_marks=True)


def test_a_mark_inside_the_stream_hides_no_event() -> None:
    """A client that drops it reads the event, so it is judged, and handed on without the mark."""
    (first, second) = split(b"data: a\n\n" + b": c\n" + BOM + b"data: b\n\n", [])
    assert (first.data, first.is_doubtful) == (b"a", False)
    assert (second.data, second.is_doubtful) == (b"b", True)
    assert second.with_data(second.data) == b"data: b\r\n\r\n"


def test_an_event_comes_out_the_moment_it_is_whole() -> None:
    """With the byte that ends it."""
    splitter = Splitter()
    assert fed(splitter, b"data: 1\r\n\r") == []
    assert [event.raw for event in fed(splitter, b"\ndata: 2\n")] == [b"data: 1\r\n\r\n"]
    assert splitter.waiting == len(b"data: 2\n")
    assert [event.data for event in fed(splitter, b"\n")] == [b"2"]


def test_other_data_keeps_the_name_and_the_place_of_an_event() -> None:
    """A client that comes back says the last id it has seen."""
    event = Event(b": note\nid: 7\nevent: message\nretry: 10\ndata: {\ndata: }\n\n")
    changed = event.with_data(b'{"a":\n1}')
    assert changed == b'id: 7\r\nevent: message\r\nretry: 10\r\ndata: {"a": 1}\r\n\r\n'


@pytest.mark.parametrize("odd", ["\u2028", "\u2029", "\u0085"])
def test_other_data_has_no_character_that_some_take_for_a_lines_end(odd: str) -> None:
    """JSON can say it with an escape."""
    event = Event(f'data: "{odd}"\n\n'.encode())
    assert event.is_doubtful
    changed = event.with_data(event.data)
    assert not Event(changed).is_doubtful
    assert changed == b'data: "\\u%04x"\r\n\r\n' % ord(odd)


def test_a_comment_that_some_would_cut_into_data_goes_with_the_data() -> None:
    """`: x<U+2028>data: …` is a comment to us and a message to others."""
    event = Event(": x\u2028data: {}\n\n".encode())
    assert (event.data, event.is_doubtful) == (b"", True)
    assert Event(event.without_data()).data == b""
    assert b"{}" not in event.without_data()


@pytest.mark.parametrize(
    ("raw", "is_plain"),
    [
        (b"data: {}\n\n", True),
        (b"event: message\r\nid: 1\r\n: x\r\nretry: 5\r\ndata:{\r\n\r\n", True),
        (b"data: []\n\n", False),
        (b"data:  {}\n\n", False),
        (b"\xef\xbb\xbfdata: {}\n\n", False),
        (b": x\rdata: []\ndata: {}\n\n", False),
        (b"x: 1\ndata: {}\n\n", False),
        (b'data: {"\x00":1}\n\n', False),
        ('data: {"é":1}\n\n'.encode(), False),
    ],
)
def test_a_look_tells_most_events_from_those_to_be_read(raw: bytes, is_plain: bool) -> None:
    """It is sure of ASCII whose first line of data begins as an object does."""
    event = Event(raw)
    assert event.is_plain == is_plain
    assert not is_plain or event.data.startswith(b"{")


def test_an_event_of_very_many_lines_is_not_read() -> None:
    """Each would cost a hundred times its size in memory."""
    with pytest.raises(AnswerUnreadable):
        _ = Event(b"data:\n" * 30_000 + b"\n").data
    assert Event(b"data:\n" * 10_000 + b"\n").data == b"\n" * 9_999


PLAIN_PIECES = st.lists(
    st.sampled_from(
        [b"data: {}\n\n", b'data:{"a":"b"}\r\n\r\n', b"id: 1\ndata: {\n\n", b"data: {", b"\n", b"\r", b"\r\n",
         b"event: e\n", b"data: []\n\n", b": c\n", BOM, b"\x0b", b"\x00", "é".encode(), b"data: {}\ndata: {}\n\n"]
    ),
    max_size=20,
)  # fmt: skip


@given(PLAIN_PIECES)
def test_events_that_pass_together_are_whole_and_each_is_plain(pieces: list[bytes]) -> None:
    """They are those that come out one by one, and what is left comes out as before."""
    stream = b"".join(pieces)
    together, one_by_one = Splitter(), split(stream, [])
    together.add(stream)
    passed = together.plain_events()
    together.drop(len(passed))
    left = together.events() + together.end()
    assert passed + b"".join(event.raw for event in left) == stream
    plain = one_by_one[: len(one_by_one) - len(left)]
    assert b"".join(event.raw for event in plain) == passed
    assert all(event.is_plain and not event.is_doubtful for event in plain)


def test_plain_events_are_found_in_front_only() -> None:
    """What comes before the first of them is read first."""
    splitter = Splitter()
    splitter.add(b"data: []\n\ndata: {}\n\n")
    assert splitter.plain_events() == b""
    splitter.drop(len(b"data: []\n\n"))
    splitter.add(b"data: {")
    assert splitter.plain_events() == b"data: {}\n\n"
