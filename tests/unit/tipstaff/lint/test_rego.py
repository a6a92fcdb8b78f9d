"""Comparisons with what there is not; the whole table is in `tests/contract/test_lint.py`."""

from __future__ import annotations

from tests.rego_trees import call, module, ref, rule, text
from tipstaff.lint.caution import Caution
from tipstaff.lint.rego import cautions
from tipstaff.lint.site_facts import SiteFacts

FACTS = SiteFacts(frozenset({"bank"}), {"bank": {"tools": {"pay": {}}}})


def test_a_tool_that_there_is_not_is_told_with_its_line() -> None:
    """And with the nearest that there is."""
    compared = call("equal", ref("input", "target"), text("pya", 7))
    (caution,) = cautions({"x.rego": module(rule("deny", compared))}, FACTS)
    assert caution == Caution(
        "x.rego", 7, "bank has no tool `pya`: it never holds; did you mean `pay`?"
    )


def test_a_site_of_which_nothing_is_known_gives_no_warning() -> None:
    """No server, no catalogue."""
    compared = call("equal", ref("input", "server"), text("bank"))
    named = call("equal", ref("input", "target"), text("pya"))
    site = {"x.rego": module(rule("deny", compared, named))}
    assert cautions(site, SiteFacts(frozenset(), {})) == []


def test_names_of_another_package_are_not_taken() -> None:
    """They may mean something else there."""
    names = rule("names", value={"type": "set", "value": [text("pya")]})
    member = call("internal.member_2", ref("input", "target"), {"type": "var", "value": "names"})
    files = {"y.rego": module(names, package="y"), "x.rego": module(rule("deny", member))}
    assert cautions(files, FACTS) == []
    files["y.rego"] = module(names)
    assert len(cautions(files, FACTS)) == 1
