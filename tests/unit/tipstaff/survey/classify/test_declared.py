"""What a tool's schema says of its arguments, and what it leaves open."""

from __future__ import annotations

from typing import Any

import pytest

from tipstaff.survey.classify.declared import TooInvolvedError, declared, type_of


@pytest.mark.parametrize(
    ("schema", "names"),
    [
        ({"properties": {"a": {}}}, ("a",)),
        ({"properties": {}}, ()),
        ({"additionalProperties": False}, ()),
        ({"anyOf": [{"properties": {"a": {}}}, {"properties": {"b": {}}}]}, ("a", "b")),
        ({"$ref": "#/$defs/x", "$defs": {"x": {"properties": {"a": {}}}}}, ("a",)),
        ({"properties": {"a": {}}, "additionalProperties": True}, None),
        ({"properties": {"a": {}}, "additionalProperties": {"type": "string"}}, None),
        ({"properties": {"a": {}}, "patternProperties": {"^x": {}}}, None),
        ({"properties": {"a": {}}, "$ref": "https://example.com/x"}, None),
        ({}, None),
        (True, None),
        ([], None),
    ],
)
def test_names_are_told_where_there_are_no_others(schema: Any, names: Any) -> None:
    """A tool that takes what it does not name is no reason to warn."""
    assert declared(schema).names() == names


@pytest.mark.parametrize(
    ("schema", "types"),
    [
        ({"type": "string"}, {"string"}),
        ({"type": ["string", "null", 7]}, {"string", "null"}),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, {"string", "null"}),
        ({"anyOf": [{"type": "string"}, {}]}, set()),
        ({"allOf": [{"type": "string"}, {}]}, {"string"}),
        ({"enum": [1, "a", True, None, 1.5, [], {}]},
         {"integer", "string", "boolean", "null", "number", "array", "object"}),
        ({}, set()),
    ],
)  # fmt: skip
def test_types_are_told_where_there_are_no_others(schema: Any, types: set[str]) -> None:
    """From the words, or from the values."""
    assert declared(schema).types() == types


def test_what_a_reference_names_is_followed() -> None:
    """Also through escapes; what leads nowhere says nothing."""
    schema = {"items": {"$ref": "#/$defs/a~1b"}, "$defs": {"a/b": {"enum": ["x"]}}}
    assert declared(schema).elements().values() == ("x",)
    assert declared({"$ref": "#/nowhere/at/all"}).values() is None


def test_a_schema_without_an_end_is_given_up() -> None:
    """Nobody follows it further than a person would."""
    whole = declared({"properties": {str(number): {"$ref": "#"} for number in range(100)}})
    with pytest.raises(TooInvolvedError):
        [part.properties() for part in whole.properties().values()]


def test_the_type_of_a_value_is_that_of_json() -> None:
    """A flag is no number."""
    assert [type_of(one) for one in (True, 1, 1.0, "")] == [
        "boolean",
        "integer",
        "number",
        "string",
    ]
