"""What of a server's message has to be judged, and what is left of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdp.api.definition import digest
from pdp.api.model import Direction, Phase
from pep.errors import AnswerUnreadable
from pep.mcp.inspect import Created, Finding, Kind, Withdrawn, inspect, kept
from pep.mcp.message_bytes import may_matter


def message(**members: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", **members}).encode()


def found(data: bytes) -> Finding:
    assert may_matter(data)
    finding = inspect(data)
    assert isinstance(finding, Finding)
    return finding


@pytest.mark.parametrize(
    ("member", "key", "method"),
    [
        ("tools", "name", "tools/call"),
        ("prompts", "name", "prompts/get"),
        ("resources", "uri", "resources/read"),
        ("resourceTemplates", "uriTemplate", "resources/read"),
        ("tasks", "taskId", "tasks/get"),
    ],
)
def test_every_entry_of_a_list_is_a_question(member: str, key: str, method: str) -> None:
    """Whether its target would be hidden."""
    finding = found(message(id=1, result={member: [{key: "a"}, {key: "b", "more": 1}]}))
    assert finding.kind is Kind.LIST
    assert [(one.method, one.target) for one in finding.questions] == [(method, "a"), (method, "b")]
    assert {(one.phase, one.direction) for one in finding.questions} == {
        (Phase.LIST, Direction.TO_SERVER)
    }


def test_a_listed_tool_is_asked_about_with_the_digest_of_its_definition() -> None:
    """As it stands, each its own; other lists have definitions of no tool."""
    tools = [{"name": "a", "description": "A", "_meta": {"n": 1}}, {"name": "b"}]
    finding = found(message(id=1, result={"tools": tools}))
    assert [one.definition for one in finding.questions] == [digest(one) for one in tools]
    finding = found(message(id=1, result={"prompts": tools}))
    assert [one.definition for one in finding.questions] == ["", ""]


@pytest.mark.parametrize(
    "method", ["sampling/createMessage", "elicitation/create", "roots/list", "vendor/ask"]
)
def test_a_request_of_the_server_is_a_question_in_its_own_direction(method: str) -> None:
    """Also one that no version of the protocol knows."""
    data = message(id="7", method=method, params={"a": 1.0, "_meta": {}})
    finding = found(data)
    (question,) = finding.questions
    assert (finding.kind, finding.id) == (Kind.REQUEST, "7")
    assert (question.method, question.direction) == (method, Direction.TO_CLIENT)
    assert question.arguments == b'{"a": 1.0, "_meta": {}}'


@pytest.mark.parametrize(
    "data",
    [
        message(method="notifications/message", params={"data": "x"}),
        message(id=1, result={"content": []}),
        message(id=1, result={"structuredContent": {"tools": [{"name": "x"}]}}),
        message(id=1, error={"code": 1, "message": "tools"}),
        message(id=1, result={"tools": "none"}),
        message(id=1, result={"tools": {}}),
        message(id=1, error=None, result={"content": [], "note": "tools"}),
        message(id=1, error={"code": -32042, "message": "?", "data": {"elicitations": []}}),
        message(id=1, error={"code": 1, "data": "elicitations"}),
        message(method="notifications/message", params={"data": {"inputRequests": {"a": 1}}}),
        message(method="notifications/tasks", params={"taskId": "t", "result": {"content": []}}),
    ],
)
def test_other_messages_ask_nothing(data: bytes) -> None:
    """They pass as they are."""
    assert not may_matter(data) or inspect(data) is None


def test_each_request_that_waits_in_a_result_is_a_question() -> None:
    """MRTR: the client would answer them all in its next call."""
    waiting = {
        "a": {"method": "elicitation/create", "params": {"message": "?"}},
        "b": {"method": "roots/list"},
    }
    finding = found(
        message(id=3, result={"resultType": "input_required", "inputRequests": waiting})
    )
    assert (finding.kind, finding.id) == (Kind.INPUT, 3)
    assert [(one.method, one.arguments) for one in finding.questions] == [
        ("elicitation/create", b'{"message": "?"}'),
        ("roots/list", b"{}"),
    ]


def test_a_request_that_passes_unjudged_is_a_request_with_nothing_to_ask() -> None:
    """Its client may answer it, so it has to be known; with an id that is none it is not shown."""
    finding = found(message(id="p", method="ping"))
    assert (finding.kind, finding.questions, finding.id) == (Kind.REQUEST, (), "p")
    for no_id in (None, True, 1.0, [1]):
        with pytest.raises(AnswerUnreadable):
            inspect(message(id=no_id, method="ping"))


def test_a_cancellation_names_the_request_that_is_withdrawn() -> None:
    """If it names one."""
    assert inspect(message(method="notifications/cancelled", params={"requestId": 7})) == Withdrawn(
        7
    )
    for params in ({}, {"requestId": True}, {"requestId": [7]}, []):
        assert inspect(message(method="notifications/cancelled", params=params)) is None


LINKS = {"code": -32042, "message": "?", "data": {"elicitations": [{"url": "u"}, {"url": "v"}]}}


@pytest.mark.parametrize("place", ["error", "result.error", "result.result.error", "params.error"])
def test_each_url_that_an_error_asks_to_open_is_an_elicitation(place: str) -> None:
    """MCP 2025-11-25, URLElicitationRequiredError; alone, of a task, of a task that is told."""
    outer, *path = place.split(".")
    value: Any = LINKS
    for member in reversed(path):
        value = {member: value}
    data = message(method="notifications/tasks", params=value) if outer == "params" else message(id=1, **{outer: value})  # fmt: skip
    finding = found(data)
    assert [(one.method, one.arguments) for one in finding.questions] == [
        ("elicitation/create", b'{"url": "u"}'),
        ("elicitation/create", b'{"url": "v"}'),
    ]
    assert finding.kind is (Kind.NOTICE if outer == "params" else Kind.INPUT)


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("result", {"result": {"inputRequests": {"a": {"method": "roots/list"}}}}),
        ("result", {"task": {"inputRequests": {"a": {"method": "roots/list"}}}}),
        ("params", {"inputRequests": {"a": {"method": "roots/list"}}}),
        ("params", {"task": {"result": {"inputRequests": {"a": {"method": "roots/list"}}}}}),
    ],
)
def test_what_a_task_waits_for_is_a_question_wherever_it_is_told(member: str, value: Any) -> None:
    """In the answer to `tasks/get`, and in a notification."""
    more = {"id": 1} if member == "result" else {"method": "notifications/tasks"}
    finding = found(message(**more, **{member: value}))
    assert [one.method for one in finding.questions] == ["roots/list"]


@pytest.mark.parametrize(
    "result", [{"task": {"taskId": "t"}}, {"resultType": "task", "taskId": "t"}]
)
def test_a_task_that_a_result_names_is_found(result: dict[str, Any]) -> None:
    """As 2025-11-25 and as the extension say it."""
    assert inspect(message(id=1, result=result)) == Created("t")


@pytest.mark.parametrize(
    "data",
    [
        b'{"id":1,"result":{"tools":[]},"result":{"tools":[{"name":"x"}]}}',
        b'{"id":1,"result":{"tools":[{"name":"x"}],"Tools":[]}}',
        b'{"id":1,"Result":{"tools":[{"name":"x"}]}}',
        b'{"id":1,"result":{"tool\xc5\xbf":[{"name":"x"}]}}',
        b'{"id":1,"result":{"tools":[{"name":"x","Name":"y"}]}}',
        b'{"id":1,"result":{"tools":[{"title":"x"}]}}',
        b'{"id":1,"result":{"tools":[7]}}',
        b'{"id":1,"result":{"tools":[{"name":"x"}]}',
        b'[{"id":1,"result":{"tools":[{"name":"x"}]}}]',
        b'{"id":1,"result":{"tools":[{"name":"x","n":NaN}]}}',
        b'{"id":null,"method":"roots/list"}',
        b'{"id":1,"method":7}',
        b'{"id":1,"method":"roots/list","params":[]}',
        b'{"id":1,"result":{"inputRequests":[]}}',
        b'{"id":1,"result":{"inputRequests":{"a":1}}}',
        b'{"id":1,"result":{"inputRequests":{"a":{"method":"x","Method":"y"}}}}',
        b'{"id":1,"result":{"inputRequests":{},"tools":[{"name":"x"}]}}',
        b'{"id":1,"result":{"tools":[],"prompts":[{"name":"x"}]}}',
        b'{"id":1,"result":{"tools":[{"name":"x","Description":"y"}]}}',
        b'{"id":1,"result":{"tools":[{"name":"x","input\xc5\xbfchema":{}}]}}',
        b'{"id":1,"result":{"resourceTemplates":[{"uriTemplate":"a:b","uritemplate":"c:d"}]}}',
        b'{"id":1,"result":{"resourceTemplates":[{"uriTemplate":"a:b","uri_template":"c:d"}]}}',
        b'{"id":1,"result":{"resource_templates":[{"uriTemplate":"a:b"}]}}',
        b'{"id":1,"result":{"task_id":"t"}}',
        b'{"id":1,"result":{"input_requests":{"a":{"method":"roots/list"}}}}',
        b'{"id":1,"method":"ping","result":{"tools":[{"name":"x"}]}}',
        b'{"method":null,"result":{"tools":[{"name":"x"}]}}',
        b'{"id":1,"error":{"code":1},"result":{"tools":[{"name":"x"}]}}',
        b'{"id":1,"result":{"tools":{"0":{"name":"x"}}}}',
        b'{"id":1,"result":{"result":{"tools":[{"name":"x"}]}}}',
        b'{"id":1,"result":{"task":{"tasks":[{"taskId":"x"}]}}}',
        b'{"id":1,"result":{"Result":{"inputRequests":{"a":{"method":"x"}}}}}',
        b'{"id":1,"method":"ping","params":{"inputRequests":{"a":{"method":"x"}}}}',
        b'{"id":1,"method":"elicitation/create","params":{"Message":"x"}}',
        b'{"id":1,"error":{"Data":{"elicitations":[]}}}',
        b'{"id":1,"error":{"data":{"elicitations":{"0":{"url":"x"}}}}}',
        b'{"id":1,"error":{"data":{"elicitations":["x"]}}}',
        b'{"id":1,"error":{"data":{"elicitations":[],"Elicitations":[{"url":"x"}]}}}',
        b'{"id":1,"error":{"data":{"elicitations":[' + b",".join([b"{}"] * 65) + b"]}}}",
        b'{"method":"x","params":{"inputRequests":[]}}',
        b'{"id":1,"result":{"tools":[' + b",".join([b'{"name":"x"}'] * 10_001) + b"]}}",
    ],
)
def test_what_two_readers_could_read_differently_is_not_shown(data: bytes) -> None:
    """A look at the bytes says that it matters, and then it cannot be read."""
    assert may_matter(data)
    with pytest.raises(AnswerUnreadable):
        inspect(data)


ENTRY = st.fixed_dictionaries(
    {"name": st.text(max_size=8), "inputSchema": st.dictionaries(st.text(), st.integers())}
)


@given(st.lists(st.tuples(ENTRY, st.booleans()), max_size=6), st.booleans())
def test_kept_entries_keep_their_bytes(entries: list[tuple[Any, bool]], spaced: bool) -> None:
    """And the others leave no trace."""
    separators = (", ", ": ") if spaced else (",", ":")
    texts = [json.dumps(entry, separators=separators) for entry, _ in entries]
    data = ('{"id":1, "result":{"tools":[' + ",".join(texts) + '],"x": 1.0}}').encode()
    finding = found(data)
    after = kept(data, finding, tuple(keep for _, keep in entries), 1000)
    assert json.loads(after) == {
        "id": 1,
        "result": {"tools": [entry for entry, keep in entries if keep], "x": 1.0},
    }
    for text, (_, keep) in zip(texts, entries, strict=True):
        assert not keep or text.encode() in after
    if all(keep for _, keep in entries):
        assert after is data


@pytest.mark.parametrize(
    ("told", "left"),
    [
        ({"cacheScope": "public", "ttlMs": 5000}, {"cacheScope": "private", "ttlMs": 1000}),
        ({"cacheScope": "private", "ttlMs": 1000}, {"cacheScope": "private", "ttlMs": 1000}),
        ({"ttlMs": -1}, {"ttlMs": 1000}),
        ({"ttlMs": "x", "cacheScope": 7}, {"ttlMs": 1000, "cacheScope": "private"}),
        ({"ttlMs": 0}, {"ttlMs": 0}),
        ({}, {}),
    ],
)
def test_no_cache_keeps_a_list_for_others_or_for_long(told: Any, left: Any) -> None:
    """Also when nothing was taken out; and nothing is invented (legacy lists have neither)."""
    data = message(id=1, result={"tools": [{"name": "x"}], **told, "nextCursor": "c"})
    after = kept(data, found(data), (True,), 1000)
    assert json.loads(after)["result"] == {"tools": [{"name": "x"}], **left, "nextCursor": "c"}
    assert (after is data) == (told == left)
