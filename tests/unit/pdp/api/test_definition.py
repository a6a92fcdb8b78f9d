"""The digest of a definition: what makes another tool of it, and what does not."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdp.api import strict_json
from pdp.api.definition import MEMBERS, digest

TOOL: dict[str, Any] = {
    "name": "read",
    "title": "Read",
    "description": "Reads a file → é",
    "inputSchema": {"type": "object", "properties": {"b": {"maximum": 1.5}, "a": {}}},
    "outputSchema": {"type": "object"},
    "annotations": {"readOnlyHint": True},
}
WHOLE = st.text(st.characters(exclude_categories=("Cs",)))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | WHOLE,
    lambda inner: st.lists(inner) | st.dictionaries(WHOLE, inner),
    max_leaves=10,
)  # fmt: skip


def test_the_digest_is_over_canonical_json_of_the_counted_members() -> None:
    """Written out here by hand, so that it never changes unnoticed: pins would all be void."""
    text = (
        '{"annotations":{"readOnlyHint":true},"description":"Reads a file → é",'
        '"inputSchema":{"properties":{"a":{},"b":{"maximum":1.5}},"type":"object"},'
        '"name":"read","outputSchema":{"type":"object"},"title":"Read"}'
    )
    assert digest(TOOL) == f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


@given(st.dictionaries(st.sampled_from(MEMBERS), JSON), st.randoms())
def test_the_order_of_keys_and_the_spelling_of_text_do_not_count(tool: Any, random: Any) -> None:
    """The same definition, written by another library."""
    pairs = list(tool.items())
    random.shuffle(pairs)
    respelt = json.dumps(dict(pairs), indent=1, ensure_ascii=random.random() < 0.5)
    assert digest(strict_json.loads(respelt.encode())) == digest(tool)


@pytest.mark.parametrize("member", MEMBERS)
@pytest.mark.parametrize("other", [None, "", {}, [], 0, False, "x"])
def test_another_value_of_a_counted_member_is_another_definition(member: str, other: Any) -> None:
    """So is its absence, which is neither null nor empty."""
    absent = {key: value for key, value in TOOL.items() if key != member}
    assert len({digest(TOOL), digest({**TOOL, member: other}), digest(absent)}) == 3


@pytest.mark.parametrize("change", [" ", "\u200b", "E", "e\u0301"])
def test_one_character_is_enough_to_be_another_definition(change: str) -> None:
    """Also one that nobody sees; nothing is normalised."""
    assert digest({**TOOL, "description": TOOL["description"] + change}) != digest(TOOL)


def test_the_order_of_a_list_counts() -> None:
    """It may mean something, as the order of choices does to a model."""
    one, other = ({"inputSchema": {"enum": order}} for order in (["a", "b"], ["b", "a"]))
    assert digest(one) != digest(other)


@pytest.mark.parametrize("member", ["icons", "_meta", "execution", "x-vendor", "Name"])
def test_what_does_not_say_what_the_tool_does_is_not_counted(member: str) -> None:
    """It may differ from list to list."""
    assert digest({**TOOL, member: ["x"]}) == digest(TOOL)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "\ud800"])
def test_what_is_not_strict_json_has_no_digest(value: Any) -> None:
    """Two readers would not agree on what was accepted."""
    with pytest.raises(ValueError):
        digest({"description": value})
