"""YAML is read one way only, and every part of it remembers its line."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pdp.errors import PolicyTextError
from pdp.rules.yaml_lines import load, name_of

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text("abc é:#-", max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", min_size=1), inner),
    max_leaves=10,
)


def refusal(text: str) -> str:
    with pytest.raises(PolicyTextError) as caught:
        load(text, "data.yaml")
    return str(caught.value)


@given(VALUES)
def test_whatever_yaml_can_say_of_json_is_read_as_it_was_written(value: Any) -> None:
    """A second reading by PyYAML itself."""
    assert load(yaml.safe_dump(value, allow_unicode=True), "s").value == value


def test_every_part_remembers_its_line() -> None:
    """Lists count their items; an unknown part is at the line of what it is in."""
    located = load("a: 1\nb:\n  c:\n    - 1\n    - d: 2\n", "s")
    assert located.line(("a",)) == 1
    assert located.line(("b", "c")) == 3
    assert located.line(("b", "c", 1)) == 5
    assert located.line(("b", "c", 1, "d")) == 5
    assert located.line(("b", "c", 1, "unknown", 7)) == 5
    assert located.line(("z",)) == 1


def test_nothing_at_all_is_no_value() -> None:
    """An empty file, or one of comments."""
    assert load("", "s").value is None
    assert load("# nothing\n", "s").value is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\na: 2\n", "data.yaml:2: a is given twice"),
        ("x:\n  a: 1\n  'a': 2\n", "data.yaml:3: x.a is given twice"),
        ("a: &one 1\nb: *one\n", "data.yaml:1: anchors and aliases"),
        ("a:\n " + "[" * 100_000, "data.yaml:2: nested more than 100 levels deep"),
        ("a: {<<: {b: 1}}\n", "data.yaml:1: '<<' cannot be read"),
        ("1: a\n", "data.yaml:1: a key must be text: put it in quotes"),
        ("no: a\n", "a key must be text"),
        ("? [a]\n: b\n", "a key must be text"),
        ("a: !!python/object:os.system x\n", "data.yaml:1:"),
        ("a: !mine x\n", "tags are not read"),
        ("a: 2026-01-01\n", "is no text, number or flag: quote it"),
        ("a: .nan\n", "is no text, number or flag"),
        ("a: .inf\n", "is no text, number or flag"),
        ("a: !!int x\n", "cannot be read"),
        ("a: [\n", "data.yaml:2: not YAML"),
        ("a: 1\n---\nb: 2\n", "not YAML"),
        ("a: \x00\n", "not YAML"),
        ("[" * 5000, "nested more than 100"),
    ],
)
def test_what_two_readers_could_take_differently_is_refused(text: str, said: str) -> None:
    """With the file and the line."""
    assert said in refusal(text)


def test_a_path_is_shown_as_people_write_it() -> None:
    """Dots between the parts."""
    assert name_of(("tools", "read", "rate_limit", 0, "max")) == "tools.read.rate_limit.0.max"
