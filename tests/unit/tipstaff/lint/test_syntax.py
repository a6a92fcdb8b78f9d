"""What terms of Rego say of `input`, as far as their text goes."""

from __future__ import annotations

from tests.rego_trees import call, module, negated, ref, rule, text, var
from tipstaff.lint.syntax import Constant, Scope, calls, constants_of, walk

TARGET = ref("input", "target")


def test_a_path_ends_where_a_name_is_worked_out() -> None:
    """What follows it is not known."""
    scope = Scope(rule("deny"), {})
    assert scope.path(ref("input", "arguments", var("x"), "y")) == ("arguments",)
    assert scope.path(ref("data", "arguments")) is None
    assert scope.path(var("input")) == ()
    assert scope.path(text("input")) is None


def test_a_variable_stands_for_the_part_that_it_was_given() -> None:
    """Also through another variable."""
    body = (
        call("assign", var("a"), ref("input", "arguments")),
        call("eq", var("b"), ref("a", "x")),
    )
    scope = Scope(rule("deny", *body), {})
    assert scope.path(ref("b", "y")) == ("arguments", "x", "y")


def test_a_default_does_not_hide_what_is_read() -> None:
    """`object.get` reads like a reference; other functions give something new."""
    got = {
        "type": "call",
        "value": [ref("object", "get"), ref("input", "arguments"), text("x"), text("")],
    }
    scope = Scope(rule("deny"), {})
    assert scope.path(got) == ("arguments", "x")
    lower = {"type": "call", "value": [ref("lower"), TARGET]}
    assert scope.path(lower) is None


def test_constants_are_what_the_package_gives_without_a_condition() -> None:
    """A value that depends on anything is none."""
    names = {"type": "set", "value": [text("a", 4), text("b", 5)]}
    constants = constants_of(
        [
            module(
                rule("names", value=names),
                rule("more", key=text("c", 6)),
                rule("maybe", call("equal", TARGET, text("x")), value=names),
                rule("function", value=names, args=[var("y")]),
            )
        ]
    )
    assert set(constants) == {"names", "more"}
    scope = Scope(rule("deny"), constants)
    assert list(scope.constants(var("names"))) == [Constant("a", 4), Constant("b", 5)]
    assert list(scope.constants(ref("names", var("_")))) == [Constant("a", 4), Constant("b", 5)]
    assert list(scope.constants(var("more"))) == [Constant("c", 6)]
    assert list(scope.constants(var("maybe"))) == []


def test_the_keys_of_a_table_are_what_is_looked_up_in_it() -> None:
    """Each with the term that looks it up."""
    table = {"type": "object", "value": [[text("a", 7), text("b")]]}
    scope = Scope(rule("deny"), {"table": table})
    assert list(scope.keys(ref("table", TARGET))) == [(TARGET, Constant("a", 7))]


def test_what_stands_below_a_not_can_be_left_out() -> None:
    """There the opposite is meant, in either of its forms."""
    below = call("equal", TARGET, text("a"))
    tree = [negated(below), {"negated": True, **below}]
    assert sum(node is TARGET for node in walk(tree)) == 2
    assert not any(node is TARGET for node in walk(tree, negated=False))
    both = rule("deny", below, negated(call("equal", TARGET, text("b"))))
    assert [one.is_condition for one in calls(both)] == [True, False]
