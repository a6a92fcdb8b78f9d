"""Mirrored arguments of a server behind stdio: the header lines must say what the arguments say."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from pep.errors import HeaderMismatch
from pep.ports import LostError
from pep.upstreams import param_headers
from pep.upstreams.child_conversation import ChildConversation
from pep.upstreams.param_headers import check_parameters
from pep.upstreams.stream import Storage
from tests.scripted_child import Clock, ScriptedChild, notification, result, settle

SCHEMA = {"type": "object", "properties": {"region": {"type": "string", "x-mcp-header": "Region"}}}
MIRRORING = {"name": "run", "inputSchema": SCHEMA}
PLAIN = {"name": "add", "inputSchema": {"type": "object"}}


class Talk:
    """A child that lists `pages` of tools."""

    def __init__(self, *pages: list[Any]) -> None:
        self.child = ScriptedChild()
        self.it = ChildConversation(self.child, "modern", "ann", Clock(), Storage())  # type: ignore[arg-type]
        self.pages = pages

    async def check(self, name: str = "run", region: str = "eu", **lines: str) -> None:
        params = {
            "name": name,
            "arguments": {"region": region},
            "_meta": {"progressToken": 1, "k": 2},
        }
        await check_parameters(self.it, json.dumps({"params": params}).encode(), lines)

    async def serve(self) -> None:
        """Answer every list that is asked for."""
        answered = 0
        while True:
            asked = self.child.called("tools/list")
            for number in asked[answered:]:
                page = answered % len(self.pages)
                more = {"nextCursor": str(page + 1)} if page + 1 < len(self.pages) else {}
                self.child.say(result(number, tools=self.pages[page], **more))
                answered += 1
            await asyncio.sleep(0)


@contextlib.asynccontextmanager
async def talk(*pages: list[Any]) -> AsyncIterator[Talk]:
    one = Talk(*pages)
    tasks = [asyncio.ensure_future(one.it.hear()), asyncio.ensure_future(one.serve())]
    try:
        yield one
    finally:
        tasks[1].cancel()
        await one.it.end()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_header_line_that_says_what_the_argument_says_passes() -> None:
    """Any other does not, nor does none."""
    async with talk([PLAIN, MIRRORING]) as one:
        await one.check(**{"mcp-param-region": "eu"})
        for lines in ({"mcp-param-region": "us"}, {}):
            with pytest.raises(HeaderMismatch):
                await one.check(**lines)


async def test_a_tool_that_mirrors_nothing_needs_no_header_line() -> None:
    """Nor does one that is not listed."""
    async with talk([PLAIN, MIRRORING]) as one:
        await one.check("add")
        await one.check("unheard of")


async def test_the_tools_are_asked_for_once_and_page_by_page() -> None:
    """All calls under way wait for the same answer; no client's token is in the question."""
    async with talk([PLAIN], [MIRRORING]) as one:
        await asyncio.gather(*(one.check(**{"mcp-param-region": "eu"}) for _ in range(3)))
        questions = [line["params"] for line in one.child.heard]
        assert [question.get("cursor") for question in questions] == [None, "1"]
        assert {tuple(question["_meta"]) for question in questions} == {("k",)}
        one.child.say(notification("notifications/tools/list_changed"))
        await settle()
        await one.check(**{"mcp-param-region": "eu"})
        assert len(one.child.called("tools/list")) == 4


async def test_a_server_that_lists_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """By pages, and by bytes."""
    endless: Any = [[PLAIN]] * 1000
    for bound in ("_MOST_PAGES", "_MOST_BYTES"):
        with monkeypatch.context() as patch:
            patch.setattr(param_headers, bound, 3)
            async with talk(*endless) as one:
                with pytest.raises(LostError):
                    await one.check()
                assert len(one.child.called("tools/list")) <= 3


async def test_a_server_that_does_not_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """The call is not sent: nobody knows what it would have to say."""
    monkeypatch.setattr(param_headers, "_SECONDS", 0.05)
    async with talk() as one:
        one.child.is_deaf = True
        with pytest.raises(LostError):
            await one.check()


@pytest.mark.parametrize("page", [b"[]", b'{"result":[]}', b'{"error":{"code":1}}'])
def test_an_answer_without_a_result_mirrors_nothing(page: bytes) -> None:
    """A server without tools has an error; it may have some later, so that is not remembered."""
    if page == b"[]":
        with pytest.raises(AttributeError):
            param_headers._read(page, {})
    else:
        assert param_headers._read(page, {}) is None


def test_a_list_that_cannot_be_read_is_a_fault_of_the_server() -> None:
    """Not of the caller."""
    with pytest.raises(LostError):
        param_headers._read(b'{"result":', {})


def test_entries_that_are_no_tools_are_passed_over() -> None:
    """A client sees them as well."""
    schemas: dict[str, Any] = {}
    tools = [None, 1, {"name": 1}, {"name": "a"}, MIRRORING]
    assert param_headers._read(json.dumps({"result": {"tools": tools}}).encode(), schemas) == ""
    assert list(schemas) == ["run"]
