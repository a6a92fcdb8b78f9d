"""The schema that is advised: every argument of the kind, wherever the tool's own schema has it."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tipstaff.survey.starter.constraint import MOST, chosen_names, constraint

VALUE = "{const: fine}"


def demanded(schema: Any, *names: str) -> Any:
    text = constraint(schema, lambda name: name in names, VALUE, str)
    return None if text is None else yaml.safe_load(f"{{{text}}}")


def test_both_ends_of_a_move_are_held() -> None:
    """One of them free would be as good as none held."""
    schema = {"properties": {"a": {"type": "string"}, "b": {"type": "string"}, "c": {}}}
    assert demanded(schema, "a", "b") == {
        "properties": {"a": {"const": "fine"}, "b": {"const": "fine"}},
        "required": ["a", "b"],
    }


@pytest.mark.parametrize(
    ("declared", "held"),
    [
        ({}, {"const": "fine"}),
        ({"type": "array"}, {"type": "array", "items": {"const": "fine"}}),
        (
            {"type": ["string", "array"]},
            {"anyOf": [{"const": "fine"}, {"type": "array", "items": {"const": "fine"}}]},
        ),
        ({"type": "object"}, {"const": "fine"}),
        ({"$ref": "#/$defs/list"}, {"type": "array", "items": {"const": "fine"}}),
        ({"$ref": "#/$defs/nothing"}, {"const": "fine"}),
    ],
)
def test_what_is_demanded_has_the_shape_that_is_declared(declared: Any, held: Any) -> None:
    """A text that is demanded of a list refuses every call."""
    schema = {"properties": {"a": declared}, "$defs": {"list": {"type": "array"}}}
    assert demanded(schema, "a")["properties"]["a"] == held


@pytest.mark.parametrize(
    "declared",
    [
        {"type": "integer"},
        {"type": "array", "items": {"type": "integer"}},
        {"type": "object", "properties": {"enabled": {"type": "boolean"}}},
    ],
)
def test_what_holds_no_text_carries_nothing(declared: Any) -> None:
    """A rule that demands a text of it would refuse every call."""
    assert demanded({"properties": {"a": declared}}, "a") == {}


def test_what_lies_deeper_is_held_where_it_lies() -> None:
    """At the top it would be held against nothing."""
    schema = {"properties": {"o": {"type": "array", "items": {"properties": {"a": {}}}}}}
    inner = {"type": "object", "properties": {"a": {"const": "fine"}}, "required": ["a"]}
    assert demanded(schema, "a")["properties"]["o"] == {"type": "array", "items": inner}


def test_an_object_is_held_by_each_text_in_it() -> None:
    """A text that is demanded in its place refuses every call; which of them is meant is not told."""
    inside = {"value": {"type": "string"}, "count": {"type": "integer"}}
    schema = {"properties": {"a": {"type": "object", "properties": inside}}}
    held = {"type": "object", "properties": {"value": {"const": "fine"}}, "required": ["value"]}
    assert demanded(schema, "a")["properties"]["a"] == held


def test_more_than_can_be_read_is_said_to_be_so() -> None:
    """Also where a schema leads into itself without an end."""
    names = [str(number) for number in range(MOST + 1)]
    assert demanded({"properties": {name: {} for name in names}}, *names) is None
    loop = {"properties": {"a": {"$ref": "#"}}}
    assert demanded(loop, "b") == {}
    wide = {"properties": {f"n{number}": {"$ref": "#"} for number in range(50)}}
    assert demanded(wide, "b") is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from("type properties items anyOf $ref a b".split()) | st.text(max_size=3),
            inner | st.sampled_from(["array", "object", "#/properties/a"]),
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(JSON)
def test_any_schema_of_a_stranger_is_looked_through(schema: Any) -> None:
    """Whatever it is."""
    text = constraint(
        schema, lambda name: name in "ab", VALUE, lambda name: f"'{name.replace(chr(39), '')}'"
    )
    assert text is None or isinstance(text, str)
    assert len(chosen_names(schema, lambda _: True)) <= MOST + 1
