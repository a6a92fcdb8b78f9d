"""The table of methods: what is in it, and how targets are found."""

from __future__ import annotations

from typing import Any

import pytest
from mcp_types.methods import CLIENT_NOTIFICATIONS, CLIENT_REQUESTS

from pdp.api import methods as named
from pep.errors import InvalidParams, InvalidRequest, MethodNotFound
from pep.mcp.jsonrpc import Notification, Request
from pep.mcp.methods import (
    LEGACY,
    METHODS,
    MODERN,
    Target,
    Treatment,
    check_types,
    look_up,
    server_method,
    target_of,
)


def request(method: str, **params: Any) -> Request:
    return Request(b"", 1, method, params)


@pytest.mark.parametrize(("method", "version"), sorted([*CLIENT_REQUESTS, *CLIENT_NOTIFICATIONS]))
def test_every_method_of_the_specification_is_in_the_table(method: str, version: str) -> None:
    """The SDK's own list of methods, version by version, holds no surprise."""
    era = MODERN if version >= "2026" else LEGACY
    assert era in METHODS[method].eras
    assert METHODS[method].is_notification == method.startswith("notifications/")


def test_no_core_method_is_known_in_an_era_that_has_none() -> None:
    """What the modern era removed is refused there."""
    modern = {method for method, version in CLIENT_REQUESTS if version >= "2026"}
    known = {row.name for row in METHODS.values() if MODERN in row.eras and not row.is_notification}
    assert known - modern == {"tasks/get", "tasks/update", "tasks/cancel"}


def test_only_what_carries_nothing_passes_unjudged() -> None:
    """Ping and notifications; everything else is judged."""
    passing = {row.name for row in METHODS.values() if row.treatment is Treatment.PASS}
    assert all(name == "ping" or METHODS[name].is_notification for name in passing)


@pytest.mark.parametrize(
    "method",
    ["Tools/Call", "tools/call ", "tools//call", "./tools/call", "", "x/y", "tools/ca\u017fl"],
)
@pytest.mark.parametrize("era", [LEGACY, MODERN])
def test_an_unknown_method_is_not_found(method: str, era: str) -> None:
    """Spelling is exact: nothing is normalised."""
    with pytest.raises(MethodNotFound):
        look_up(request(method), era)


@pytest.mark.parametrize(
    ("method", "era"), [("initialize", MODERN), ("ping", MODERN), ("server/discover", LEGACY)]
)
def test_a_method_of_the_other_era_is_not_found(method: str, era: str) -> None:
    """The eras do not mix."""
    with pytest.raises(MethodNotFound):
        look_up(request(method), era)


def test_a_request_sent_without_an_id_is_refused() -> None:
    """A tool call dressed as a notification would run unjudged."""
    with pytest.raises(InvalidRequest):
        look_up(Notification(b"", "tools/call", {}), LEGACY)


def test_a_notification_sent_with_an_id_is_refused() -> None:
    """It would wait for an answer for ever."""
    with pytest.raises(InvalidRequest):
        look_up(request("notifications/cancelled"), LEGACY)


def test_a_known_message_finds_its_row() -> None:
    """The plain case."""
    assert look_up(request("tools/call"), MODERN) is METHODS["tools/call"]
    row = look_up(Notification(b"", "notifications/cancelled", {}), MODERN)
    assert row.treatment is Treatment.PASS


@pytest.mark.parametrize(
    ("method", "params", "target"),
    [
        ("tools/call", {"name": "add"}, "add"),
        ("prompts/get", {"name": "p"}, "p"),
        ("resources/read", {"uri": "a://b"}, "a://b"),
        ("resources/subscribe", {"uri": "a://b"}, "a://b"),
        ("tasks/get", {"taskId": "t"}, "t"),
        ("completion/complete", {"ref": {"type": "ref/prompt", "name": "p"}}, "p"),
        ("completion/complete", {"ref": {"type": "ref/resource", "uri": "a://{b}"}}, "a://{b}"),
        ("tools/list", {"name": "not a target"}, ""),
    ],
)
def test_the_target_is_where_the_table_says(
    method: str, params: dict[str, Any], target: str
) -> None:
    """Tool, prompt, resource, task."""
    assert target_of(METHODS[method], params) == target


@pytest.mark.parametrize("name", [None, 1, "", [], {}, True, "x" * 8193])
def test_a_target_that_is_no_name_is_refused(name: Any) -> None:
    """A name that policy cannot judge does not go on."""
    with pytest.raises(InvalidParams):
        target_of(METHODS["tools/call"], {"name": name})


@pytest.mark.parametrize(
    "ref", [None, "x", {}, {"type": "ref/tool", "name": "x"}, {"type": "ref/prompt", "uri": "x"}]
)
def test_a_reference_of_another_kind_is_refused(ref: Any) -> None:
    """There are prompts and resources, nothing else."""
    with pytest.raises(InvalidParams):
        target_of(METHODS["completion/complete"], {"ref": ref})


@pytest.mark.parametrize(
    "method", ["resources/read", "resources/subscribe", "resources/unsubscribe"]
)
@pytest.mark.parametrize(
    "uri",
    ["file:///a\tb", "file:///a\n", " file:///a", "file:///..\r/b", "file:///\x00", "/etc/passwd",
     "file:///a\\b", "file:///%", "file:///{a}", "file:///\u00fc", "file:///a|b"],
)  # fmt: skip
def test_a_resource_is_named_by_a_uri(method: str, uri: str) -> None:
    """Servers read anything else each in their own way."""
    with pytest.raises(InvalidParams, match="must be a URI"):
        target_of(METHODS[method], {"uri": uri})


@pytest.mark.parametrize("uri", ["file:///{a}\t", "{", " file:///{a}", "file:///{a b}", "x"])
def test_a_completed_resource_is_named_by_a_template(uri: str) -> None:
    """Braces are all that it may hold more."""
    with pytest.raises(InvalidParams, match="RFC 6570"):
        target_of(METHODS["completion/complete"], {"ref": {"type": "ref/resource", "uri": uri}})


@pytest.mark.parametrize(
    "params",
    [
        {"notifications": ["resourceSubscriptions"]},
        {"notifications": None},
        {"inputResponses": []},
        {"inputResponses": "{}"},
        {"requestState": {}},
        {"ref": "ref/prompt"},
        {"argument": ["name"]},
        {"context": "x"},
        {"cursor": 1},
        {"cursor": {}},
        {"level": 5},
        {"protocolVersion": 20260728},
        {"protocolVersion": None},
        {"clientInfo": "x"},
        {"capabilities": []},
        {"task": "t"},
    ],
)
def test_a_known_parameter_of_another_type_is_refused(params: dict[str, Any]) -> None:
    """Rules that look into it would find nothing to deny."""
    with pytest.raises(InvalidParams, match="must be"):
        check_types(params)


@pytest.mark.parametrize(
    "uris",
    [{"file:///a": 1}, "file:///a", None, 1, [1], ["file:///a", None], [["file:///a"]], [""],
     ["file:///a", "file:///b\t"], [" file:///a"], ["file:///" + "a" * 8192]],
)  # fmt: skip
def test_resources_to_listen_to_are_a_list_of_uris(uris: Any) -> None:
    """Each is judged, so each must be there to be judged."""
    with pytest.raises(InvalidParams, match="resourceSubscriptions"):
        check_types({"notifications": {"resourceSubscriptions": uris}})


def test_parameters_of_their_own_types_pass() -> None:
    """Also those that nobody here knows, and a cursor of null, which some clients send."""
    check_types({})
    check_types({"cursor": None, "other": 1, "level": "debug", "ref": {}})
    check_types({"notifications": {"resourceSubscriptions": ["file:///a", "b:c"], "x": 1}})
    check_types({"notifications": {}})


def test_only_named_targets_are_mirrored() -> None:
    """A mirror repeats a target; a row without one has nothing to repeat."""
    mirrored = {row.name for row in METHODS.values() if row.mirrored}
    assert mirrored == {"tools/call", "prompts/get", "resources/read"}
    assert all(METHODS[name].target is not Target.NONE for name in mirrored)


@pytest.mark.parametrize("value", [None, [], "x", 1, True])
@pytest.mark.parametrize(
    "member", sorted({row.arguments for row in METHODS.values() if row.arguments})
)
def test_arguments_that_are_no_object_are_refused(member: str, value: Any) -> None:
    """Absent is fine; anything else would meet every schema of an object. Of a call, so is null."""
    check_types({})
    check_types({member: {}})
    if (member, value) == ("arguments", None):
        check_types({member: value})
        return
    with pytest.raises(InvalidParams, match="must be an object"):
        check_types({member: value})


def test_rules_can_name_every_method_that_is_judged() -> None:
    """And know which of them carry arguments."""
    judged = {
        row.name: bool(row.arguments)
        for row in METHODS.values()
        if row.treatment is Treatment.JUDGE
    }
    asked = dict.fromkeys(("sampling/createMessage", "elicitation/create", "roots/list"), True)
    assert {**judged, **asked} == dict(named.METHODS)
    assert {name for name in asked if server_method(name).treatment is Treatment.JUDGE} == set(
        asked
    )


def test_a_servers_request_that_nobody_knows_is_judged_by_its_name() -> None:
    """Only a ping carries nothing to judge."""
    assert server_method("vendor/ask").treatment is Treatment.JUDGE
    assert server_method("ping").treatment is Treatment.PASS
