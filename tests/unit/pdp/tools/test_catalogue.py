"""The catalogue: what is known of a tool, and the same members when nothing is."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from pdp.api.definition import digest
from pdp.tools.catalogue import PROSE, UNKNOWN, Catalogue, Facts, Pin, without_prose

DEFINITION = {
    "name": "write",
    "inputSchema": {"type": "object"},
    "annotations": {"readOnlyHint": False},
    "_meta": {"vendor": 1},
}
ENTRY: dict[str, Any] = {
    "category": "Write",
    "risk": "high",
    "confidence": 0.9,
    "marks": ["files", "bulk"],
    "digest": digest(DEFINITION),
    "accepted": "2026-11-24T22:00:00Z",
    "definition": DEFINITION,
    "rationale": "Writes.",
    "evidence": [{"words": "write"}],
    "attacks": ["path_traversal"],
    "signs": [],
}


def test_a_listed_tool_is_told_as_it_was_accepted() -> None:
    """Its facts, its pin, and of its definition what rules and checks use."""
    tool = Catalogue({"files": {"tools": {"write": ENTRY}}}).tool("files", "write")
    assert tool.facts == Facts("Write", "high", 0.9, ("files", "bulk"), pinned=True, changed=False)
    assert json.loads(bytes(tool.annotations)) == {"readOnlyHint": False}
    assert tool.input_schema is not None
    assert json.loads(tool.input_schema) == {"type": "object"}
    assert tool.pin == Pin(digest(DEFINITION), "2026-11-24T22:00:00Z")


@pytest.mark.parametrize(
    "entry",
    [
        {},
        {"definition": {}},
        {"definition": {"annotations": None, "inputSchema": None}},
        {"definition": {"annotations": "none"}},
        {"pinned": True, "changed": True},
    ],
)
def test_a_tool_of_which_nothing_is_said_is_like_an_unknown_one(entry: dict[str, Any]) -> None:
    """All members are there, and empty: a rule never meets a gap."""
    assert Catalogue({"files": {"tools": {"read": entry}}}).tool("files", "read") == UNKNOWN
    assert json.loads(msgspec.json.encode(UNKNOWN.facts)) == {
        "category": "",
        "risk": "",
        "confidence": 0,
        "marks": [],
        "pinned": False,
        "changed": False,
    }
    assert bytes(UNKNOWN.annotations) == b"{}"
    assert (UNKNOWN.input_schema, UNKNOWN.pin) == (None, None)


def test_a_tool_is_pinned_by_its_digest_alone() -> None:
    """When it was accepted, and what was, need not be on file."""
    entry = {"digest": ENTRY["digest"]}
    tool = Catalogue({"files": {"tools": {"write": entry}}}).tool("files", "write")
    assert (tool.facts.pinned, tool.pin) == (True, Pin(ENTRY["digest"]))


def test_a_changed_tool_differs_in_nothing_else() -> None:
    """Rules may still look at its category."""
    tool = Catalogue({"files": {"tools": {"write": ENTRY}}}).tool("files", "write")
    assert tool.as_changed().facts == msgspec.structs.replace(tool.facts, changed=True)
    assert msgspec.structs.replace(tool.as_changed(), facts=tool.facts) == tool


def test_tools_are_found_by_server_and_name_together() -> None:
    """One server's tool says nothing of another's."""
    catalogue = Catalogue({"files": {"tools": {"write": ENTRY}}, "empty": {}})
    for server, name in (("empty", "write"), ("files", "Write"), ("fileswrite", ""), ("", "write")):
        assert catalogue.tool(server, name) is UNKNOWN


def test_all_tools_are_listed_or_those_of_one_server() -> None:
    """In the order of the catalogue."""
    catalogue = Catalogue({"b": {"tools": {"y": ENTRY, "x": {}}}, "a": {"tools": {"x": {}}}})
    assert [one[:2] for one in catalogue.tools()] == [("b", "y"), ("b", "x"), ("a", "x")]
    assert [one[:2] for one in catalogue.tools("b")] == [("b", "y"), ("b", "x")]
    assert list(catalogue.tools("c")) == []


def test_an_empty_schema_is_a_schema() -> None:
    """It is known, and lets everything pass, unlike one that is missing."""
    catalogue = Catalogue({"files": {"tools": {"read": {"definition": {"inputSchema": {}}}}}})
    assert catalogue.tool("files", "read").input_schema == b"{}"


def test_a_catalogue_may_be_empty() -> None:
    """Before anything is registered every tool is unknown."""
    assert Catalogue().tool("files", "read") is UNKNOWN


def test_rules_see_all_but_what_only_people_read() -> None:
    """Also keys that a site has added, and what is known of the server."""
    listing = {"tools": {"write": {**ENTRY, "owner": "ops"}}, "version": "1"}
    seen = without_prose(listing)
    assert seen["version"] == "1"
    assert seen["tools"]["write"] == {
        key: value for key, value in {**ENTRY, "owner": "ops"}.items() if key not in PROSE
    }
    assert seen["tools"]["write"].keys() == {
        "category", "risk", "confidence", "marks", "digest", "accepted", "owner",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"category": "Wirte"}, "Wirte"),
        ({"category": None}, "category"),
        ({"risk": "High"}, "High"),
        ({"confidence": 1.1}, "confidence"),
        ({"confidence": "0.9"}, "confidence"),
        ({"marks": "files"}, "marks"),
        ({"marks": [1]}, "marks"),
        ({"digest": ""}, "digest"),
        ({"digest": None}, "digest"),
        ({"digest": f"{ENTRY['digest']}\n"}, "digest"),
        ({"digest": "sha256:" + "A" * 64}, "digest"),
        ({"digest": "sha256:" + "0" * 64}, "not that of its definition"),
        ({"definition": {**DEFINITION, "description": "x"}}, "not that of its definition"),
        ({"definition": []}, "definition"),
        ({"accepted": 7}, "accepted"),
    ],
)
def test_an_entry_that_is_not_quite_one_is_refused(change: dict[str, Any], said: str) -> None:
    """A slip would unpin the tool, or take it out of its category, without a word."""
    with pytest.raises(ValueError, match=r"^write: ") as caught:
        without_prose({"tools": {"write": {**ENTRY, **change}}})
    assert said in str(caught.value)
