"""Lists of tools as values: pages, places, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from tipstaff.cli.errors import ListingError
from tipstaff.survey.asking import listing
from tipstaff.survey.asking.listing import checked, described, follow, listing_of

Pages = dict[str | None, dict[str, Any]]


def tool(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "inputSchema": {"type": "object"}, **more}


class Asked:
    """A server that is a table of pages, and what it was asked."""

    def __init__(self, pages: Pages) -> None:
        self.pages = pages
        self.cursors: list[str | None] = []

    async def __call__(self, cursor: str | None) -> dict[str, Any]:
        self.cursors.append(cursor)
        return self.pages[cursor]


async def test_pages_are_followed_to_the_last_and_keep_their_order() -> None:
    """Members that nobody knows come along."""
    odd = tool("b", **{"vendor/x": [1, None]})
    asked = Asked({
        None: {"tools": [tool("c")], "nextCursor": "2"},
        "2": {"tools": [], "nextCursor": "3"},
        "3": {"tools": [odd, tool("a")]},
    })  # fmt: skip
    assert await follow(asked) == (tool("c"), odd, tool("a"))
    assert asked.cursors == [None, "2", "3"]


@pytest.mark.parametrize("end", [{}, {"nextCursor": None}, {"nextCursor": ""}])
async def test_a_list_ends_where_there_is_no_cursor(end: dict[str, Any]) -> None:
    """Clients take an empty one for none."""
    asked = Asked({None: {"tools": [tool("a")], **end}})
    assert await follow(asked) == (tool("a"),)
    assert asked.cursors == [None]


async def test_pages_in_a_circle_are_an_error_and_not_a_loop() -> None:
    """The page that leads back is not asked for again."""
    asked = Asked({
        None: {"tools": [], "nextCursor": "2"},
        "2": {"tools": [], "nextCursor": "3"},
        "3": {"tools": [], "nextCursor": "2"},
    })  # fmt: skip
    with pytest.raises(ListingError, match="nextCursor '2' came twice"):
        await follow(asked)
    assert asked.cursors == [None, "2", "3"]


async def test_a_list_without_end_is_given_up() -> None:
    """By pages, however few tools they hold."""
    count = 0

    async def ask(cursor: str | None) -> dict[str, Any]:
        nonlocal count
        count += 1
        return {"tools": [], "nextCursor": str(count)}

    with pytest.raises(ListingError, match="more than 1000 pages"):
        await follow(ask)
    assert count == 1000


async def test_too_many_tools_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as the limit are not too many."""
    monkeypatch.setattr(listing, "MAX_TOOLS", 2)
    pages: Pages = {None: {"tools": [tool("a"), tool("b")], "nextCursor": "2"}, "2": {"tools": []}}
    assert len(await follow(Asked(pages))) == 2
    pages["2"] = {"tools": [tool("c")]}
    with pytest.raises(ListingError, match="more than 2 tools"):
        await follow(Asked(pages))


@pytest.mark.parametrize(
    ("page", "said"),
    [
        ({}, "there are no tools in the answer"),
        ({"tools": None}, "tools is null, not a list"),
        ({"tools": {"a": {}}}, "tools is an object, not a list"),
        ({"tools": [], "nextCursor": 2}, "nextCursor is a number, not a text"),
    ],
)
async def test_a_page_that_is_none_is_an_error(page: dict[str, Any], said: str) -> None:
    """Never an empty list."""
    with pytest.raises(ListingError, match=said):
        await follow(Asked({None: page}))


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ("look", r"tools\[1\] is a text, not an object"),
        ([], r"tools\[1\] is a list, not an object"),
        (None, r"tools\[1\] is null, not an object"),
        (True, r"tools\[1\] is a truth value, not an object"),
        ({"title": "x"}, r"tools\[1\] has no name$"),
        ({"name": 7}, r"tools\[1\] has no proper name: 7"),
        ({"name": ""}, r"tools\[1\] has no proper name: ''"),
        ({"name": " \t"}, r"tools\[1\] has no proper name"),
        ({"name": "good"}, r"tools\[0\] and tools\[1\] are both 'good'"),
        ({"name": "n", "x": [float("nan")]}, r"tools\[1\] \('n'\) holds what no JSON text can"),
        ({"name": "n", "x": {"y": "\ud800"}}, r"tools\[1\] \('n'\) holds what no JSON text can"),
        ({"name": "\ud800"}, r"tools\[1\] \('\\ud800'\) holds what no JSON text can"),
    ],
)
def test_a_tool_that_cannot_be_told_apart_is_named_by_its_place(bad: Any, said: str) -> None:
    """The whole list is refused: the rest of it may not be what it seems, either."""
    with pytest.raises(ListingError, match=said):
        checked([tool("good"), bad, tool("later")])


def test_a_name_that_fills_the_screen_is_cut() -> None:
    """And moves no cursor."""
    with pytest.raises(ListingError) as caught:
        checked([tool("\x1b[2J" + "x" * 10_000)] * 2)
    assert len(str(caught.value)) < 200
    assert str(caught.value).isprintable()


def test_what_a_legacy_server_says_of_itself_is_kept() -> None:
    """From its answer to `initialize`."""
    begun = {
        "protocolVersion": "2025-11-25", "capabilities": {"tools": {}, "vendor/x": 1},
        "serverInfo": {"name": "s", "vendor/y": 2}, "instructions": "Be kind.",
    }  # fmt: skip
    found = described(begun, "2025-11-25", (tool("a"),))
    assert (found.era, found.version, found.instructions) == ("legacy", "2025-11-25", "Be kind.")
    assert found.server_info == {"name": "s", "vendor/y": 2}
    assert found.capabilities == {"tools": {}, "vendor/x": 1}
    assert found.tools == (tool("a"),)


def test_a_modern_server_names_itself_beside_its_answer_or_not_at_all() -> None:
    """In `_meta` (MCP 2026-07-28, `server/discover`); what is not of its kind counts as absent."""
    named = {"_meta": {"io.modelcontextprotocol/serverInfo": {"name": "s"}}}
    assert described(named, "2026-07-28", ()).server_info == {"name": "s"}
    assert described({"_meta": 3, "instructions": 4}, "2026-07-28", ()).server_info == {}
    assert described({"instructions": 4}, "2026-07-28", ()).instructions == ""
    assert described({}, "2026-07-28", ()).era == "modern"


@pytest.mark.parametrize(
    "value",
    [
        [tool("a")],
        {"tools": [tool("a")]},
        {"jsonrpc": "2.0", "id": 1, "result": {"tools": [tool("a")]}},
        {"initialize": {"protocolVersion": "2025-06-18"}, "tools": [tool("a")]},
    ],
)
def test_a_saved_list_may_be_wrapped_in_what_it_came_in(value: Any) -> None:
    """Four forms of the same; the era is said only where something tells it."""
    found = listing_of(value)
    assert found.tools == (tool("a"),)
    assert found.era == ("legacy" if found.version else "")


@pytest.mark.parametrize(
    ("begun", "more", "era", "version"),
    [
        ({}, {}, "", ""),
        ({}, {"resultType": "complete"}, "modern", ""),
        ({"protocolVersion": "2024-11-05"}, {}, "legacy", "2024-11-05"),
        ({"protocolVersion": "2024-11-05"}, {"resultType": "complete"}, "legacy", "2024-11-05"),
        ({"supportedVersions": ["2026-07-28"]}, {}, "modern", "2026-07-28"),
        ({"supportedVersions": [], "protocolVersion": 3}, {}, "", ""),
    ],
)
def test_the_era_of_a_saved_list_is_what_it_tells(
    begun: dict[str, Any], more: dict[str, Any], era: str, version: str
) -> None:
    """A version tells most; without one, the form of the answer does."""
    found = listing_of({"initialize": begun, "tools": [], **more})
    assert (found.era, found.version) == (era, version)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (3, "is a number; expected the answer to tools/list"),
        (None, "is null; expected"),
        ({}, "has no tools; expected"),
        ({"result": {}}, "has no tools; expected"),
        ({"result": [tool("a")]}, "has no tools; expected"),
        ({"error": {"code": -32601, "message": "No."}}, "is an error that a server answered: .*-32601"),
        ({"tools": {"a": {}}}, "tools is an object, not a list"),
        ({"tools": [], "nextCursor": "2"}, "is one page of several"),
        ({"result": {"tools": [], "nextCursor": "2"}}, "is one page of several"),
        ({"initialize": [], "tools": []}, "initialize is a list, not an object"),
        ([{"name": "a"}, {"name": "a"}], r"tools\[0\] and tools\[1\] are both 'a'"),
    ],
)  # fmt: skip
def test_anything_else_that_was_saved_is_an_error(value: Any, said: str) -> None:
    """Which says what was expected, or what is wrong with it."""
    with pytest.raises(ListingError, match=said):
        listing_of(value)
