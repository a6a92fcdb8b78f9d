"""One schema held against another, part by part; whole rules are in `test_server_rules`."""

from __future__ import annotations

from tipstaff.lint.arguments import Place, cautions
from tipstaff.survey.classify.declared import declared


def test_the_path_leads_to_the_very_word() -> None:
    """So that its line can be told."""
    own = declared({"properties": {"a": {"type": "array", "items": {"type": "string"}}}})
    schema = {"properties": {"a": {"prefixItems": [{"type": "integer"}]}}, "required": ["a", "b"]}
    listed = dict(cautions(schema, Place(("tools", "t", "arguments"), own, "t")))
    assert [path[3:] for path in listed] == [
        ("required", 1),
        ("properties", "a", "prefixItems", 0, "type"),
    ]


def test_what_is_no_schema_says_nothing() -> None:
    """`true` allows anything, and is meant to."""
    assert list(cautions(True, Place((), None, "t"))) == []
