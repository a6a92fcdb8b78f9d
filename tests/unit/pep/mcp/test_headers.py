"""Header lines: what is ambiguous is refused, what goes on is exact."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp.shared.inbound import decode_header_value, encode_header_value

from pep.errors import (
    HeaderMismatch,
    HostRefused,
    InvalidParams,
    InvalidRequest,
    MediaUnsupported,
    OriginRefused,
)
from pep.mcp import headers
from pep.mcp.headers import VERSION_KEY, RequestHeaders, read
from pep.mcp.methods import LEGACY, MODERN

MODERN_VERSION = "2026-07-28"
LOCAL = ("127.0.0.1:*", "localhost:*", "[::1]:*")


def test_the_lines_that_matter_are_gathered() -> None:
    """One look over the lines; what is absent is empty."""
    lines = [
        (b"host", b"localhost:1"),
        (b"mcp-protocol-version", b"2026-07-28"),
        (b"mcp-method", b"tools/call"),
        (b"mcp-name", b"add"),
        (b"content-length", b"12"),
        (b"x-other", b"\xc3\xa9"),
        (b"traceparent", b"00-1"),
        (b"connection", b"keep-alive, x-other"),
        (b"x_other", b"1"),
    ]
    assert read(lines) == RequestHeaders(
        version="2026-07-28", method="tools/call", name="add", host="localhost:1", length=12,
        traceparent="00-1",
    )  # fmt: skip
    assert read([]) == RequestHeaders()


@pytest.mark.parametrize("name", [b"mcp-method", b"mcp-name", b"mcp-protocol-version"])
def test_a_repeated_mirror_is_a_mismatch(name: bytes) -> None:
    """A reader of the first copy and a reader of the last would disagree."""
    with pytest.raises(HeaderMismatch, match="more than once"):
        read([(name, b"a"), (name, b"a")])


@pytest.mark.parametrize("name", [b"host", b"origin", b"mcp-session-id", b"content-type"])
def test_other_repeated_lines_that_matter_are_refused(name: bytes) -> None:
    """The same for all that decides something."""
    with pytest.raises(InvalidRequest, match="more than once"):
        read([(name, b"a"), (name, b"a")])


@pytest.mark.parametrize(
    "lines",
    [
        [(b"transfer-encoding", b"gzip, chunked")],
        [(b"transfer-encoding", b"identity")],
        [(b"transfer-encoding", b"chunked"), (b"content-length", b"1")],
        [(b"content-length", b"-1")],
        [(b"content-length", b"1,1")],
        [(b"mcp_name", b"x")],
        [(b"mcp_method", b"x")],
        [(b"mcp.name", b"x")],
        [(b"mcp~name", b"x")],
        [(b"content_length", b"1")],
        [(b"content_length", b"1"), (b"content-length", b"1")],
        [(b"transfer_encoding", b"chunked")],
        [(b"content_type", b"application/json")],
        [(b"mcp_session-id", b"x")],
        [(b"mcp_param_path", b"x")],
        [(b"mcp-param_path", b"x")],
        [(b"mcp-param-a", b"x"), (b"mcp-param-a", b"y")],
        [(b"mcp-param-a-b", b"x"), (b"mcp-param-a_b", b"y")],
        [(b"connection", b"close, Mcp-Name")],
        [(b"connection", b"authorization")],
        [(b"connection", b"close, mcp_name")],
        [(b"connection", b"mcp-param-path")],
        [(b"x-any", b"\xff")],
        [(b"mcp-session-id", "é".encode())],
    ],
)
def test_framing_and_names_that_can_be_read_two_ways_are_refused(
    lines: list[tuple[bytes, bytes]],
) -> None:
    """Smuggling begins with a line that two servers take differently."""
    with pytest.raises(InvalidRequest):
        read(lines)


def test_a_mirror_that_is_not_ascii_is_a_mismatch() -> None:
    """Other characters travel in the base64 form."""
    with pytest.raises(HeaderMismatch):
        read([(b"mcp-name", "é".encode())])


def test_chunked_is_the_one_transfer_encoding() -> None:
    """Case does not matter."""
    assert read([(b"transfer-encoding", b"Chunked")]).framing == "chunked"


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:80", "127.0.0.1:8700", "[::1]:1", "LOCALHOST"]
)
def test_a_listed_host_may_be_used(host: str) -> None:
    """Any port, or none, where the pattern says so."""
    headers.check_place(RequestHeaders(host=host), LOCAL, ())


@pytest.mark.parametrize(
    "host",
    [
        "",
        "evil.example",
        "localhost.evil.example",
        "localhost:80:80",
        "localhost:x",
        "127.0.0.1.x:1",
    ],
)
def test_another_host_is_refused(host: str) -> None:
    """The page of another site must not reach this proxy by a name that resolves to it."""
    with pytest.raises(HostRefused):
        headers.check_place(RequestHeaders(host=host), LOCAL, ("*",))


def test_origins_are_checked_only_when_present() -> None:
    """Clients that are not browsers send none."""
    origins = ("http://localhost:*", "https://exact.example")
    headers.check_place(RequestHeaders(), ("*",), origins)
    headers.check_place(RequestHeaders(origin="http://localhost:5"), ("*",), origins)
    headers.check_place(RequestHeaders(origin="https://exact.example"), ("*",), origins)
    for origin in ("null", "https://localhost:5", "https://exact.example:1", "http://evil.example"):
        with pytest.raises(OriginRefused):
            headers.check_place(RequestHeaders(origin=origin), ("*",), origins)


@pytest.mark.parametrize(
    "media",
    ["application/json", "Application/JSON", 'application/json; charset="UTF-8"',
     "application/json;charset=utf8;x=y;"],
)  # fmt: skip
def test_json_in_utf8_is_accepted(media: str) -> None:
    """With or without saying so."""
    headers.check_media(RequestHeaders(media=media))
    headers.check_media(RequestHeaders(media=media, encoding="Identity"))


@pytest.mark.parametrize(
    "request_headers",
    [
        RequestHeaders(),
        RequestHeaders(media="text/plain"),
        RequestHeaders(media="application/jsonx"),
        RequestHeaders(media="application/json; charset=utf-16"),
        RequestHeaders(media="application/json; charset=utf-7"),
        RequestHeaders(media="application/json", encoding="br"),
    ],
)
def test_other_media_are_refused(request_headers: RequestHeaders) -> None:
    """A body in another encoding would be judged by other bytes than the server reads."""
    with pytest.raises(MediaUnsupported):
        headers.check_media(request_headers)


@pytest.mark.parametrize("version", ["", "2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"])
def test_the_handshake_versions_are_legacy(version: str) -> None:
    """Absent means 2025-03-26 (MCP 2025-11-25, transports)."""
    assert headers.era_of(RequestHeaders(version=version), {}, is_request=True) == LEGACY


def test_a_modern_request_says_its_version_twice() -> None:
    """Header and body agree, whatever the version is: the server knows which it serves."""
    for version in (MODERN_VERSION, "2099-01-01"):
        request_headers = RequestHeaders(version=version)
        assert headers.era_of(request_headers, {VERSION_KEY: version}, is_request=True) == MODERN


def test_a_modern_notification_need_not_repeat_its_version() -> None:
    """Header requirements for notifications are not defined."""
    assert headers.era_of(RequestHeaders(version=MODERN_VERSION), {}, is_request=False) == MODERN


@pytest.mark.parametrize("is_request", [True, False])
@pytest.mark.parametrize(
    ("header", "body"),
    [("", MODERN_VERSION), ("2025-11-25", MODERN_VERSION), (MODERN_VERSION, "2025-11-25"),
     (MODERN_VERSION, None), (MODERN_VERSION, 1), ("", "2025-11-25")],
)  # fmt: skip
def test_header_and_body_of_different_eras_are_a_mismatch(
    header: str, body: object, *, is_request: bool
) -> None:
    """A server chooses by the header alone: the body must not claim otherwise."""
    with pytest.raises(HeaderMismatch):
        headers.era_of(RequestHeaders(version=header), {VERSION_KEY: body}, is_request=is_request)


def test_a_modern_request_without_its_version_is_refused() -> None:
    """The same code as the SDK gives: missing envelope keys are invalid params."""
    with pytest.raises(InvalidParams, match="protocolVersion"):
        headers.era_of(RequestHeaders(version=MODERN_VERSION), {}, is_request=True)


def check(
    request_headers: RequestHeaders,
    target: str = "add",
    *,
    required: bool = True,
    named: bool = True,
) -> None:
    headers.check_mirrors(request_headers, "tools/call", target, required=required, named=named)


@pytest.mark.parametrize("name", ["add", "=?base64?YWRk?="])
def test_mirrors_that_repeat_the_body_pass(name: str) -> None:
    """Plain or in base64."""
    check(RequestHeaders(method="tools/call", name=name))


@pytest.mark.parametrize(
    "request_headers",
    [
        RequestHeaders(method="tools/list", name="add"),
        RequestHeaders(method="Tools/Call", name="add"),
        RequestHeaders(name="add"),
        RequestHeaders(method="tools/call"),
        RequestHeaders(method="tools/call", name=""),
        RequestHeaders(method="tools/call", name="ADD"),
        RequestHeaders(method="tools/call", name="=?BASE64?YWRk?="),
        RequestHeaders(method="tools/call", name="=?base64?YWRk="),
        RequestHeaders(method="tools/call", name="=?base64?YWR?="),
        RequestHeaders(method="tools/call", name="=?base64?YWRkYQ?="),
        RequestHeaders(method="tools/call", name="=?base64?/w==?="),
        RequestHeaders(method="tools/call", name="=?base64?YWRl?="),
        RequestHeaders(method="tools/call", name="=?base64?PT9iYXNlNjQ/WVdSaz89?="),
    ],
)
def test_mirrors_that_are_missing_malformed_or_different_are_a_mismatch(
    request_headers: RequestHeaders,
) -> None:
    """Decoded once, compared exactly."""
    with pytest.raises(HeaderMismatch):
        check(request_headers)


def test_legacy_messages_need_no_mirrors_but_may_not_lie() -> None:
    """A gateway in front of us may have looked at them."""
    check(RequestHeaders(), required=False)
    check(RequestHeaders(), target="", named=False, required=False)
    check(RequestHeaders(method="tools/call", name="anything"), target="", named=False)
    for request_headers in (RequestHeaders(method="x"), RequestHeaders(name="x")):
        with pytest.raises(HeaderMismatch):
            check(request_headers, required=False)


def test_a_target_that_need_not_be_mirrored_may_be_absent() -> None:
    """Tasks: the SDK's own check does not ask for it."""
    check(RequestHeaders(method="tools/call"), named=False)


@given(st.text())
def test_mirrors_are_decoded_as_the_sdk_encodes_them(value: str) -> None:
    """Every value a client can send comes back."""
    assert headers.decode_mirror(encode_header_value(value)) == value


@given(st.text(alphabet="=?base64YWRk/+Zz", max_size=24))
def test_mirrors_are_decoded_as_the_sdk_decodes_them(text: str) -> None:
    """A value that one side takes and the other refuses would be a way through."""
    for value in (text, f"=?base64?{text}?="):
        assert headers.decode_mirror(value) == decode_header_value(value)


def test_parameters_that_a_header_repeats_may_have_any_name() -> None:
    """As long as there is one of each, however its words are joined (`x-mcp-header`)."""
    read([(b"mcp-param-a_b", b"x"), (b"mcp-param-a-c", b"y"), (b"mcp-param-b", b"z")])


def test_a_line_that_servers_read_under_a_dropped_name_is_dropped_too() -> None:
    """A server behind CGI or WSGI takes `X_Api_Key` and `X.Api.Key` for `X-Api-Key`."""
    lines = [
        (b"x_api_key", b"theirs"),
        (b"x.api.key", b"theirs"),
        (b"x-api_key", b"theirs"),
        (b"proxy_authorization", b"theirs"),
        (b"tipstaff_session", b"s"),
        (b"keep_alive", b"1"),
        (b"x_hop", b"1"),
        (b"connection", b"x-hop"),
        (b"x_api_key_2", b"passes"),
    ]
    ours = ((b"x-api-key", b"ours"),)
    found = headers.to_upstream(lines, b"up", passthrough=True, credentials=ours)
    assert found == [(b"host", b"up"), (b"x_api_key_2", b"passes"), *ours]
    named = headers.to_upstream(
        lines[:3], b"up", passthrough=True, credentials=((b"x_api_key", b"ours"),)
    )
    assert named == [(b"host", b"up"), (b"x_api_key", b"ours")]


def test_lines_go_on_raw_separate_and_in_order() -> None:
    """Only what belongs to this hop, this proxy or this proxy's trust stays here."""
    lines = [
        (b"host", b"us"),
        (b"accept", b"a"),
        (b"accept", b"b"),
        (b"connection", b"keep-alive, x-hop"),
        (b"x-hop", b"1"),
        (b"keep-alive", b"5"),
        (b"te", b"trailers"),
        (b"trailer", b"x"),
        (b"upgrade", b"h2c"),
        (b"proxy-authorization", b"secret"),
        (b"transfer-encoding", b"chunked"),
        (b"content-length", b"5"),
        (b"expect", b"100-continue"),
        (b"tipstaff-session", b"s"),
        (b"cookie", b"secret"),
        (b"authorization", b"secret"),
        (b"mcp-param-x", b"1"),
        (b"mcp-session-id", b"i"),
    ]
    rest = [(b"host", b"up:1"), (b"accept", b"a"), (b"accept", b"b")]
    tail = [(b"mcp-param-x", b"1"), (b"mcp-session-id", b"i")]
    assert headers.to_upstream(lines, b"up:1", passthrough=False) == [*rest, *tail]
    trusted = headers.to_upstream(lines, b"up:1", passthrough=True)
    assert trusted == [*rest, (b"authorization", b"secret"), *tail]
    assert headers.to_upstream([(b"a", b"1")], b"u", passthrough=False) == [
        (b"host", b"u"),
        (b"a", b"1"),
    ]


def test_our_own_credentials_take_the_place_of_the_callers() -> None:
    """Whatever the caller has sent under that name."""
    lines = [(b"x-key", b"theirs"), (b"authorization", b"theirs"), (b"a", b"1")]
    ours = ((b"authorization", b"Bearer ours"), (b"x-key", b"ours"))
    found = headers.to_upstream(lines, b"up", passthrough=False, credentials=ours)
    assert found == [(b"host", b"up"), (b"a", b"1"), *ours]
