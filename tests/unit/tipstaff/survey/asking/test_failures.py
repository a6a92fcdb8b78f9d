"""What a person is told when a server could not be asked."""

from __future__ import annotations

import re
import socket
import ssl

import pytest

from pep.config import Server
from tipstaff.common.masking import without
from tipstaff.survey.asking.failures import (
    Reply,
    last_lines,
    leaf,
    of_connection,
    of_reply,
    plain,
    secrets_of,
)


@pytest.mark.parametrize(
    ("status", "content_type", "found", "advice"),
    [
        (401, "", "answered 401 Unauthorized", 'bearer = "env:NAME"'),
        (403, "application/json", "answered 403 Forbidden", 'bearer = "env:NAME"'),
        (404, "text/html", "answered 404 Not Found", "often /mcp"),
        (405, "", "answered 405 Method Not Allowed", "HTTP.SSE"),
        (421, "", "answered 421 Misdirected Request", "Host header"),
        (429, "", "answered 429", "later"),
        (418, "", "answered 418", "often /mcp"),
        (500, "", "answered 500", "Its own log"),
        (599, "", "answered 599$", "Its own log"),
        (307, "", "answered 307 Temporary Redirect$", "give that URL"),
        (200, "text/html", "answered with text/html, which is not MCP", "often /mcp"),
        (202, "", "answered with something without a type", "often /mcp"),
    ],
)
def test_the_head_of_an_answer_tells_what_to_do(
    status: int, content_type: str, found: str, advice: str
) -> None:
    """Before anybody looks into what it says."""
    complaint = of_reply(Reply(status, content_type), has_credentials=False)
    assert complaint is not None
    check(complaint, found, advice)


def check(complaint: tuple[str, str], found: str, advice: str) -> None:
    assert re.search(found, complaint[0]), complaint
    assert re.search(advice, complaint[1]), complaint


@pytest.mark.parametrize("content_type", ["application/json", "text/event-stream"])
def test_an_answer_in_which_mcp_may_speak_is_no_complaint(content_type: str) -> None:
    """What it says decides."""
    assert of_reply(Reply(200, content_type), has_credentials=False) is None


def test_who_has_shown_credentials_is_asked_whether_they_are_right() -> None:
    """And not told to give some."""
    complaint = of_reply(Reply(401, ""), has_credentials=True)
    assert complaint is not None
    check(complaint, "401", "the right one, and still valid")


def test_a_redirect_says_where_it_leads() -> None:
    """It was not followed."""
    complaint = of_reply(Reply(307, "", "http://other/mcp"), has_credentials=False)
    assert complaint is not None
    check(complaint, "to http://other/mcp, which was not followed", "give that URL")


def below(cause: BaseException) -> BaseException:
    """As HTTP libraries wrap it, twice, and a task group around it."""
    try:
        try:
            raise OSError("all attempts failed") from ExceptionGroup("g", [cause])
        except OSError as error:
            raise RuntimeError("connect") from error
    except RuntimeError as error:
        return ExceptionGroup("outer", [error])


@pytest.mark.parametrize(
    ("cause", "found"),
    [
        (ConnectionRefusedError(), "was refused"),
        (socket.gaierror(), "host name is not known"),
        (ssl.SSLCertVerificationError(), "certificate is not trusted"),
        (ssl.SSLError(), "does not speak TLS"),
    ],
)
def test_a_connection_that_fails_tells_its_cause(cause: BaseException, found: str) -> None:
    """However deep it lies."""
    assert found in of_connection(below(cause), was_made=False)[0]


def test_a_connection_that_fails_for_another_cause_names_it() -> None:
    """By its kind, since its text may hold anything."""
    found, _ = of_connection(ExceptionGroup("g", [PermissionError("s3cret")]), was_made=False)
    assert found == "no connection could be made (PermissionError)"
    assert "closed the connection" in of_connection(OSError(), was_made=True)[0]


def test_the_error_itself_comes_out_of_its_groups() -> None:
    """The first, where there are several."""
    error = ValueError()
    assert leaf(ExceptionGroup("a", [ExceptionGroup("b", [error]), KeyError()])) is error
    assert leaf(error) is error


def test_a_strangers_text_is_one_line_that_moves_no_cursor() -> None:
    """Colours go, and what would overwrite our own words is seen instead."""
    assert plain("\x1b[31mred\x1b[0m\r\nline\ttwo \x1b]0;title\x07end.") == "red line two end"
    assert plain("a\u202eb\u0000c\x07") == r"a\u{202e}b\u{0}c\u{7}"
    assert len(plain("x" * 10**6)) < 400


def test_only_the_end_of_what_a_program_said_is_shown() -> None:
    """Ten lines, the empty ones not counted."""
    assert last_lines("\n\n".join(str(number) for number in range(30))) == tuple(
        str(number) for number in range(20, 30)
    )
    assert last_lines("\n \n") == ()


def test_every_secret_that_a_server_was_given_is_masked() -> None:
    """As it stands, as JSON writes it, and line by line; a longer one before what it holds."""
    key = "-----BEGIN KEY-----\nMIIabcdef\n-----END KEY-----"
    server = Server("s", url="http://x/mcp", bearer="abc", headers={"X-Key": 'q"uoted'})
    secrets = secrets_of(server)
    shown = without('Bearer abc and q"uoted or q\\"uoted', secrets)
    assert shown == "Bearer [masked] and [masked] or [masked]"
    server = Server("s", command=("x",), environment={"KEY": key, "LONG": "abcdefgh", "ON": "true"})
    secrets = secrets_of(server)
    for said in (key, "MIIabcdef", key.replace("\n", "\\n"), "is abcdefgh here"):
        shown = without(said, secrets)
        assert "MIIabc" not in shown
        assert "abcdefgh" not in shown
    assert without("it is true", secrets) == "it is true"
