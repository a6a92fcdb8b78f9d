"""The catalogue: what is known of a tool, and the same members when nothing is."""

from __future__ import annotations

import json

import pytest

from pdp.catalogue import UNKNOWN, Catalogue

ENTRY = {
    "category": "Write",
    "risk": "high",
    "confidence": 0.9,
    "pinned": True,
    "changed": True,
    "annotations": {"readOnlyHint": False},
    "input_schema": {"type": "object"},
    "evidence": ["not for rules"],
}


def test_a_listed_tool_is_told_as_it_stands() -> None:
    """The facts are JSON, ready for the policy input, and nothing else is let in."""
    tool = Catalogue({"files": {"tools": {"write": ENTRY}}}).tool("files", "write")
    assert json.loads(bytes(tool.facts)) == {
        "category": "Write",
        "risk": "high",
        "confidence": 0.9,
        "pinned": True,
        "changed": True,
    }
    assert json.loads(bytes(tool.annotations)) == {"readOnlyHint": False}
    assert tool.input_schema is not None
    assert json.loads(tool.input_schema) == {"type": "object"}


@pytest.mark.parametrize("entry", [{}, {"annotations": None, "input_schema": None}])
def test_a_tool_of_which_nothing_is_said_is_like_an_unknown_one(entry: dict[str, None]) -> None:
    """All members are there, and empty: a rule never meets a gap."""
    assert Catalogue({"files": {"tools": {"read": entry}}}).tool("files", "read") == UNKNOWN
    assert json.loads(bytes(UNKNOWN.facts)) == {
        "category": "",
        "risk": "",
        "confidence": 0,
        "pinned": False,
        "changed": False,
    }
    assert bytes(UNKNOWN.annotations) == b"{}"
    assert UNKNOWN.input_schema is None


def test_tools_are_found_by_server_and_name_together() -> None:
    """One server's tool says nothing of another's."""
    catalogue = Catalogue({"files": {"tools": {"write": ENTRY}}, "empty": {}})
    for server, name in (("empty", "write"), ("files", "Write"), ("fileswrite", ""), ("", "write")):
        assert catalogue.tool(server, name) is UNKNOWN


def test_an_empty_schema_is_a_schema() -> None:
    """It is known, and lets everything pass, unlike one that is missing."""
    catalogue = Catalogue({"files": {"tools": {"read": {"input_schema": {}}}}})
    assert catalogue.tool("files", "read").input_schema == b"{}"


def test_a_catalogue_may_be_empty() -> None:
    """Before anything is registered every tool is unknown."""
    assert Catalogue().tool("files", "read") is UNKNOWN
