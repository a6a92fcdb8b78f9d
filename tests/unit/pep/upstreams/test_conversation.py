"""Which of a child's lines is for which request, as scripts: no process, no socket, no clock."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pep.errors import InvalidRequest
from pep.mcp.addressing import SUBSCRIPTION_KEY, read
from pep.ports import BusyError, LostError
from pep.upstreams.conversation import (
    ABANDONED_SECONDS,
    MOST_DONE,
    MOST_UNDER_WAY,
    Conversation,
    Drop,
    ForgetTools,
    WriteAside,
)
from pep.upstreams.stream import Storage, Stream
from tests.scripted_child import notification, request, result

LEGACY, MODERN = "legacy", "modern"
NOW = 1000.0


class Script:
    """A conversation, the lines that were written to its child, and the names of its streams."""

    def __init__(self, era: str) -> None:
        self.storage = Storage()
        self.it = Conversation(era, "ann", self.storage)
        self.written: list[Any] = []
        self.names: dict[Stream, str] = {self.it.own: "own"}
        self.seen: dict[Stream, int] = {}

    def ask(self, name: str, request_id: Any, method: str = "tools/call", **more: Any) -> Stream:
        options = {key: more.pop(key) for key in ("keeps", "is_ours") if key in more}
        message = request(method, request_id, **more)
        stream, line = self.it.request(message, read(message), **options)
        self.written.append(json.loads(line))
        self.names[stream] = name
        return stream

    def notify(self, method: str, **params: Any) -> tuple[str | None, Any]:
        """What is cancelled, and what is written."""
        message = notification(method, **params)
        cancelled, line = self.it.notification(message, read(message))
        return cancelled and self.names[cancelled], line and json.loads(line)

    def say(self, *lines: Any) -> dict[str, list[Any]]:
        """What came of these lines: the new messages of each stream, and what else is to be done."""
        outcome: dict[str, list[Any]] = {}
        for line in lines:
            for action in self.it.line(
                json.dumps(line).encode() if isinstance(line, dict) else line
            ):
                outcome.setdefault(type(action).__name__, []).append(shown(action))
        for stream, name in self.names.items():
            seen = self.seen.get(stream, 0)
            while stream.count > seen and (news := stream.after(seen)) is not None:
                seen, message = news
                outcome.setdefault(name, []).append(json.loads(message))
            self.seen[stream] = seen
        return outcome


def shown(action: Any) -> Any:
    if isinstance(action, WriteAside):
        return json.loads(action.line)
    return action.reason if isinstance(action, Drop) else True


def progress(token: Any) -> bytes:
    return notification("notifications/progress", progressToken=token)


def test_modern_requests_go_under_numbers_and_come_back_under_their_own_ids() -> None:
    """Two clients of one caller with the same id and the same token."""
    script = Script(MODERN)
    for name in ("first", "second"):
        script.ask(name, "x", _meta={"progressToken": "t"})
    assert [(line["id"], line["params"]["_meta"]["progressToken"]) for line in script.written] == [
        (1, 1), (2, 2),
    ]  # fmt: skip
    outcome = script.say(progress(2), result(2, n=2), result(1, n=1))
    assert [message.get("id") for message in outcome["second"]] == [None, "x"]
    assert outcome["second"][0]["params"] == {"progressToken": "t"}
    assert outcome["first"][0]["result"] == {"n": 1}
    assert script.it.is_idle(NOW)


def test_legacy_messages_pass_as_they_are() -> None:
    """The child is one session's."""
    script = Script(LEGACY)
    stream = script.ask("a", "x", _meta={"progressToken": "t"})
    line = b'{"jsonrpc": "2.0",   "id":"x","result":{}}'
    script.it.line(line)
    assert stream.after(0) == (1, line)


@pytest.mark.parametrize("era", [LEGACY, MODERN])
@pytest.mark.parametrize(
    "line", [None, b"", b"{}", b"noise", b'{"id":1,"ID":1,"result":{}}', b'{"x":' + b"[" * 5000]
)
def test_a_line_that_is_no_message_goes_to_nobody(era: str, line: bytes | None) -> None:
    """Nor one that two readers read differently."""
    script = Script(era)
    script.ask("a", 1)
    assert script.say(line) == {"Drop": ["no message"]}


@pytest.mark.parametrize("era", [LEGACY, MODERN])
@pytest.mark.parametrize("answer", [b"9", b'"1"', b"-1"])
def test_an_answer_to_no_request_under_way_goes_to_nobody(era: str, answer: bytes) -> None:
    """Nor a second answer."""
    script = Script(era)
    script.ask("a", 1)
    line = b'{"jsonrpc":"2.0","id":%s,"result":{}}'
    dropped = {"Drop": ["an answer to no request that is under way"]}
    assert script.say(line % answer) == dropped
    assert list(script.say(line % b"1")) == ["a"]
    assert script.say(line % b"1") == dropped


def test_a_request_of_a_modern_server_is_refused_and_seen_by_nobody() -> None:
    """MCP 2026-07-28 has none; a legacy client answers it."""
    script = Script(MODERN)
    script.ask("a", 1)
    outcome = script.say(request("elicitation/create", 7))
    assert outcome["Drop"] == ["a request of the server"]
    assert [(line["id"], line["error"]["code"]) for line in outcome["WriteAside"]] == [(7, -32601)]
    assert set(outcome) == {"Drop", "WriteAside"}
    script = Script(LEGACY)
    script.ask("a", 1)
    assert list(script.say(request("elicitation/create", 7))) == ["a"]


@pytest.mark.parametrize("token", [2, 99, "1", True, 1.0])
@pytest.mark.parametrize("kind", ["progress", "subscription"])
def test_a_modern_notification_that_names_no_request_under_way_goes_to_nobody(
    token: Any, kind: str
) -> None:
    """Least of all to the newest call."""
    script = Script(MODERN)
    script.ask("a", "x", _meta={"progressToken": "t"})
    line = progress(token) if kind == "progress" else notification("n", _meta={SUBSCRIPTION_KEY: token})  # fmt: skip
    assert list(script.say(line)) == ["Drop"]


def test_a_notification_that_names_nothing_goes_to_the_newest_call_that_is_read() -> None:
    """Not to a subscription, not to a request of ours; in the modern era without a call to nobody."""
    script = Script(MODERN)
    plain = notification("n")
    assert list(script.say(plain)) == ["Drop"]
    script.ask("old", 1)
    newest = script.ask("newest", 2)
    script.ask("listening", 3, "subscriptions/listen")
    script.ask("ours", 4, "tools/list", is_ours=True)
    assert list(script.say(plain)) == ["newest"]
    assert list(script.say(notification("n", _meta={SUBSCRIPTION_KEY: 3}))) == ["listening"]
    assert list(script.say(progress(4))) == ["Drop"]
    newest.readers = 0
    assert list(script.say(plain)) == ["old"]


def test_a_legacy_notification_without_a_reader_waits() -> None:
    """With the newest call; on the client's own stream when nothing is under way or that is read."""
    script, plain = Script(LEGACY), notification("n")
    assert list(script.say(plain)) == ["own"]
    old = script.ask("old", 1, keeps=True, _meta={"progressToken": 1})
    newest = script.ask("newest", 2, keeps=True)
    assert list(script.say(progress(1))) == ["old"]
    assert list(script.say(progress("1"))) == ["newest"]
    old.readers = newest.readers = 0
    assert list(script.say(plain)) == ["newest"]
    script.it.own.readers = 1
    assert list(script.say(plain)) == ["own"]


@pytest.mark.parametrize("named", [1, "1", "other", "twin", None, True])
def test_a_modern_cancellation_of_not_just_one_request_is_not_written(named: Any) -> None:
    """The number is the proxy's own; and of twins nobody knows which."""
    script = Script(MODERN)
    script.ask("mine", "mine")
    for name in ("first", "second"):
        script.ask(name, "twin")
    assert script.notify("notifications/cancelled", requestId=named) == (None, None)


def test_a_cancellation_goes_to_the_child_under_the_number_it_knows() -> None:
    """After it is written the request is ended, and its late answer goes to nobody."""
    script = Script(MODERN)
    stream = script.ask("mine", "mine")
    cancelled, line = script.notify("notifications/cancelled", requestId="mine", reason="r")
    assert (cancelled, line["params"]) == ("mine", {"requestId": 1, "reason": "r"})
    assert not stream.is_done
    script.it.end(stream)
    assert stream.is_done
    assert list(script.say(result(1))) == ["Drop"]


def test_a_legacy_cancellation_is_written_as_it_is() -> None:
    """Also of what is not under way: the server knows."""
    script = Script(LEGACY)
    script.ask("a", "a")
    for named, cancelled in (("b", None), ("a", "a")):
        name, line = script.notify("notifications/cancelled", requestId=named)
        assert (name, line["params"]["requestId"]) == (cancelled, named)


@pytest.mark.parametrize(("token", "written"), [("t", 1), (1, None), (2, None), (None, None)])
def test_progress_of_a_modern_client_goes_under_the_number_of_its_request(
    token: Any, written: Any
) -> None:
    """By the token that it gave."""
    script = Script(MODERN)
    script.ask("a", "x", _meta={"progressToken": "t"})
    script.ask("b", "y")
    cancelled, line = script.notify("notifications/progress", progressToken=token)
    assert cancelled is None
    assert (line and line["params"]["progressToken"]) == written


@pytest.mark.parametrize("era", [LEGACY, MODERN])
def test_other_notifications_of_a_client_are_written_as_they_are(era: str) -> None:
    """They name no request."""
    cancelled, line = Script(era).notify("notifications/roots/list_changed", x=1)
    assert (cancelled, line["params"]) == (None, {"x": 1})


def test_a_modern_client_that_leaves_cancels_its_request() -> None:
    """A legacy one may come back; so may one of two readers."""
    script = Script(MODERN)
    stream = script.ask("a", "x")
    stream.readers = 2
    assert script.it.leave(stream, NOW) == []
    (action,) = script.it.leave(stream, NOW)
    assert shown(action)["params"] == {"requestId": 1}
    assert script.it.is_idle(NOW)
    script = Script(LEGACY)
    assert script.it.leave(script.ask("a", "x"), NOW) == []
    assert not script.it.is_idle(NOW)


def test_a_reader_that_has_all_leaves_nothing_behind() -> None:
    """Unless its client may come back."""
    for keeps in (False, True):
        script = Script(LEGACY)
        stream = script.ask("a", 1, keeps=keeps)
        script.it.line(result(1))
        assert script.it.leave(stream, NOW) == []
        assert (script.storage.size > 0) is keeps


def test_a_call_whose_client_is_gone_for_a_minute_keeps_no_child_in_use() -> None:
    """A reader does, however long it takes."""
    script = Script(LEGACY)
    stream = script.ask("a", 1)
    assert not script.it.is_idle(NOW + 10 * ABANDONED_SECONDS)
    script.it.leave(stream, NOW)
    assert not script.it.is_idle(NOW + ABANDONED_SECONDS - 1)
    assert script.it.is_idle(NOW + ABANDONED_SECONDS)


def test_an_id_under_way_is_not_taken_twice_in_a_legacy_session() -> None:
    """1 and "1" are two; modern clients do not know of each other."""
    script = Script(LEGACY)
    script.ask("a", 1)
    script.ask("b", "1")
    with pytest.raises(InvalidRequest):
        script.ask("c", 1)
    script = Script(MODERN)
    for name in "ab":
        script.ask(name, 1)


def test_a_request_that_was_never_sent_is_not_under_way() -> None:
    """Its id may be used again."""
    script = Script(LEGACY)
    script.it.never_sent(script.ask("a", 1))
    assert script.it.is_idle(NOW)
    script.ask("a", 1)


def test_the_oldest_request_without_a_reader_makes_way_for_a_new_one() -> None:
    """Without such a one there is no more room."""
    script = Script(LEGACY)
    streams = [script.ask(str(number), number) for number in range(MOST_UNDER_WAY)]
    with pytest.raises(BusyError):
        script.ask("more", "more")
    for index in (5, 3):
        streams[index].readers = 0
    script.ask("more", "more")
    assert [stream.is_done for stream in streams[:6]] == [False] * 3 + [True] + [False] * 2
    assert list(script.say(result(3))) == ["Drop"]


def test_a_stream_is_kept_for_a_client_that_may_come_back() -> None:
    """So many that are done, the last first; and none from beyond its end."""
    script = Script(LEGACY)
    for number in range(1, MOST_DONE + 3):
        stream = script.ask(str(number), number, keeps=number != 2)
        script.it.line(result(number))
        script.it.leave(stream, NOW)
    last = MOST_DONE + 2
    assert [script.it.kept(number, 0) is not None for number in (1, 2, 3, last, last + 1)] == [
        False, False, True, True, False,
    ]  # fmt: skip
    assert script.it.kept(last, 1) is not None
    assert script.it.kept(last, 2) is None
    assert script.it.kept(0, 0) is script.it.own
    assert Script(MODERN).it.kept(0, 0) is None


def test_when_the_child_has_ended_nobody_waits_in_vain() -> None:
    """What was answered is whole, what was not is lost, and what nobody reads is forgotten."""
    script = Script(LEGACY)
    answered, waiting, left = (script.ask(name, name, keeps=True) for name in ("a", "w", "l"))
    script.it.line(result("a"))
    script.it.line(notification("n"))
    script.it.leave(left, NOW)
    script.it.over()
    assert answered.is_whole(1)
    assert script.it.own.is_done
    with pytest.raises(LostError):
        waiting.after(waiting.count)
    with pytest.raises(LostError):
        left.after(0)
    assert script.it.is_idle(NOW)


@pytest.mark.parametrize("era", [LEGACY, MODERN])
def test_when_the_tools_change_what_was_learnt_of_them_is_forgotten(era: str) -> None:
    """What they mirror in header lines may have changed, too; the client hears of it as well."""
    script = Script(era)
    script.ask("a", 1)
    message = notification("notifications/tools/list_changed")
    assert ForgetTools() in script.it.line(message)
    assert list(script.say(message)) == ["ForgetTools", "a"]


@given(st.data())
def test_a_line_of_a_modern_child_reaches_its_own_request_and_no_other(data: st.DataObject) -> None:
    """Whatever the clients call themselves, and in whatever order the child answers."""
    script = Script(MODERN)
    ids = data.draw(st.lists(st.sampled_from([1, 2, "1", "x"]), min_size=1, max_size=8))
    for index, request_id in enumerate(ids):
        script.ask(str(index), request_id, _meta={"progressToken": request_id})
    for number in data.draw(st.permutations(range(1, len(ids) + 1))):
        outcome = script.say(progress(number), result(number, n=number))
        told, answer = outcome.pop(str(number - 1))
        assert outcome == {}
        assert told["params"]["progressToken"] == answer["id"] == ids[number - 1]
        assert type(answer["id"]) is type(ids[number - 1])
    assert script.it.is_idle(NOW)
