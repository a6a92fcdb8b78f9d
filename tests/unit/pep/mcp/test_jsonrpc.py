"""Messages are read so that no second parser can read them differently."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pep.errors import InvalidRequest, ParseError, PolicyDenied, Refusal
from pep.mcp import jsonrpc
from pep.mcp.jsonrpc import NO_REPLY, Notification, Request, Response, parse

GOOD: dict[str, Any] = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "x"}}


def body(**changes: Any) -> bytes:
    value = {key: one for key, one in {**GOOD, **changes}.items() if one is not ...}
    return json.dumps(value).encode()


def test_a_request_keeps_the_bytes_it_came_as() -> None:
    """The bytes, not a copy made from them, are what goes on later."""
    data = b' {"method" : "ping", "id":"a", "jsonrpc":"2.0" } '
    assert parse(data) == Request(data, "a", "ping", {})


def test_a_message_without_an_id_is_a_notification() -> None:
    """JSON-RPC 2.0 section 4.1."""
    assert parse(body(id=...)) == Notification(body(id=...), "tools/call", {"name": "x"})


@pytest.mark.parametrize("outcome", [{"result": {}}, {"error": {"code": 1, "message": ""}}])
def test_a_message_without_a_method_is_a_response(outcome: dict[str, Any]) -> None:
    """A legacy client answers the server's requests."""
    data = json.dumps({"jsonrpc": "2.0", "id": 7, **outcome}).encode()
    assert parse(data) == Response(data, 7)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[1,]",
        b"{'a':1}",
        b'{"a":1}//',
        b'{"a":NaN}',
        b'{"a":1e400}',
        b'{"a":' + b"1" * 5000 + b"}",
        b"\xef\xbb\xbf{}",
        "{}".encode("utf-16"),
        "{}".encode("utf-32"),
        b'{"jsonrpc":"2.0","id":1,"method":"a","method":"b"}',
        b'{"jsonrpc":"2.0","id":1,"method":"a","params":{"name":1,"name":2}}',
        b'{"jsonrpc":"2.0","id":1,"method":"a","params":{"name":1,"na\\u006de":2}}',
        b'{"jsonrpc":"2.0","id":1,"method":"a","params":{"arguments":{"x":1,"x":2}}}',
    ],
)
def test_what_two_parsers_could_read_differently_is_a_parse_error(data: bytes) -> None:
    """Duplicates at any level, other encodings, values that are not JSON."""
    with pytest.raises(ParseError):
        parse(data)


@pytest.mark.parametrize(
    "data",
    [
        b"[]",
        b"[" + body() + b"]",
        b"null",
        b'"x"',
        body(jsonrpc="1.0"),
        body(jsonrpc=...),
        body(method=1),
        body(method=None),
        body(params=[]),
        body(params=None),
        body(params="x"),
        body(id=None),
        body(id=True),
        body(id=1.5),
        body(id=1.0),
        body(id={}),
        body(result={}),
        body(error={}),
        body(method=...),
        body(method=..., result={}, error={}),
        body(method=..., result={}, id=...),
        body(params={"_meta": 1}),
    ],
)
def test_what_is_not_one_message_is_an_invalid_request(data: bytes) -> None:
    """Batches, ids that are neither string nor integer, requests that are also responses."""
    with pytest.raises(InvalidRequest):
        parse(data)


@pytest.mark.parametrize(
    "key",
    ["Params", "PARAMS", "param\u017f", "params\u0000", "\uff50arams", "ID", "params ", "id\u200b"],
)
def test_a_key_that_looks_like_one_of_the_envelope_is_refused(key: str) -> None:
    """A parser that ignores case would take it for the real one."""
    with pytest.raises(InvalidRequest, match="looks like"):
        parse(body(**{key: {}}))


@pytest.mark.parametrize(
    "params",
    [
        {"Name": "y"},
        {"name": "x", "NAME": "y"},
        {"argument\u017f": {}},
        {"tas\u212aId": "t"},
        {"_Meta": {}},
        {"_meta": {"Tipstaff/Session": "x"}},
        {"_meta": {"io.modelcontextprotocol/ProtocolVersion": "x"}},
        {"ref": {"type": "ref/prompt", "Name": "x"}},
        {"name": "x", "name ": "y"},
        {"name": "x", "name\u200b": "y"},
        {"name": "x", "na\u00adme": "y"},
        {"input_responses": {}},
        {"meta": {}},
        {"_meta": {"io_modelcontextprotocol_protocol_version": "x"}},
        {"notifications": {"resource_subscriptions": ["file:///x"]}},
        {"notifications": {"resourceSubscriptions ": ["file:///x"]}},
        {"argument": {"name": "a", "Value": "b"}},
        {"context": {"Arguments": {}}},
    ],
)
def test_a_key_that_looks_like_a_known_parameter_is_refused(params: dict[str, Any]) -> None:
    """The same for the parameters and for the objects in them that the protocol describes.

    Servers of the Python SDK read `resource_subscriptions` as `resourceSubscriptions`.
    """
    with pytest.raises(InvalidRequest, match="looks like"):
        parse(body(params=params))


def test_unknown_keys_pass() -> None:
    """What the protocol adds later is none of our business, and neither are the tool's own keys."""
    params = {"other": 1, "ref": "text", "arguments": {"Name": 1}, "_meta": {"x/y": 1}}
    assert isinstance(parse(body(extra=1, params=params)), Request)


@given(st.binary())
@example(b'{"jsonrpc":"2.0","id":1,"method":"\\ud800"}')
@example(b"[" * 100_000)
@example(b'{"a":' * 100 + b"1" + b"}" * 100)
def test_no_bytes_crash_the_parser(data: bytes) -> None:
    """Whatever comes in, the answer is a message or a refusal."""
    with contextlib.suppress(ParseError, InvalidRequest):
        parse(data)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "jsonrpc": st.sampled_from(["2.0", "1.0"]) | json_values,
            "id": json_values,
            "method": st.text() | json_values,
            "params": st.dictionaries(st.sampled_from(["x", "name", "arguments"]), json_values)
            | json_values,
            "result": json_values,
        },
    )
)
def test_the_parser_agrees_with_the_grammar_written_out(value: dict[str, Any]) -> None:
    """A second reading of JSON-RPC 2.0, as one condition."""
    has_id = type(value.get("id")) in {str, int}
    params = value.get("params", {})
    is_call = (
        isinstance(value.get("method"), str)
        and isinstance(params, dict)
        and "result" not in value
        and (has_id or "id" not in value)
    )
    is_response = "method" not in value and "result" in value and has_id
    wanted = value.get("jsonrpc") == "2.0" and (is_call or is_response)
    if isinstance(params, dict) and not set(params) <= {"x", "name", "arguments"}:
        return
    data = json.dumps(value).encode()
    try:
        message = parse(data)
    except (InvalidRequest, ParseError):
        assert not wanted
        return
    assert wanted
    assert message.body == data


@given(json_values)
def test_arguments_come_out_as_the_bytes_that_went_in(value: Any) -> None:
    """The decision service judges the very bytes the tool will get."""
    raw = json.dumps(value, ensure_ascii=False).encode()
    data = b'{"jsonrpc":"2.0","id":1,"method":"m","params":{"a":1,"arguments" : ' + raw + b" }}"
    parse(data)
    assert jsonrpc.raw_param(data, "arguments") == raw


def test_arguments_that_are_absent_are_no_bytes() -> None:
    """Absent is not the same as null."""
    assert jsonrpc.raw_param(body(), "arguments") == b""
    assert jsonrpc.raw_param(body(params=...), "arguments") == b""
    assert jsonrpc.raw_param(body(params={"arguments": None}), "arguments") == b"null"


def test_an_escaped_key_is_the_key() -> None:
    """The slice is found by what the key means, not by how it is written."""
    data = b'{"jsonrpc":"2.0","id":1,"method":"m","params":{"\\u0061rguments":{"n":1.0}}}'
    assert jsonrpc.raw_param(data, "arguments") == b'{"n":1.0}'


def test_meta_is_empty_when_there_is_none() -> None:
    """Nobody has to ask whether it is there."""
    message = parse(body(params={"_meta": {"a": 1}}))
    assert isinstance(message, Request)
    assert jsonrpc.meta_of(message) == {"a": 1}
    assert jsonrpc.meta_of(Request(b"", 1, "m", {})) == {}


@pytest.mark.parametrize(
    ("changes", "reply_to"),
    [
        ({"params": None}, 1),
        ({"params": {"_meta": None}}, 1),
        ({"params": {"Name": "x"}}, 1),
        ({"jsonrpc": "1.0"}, 1),
        ({"result": {}}, 1),
        ({"method": ...}, 1),
        ({"id": "0", "params": []}, "0"),
        ({"id": None}, None),
        ({"id": 1.5}, None),
        ({"id": True}, None),
        ({"id": ..., "params": None}, NO_REPLY),
        ({"id": ..., "jsonrpc": ...}, NO_REPLY),
        ({"method": ..., "result": {}, "error": {}}, NO_REPLY),
        ({"method": ..., "result": {}, "id": None}, NO_REPLY),
    ],
)
def test_what_is_refused_is_answered_under_its_id_or_not_at_all(
    changes: dict[str, Any], reply_to: jsonrpc.ReplyTo
) -> None:
    """A client that gets an error without the id waits for its answer until it gives up."""
    envelope = jsonrpc.open_envelope(body(**changes))
    assert envelope.reply_to == reply_to
    assert type(envelope.reply_to) is type(reply_to)
    with pytest.raises(InvalidRequest):
        jsonrpc.read(envelope)


@pytest.mark.parametrize("request_id", [0, -1, 10**30, "0", "é", ""])
def test_an_answer_echoes_the_id_with_its_type(request_id: jsonrpc.Id) -> None:
    """0 stays 0 and "0" stays "0", also beyond 64 bits."""
    answer = json.loads(jsonrpc.render_result(request_id, {"a": "é"}))
    assert answer == {"jsonrpc": "2.0", "id": request_id, "result": {"a": "é"}}
    assert type(answer["id"]) is type(request_id)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (ParseError("bad"), {"code": -32700, "message": "bad"}),
        (PolicyDenied("no", {"x": 1}), {"code": 4030, "message": "no", "data": {"x": 1}}),
    ],
)
def test_an_error_carries_its_code_and_its_data(fault: Refusal, error: dict[str, Any]) -> None:
    """Data only where there is some."""
    answer = json.loads(jsonrpc.render_error(None, fault))
    assert answer == {"jsonrpc": "2.0", "id": None, "error": error}
    answer = json.loads(jsonrpc.render_error(NO_REPLY, fault))
    assert answer == {"jsonrpc": "2.0", "error": error}
