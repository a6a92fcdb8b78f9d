"""Files of a site as `opa parse` gives them: packages, shapes of sets, rules that nothing uses."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pdp.rules.site_rules import (
    Module,
    problems,
    problems_of_tests,
    query,
    read_dependencies,
    read_module,
)

FILE = "site/mine/mine.rego"
ELEMENT = {
    "type": "object",
    "value": [
        [{"type": "string", "value": key}, {"type": "string", "value": "x"}]
        for key in ("code", "message")
    ],
}


def string(value: str) -> dict[str, Any]:
    return {"type": "string", "value": value}


def rule(*ref: Any, row: int = 3, **head: Any) -> dict[str, Any]:
    """A rule called by its first part; further parts are terms."""
    named = [{"type": "var", "value": ref[0]}, *ref[1:]]
    default = {"default": True} if head.pop("default", False) else {}
    return {"head": {"ref": named, **head}, "location": {"row": row, "file": "x"}, **default}


def module(*rules: Any, package: tuple[str, ...] = ("site", "mine")) -> Module:
    path = [{"type": "var", "value": "data"}, *map(string, package)]
    parsed = {"package": {"path": path, "location": {"row": 1}}, "rules": rules, "annotations": []}
    return read_module(json.dumps(parsed).encode())


def used(*refs: tuple[str, ...]) -> Any:
    """What OPA says that the sets depend on."""
    virtual = [[{"type": "var", "value": "data"}, *map(string, ref)] for ref in refs]
    return read_dependencies(json.dumps({"virtual": virtual, "base": [[]]}).encode())


def told(*rules: Any, file: str = FILE, **more: Any) -> list[str]:
    return problems({file: module(*rules, **more)}, used())


def test_a_set_of_elements_is_read() -> None:
    """And so is whatever it depends on, and nothing else."""
    rules = [rule("deny", key=ELEMENT), rule("helper", row=5), rule("other", row=7)]
    (problem,) = problems({FILE: module(*rules)}, used(("site", "mine", "helper")))
    assert problem.startswith(f"{FILE}:7: `other` adds to nothing; no deny, hidden, ")


def test_a_rule_with_several_bodies_is_told_once() -> None:
    """At its first line."""
    (problem,) = told(rule("allow", default=True), rule("allow", row=4), rule("allow", row=9))
    assert problem.startswith(
        f"{FILE}:3: `allow` adds to nothing; did you mean `permit contains {{"
    )


def test_a_part_of_an_object_is_used_by_itself() -> None:
    """As OPA tells the parts apart: up to the first that varies."""
    key = {"type": "var", "value": "key"}
    rules = [
        rule("a", string("b")),
        rule("a", string("c"), row=4),
        rule("d", key, string("e"), row=5),
        rule("f", {"type": "number", "value": 1}, row=6),
    ]
    reached = used(("site", "mine", "a", "b"), ("site", "mine", "d"))
    found = problems({FILE: module(*rules)}, reached)
    assert [problem.partition(";")[0] for problem in found] == [
        f"{FILE}:4: `a.c` adds to nothing",
        f"{FILE}:6: `f[1]` adds to nothing",
    ]


SHAPES = {
    "a value": rule("deny", value={"type": "boolean", "value": True}),
    "a function": rule("deny", args=[ELEMENT], value=ELEMENT),
    "an object": rule("deny", {"type": "var", "value": "x"}, key=ELEMENT),
    "a key and a value": rule("deny", key=ELEMENT, value=ELEMENT),
    "a default": rule("deny", default=True, value=ELEMENT),
}


@pytest.mark.parametrize("case", SHAPES)
def test_what_is_no_set_of_elements_is_refused(case: str) -> None:
    """One sentence for each."""
    (problem,) = told(SHAPES[case])
    assert "set" in problem


@pytest.mark.parametrize(
    ("package", "file", "hint"),
    [
        (
            ("site", "mine", "more"),
            FILE,
            "its package is site.mine.more; write `package site.mine`",
        ),
        (("site",), FILE, "its package is site; write"),
        (("mcp", "main"), FILE, "its package is mcp.main; write"),
        (("site", "a b"), "site/c-d/x.rego", 'is site["a b"]; write `package site["c-d"]`'),
        (("site", "mine"), "site/mine.rego", "move it to site/NAME/NAME.rego"),
    ],
)
def test_another_package_is_told_once_whatever_it_holds(
    package: tuple[str, ...], file: str, hint: str
) -> None:
    """Its rules are right or wrong only where they belong."""
    (problem,) = told(rule("denny"), rule("deny"), package=package, file=file)
    assert hint in problem


def test_a_file_in_a_folder_of_the_folder_belongs_to_the_same_package() -> None:
    """Folders of a person's own are no names of packages."""
    assert not told(rule("deny", key=ELEMENT), file="site/mine/more/deep.rego")


def test_a_file_without_rules_is_told() -> None:
    """Whoever wrote it meant something."""
    assert told() == [f"{FILE}:1: it holds no rule; write one, or take the file away"]


def test_what_is_asked_of_opa_is_each_set_that_is_there() -> None:
    """Also of other packages, by names that need quotes, and nothing where there is no set."""
    modules = [
        module(rule("deny", key=ELEMENT), rule("deny"), rule("x")),
        module(rule("limit"), package=("site", 'a"b')),
    ]
    assert query(modules) == 'data["site"]["a\\"b"]["limit"]; data["site"]["mine"]["deny"]'
    assert query([module(rule("x"))]) == "true"


def test_a_set_among_the_tests_of_its_own_package_is_told() -> None:
    """In a package of tests it may stand for something."""
    rules = [rule("deny", key=ELEMENT), rule("other")]
    own = {"site/mine/mine_test.rego": module(*rules)}
    beside = {"site/mine/mine_test.rego": module(*rules, package=("site", "mine_test"))}
    (problem,) = problems_of_tests(own)
    assert problem.startswith(
        "site/mine/mine_test.rego:3: `deny` decides nothing in a file of tests"
    )
    assert problems_of_tests(beside) == []
