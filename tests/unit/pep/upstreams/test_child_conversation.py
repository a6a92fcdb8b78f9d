"""Which line of a child is whose, and what does not end it; without a process."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from pep.errors import InvalidRequest
from pep.mcp.addressing import SUBSCRIPTION_KEY, read
from pep.ports import BusyError, LostError, NeverSentCancelledError
from pep.upstreams import child_conversation as module
from pep.upstreams.child_conversation import ChildConversation
from pep.upstreams.conversation import ABANDONED_SECONDS, MOST_DONE, MOST_UNDER_WAY
from pep.upstreams.reading import next_message
from pep.upstreams.stream import Storage, Stream
from tests.scripted_child import Clock, ScriptedChild, notification, request, result, settle


class Talk:
    """A conversation that is being heard."""

    def __init__(self, era: str) -> None:
        self.child = ScriptedChild()
        self.clock = Clock()
        self.storage = Storage()
        self.it = ChildConversation(self.child, era, "ann", self.clock, self.storage)  # type: ignore[arg-type]
        self.hearing = asyncio.ensure_future(self.it.hear())

    async def ask(self, method: str, request_id: Any, *, keeps: bool = False, **params: Any) -> Stream:  # fmt: skip
        message = request(method, request_id, **params)
        return await self.it.ask(message, read(message), keeps=keeps)

    async def tell(self, method: str, **params: Any) -> None:
        message = notification(method, **params)
        await self.it.tell(message, read(message))

    async def say(self, *lines: Any) -> None:
        self.child.say(*lines)
        await settle()


@contextlib.asynccontextmanager
async def talk(era: str) -> AsyncIterator[Talk]:
    one = Talk(era)
    try:
        yield one
    finally:
        await one.it.end()
        await one.hearing


async def said(stream: Stream, seen: int = 0) -> list[Any]:
    """What there is of the stream now."""
    found = []
    while seen < stream.count and (message := await next_message(stream, seen, 0)) is not None:
        seen, text = message
        found.append(json.loads(text))
    return found


async def test_modern_requests_have_numbers_and_answers_their_own_ids() -> None:
    """Two clients with the same id and the same token."""
    async with talk("modern") as one:
        first = await one.ask("tools/call", "x", _meta={"progressToken": "t"})
        second = await one.ask("tools/call", "x", _meta={"progressToken": "t"})
        assert [(line["id"], line["params"]["_meta"]["progressToken"]) for line in one.child.heard] == [(1, 1), (2, 2)]  # fmt: skip
        await one.say(
            notification("notifications/progress", progressToken=2, n="second"),
            notification("notifications/progress", progressToken=1, n="first"),
            result(2, n="second"), result(1, n="first"),
        )  # fmt: skip
        for stream, name in ((first, "first"), (second, "second")):
            progress, answer = await said(stream)
            assert progress["params"] == {"progressToken": "t", "n": name}
            assert (answer["id"], answer["result"]["n"]) == ("x", name)
        assert one.it.is_idle


@pytest.mark.parametrize("era", ["legacy", "modern"])
async def test_an_answer_to_nobody_a_second_one_and_a_bad_line_change_nothing(era: str) -> None:
    """Ids that are equal in Python, and are not equal."""
    async with talk(era) as one:
        stream = await one.ask("tools/call", 1)
        for bad in (b"true", b"1.0", b'"1"', b"[1]", b"{}", b"null", b"9"):
            await one.say(b'{"jsonrpc":"2.0","id":%s,"result":{}}' % bad)
        await one.say(None, b"", b"{}", b'{"id":1,"ID":1,"result":{}}', b'{"x":' + b"[" * 5000)
        assert stream.count == 0
        await one.say(result(1, n=1), result(1, n=2))
        assert [answer["result"] for answer in await said(stream)] == [{"n": 1}]
        assert not one.hearing.done()


@pytest.mark.parametrize("token", [2, 99, "1", True, 1.0, [1], {"a": 1}])
async def test_progress_of_no_call_under_way_is_nobodys(token: Any) -> None:
    """Least of all the newest call's, under its own token."""
    async with talk("modern") as one:
        stream = await one.ask("tools/call", "x", _meta={"progressToken": "t"})
        await one.say(notification("notifications/progress", progressToken=token))
        await one.say(notification("n", _meta={SUBSCRIPTION_KEY: token}))
        assert stream.count == 0


async def test_what_names_no_request_goes_to_the_newest_call_that_is_read() -> None:
    """Not to a subscription, not to a question of ours; without a call to nobody."""
    async with talk("modern") as one:
        await one.say(notification("n"))
        call = await one.ask("tools/call", "x")
        listening = await one.ask("subscriptions/listen", "l")
        message = request("tools/list", 0)
        ours = await one.it.ask(message, read(message), is_ours=True)
        await one.say(notification("n"), notification("n", _meta={SUBSCRIPTION_KEY: 2}))
        assert (call.count, listening.count, ours.count) == (1, 1, 0)
        await one.say(notification("n", progressToken=3))
        assert ours.count == 0
        assert (await said(listening))[0]["params"]["_meta"] == {SUBSCRIPTION_KEY: "l"}
        assert one.it.own.count == 0


async def test_a_legacy_notification_finds_its_call_its_client_or_waits() -> None:
    """By its token, else the newest call that is read, else the client's own stream."""
    async with talk("legacy") as one:
        await one.say(notification("n", at=0))
        assert one.it.own.count == 1
        first = await one.ask("tools/call", 1, keeps=True, _meta={"progressToken": 1})
        second = await one.ask("tools/call", 2, keeps=True)
        await one.say(notification("n", progressToken=1), notification("n", progressToken=True), notification("n"))  # fmt: skip
        await one.say(notification("n", progressToken="1"))
        assert (first.count, second.count) == (1, 2)
        one.it.leave(second)
        await one.say(notification("n"))
        assert (first.count, second.count) == (2, 2)
        one.it.leave(first)
        await one.say(notification("n"))
        assert (first.count, second.count, one.it.own.count) == (2, 3, 1)
        one.it.own.readers = 1
        await one.say(notification("n"))
        assert one.it.own.count == 2


async def test_a_request_of_a_server_has_no_place_in_the_modern_era() -> None:
    """It is told so, and no client of the shared child sees it, nor could answer it."""
    async with talk("modern") as one:
        stream = await one.ask("tools/call", 1)
        await one.say(request("elicitation/create", 7))
        assert stream.count == 0
        assert (one.child.heard[1]["id"], one.child.heard[1]["error"]["code"]) == (7, -32601)
    async with talk("legacy") as one:
        stream = await one.ask("tools/call", 1)
        await one.say(request("elicitation/create", 7))
        assert (await said(stream))[0]["method"] == "elicitation/create"


async def test_only_the_request_of_one_client_is_cancelled_and_by_its_number() -> None:
    """Not by the number itself, and not when two clients have the same id."""
    async with talk("modern") as one:
        mine = await one.ask("tools/call", "mine")
        twins = [await one.ask("tools/call", "twin") for _ in range(2)]
        for named in (1, "1", "other", "twin", None, [1], True):
            await one.tell("notifications/cancelled", requestId=named)
        assert len(one.child.written) == 3
        await one.tell("notifications/cancelled", requestId="mine", reason="r")
        assert one.child.heard[3]["params"] == {"requestId": 1, "reason": "r"}
        assert mine.is_done
        assert not any(twin.is_done for twin in twins)
        await one.say(result(1))
        assert mine.count == 0


async def test_progress_of_a_client_is_about_its_own_request() -> None:
    """By the token that it gave, which gets the number."""
    async with talk("modern") as one:
        await one.ask("tools/call", 1, _meta={"progressToken": "t"})
        await one.ask("tools/call", 2)
        for token in (1, 2, "x", None):
            await one.tell("notifications/progress", progressToken=token)
        await one.tell("notifications/progress", progressToken="t")
        assert [line["params"] for line in one.child.heard[2:]] == [{"progressToken": 1}]


async def test_a_legacy_cancellation_goes_on_as_it_is_and_ends_the_call() -> None:
    """A server that heeds it answers nothing; one that answers late is not heard."""
    async with talk("legacy") as one:
        stream = await one.ask("tools/call", "a", keeps=True)
        await one.tell("notifications/cancelled", requestId="b")
        assert not stream.is_done
        await one.tell("notifications/cancelled", requestId="a")
        assert [line["params"]["requestId"] for line in one.child.heard[1:]] == ["b", "a"]
        assert (stream.is_done, one.it.is_idle) == (True, True)
        await one.say(result("a"))
        assert stream.count == 0


async def test_a_modern_client_that_leaves_cancels_its_request() -> None:
    """Under its number; a legacy one may come back."""
    async with talk("modern") as one:
        one.it.leave(await one.ask("tools/call", "x"))
        await settle()
        assert one.child.heard[1]["params"] == {"requestId": 1}
        assert one.it.is_idle
    async with talk("legacy") as one:
        one.it.leave(await one.ask("tools/call", "x"))
        await settle()
        assert len(one.child.heard) == 1


async def test_abandoned_calls_keep_no_child_in_use() -> None:
    """A client that reads does, and so does one that left a moment ago."""
    async with talk("legacy") as one:
        stream = await one.ask("tools/call", 1, keeps=True)
        one.clock.seconds += 10 * ABANDONED_SECONDS
        assert not one.it.is_idle
        one.it.leave(stream)
        one.clock.seconds += ABANDONED_SECONDS - 1
        assert not one.it.is_idle
        stream.readers += 1
        one.it.leave(stream)
        one.clock.seconds += ABANDONED_SECONDS - 1
        assert not one.it.is_idle
        one.clock.seconds += 1
        assert one.it.is_idle
        assert one.it.used_at == one.clock.seconds - ABANDONED_SECONDS


async def test_an_id_under_way_is_not_taken_again() -> None:
    """In a legacy session; modern clients do not know of each other."""
    async with talk("legacy") as one:
        await one.ask("tools/call", 1)
        await one.ask("tools/call", "1")
        with pytest.raises(InvalidRequest):
            await one.ask("tools/call", 1)
        assert len(one.child.written) == 2


async def test_only_so_many_requests_are_under_way() -> None:
    """Those that nobody reads make room, then there is none."""
    async with talk("legacy") as one:
        streams = [await one.ask("tools/call", number) for number in range(MOST_UNDER_WAY)]
        with pytest.raises(BusyError):
            await one.ask("tools/call", "more")
        one.it.leave(streams[3])
        await one.ask("tools/call", "more")
        await one.say(result(3))
        assert streams[3].count == 0
        assert one.storage.size == 0


async def test_a_finished_stream_is_kept_for_a_client_that_may_come_back() -> None:
    """So many of them, and none for a client that cannot."""
    async with talk("legacy") as one:
        for number in range(1, MOST_DONE + 3):
            stream = await one.ask("tools/call", number, keeps=number != 2)
            await one.say(result(number))
            one.it.leave(stream)
        last = MOST_DONE + 2
        assert one.it.kept(1, 0) is None
        assert one.it.kept(2, 0) is None
        kept = one.it.kept(3, 0)
        assert kept is not None
        assert (await said(kept))[0]["id"] == 3
        assert one.it.kept(last, 1) is not None
        assert one.it.kept(last, 2) is None
        assert one.it.kept(last + 1, 0) is None
        assert one.it.kept(0, 0) is one.it.own
    assert one.storage.size == 0


async def test_a_child_that_ends_leaves_nobody_waiting_and_nothing_stored() -> None:
    """What it said before is still read; then nothing can be asked."""
    async with talk("legacy") as one:
        stream = await one.ask("tools/call", 1, keeps=True)
        await one.say(notification("n"))
        one.it.own.put(b"{}")
        one.child.crash()
        await settle()
        assert len(await said(stream)) == 1
        with pytest.raises(LostError):
            await next_message(stream, 1, None)
        one.it.leave(stream)
        assert one.storage.size == 0
        for asking in (one.ask("tools/call", 2), one.tell("n")):
            with pytest.raises(LostError):
                await asking


async def test_a_child_that_reads_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its request is not under way, and no more than so much waits to be handed over."""
    monkeypatch.setattr(module, "_TAKING_SECONDS", 0.05)
    monkeypatch.setattr(module, "_MOST_UNTAKEN", 500)
    async with talk("modern") as one:
        one.child.is_deaf = True
        first = asyncio.ensure_future(one.ask("tools/call", 1))
        await asyncio.sleep(0)
        with pytest.raises(BusyError):
            await one.ask("tools/call", 2, text="x" * 500)
        with pytest.raises(BusyError):
            await first
        gone = asyncio.ensure_future(one.ask("tools/call", 3))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.gather(gone, return_exceptions=True)
        assert one.it.is_idle
        await one.say(*(request("ping", number) for number in range(400)))
        assert len(one.it._aside) <= module._MOST_ASIDE


async def test_bad_lines_are_not_all_logged(capsys: pytest.CaptureFixture[str]) -> None:
    """A child that says nothing else would fill the disk."""
    async with talk("legacy") as one:
        await one.say(*[b"noise"] * 1000)
        await settle()
        await asyncio.sleep(0.1)
    assert 5 < capsys.readouterr().out.count("line of the server dropped") < 12


async def test_a_list_that_changed_is_asked_for_again() -> None:
    """What its tools mirror may have changed, too."""
    async with talk("modern") as one:
        one.it.mirrored = {}
        await one.say(notification("notifications/tools/list_changed"))
        assert one.it.mirrored is None


async def test_a_client_that_leaves_before_the_child_has_seen_its_call_made_none() -> None:
    """So what its decision took is given back."""
    async with talk("modern") as one:
        one.child.is_deaf = True
        asking = asyncio.ensure_future(one.ask("tools/call", "x"))
        await settle()
        asking.cancel()
        with pytest.raises(NeverSentCancelledError):
            await asking
        assert one.it.is_idle
