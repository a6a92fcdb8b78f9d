"""The catalogue: what is accepted stays until somebody accepts it anew."""

from __future__ import annotations

import json
from typing import Any

from pdp.tools.catalogue import Catalogue
from tipstaff.survey import pins
from tipstaff.survey.asking.listing import listing_of
from tipstaff.survey.report import Report, report

THEN, NOW = "2026-11-24T22:00:00Z", "2026-11-25T08:00:00Z"


def tool(name: str, description: str = "Reads.", **more: Any) -> dict[str, Any]:
    return {"name": name, "description": description, **more}


def listed(*tools: dict[str, Any]) -> Report:
    return report("s", "http://s", listing_of(list(tools)))


OLD = listed(tool("a"), tool("b"), tool("c"))
ACCEPTED = pins.catalogue({}, OLD, {"a", "b", "c"}, time=THEN)


def test_the_catalogue_is_one_that_the_decision_service_reads() -> None:
    """With pins, by the definitions as they were listed."""
    (_, name, found) = next(iter(Catalogue({"s": json.loads(pins.text(ACCEPTED))}).tools()))
    assert (name, found.facts.category, found.facts.pinned) == ("a", "Read", True)
    assert found.pin is not None
    assert found.pin.accepted == THEN


def test_what_has_become_of_a_server_is_told_by_digests() -> None:
    """A member that does not count for the digest is no change."""
    now = listed(tool("a", "Writes."), tool("b", icons=[]), tool("d"))
    found = pins.difference(ACCEPTED["tools"], now)
    assert (found.new, found.changed, found.gone) == (("d",), ("a",), ("c",))
    assert not pins.difference(ACCEPTED["tools"], OLD)


def test_a_tool_that_was_seen_to_differ_counts_as_changed() -> None:
    """Also when the server lists it as it was; one that has gone is gone."""
    found = pins.difference(ACCEPTED["tools"], listed(tool("a"), tool("b")), {"b", "c"})
    assert (found.changed, found.gone) == (("b",), ("c",))


def test_only_what_is_accepted_is_taken_over() -> None:
    """A person may have put a category right: that stays, and so does the old time."""
    edited = json.loads(pins.text(ACCEPTED))
    edited["tools"]["b"]["risk"] = "high"
    now = listed(tool("a", "Writes."), tool("b", "Deletes."), tool("d"))
    after = pins.catalogue(edited, now, {"a"}, drop={"c"}, time=NOW)["tools"]
    assert list(after) == ["a", "b"]
    assert after["b"] == edited["tools"]["b"]
    assert (after["a"]["accepted"], after["a"]["definition"]) == (NOW, tool("a", "Writes."))


def test_the_definition_is_kept_as_it_was_listed() -> None:
    """Every member, also one that nobody knows."""
    odd = tool("a", **{"vendor/x": {"deep": [1, None]}})
    entry = pins.catalogue({}, listed(odd), {"a"}, time=NOW)["tools"]["a"]
    assert entry["definition"] == odd


def test_a_change_is_explained_line_by_line() -> None:
    """A text at its own line ends, a schema by its properties; hidden characters can be seen."""
    before = tool("a", "One.\nTwo.", inputSchema={"properties": {"n": {"type": "string"}}})
    after = tool("a", "One.\nTwo!\u200b", inputSchema={"properties": {"n": {"type": "number"}}})
    said = pins.explained({"definition": before}, listed(after).tools[0])
    assert "-description | Two." in said
    assert "+description | Two!\\u{200b}" in said
    assert "+inputSchema.properties.n.type = number" in said
    assert "One." in said


def test_where_nothing_differs_any_more_that_is_said() -> None:
    """A server that took its change back is closed all the same."""
    entry = ACCEPTED["tools"]["a"]
    assert "seen to differ" in pins.explained(entry, OLD.tools[0])
