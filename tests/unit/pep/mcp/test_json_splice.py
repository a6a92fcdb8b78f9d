"""Objects whose members keep their bytes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pep.mcp.json_splice import distinct_members, joined, members, replaced

OBJECT = st.dictionaries(st.text(), st.integers() | st.text() | st.lists(st.booleans()))


@given(OBJECT)
def test_members_joined_again_are_the_same_object(value: dict[str, Any]) -> None:
    """In their order."""
    assert list(json.loads(joined(members(json.dumps(value).encode()))).items()) == list(
        value.items()
    )


def test_what_is_replaced_changes_and_the_rest_keeps_its_bytes() -> None:
    """Number spelling, escapes, and blanks inside a member."""
    data = b'{"a" : 1.0,"b":{ "c" :2,"d":"\\u0041"},"e":[ 1 ]}'
    assert replaced(data, ("b", "c"), b"7") == b'{"a":1.0,"b":{"c":7,"d":"\\u0041"},"e":[ 1 ]}'


@pytest.mark.parametrize("path", [("x",), ("a", "x"), ("b", "x"), ("b", "c", "x")])
def test_where_there_is_nothing_to_replace_nothing_changes(path: tuple[str, ...]) -> None:
    """Neither is anything made up."""
    data = b'{"a":1,"b":{"c":[2]}}'
    assert replaced(data, path, b"7") == data


@given(st.dictionaries(st.text(), st.none() | st.integers() | st.text() | st.lists(st.integers())))
def test_however_an_object_is_written_its_members_are_found(value: dict[str, Any]) -> None:
    """With blanks or without, escaped or not: and one key twice is always seen."""
    for text in (
        json.dumps(value), json.dumps(value, ensure_ascii=False, separators=(",", ":")),
        json.dumps(value, indent=1),
    ):  # fmt: skip
        data = text.encode()
        assert {key: json.loads(bytes(raw)) for key, raw in distinct_members(data).items()} == value
        for key in value:
            twice = data.rstrip()[:-1] + b"," + json.dumps(key).encode() + b":0 }"
            with pytest.raises(ValueError):
                distinct_members(twice)
