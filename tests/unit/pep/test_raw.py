"""Objects whose members keep their bytes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pep.raw import joined, members, replaced

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
