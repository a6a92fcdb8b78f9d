"""From a message and what is around it to the call that is judged."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pdp.api.model import Call, Client, Principal, Reference, Session
from pep.callers.session import LegacySession
from pep.judge.call import build, client_of, trace_id
from pep.mcp.admit import admit
from pep.mcp.headers import RequestHeaders
from pep.mcp.jsonrpc import parse

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"
MODERN = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "agent", "version": "2"},
}


def judged(
    method: str,
    params: dict[str, Any],
    request_headers: RequestHeaders,
    legacy_session: LegacySession | None = None,
) -> Call:
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
    return build(
        admit(request_headers, parse(body)), request_headers, request_id="r", server="s",
        principal=Principal("p", "anonymous"), session=Session("p", "principal"), legacy_session=legacy_session,
    )  # fmt: skip


def modern(method: str = "tools/call", name: str = "add", **params: Any) -> Call:
    request_headers = RequestHeaders(version="2026-07-28", method=method, name=name)
    return judged(method, {"name": name, "_meta": MODERN, **params}, request_headers)


@pytest.mark.parametrize(
    ("ref", "reference"),
    [
        ({"type": "ref/prompt", "name": "file:///{a}"}, Reference.PROMPT),
        ({"type": "ref/resource", "uri": "file:///{a}"}, Reference.RESOURCE),
    ],
)
def test_a_completion_says_what_it_is_for(ref: dict[str, Any], reference: Reference) -> None:
    """The same text may name a prompt and a resource, which have rules of their own."""
    request_headers = RequestHeaders(version="2026-07-28", method="completion/complete")
    params = {"ref": ref, "argument": {"name": "a", "value": ""}, "_meta": MODERN}
    found = judged("completion/complete", params, request_headers)
    assert (found.target, found.reference) == ("file:///{a}", reference)
    assert modern().reference is Reference.NONE


def test_a_modern_call_says_everything_itself() -> None:
    """Its client, its version, its arguments as they stand in the body."""
    found = modern(arguments={"n": 1.0})
    assert (found.server, found.method, found.target) == ("s", "tools/call", "add")
    assert found.arguments == b'{"n": 1.0}'
    assert found.client == Client("agent", "2")
    assert (found.protocol.era, found.protocol.version) == ("modern", "2026-07-28")
    assert not found.is_retry


def test_a_legacy_call_has_the_client_that_its_session_began_with() -> None:
    """And the version of its header."""
    legacy_session = LegacySession("p", Client("old", "1"))
    found = judged(
        "tools/call", {"name": "add"}, RequestHeaders(version="2025-11-25"), legacy_session
    )
    assert found.client == Client("old", "1")
    assert (found.protocol.era, found.protocol.version) == ("legacy", "2025-11-25")
    assert found.arguments == b"{}"


@pytest.mark.parametrize("more", [{}, {"arguments": None}, {"arguments": {}}])
def test_no_arguments_are_one_call_however_they_are_written(more: dict[str, Any]) -> None:
    """So a rule about an argument's absence says the same of all three."""
    assert modern(**more) == modern()
    assert modern(**more).arguments == b"{}"


def test_initialize_proposes_its_version_and_its_client() -> None:
    """There is no header yet."""
    params = {"protocolVersion": "2025-06-18", "clientInfo": {"name": "new", "version": "3"}}
    found = judged("initialize", params, RequestHeaders())
    assert found.protocol.version == "2025-06-18"
    assert found.client == Client("new", "3")
    assert found.target == ""


@pytest.mark.parametrize("more", [{"inputResponses": {}}, {"requestState": ""}])
def test_a_call_that_answers_questions_is_a_retry(more: dict[str, Any]) -> None:
    """It is judged again, and rules may tell."""
    assert modern(**more).is_retry


@pytest.mark.parametrize("info", [None, "x", [], {}, {"name": 1, "version": []}])
def test_what_a_client_says_of_itself_may_be_anything(info: Any) -> None:
    """It is never trusted and never breaks a call."""
    meta = {"io.modelcontextprotocol/clientInfo": info}
    assert client_of("tools/call", {}, meta) == Client("", "")


@pytest.mark.parametrize(
    ("header", "meta", "wanted"),
    [
        (PARENT, {}, TRACE),
        ("", {"traceparent": PARENT}, TRACE),
        ("broken", {"traceparent": PARENT}, TRACE),
        ("", {"traceparent": 7}, ""),
        (PARENT.upper(), {}, ""),
        (f"00-{'0' * 32}-b7ad6b7169203331-01", {}, ""),
        (f"{PARENT}x", {}, ""),
    ],
)
def test_only_a_proper_trace_id_is_one(header: str, meta: dict[str, Any], wanted: str) -> None:
    """W3C Trace Context: lower-case hexadecimal, not all zero."""
    assert trace_id(header, meta) == wanted
