"""Schemas that somebody else wrote."""

from __future__ import annotations

import pytest

from tipstaff.survey.classify.schema import choices, properties


def test_properties_are_found_at_every_depth() -> None:
    """In items, in alternatives, in objects."""
    schema = {
        "properties": {
            "a": {"type": "object", "properties": {"b": {"type": "string"}}},
            "c": {"items": {"properties": {"d": {}}}},
            "e": {"anyOf": [{"properties": {"f": {}}}, "nonsense"]},
        }
    }
    assert [name for name, _ in properties(schema)] == ["a", "b", "c", "d", "e", "f"]


@pytest.mark.parametrize("schema", [None, [], "x", {"properties": []}, {"properties": {"a": 1}}])
def test_what_is_no_schema_has_no_properties(schema: object) -> None:
    """One server publishes such things; nothing breaks on them."""
    assert list(properties(schema)) == []


def test_a_schema_without_end_is_left_at_some_depth() -> None:
    """A definition of a megabyte may nest as deep as it likes."""
    schema: dict[str, object] = {}
    for _ in range(50):
        schema = {"properties": {"x": schema}}
    assert 3 < len(list(properties(schema))) < 10


def test_choices_are_enums_and_constants() -> None:
    """Also those that stand in alternatives; what is no text is no choice."""
    about = {"enum": ["get", 1], "anyOf": [{"const": "put"}, {"enum": ["del"]}, 3], "oneOf": 5}
    assert choices(about) == ("get", "put", "del")
