"""What of an answer's head goes on, and what it says of the body."""

from __future__ import annotations

import pytest

from pep.errors import AnswerUnreadable
from pep.front.answer_head import Form, Head, read

JSON = (b"Content-Type", b"application/json")


def head(*lines: tuple[bytes, bytes], status: int = 200) -> Head:
    return read(status, lines, [])


@pytest.mark.parametrize(
    ("value", "form"),
    [
        (b"application/json", Form.MESSAGE),
        (b" Application/JSON\t; Charset=UTF-8", Form.MESSAGE),
        (b'application/json;charset="utf8";', Form.MESSAGE),
        (b'application/json; a=b; c="d e"', Form.MESSAGE),
        (b"text/event-stream", Form.EVENTS),
        (b"text/event-stream;charset=utf-8", Form.EVENTS),
        (b"", Form.UNREADABLE),
        (b"application/json-seq", Form.UNREADABLE),
        (b"application/problem+json", Form.UNREADABLE),
        (b"application/json, text/html", Form.UNREADABLE),
        (b"application/json charset=utf-8", Form.UNREADABLE),
        (b"application/json;charset=utf-16", Form.UNREADABLE),
        (b"application/json;charset = utf-8", Form.UNREADABLE),
        (b"application/json;charset='utf-7'", Form.UNREADABLE),
        (b"application/json;charset*=utf-8''utf-7", Form.UNREADABLE),
        (b"application/json;charset*0=utf-7", Form.UNREADABLE),
        (b'application/json;a="\\"; charset=utf-7"', Form.UNREADABLE),
        (b'application/json;a="x;charset=utf-7"', Form.UNREADABLE),
        (b"text/event-stream;charset=utf-7", Form.UNREADABLE),
    ],
)
def test_a_body_is_judged_only_as_what_every_client_takes_it_for(value: bytes, form: Form) -> None:
    """By one line that says exactly JSON, or events, in UTF-8."""
    assert head((b"content-TYPE", value)).form is form
    assert head((b"content-type", value), (b"Content-Type", value)).form is Form.UNREADABLE


@pytest.mark.parametrize(
    ("lines", "form"),
    [
        ((b"gzip",), Form.MESSAGE),
        ((b" GZIP ",), Form.MESSAGE),
        ((b"identity",), Form.MESSAGE),
        ((b"br",), Form.UNREADABLE),
        ((b"gzip, gzip",), Form.UNREADABLE),
        ((b"gzip", b"identity"), Form.UNREADABLE),
    ],
)
def test_a_body_in_a_coding_that_cannot_be_undone_is_not_read(
    lines: tuple[bytes, ...], form: Form
) -> None:
    """Nor one in several."""
    assert head(JSON, *((b"Content-Encoding", line) for line in lines)).form is form


def test_no_lines_of_the_connection_and_none_that_outlive_the_answer_go_on() -> None:
    """Repeated lines stay as they are; ours come last."""
    lines = [
        (b"Keep-Alive", b"1"), (b"Connection", b"x-gone, close"), (b"X-Gone", b"1"), (b"Set-Cookie", b"a"),
        (b"Transfer-Encoding", b"chunked"), (b"X-Kept", b"1"), (b"x-kept", b"2"), (b"Alt-Svc", b"h2=x"),
    ]  # fmt: skip
    kept = read(200, tuple(lines), [(b"ratelimit", b"1")]).lines
    assert kept == [(b"x-kept", b"1"), (b"x-kept", b"2"), (b"ratelimit", b"1")]
    assert head(JSON, (b"Connection", b"content-type")).form is Form.UNREADABLE


@pytest.mark.parametrize("status", [0, 100, 101, 103, 199, 206, 226, 600, 999])
def test_a_status_without_a_whole_answer_behind_it_is_refused(status: int) -> None:
    """What follows is no message, or none that can be judged."""
    with pytest.raises(AnswerUnreadable):
        head(JSON, status=status)


@pytest.mark.parametrize(
    "lines",
    [
        [(b"Content-Length", b"1"), (b"Content-Length", b"1")],
        [(b"Content-Length", b"-1")],
        [(b"Content-Length", b"1_0")],
        [(b"Content-Length", b"")],
        [(b"Content-Length", b"1"), (b"Transfer-Encoding", b"chunked")],
        [(b"Transfer-Encoding", b"gzip, chunked")],
        [(b"Transfer-Encoding", b"chunked"), (b"Transfer-Encoding", b"chunked")],
        [(b"X", b"a\rContent-Type: text/html")],
        [(b"X", b"a\x00")],
        [(b"Content-Type\x0b", b"x")],
        [(b"X\xff", b"x")],
        [(b"X", b"x" * 70_000)],
        [(b"X%d" % number, b"") for number in range(20_000)],
    ],
    ids=lambda lines: repr(lines[:2])[:60],
)
def test_lines_that_can_be_cut_or_framed_in_two_ways_are_refused(
    lines: list[tuple[bytes, bytes]],
) -> None:
    """And more of them than anybody needs."""
    with pytest.raises(AnswerUnreadable):
        head(JSON, *lines)


def test_the_length_is_what_the_answer_says() -> None:
    """-1 when it does not."""
    assert head(JSON, (b"Content-Length", b"12")).length == 12
    assert head(JSON, (b"Transfer-Encoding", b"Chunked")).length == -1


@pytest.mark.parametrize("status", [301, 307, 308])
def test_a_redirect_has_neither_place_nor_body(status: int) -> None:
    """It would lead past this proxy."""
    answer = head(JSON, (b"Location", b"http://x"), (b"X", b"1"), status=status)
    assert answer.form is Form.UNREADABLE
    assert answer.without_body() == [(b"x", b"1"), (b"content-length", b"0")]


def test_without_its_body_an_answer_says_nothing_of_it() -> None:
    """What clients act on stays; 204 and 304 have no length (RFC 9110 section 8.6)."""
    lines = (JSON, (b"ETag", b"x"), (b"Content-Length", b"7"), (b"WWW-Authenticate", b"Bearer"))
    kept = [(b"www-authenticate", b"Bearer")]
    assert head(*lines, status=401).without_body() == [*kept, (b"content-length", b"0")]
    assert head(*lines, status=304).without_body() == kept
    assert (b"content-length", b"7") not in head(*lines, status=204).lines
