"""Hints: where a misplaced file belongs, and why a function is not for rules."""

from __future__ import annotations

from pathlib import PurePath

import pytest

from pdp.rules import hints


@pytest.mark.parametrize(
    ("file", "better"),
    [
        ("hours.rego", "site/hours/hours.rego"),
        ("servers/files.yaml", "servers/files/data.yaml"),
        ("servers/files/data.yml", "servers/files/data.yaml"),
        ("servers/files/rules.json", "servers/files/data.yaml"),
        ("server/files/data.yaml", "servers/files/data.yaml"),
        ("catalogue/files/data.json", "catalog/files/data.json"),
        ("sites/hours/hours.rego", "site/hours/hours.rego"),
    ],
)
def test_a_misplaced_file_is_told_its_place(file: str, better: str) -> None:
    """And which places there are."""
    hint = hints.of_place(PurePath(file))
    assert hint.startswith(f"did you mean {better}?")
    assert "servers/<server>/data.yaml" in hint


@pytest.mark.parametrize("file", ["notes.json", "elsewhere/a/b.yaml", "servers/a/b/c.yaml"])
def test_of_any_other_file_only_the_places_are_told(file: str) -> None:
    """A guess would lead astray."""
    assert "did you mean" not in hints.of_place(PurePath(file))


def test_a_function_that_rules_may_not_use_is_told_with_the_reason() -> None:
    """OPA only knows that it is not there; its other words stay as they are."""
    line = "site/own/own.rego:9: rego_type_error: undefined function time.now_ns"
    assert hints.of_opa([f"error: {line}", "", "other"]) == (
        f"{line}: not for rules: the time of the call is input.time\nother"
    )
    assert hints.of_opa(["undefined function nope"]) == "undefined function nope"
