"""The ladder every message climbs before it may be judged."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec import structs

from pep.errors import (
    HeaderMismatch,
    InvalidParams,
    InvalidRequest,
    MethodNotFound,
    ParseError,
    Refusal,
)
from pep.mcp.admit import admit, check_name, lightened, status_of
from pep.mcp.headers import RequestHeaders
from pep.mcp.jsonrpc import Request, parse
from pep.mcp.methods import LEGACY, MODERN

VERSION = "2026-07-28"
META = {"io.modelcontextprotocol/protocolVersion": VERSION}
FRONT = RequestHeaders(version=VERSION, method="tools/call", name="add")


def message(method: str = "tools/call", **changes: Any) -> Any:
    value = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {"name": "add", "_meta": META}}
    value |= changes
    return parse(json.dumps({key: one for key, one in value.items() if one is not ...}).encode())


def test_a_tool_call_is_judged_with_its_target_and_arguments() -> None:
    """The arguments are bytes of the body."""
    found = admit(FRONT, message(params={"name": "add", "arguments": {"a": 1}, "_meta": META}))
    assert found.is_judged
    assert (found.era, found.target, found.arguments) == (MODERN, "add", b'{"a": 1}')


@pytest.mark.parametrize("method", ["tools/call", "prompts/get"])
def test_null_arguments_are_judged_as_none_and_stay_as_they_came(method: str) -> None:
    """Go writes a map without members so, and servers read it as they read its absence."""
    request_headers = RequestHeaders(version=VERSION, method=method, name="add")
    params = {"name": "add", "_meta": META}
    null = message(method, params={**params, "arguments": None})
    absent = message(method, params=params)
    assert admit(request_headers, null).arguments == admit(request_headers, absent).arguments == b""
    assert b'"arguments": null' in null.body


def test_a_notification_passes_unjudged() -> None:
    """It asks for nothing."""
    request_headers = RequestHeaders(version=VERSION, method="notifications/cancelled")
    found = admit(
        request_headers, message("notifications/cancelled", id=..., params={"requestId": 1})
    )
    assert not found.is_judged


def test_a_legacy_client_answers_its_server() -> None:
    """The modern era has no requests of servers, so no answers either."""
    answer = parse(b'{"jsonrpc":"2.0","id":1,"result":{}}')
    assert not admit(RequestHeaders(), answer).is_judged
    for request_headers in (
        RequestHeaders(version=VERSION),
        RequestHeaders(method="tools/call"),
        RequestHeaders(name=""),
    ):
        with pytest.raises(InvalidRequest):
            admit(request_headers, answer)


@pytest.mark.parametrize(
    ("request_headers", "changes", "fault"),
    [
        (RequestHeaders(version=VERSION, name="add"), {}, HeaderMismatch),
        (RequestHeaders(version=VERSION, method="tools/call"), {}, HeaderMismatch),
        (RequestHeaders(version=VERSION, method="ping", name="add"), {}, HeaderMismatch),
        (RequestHeaders(version=VERSION, method="tools/call", name="other"), {}, HeaderMismatch),
        (RequestHeaders(version="2025-11-25"), {}, HeaderMismatch),
        (RequestHeaders(), {}, HeaderMismatch),
        (RequestHeaders(version="2027-01-01", method="tools/call", name="add"), {}, HeaderMismatch),
        (FRONT, {"params": {"name": "add"}}, InvalidParams),
        (RequestHeaders(), {"method": "tools/explode", "params": {}}, MethodNotFound),
        (RequestHeaders(), {"params": {}}, InvalidParams),
        (RequestHeaders(), {"params": {"name": 7}}, InvalidParams),
        (RequestHeaders(), {"params": {"name": ""}}, InvalidParams),
        (RequestHeaders(), {"params": {"name": "add", "arguments": "x"}}, InvalidParams),
        (RequestHeaders(), {"id": ..., "params": {"name": "add"}}, InvalidRequest),
    ],
)
def test_what_headers_and_body_do_not_agree_on_is_refused(
    request_headers: RequestHeaders, changes: dict[str, Any], fault: type[Refusal]
) -> None:
    """Before anything is judged."""
    with pytest.raises(fault):
        admit(request_headers, message(**changes))


def test_a_legacy_server_answers_what_it_does_not_know_with_200() -> None:
    """A legacy client takes 404 for the end of its session."""
    assert status_of(MethodNotFound("x", "m"), 404, LEGACY, has_id=True) == 200
    assert status_of(MethodNotFound("x", "m"), 404, MODERN, has_id=True) == 404
    assert status_of(ParseError("x"), 400, LEGACY, has_id=True) == 400


def test_what_cannot_be_answered_is_never_refused_with_200() -> None:
    """MCP 2025-11-25, transports: a notification that is not taken gets a status of failure."""
    for fault, status in ((MethodNotFound("x", "m"), 404), (InvalidParams("x"), 400)):
        assert status_of(fault, status, LEGACY, has_id=False) == 400


def test_after_the_judgement_nothing_large_is_left_of_a_message() -> None:
    """A call may be under way for long; what a refusal or a session needs of it stays."""
    info = {"name": "agent", "version": "1", "icons": ["x" * 9999]}
    params = {"name": "add", "arguments": {"a": ["x"] * 99}, "clientInfo": info, "_meta": META}
    admitted = admit(FRONT, message(params=params))
    light = lightened(admitted)
    assert light == structs.replace(
        admitted,
        arguments=b"",
        message=Request(
            b"", 1, "tools/call", {"name": "add", "clientInfo": {"name": "agent", "version": "1"}}
        ),
    )
    notification = admit(
        RequestHeaders(version=VERSION, method="notifications/cancelled"),
        message("notifications/cancelled", id=..., params={"requestId": 1}),
    )
    assert lightened(notification) is notification


def named(method: str, params: dict[str, Any]) -> Any:
    return admit(RequestHeaders(), message(method, params=params))


@pytest.mark.parametrize(
    "name", ["greet ", " greet", "greet\u200b", "gre\u00adet", "gre\u0301et", "gr\teet", "\u3000"]
)
def test_a_name_with_a_second_spelling_is_refused(name: str) -> None:
    """A server that trims, composes or drops what nobody sees would take it for another."""
    completed = {"ref": {"type": "ref/prompt", "name": name}}
    for admitted in (
        named("prompts/get", {"name": name}),
        named("completion/complete", completed),
        named("tools/call", {"name": name}),
    ):
        with pytest.raises(InvalidParams, match="name must be text"):
            check_name(admitted, "any")


@pytest.mark.parametrize("name", ["greet", "My prompt", "Gr\u00fc\u00dfe"])
def test_a_prompt_may_have_any_name_that_is_seen(name: str) -> None:
    """The specification has no grammar for it; tools have one unless the server's entry says so."""
    check_name(named("prompts/get", {"name": name}), "strict")
    check_name(
        named("completion/complete", {"ref": {"type": "ref/prompt", "name": name}}), "strict"
    )
    check_name(named("tools/call", {"name": name}), "any")


def test_what_is_no_name_is_none_of_its_business() -> None:
    """Lists, tasks, and resources, which have URIs."""
    check_name(named("tools/list", {}), "strict")
    check_name(named("tasks/get", {"taskId": "a "}), "strict")
    check_name(named("resources/read", {"uri": "a:b"}), "strict")
    check_name(
        named("completion/complete", {"ref": {"type": "ref/resource", "uri": "a:{b}"}}), "any"
    )


@pytest.mark.parametrize("name", ["add me", "gr\u00fc\u00dfe", "x" * 129])
def test_a_tools_name_is_by_the_grammar(name: str) -> None:
    """MCP 2025-11-25, tools."""
    with pytest.raises(InvalidParams, match="letters, digits"):
        check_name(named("tools/call", {"name": name}), "strict")
