"""Patterns: which anchor is missing, and what gets past one."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tipstaff.lint.patterns import loose_end, way_out


@pytest.mark.parametrize(
    ("pattern", "anchor"),
    [
        ("^a$", ""), ("^(a|b)$", ""), ("^a$|^b$", ""), ("(^a$|^b$)", ""), ("(?:^a$)", ""), ("^[|)]$", ""),
        ("^a\\\\$", ""), ("^\\(a$", ""), ("^(a)(b)$", ""),
        ("a", "^"), ("a$", "^"), ("^a", "$"), ("^a|b$", "$"), ("^a$|b", "^"), ("^a\\$", "$"), ("", "^"),
        ("^(a$)", "$"), ("(^a$|b$)", "^"), ("(^a$)|b", "^"), ("(", "^"), (")", "^"),
    ],
)  # fmt: skip
def test_the_anchor_that_is_missing_is_named(pattern: str, anchor: str) -> None:
    """Of each alternative by itself; a closing one within a group is not looked for."""
    assert loose_end(pattern) == anchor


@given(st.text("^$|()\\ab", max_size=8))
def test_what_is_taken_for_anchored_is(pattern: str) -> None:
    """No text in front of it or behind it is met; where a pattern is none, nothing is said of it."""
    try:
        compiled = re.compile(pattern)
    except re.error:
        loose_end(pattern)
        return
    if loose_end(pattern) == "":
        for text in ("zaz", "zz", "bab", "zabz", "z"):
            hit = compiled.search(text)
            assert hit is None or hit.span() == (0, len(text))


@pytest.mark.parametrize(
    ("pattern", "way"),
    [
        ("^/srv/", "/srv/../etc/passwd"),
        ("^/srv/.*$", "/srv/../etc/passwd"),
        ("^/srv/[a-z]+/.*$", "/srv/x/../../etc/passwd"),
        ("^\\/srv\\/.*$", "/srv/../etc/passwd"),
        ("^/srv(/\\w[\\w. -]*)+$", ""),
        ("^https://docs.example.com/.*$", ""),
        ("^[a-z]+$", ""),
        ("^/srv/(", ""),
    ],
)
def test_a_path_that_leads_out_is_shown(pattern: str, way: str) -> None:
    """It is held against the schema that calls are held against."""
    assert way_out({"type": "string", "pattern": pattern}) == way


def test_the_rest_of_the_schema_is_asked_too() -> None:
    """It may refuse what the pattern does not."""
    assert way_out({"pattern": "^/srv/", "not": {"pattern": "\\.\\."}}) == ""
