"""A response on its way to the client, step by step and without sockets."""

from __future__ import annotations

import gzip
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pep.errors import AnswerUnreadable, DecisionAway
from pep.front.relay import MAX_INSPECTED, Action, Begin, Filter, Last, Part, Read, Warn, relay
from pep.mcp.sse import Splitter
from tests.relay_script import Played, play, sent

RawLines = tuple[tuple[bytes, bytes], ...]

JSON: RawLines = ((b"Content-Type", b"application/json"),)
EVENTS: RawLines = ((b"Content-Type", b"text/event-stream"),)
PACKED: RawLines = (*JSON, (b"Content-Encoding", b"gzip"))
RESULT = b'{"jsonrpc":"2.0","id":1,"result":{}}'
LIST = b'{"jsonrpc":"2.0","id":1,"result":{"tools":[]}}'
KEPT_JSON = (b"content-type", b"application/json")
HUGE = b'{"x":"' + b"a" * (MAX_INSPECTED + 10) + b'"}'


PIECES_OF_EVENTS = (
    b"data: {}\n\n", b"data: " + RESULT + b"\r\n\r\n", b"data: " + LIST + b"\n\n", b"id: 1\n", b": c\r\n",
    b"data: {", b'"met', b'hod"', b"}", b"\n", b"\r", b"\r\n", b"data: []\n\n", b"x: \xc3\xa9\n", b"\x0b",
)  # fmt: skip


def hide(message: bytes) -> bytes:
    return b'{"hidden":1}'


def nothing(message: bytes) -> bytes:
    return b""


def refuse(message: bytes) -> bytes:
    raise DecisionAway("nobody there")


def played(
    *chunks: bytes, lines: RawLines = JSON, status: int = 200, **more: object
) -> Played[None]:
    request_id = more.pop("request_id", 1)
    return play(relay(status, lines, [], request_id), chunks, **more)  # type: ignore[arg-type]


def broken(
    *chunks: bytes, lines: RawLines = JSON, status: int = 200, **more: object
) -> list[Action]:
    """What was done of a response that ends with `AnswerUnreadable`."""
    seen: list[Action] = []
    with pytest.raises(AnswerUnreadable):
        played(*chunks, lines=lines, status=status, seen=seen, **more)
    return seen


def test_a_message_is_sent_once_it_is_whole_and_judged() -> None:
    """Its status and header lines with it, and not before."""
    assert played(RESULT[:9], RESULT[9:]).actions == [
        Read(), Read(), Read(),
        Filter(RESULT), Begin(200, [KEPT_JSON]), Last(RESULT),
    ]  # fmt: skip


def test_a_body_of_known_length_is_not_waited_for_beyond_its_end() -> None:
    """An upstream that keeps the connection open holds up nobody."""
    lines = (*JSON, (b"Content-Length", b"%d" % len(RESULT)))
    assert played(RESULT, b"more", lines=lines).actions[:2] == [Read(), Filter(RESULT)]


def test_what_the_filter_changes_has_its_own_length_and_no_coding() -> None:
    """Nor a digest of the body that the server sent."""
    lines = (*PACKED, (b"ETag", b'"1"'), (b"Content-Length", b"9999999"), (b"X-Kept", b"1"))
    actions = played(gzip.compress(LIST), lines=lines, judge=hide).actions
    assert actions[-2:] == [
        Begin(200, [KEPT_JSON, (b"x-kept", b"1"), (b"content-length", b"12")]),
        Last(b'{"hidden":1}'),
    ]


def test_a_compressed_body_that_nothing_changes_stays_compressed() -> None:
    """It is judged as the client reads it."""
    packed = gzip.compress(LIST)
    actions = played(packed[:20], packed[20:], lines=PACKED).actions
    assert Filter(LIST) in actions
    assert sent(actions)[2:] == (packed, True)


def test_a_body_that_the_filter_empties_is_sent_empty() -> None:
    """As where a notification may not be shown."""
    assert sent(played(LIST, judge=nothing).actions) == (
        200, {b"content-type": b"application/json", b"content-length": b"0"}, b"", True,
    )  # fmt: skip


def test_an_empty_body_is_judged_by_nobody() -> None:
    """There is nothing in it."""
    assert played(lines=(), status=202).actions == [Read(), Begin(202, []), Last(b"")]


@pytest.mark.parametrize("chunk", [b"hello", "[]".encode("utf-16"), b"\x00"])
def test_a_body_that_is_neither_json_nor_events_is_refused_at_its_first_byte(chunk: bytes) -> None:
    """No reader may find in it what was not judged."""
    assert broken(chunk, b"more", lines=((b"content-type", b"text/html"),)) == [Read()]


@pytest.mark.parametrize(("status", "request_id"), [(500, 1), (404, 1), (200, None), (202, None)])
def test_of_a_failure_and_where_no_message_is_waited_for_the_status_passes(
    status: int, request_id: int | None
) -> None:
    """Clients act on it; the log says why the body did not."""
    html = ((b"content-type", b"text/html"), (b"x-kept", b"1"))
    actions = played(b"<p>", lines=html, status=status, request_id=request_id).actions
    assert actions[0] == Read()
    assert isinstance(actions[1], Warn)
    assert actions[1].event == "body not shown"
    assert sent(actions) == (status, {b"x-kept": b"1", b"content-length": b"0"}, b"", True)


def test_nothing_has_been_sent_when_a_message_cannot_be_judged() -> None:
    """So the client is answered with an error of the proxy's own."""
    seen: list[Action] = []
    with pytest.raises(DecisionAway):
        play(relay(200, JSON, [], 1), [LIST], refuse, seen=seen)
    assert seen == [Read(), Read(), Filter(LIST)]


def test_header_lines_of_the_proxy_go_with_the_response() -> None:
    """They say what is left of the caller's limits."""
    added = [(b"ratelimit", b'"l";r=4')]
    assert Begin(200, [KEPT_JSON, *added]) in play(relay(200, JSON, added, 1), [RESULT]).actions


def test_a_message_too_large_to_parse_streams_while_it_holds_no_word_to_judge() -> None:
    """Each piece has been looked at before it is sent, and the last waits for the end."""
    first, last = HUGE[: MAX_INSPECTED + 1], HUGE[MAX_INSPECTED + 1 :]
    actions = played(first, last[:5], last[5:]).actions
    assert actions == [
        Read(), Begin(200, [KEPT_JSON]),
        Read(), Part(first), Read(), Part(last[:5]), Read(), Last(last[5:]),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "piece",
    [b'","tools":[]}', b'","TOOLS":[]}', b'","to', b"\xff", b"\x00"],
    ids=["a word", "in capitals", "half a word", "no UTF-8", "a null byte"],
)
def test_a_large_message_is_broken_off_before_the_piece_that_cannot_be_judged(piece: bytes) -> None:
    """The client sees a broken response, never one that looks whole."""
    first = HUGE[: MAX_INSPECTED + 1]
    rest = [piece, b'ols":[]}'] if piece == b'","to' else [piece]
    actions = broken(first, *rest)
    assert not any(isinstance(action, Last) for action in actions)
    assert sent(actions)[2] == (first + piece if len(rest) > 1 else first)


def test_a_large_message_that_begins_with_such_a_word_is_not_begun() -> None:
    """Nothing has been sent then."""
    actions = broken(b'{"tools":[' + b" " * MAX_INSPECTED)
    assert not any(isinstance(action, Begin) for action in actions)


def test_a_large_message_that_is_no_object_is_not_begun() -> None:
    """Some readers would guess its encoding."""
    assert broken(b" " * MAX_INSPECTED + b"[1]") == [Read()]


def test_a_large_compressed_message_is_looked_at_as_it_unpacks() -> None:
    """And sent as it came."""
    text = b'{"x":' + json.dumps(list(range(2_000_000))).encode() + b"}"
    packed = gzip.compress(text, 1)
    half = len(packed) // 2
    actions = played(packed[:half], packed[half:], lines=PACKED).actions
    assert sent(actions)[2:] == (packed, True)
    cut = broken(packed[:half], packed[half:-20], lines=PACKED)
    assert not any(isinstance(action, Last) for action in cut)


def test_a_compressed_body_that_ends_early_is_refused() -> None:
    """Some clients read what there is of it."""
    assert broken(gzip.compress(LIST)[:-3], lines=PACKED) == [Read(), Read()]


def test_events_go_on_one_by_one_as_they_become_whole() -> None:
    """The client does not wait for the stream's end, nor for the rest of a chunk."""
    one, two = b"data: {}\n\n", b"id: 7\ndata: " + LIST + b"\n\n"
    actions = played(one + two[:10], two[10:], lines=EVENTS).actions
    assert actions == [
        Begin(200, [(b"content-type", b"text/event-stream")]),
        Read(), Part(one),
        Read(), Filter(LIST), Part(two),
        Read(), Last(b""),
    ]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES_OF_EVENTS), max_size=30), st.lists(st.integers(0, 900)))
def test_no_way_of_cutting_a_stream_takes_an_event_past_its_judge(
    pieces: list[bytes], cuts: list[int]
) -> None:
    """However many harmless events pass at once: what each event alone would have had judged is judged."""
    stream = b"".join(pieces) + b"\n\n\n"
    at = sorted({cut % (len(stream) + 1) for cut in cuts})
    chunks = [stream[a:b] for a, b in zip([0, *at], [*at, len(stream)], strict=True)]
    splitter = Splitter()
    splitter.add(stream)
    alone = [event.raw for event in [*splitter.events(), *splitter.end()]]
    by_itself = [played(event, lines=EVENTS, judge=hide) for event in alone]
    at_once = played(*chunks, lines=EVENTS, judge=hide)
    expected = [each for one in by_itself for each in one.actions if isinstance(each, Filter)]
    assert [each for each in at_once.actions if isinstance(each, Filter)] == expected
    assert sent(at_once.actions)[2] == b"".join(sent(one.actions)[2] for one in by_itself)


def test_many_harmless_events_pass_at_once() -> None:
    """In one part, and unjudged; the one among them that holds a list is judged."""
    many = b"data: {}\n\n" * 1000
    actions = played(many, many + b"data: " + LIST + b"\n\n" + many, lines=EVENTS).actions
    assert [each for each in actions if isinstance(each, Filter)] == [Filter(LIST)]
    assert sent(actions)[2] == many + many + b"data: " + LIST + b"\n\n" + many
    assert actions[2] == Part(many)


def test_an_event_that_the_filter_changes_keeps_its_other_fields() -> None:
    """A client comes back by its id."""
    event = b"id: 7\nevent: message\ndata: " + LIST + b"\n\n"
    actions = played(event, lines=EVENTS, judge=hide).actions
    assert sent(actions)[2] == b'id: 7\r\nevent: message\r\ndata: {"hidden":1}\r\n\r\n'


def test_an_event_that_may_not_be_shown_leaves_a_comment() -> None:
    """Nothing of it is left to be read."""
    actions = played(b"id: 7\ndata: " + LIST + b"\n\n", lines=EVENTS, judge=nothing).actions
    assert sent(actions)[2] == b": removed\r\n\r\n"


@pytest.mark.parametrize("request_id", [1, None])
def test_an_event_that_cannot_be_judged_is_the_error_of_the_request_that_waits(
    request_id: int | None,
) -> None:
    """The stream goes on; where no request waits, the event is left out."""
    data = b"data: " + LIST + b"\n\n"
    actions = played(data, data, lines=EVENTS, judge=refuse, request_id=request_id).actions
    body = sent(actions)[2]
    warnings = [action.event for action in actions if isinstance(action, Warn)]
    assert warnings == ["event not shown"] * 2
    assert body.count(b'"error"' if request_id else b": removed") == 2
    assert b"tools" not in body


def test_an_event_whose_lines_some_readers_cut_elsewhere_is_written_anew() -> None:
    """What it holds beside its data could be data to them."""
    event = b"id: 7\x0bdata: " + LIST + b"\ndata: " + RESULT + b"\n\n"
    body = sent(played(event, lines=EVENTS).actions)[2]
    assert body == b"data: " + RESULT + b"\r\n\r\n"


def test_an_event_that_is_no_text_is_not_shown() -> None:
    """A reader that replaces what it cannot decode would find something in it."""
    body = sent(played(b"x: \xff\ndata: " + LIST + b"\n\n", lines=EVENTS).actions)[2]
    assert b'"error"' in body
    assert b"\xff" not in body


@pytest.mark.parametrize("data", [RESULT, LIST])
def test_an_event_that_never_ended_is_judged_too(data: bytes) -> None:
    """The specification drops it, some readers do not."""
    actions = played(b"data: " + data, lines=EVENTS, judge=hide).actions
    assert isinstance(actions[-1], Last)
    shown = b"hidden" if data is LIST else b"result"
    assert shown in actions[-1].data


def test_compressed_events_are_sent_unpacked() -> None:
    """Else an event would wait for the compressor's next block."""
    lines = (*EVENTS, (b"Content-Encoding", b"gzip"), (b"Content-Length", b"1"))
    packed = gzip.compress(b"data: {}\n\ndata: " + LIST + b"\n\n")
    with pytest.raises(AnswerUnreadable):
        played(packed[:-4], lines=lines[:2])
    actions = played(packed, lines=lines[:2]).actions
    assert sent(actions)[1:] == (
        {b"content-type": b"text/event-stream"}, b"data: {}\n\ndata: " + LIST + b"\n\n", True,
    )  # fmt: skip


def test_an_event_too_large_to_hold_streams_and_is_watched_to_its_end() -> None:
    """The next one is held again."""
    event = b"data: " + HUGE + b"\n\n"
    first, rest = event[: MAX_INSPECTED + 20], event[MAX_INSPECTED + 20 :]
    actions = played(b"data: " + HUGE[:-2], b'"}\n\n' + b"data: " + LIST + b"\n\n", lines=EVENTS, judge=hide).actions  # fmt: skip
    assert sent(actions)[2] == event + b'data: {"hidden":1}\r\n\r\n'
    actions = broken(first, b'","tools":[]' + rest, lines=EVENTS)
    assert sent(actions)[2:] == (first, False)


def test_a_large_message_that_ends_within_a_character_is_broken_off() -> None:
    """Some readers drop what they cannot decode, and some take the next bytes for it."""
    for lines, begin, end in ((JSON, b"", b""), (EVENTS, b"data: ", b"\n\n")):
        actions = broken(begin + HUGE, b"\xe2\x80" + end, lines=lines)
        assert sent(actions)[3] is False


def test_a_large_body_whose_compression_ends_early_is_broken_off() -> None:
    """Its last piece waits for the end."""
    packed = gzip.compress(HUGE + b" " * MAX_INSPECTED, 0)
    actions = broken(packed[: MAX_INSPECTED + 100], packed[MAX_INSPECTED + 100 : -4], lines=PACKED)
    assert sent(actions)[3] is False


def test_an_event_too_large_to_hold_that_is_no_object_is_not_begun() -> None:
    """Nor is one whose beginning holds a word to judge."""
    for begin in (b"data: [", b'data: {"tools":['):
        actions = broken(begin + b" " * MAX_INSPECTED, lines=EVENTS)
        assert sent(actions)[2:] == (b"", False)


def test_other_exchanges_work_between_the_pieces_of_a_large_response() -> None:
    """However few chunks it came in."""
    assert played(RESULT).yields == 0
    assert played(HUGE).yields >= MAX_INSPECTED // (256 * 1024)
    assert played(b"data: {}\n\n" * 100_000, lines=EVENTS).yields >= 10
    assert played(b"data: []\n\n" * 1000, lines=EVENTS, judge=nothing).yields >= 3
    packed = gzip.compress(b"{" + b" " * (MAX_INSPECTED - 10) + b"}")
    assert played(packed, lines=PACKED).yields >= 20
