"""Calls that are held and that nobody can approve, each told with its line."""

from __future__ import annotations

from typing import Any

import pytest

from pdp.config import ConfiguredPerson
from pdp.rules.server_rules import validate
from tests.rego_trees import at, module, rule, text
from tipstaff.lint.approvals import of_rego, of_yaml

ANA = ConfiguredPerson("ana", ("finance", "ops"), ("token:ana-agent",))
BO = ConfiguredPerson("bo", ("finance",))
CY = ConfiguredPerson("cy", ("ops",), role="viewer")
PEOPLE = (ANA, BO, CY)
TEXT = {"type": "string"}
CATALOGUE = {
    "tools": {
        "pay": {"definition": {"inputSchema": {"type": "object", "properties": {"to": TEXT}}}},
        "wipe": {"risk": "critical"},
        "open": {"definition": {"inputSchema": {"type": "object", "additionalProperties": True}}},
    }
}


def told(written: str, people: Any = PEOPLE, catalogue: Any = CATALOGUE) -> list[str]:
    """What is said of rules that load."""
    validate(written, "d.yaml", catalogue)
    return [
        str(caution).removeprefix("d.yaml:")
        for caution in of_yaml(written, "d.yaml", catalogue, people)
    ]


def of_pay(terms: str, people: Any = PEOPLE) -> list[str]:
    head = "tools:\n  pay:\n    action: require_approval\n    approval:\n"
    return told(f"{head}      {terms}\n", people)


@pytest.mark.parametrize(
    ("terms", "says"),
    [
        ("approvers: [finanse]", ("5: tools.pay.approval.approvers: none of [[approvals.people]] is in the group "
         "`finanse`: only somebody whose login names it can answer; did you mean `finance`?")),
        ("{approvers: [finance], count: 3}", ("5: tools.pay.approval.count: 3 people must say yes, and "
         "[[approvals.people]] has 2 of finance: no call is ever approved")),
        ("{count: 3}", "has 2: no call is ever approved"),
        ("{approvers: [ops]}", ("4: tools.pay.approval: a call of token:ana-agent is never approved: nobody answers "
         "for their own agent, and without its own people nobody can")),
        ("{approvers: [finance], count: 2}", "and without its own people one person can"),
        ("{standing: {max: 60, match: [/ot]}}", ("5: tools.pay.approval.standing.match.0: pay has no argument `ot`, "
         "so that calls are equal in it whatever they do; known are: to")),
    ],
)  # fmt: skip
def test_terms_that_are_never_met_are_told(terms: str, says: str) -> None:
    """With the place, and what is there instead."""
    (line,) = of_pay(terms)
    assert says in line


@pytest.mark.parametrize(
    "terms",
    [
        "{approvers: [finance]}",
        "{approvers: [finance], count: 2, not_self: false}",
        "{approvers: [ops], not_self: false}",
        "{note: always, standing: {max: 60, match: [/to/name]}}",
        "{standing: {max: 60}}",
    ],
)
def test_terms_that_can_be_met_are_not_warned_of(terms: str) -> None:
    """Nobody reads warnings that are none."""
    assert of_pay(terms) == []


def test_where_nobody_is_configured_only_named_groups_are_in_vain() -> None:
    """Whoever can reach the service may answer, and is in no group."""
    assert of_pay("{count: 9}", ()) == []
    (line,) = of_pay("{approvers: [finance]}", ())
    assert "none of [[approvals.people]] is in the group `finance`" in line
    assert "did you mean" not in line


def test_the_terms_of_the_file_are_told_of_once_where_they_stand() -> None:
    """However many rules they hold for, and not for those that have their own."""
    rules = (
        "default: require_approval\napproval: {approvers: [none]}\ntools:\n"
        "  pay: {action: require_approval}\n"
        "  open: {action: require_approval, approval: {approvers: [finance]}}\n"
    )
    (line,) = told(rules)
    assert line.startswith("2: approval.approvers: none of")


def test_a_rule_without_terms_is_warned_of_where_only_the_callers_own_person_is_left() -> None:
    """The usual terms hold there: one person, and not the caller's own."""
    (line,) = told("tools:\n  pay: {action: require_approval}\n", (ANA, CY))
    assert line.startswith("2: tools.pay: a call of token:ana-agent is never approved")


def test_what_a_server_asks_of_its_client_cannot_wait_for_people() -> None:
    """It would be denied, which the rule may say."""
    (line,) = told("methods:\n  sampling/createMessage: {action: require_approval}\n", (BO,))
    assert "2: methods.sampling/createMessage.action: nobody can be asked" in line


def test_terms_that_no_rule_uses_are_told() -> None:
    """A file that holds nothing needs none."""
    (line,) = told("approval: {count: 2}\ntools: {pay: {}}\n")
    assert "1: approval: has no effect" in line


def test_a_grant_that_never_stands_is_told() -> None:
    """A tool of critical risk is asked about each time."""
    rules = "tools:\n  wipe:\n    action: require_approval\n    approval: {standing: {max: 60}}\n"
    (line,) = told(rules, (BO,))
    assert "4: tools.wipe.approval.standing: has no effect" in line


def test_arguments_that_nobody_knows_may_be_there() -> None:
    """A tool that takes any, or that is not in the catalogue."""
    for tool in ("open", "wipe"):
        rules = (
            f"tools:\n  {tool}:\n    action: require_approval\n"
            "    approval: {standing: {max: 60, match: [/x]}}\n"
        )
        assert not [line for line in told(rules, (BO,)) if "no argument" in line]


def obj(**members: Any) -> dict[str, Any]:
    return at(3, type="object", value=[[text(key), value] for key, value in members.items()])


def element(**terms: Any) -> dict[str, Any]:
    return obj(code=text("c"), message=text("m"), approval=obj(**terms))


def listed(*groups: str) -> dict[str, Any]:
    return at(4, type="array", value=[text(group) for group in groups])


def test_terms_in_rego_are_read_as_far_as_they_stand_there() -> None:
    """Also where the element has a name first."""
    site = {"x.rego": module(rule("require_approval", key=element(approvers=listed("none"))))}
    (caution,) = of_rego(site, PEOPLE)
    assert str(caution).startswith("x.rego:4: `approval`: none of [[approvals.people]] is in")
    three = at(5, type="number", value=3)
    named = {
        "terms": [text("assign"), text("e"), element(approvers=listed("finance"), count=three)]
    }
    (caution,) = of_rego({"x.rego": module(rule("require_approval", named))}, PEOPLE)
    assert (caution.line, "no call is ever approved" in caution.message) == (5, True)


def test_what_rego_works_out_is_not_guessed_at() -> None:
    """Neither groups nor a count; and other sets have no terms."""
    computed = at(4, type="var", value="groups")
    for name, terms in (
        ("require_approval", {"approvers": computed}),
        ("require_approval", {"approvers": listed("finance"), "count": computed}),
        ("deny", {"approvers": listed("none")}),
    ):
        assert of_rego({"x.rego": module(rule(name, key=element(**terms)))}, (BO,)) == []
    assert of_rego({"x.rego": {"package": {"path": []}}}, PEOPLE) == []
