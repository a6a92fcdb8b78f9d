"""Elements of the sets as they stand in a file: what is seen is judged, what is computed is not."""

from __future__ import annotations

from typing import Any

import pytest

from pdp.rules.elements import SETS, Term, example, problems

COMPUTED: dict[str, Any] = {"type": "call", "value": []}
KINDS = {str: "string", bool: "boolean", int: "number", float: "number"}


def term(value: Any) -> dict[str, Any]:
    """The term that a value is in Rego's syntax; a term stays as it is."""
    if value is None:
        return {"type": "null", "value": {}}
    if isinstance(value, list):
        return {"type": "array", "value": [term(item) for item in value]}
    if isinstance(value, dict) and value.keys() != {"type", "value"}:
        members = [[term(key), term(inner)] for key, inner in value.items()]
        return {"type": "object", "value": members}
    return value if isinstance(value, dict) else {"type": KINDS[type(value)], "value": value}


def told(name: str, element: Any) -> list[str]:
    return list(problems(name, Term(**term(element))))


GOOD: list[tuple[str, Any]] = [
    ("deny", {"code": "c", "message": "m"}),
    ("deny", {"code": "c", "message": COMPUTED, "hidden": True, "shadow": False, "rule": "r"}),
    ("permit", COMPUTED),
    ("limit", {"max": 1, "window": 2}),
    ("limit", {"max": COMPUTED, "window": 2, "code": "c", "message": "m"}),
    ("limit", {"max": 20_000, "window": 2, "algorithm": "gcra", "burst": 5}),
    ("check", {"schema": {"type": "object", "required": ["a"], "default": None}}),
    ("check", {"schema": {"const": COMPUTED}}),
    ("check", {"schema": {"enum": [1, COMPUTED]}}),
    ("check", {"schema_ref": "declared", "shadow": True}),
    ("obligation", {"type": "redact", "fields": ["a"], "deep": {"a": 1}}),
]


@pytest.mark.parametrize(("name", "element"), GOOD)
def test_what_is_right_or_computed_passes(name: str, element: Any) -> None:
    """It is judged again when it is there."""
    assert told(name, element) == []


BAD: list[tuple[str, Any, str]] = [
    ("deny", "text", 'not a string: write `deny contains {"code": …, "message": …}`'),
    ("obligation", 5, 'not a number: write `obligation contains {"type": …}`'),
    ("check", None, 'not null: write `check contains {"schema": …}`'),
    ("permit", {}, "needs `code` and `message`"),
    ("permit", {"code": "c", "mesage": "m"}, "did you mean `message`?"),
    ("permit", {"code": "c", "message": "m", "hidden": True}, "no key `hidden`"),
    ("deny", {"code": "c", "message": "m", "hidden": "yes"}, "`hidden` in an element of `deny`"),
    ("deny", {"code": None, "message": "m"}, "`code` in an element of `deny`"),
    ("limit", {"max": 1, "window": COMPUTED, "burst": "x"}, "`burst` in an element of `limit`"),
    ("limit", {"max": 1, "window": 1, "burst": 1}, "only gcra has a burst"),
    ("limit", {"max": True, "window": 1}, "`max` in an element of `limit`"),
    ("check", {}, "either `schema` or `schema_ref`"),
    ("check", {"schema": {}, "schema_ref": "declared"}, "either `schema` or `schema_ref`"),
    ("check", {"schema": {"requird": []}}, "did you mean `required`?"),
    ("check", {"schema": {"type": 5}}, "not a JSON Schema"),
    ("obligation", {"kind": "redact"}, "needs `type`"),
    ("obligation", {"type": 1}, "`type` in an element of `obligation`"),
]


@pytest.mark.parametrize(("name", "element", "hint"), BAD)
def test_what_is_seen_to_be_wrong_is_told(name: str, element: Any, hint: str) -> None:
    """With what would be right."""
    assert any(hint in problem for problem in told(name, element)), told(name, element)


@pytest.mark.parametrize("key", [COMPUTED, {"type": "array", "value": []}, 5])
@pytest.mark.parametrize("name", SETS)
def test_a_key_that_is_computed_may_be_the_one_that_is_missing(name: str, key: Any) -> None:
    """Nothing is said to be missing, whatever the key turns out to be."""
    members = [[term(key), term(1)]]
    assert list(problems(name, Term("object", members))) == []


def test_all_that_is_wrong_with_one_element_is_told() -> None:
    """Not only the first."""
    assert len(told("limit", {"mx": 1, "window": 0, "scope": "user"})) == 4


@pytest.mark.parametrize("name", SETS)
def test_the_example_of_each_set_has_its_keys(name: str) -> None:
    """What is told to be written is right when it is written."""
    keys = [part.split('"')[1] for part in example(name).split(",")]
    values = {"max": 1, "window": 1, "schema": {}}
    assert told(name, {key: values.get(key, "x") for key in keys}) == []
