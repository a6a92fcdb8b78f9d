"""Starter rules load, say what the preset says, and hold still under hostile names."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdp.rules.server_rules import validate
from pdp.rules.yaml_lines import load
from tests.surveyed import FILES, POISONED, STRANGERS, catalogue, sign, tool
from tipstaff.survey.model import Category, Risk
from tipstaff.survey.starter.presets import Preset, ruling
from tipstaff.survey.starter.quoting import key
from tipstaff.survey.starter.rules import Surveyed, judged, ordered, rules

DEEP: Any = {"type": "object"}
for _ in range(3000):
    DEEP = {"properties": {"a": DEEP}}
APPROVALS = "waits until a person has answered"


def loaded(tools: Any, preset: Preset = Preset.RECOMMENDED) -> dict[str, Any]:
    """The rules as the decision service takes them."""
    return validate(rules("files", tools, preset), "data.yaml", catalogue(tools))


def comments(text: str) -> str:
    """All comment text, unwrapped."""
    return " ".join(line.strip().lstrip("# ") for line in text.splitlines() if "#" in line)


def test_the_recommended_rules_let_in_what_is_harmless_and_ask_for_the_rest() -> None:
    """A new tool waits until somebody has looked."""
    found = loaded(FILES)
    ask = {"max": 5, "window": 60, "scope": "principal"}
    assert found["default"] == "deny"
    assert found["tools"]["list_files"] == {}
    assert found["tools"]["read_mail"] == {"rate_limit": {"max": 60, "window": 60}}
    assert found["tools"]["write_file"] == {
        "rate_limit": {"max": 30, "window": 60},
        "arguments": "declared",
    }
    assert found["tools"]["click"]["rate_limit"]["max"] == 20
    for name in ("run", "wipe", "pay"):
        rule = found["tools"][name]
        assert rule.pop("reason").endswith("a person must approve the call first.")
        assert rule == {
            "action": "require_approval",
            "rate_limit": ask,
            "arguments": "declared",
        }
    assert found["limits"] == [
        {"name": "everything", "scope": "principal", "max": 600, "window": 60}
    ]


def test_the_strict_rules_deny_what_cannot_be_undone() -> None:
    """With a reason that the agent reads."""
    found = loaded(FILES, Preset.STRICT)
    assert found["tools"]["wipe"] == {
        "action": "deny",
        "reason": "Agents delete nothing on this server.",
    }
    assert found["tools"]["pay"]["action"] == "deny"
    assert found["tools"]["click"]["action"] == "require_approval"
    assert found["default"] == "deny"


def test_what_is_observed_is_only_recorded() -> None:
    """The file says so at its top, and lets everything in."""
    found = loaded(FILES, Preset.OBSERVE)
    assert found["shadow"] is True
    assert found["default"] == "allow"
    assert found["tools"] == loaded(FILES)["tools"]
    assert APPROVALS not in comments(rules("files", FILES, Preset.OBSERVE))


def test_a_server_may_ask_for_the_clients_folders_and_for_nothing_else() -> None:
    """A server of files that is started without a folder has none else; the strict rules say so."""
    for preset in (Preset.RECOMMENDED, Preset.OBSERVE):
        assert loaded(FILES, preset)["methods"] == {"roots/list": {}}
    assert loaded(FILES, Preset.STRICT)["methods"] == {}
    assert "needs `roots/list: {}` here" in comments(rules("files", FILES, Preset.STRICT))


@pytest.mark.parametrize("preset", Preset)
def test_a_server_without_tools_has_rules_that_load(preset: Preset) -> None:
    """Also one whose only tool cannot be named."""
    assert loaded((), preset)["tools"] == {}
    assert loaded((tool("\ud800"),), preset)["tools"] == {}


def test_tools_stand_in_the_order_of_danger_and_then_of_names() -> None:
    """A person reads from what is harmless to what is not."""
    text = rules("files", reversed(FILES), Preset.RECOMMENDED)  # type: ignore[arg-type]
    assert text == rules("files", FILES, Preset.RECOMMENDED)
    names = list(load(text, "s").value["tools"])
    assert names == ["list_files", "read_mail", "write_file", "click", "run", "wipe", "pay"]
    headings = [line for line in text.splitlines() if "==" in line]
    assert [line.split()[2] for line in headings] == [one.value for one in Category]
    assert "# == Execute (2): " in text


def test_what_comes_of_an_approval_is_said_where_one_is_wanted() -> None:
    """Whoever reads the rules sees how such a call goes on."""
    text = rules("files", FILES, Preset.RECOMMENDED)
    for part in text.split("  # == ")[1:]:
        assert (APPROVALS in comments(part)) == ("require_approval" in part)
    assert "tipstaff approvals grant" in comments(text)


def test_above_a_tool_stands_what_it_was_found_to_be() -> None:
    """Category, risk, how sure, why, and what it is open to."""
    one = tool("list_files", rationale="Lists what is there.", attacks=("exfiltration", "spoofing"))
    text = comments(rules("files", [one], Preset.RECOMMENDED))
    assert "Lists what is there. 90% sure." in text
    assert "Open to: exfiltration, spoofing." in text
    unsure = comments(rules("files", [tool("a", sure=0.4)], Preset.RECOMMENDED))
    assert "40% sure: look at it. " in unsure


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        (None, "the tool declares none"),
        ("text", "what it declares is no JSON object"),
        (True, "what it declares is no JSON object"),
        ({"type": "strng"}, "the one that it declares cannot be used ("),
        ({"$ref": "https://elsewhere.example/s"}, "the one that it declares cannot be used ("),
        ({"properties": {"a": {"pattern": "("}}}, "the one that it declares cannot be used ("),
        ({"title": "\ud800"}, "the one that it declares cannot be used ("),
        (DEEP, "the one that it declares "),
    ],
)
def test_a_schema_that_cannot_be_held_is_not_demanded(schema: Any, said: str) -> None:
    """Every call would be denied by it; the comment says why it is not."""
    one = tool("write_file", Category.WRITE, Risk.MEDIUM, schema=schema)
    assert "arguments" not in loaded([one])["tools"]["write_file"]
    text = rules("files", [one], Preset.RECOMMENDED)
    assert f"Its arguments are held against no schema: {said}" in comments(text)


def test_a_word_of_the_schema_that_checks_nothing_is_named() -> None:
    """The rest of the schema holds."""
    one = tool("a", Category.WRITE, schema={"properties": {"b": {"nullable": True}}})
    assert loaded([one])["tools"]["a"]["arguments"] == "declared"
    assert "In its schema `nullable` checks nothing." in rules("f", [one], Preset.RECOMMENDED)


@pytest.mark.parametrize("preset", Preset)
def test_a_tool_with_a_sign_begins_hidden(preset: Preset) -> None:
    """Whatever a call of it would do: what it is about is that a model reads its definition."""
    rule = loaded([*FILES, POISONED], preset)["tools"]["read_note"]
    assert rule.pop("reason").startswith("Its definition has warning signs")
    assert rule == {"action": "hide"}
    text = comments(rules("files", [POISONED], preset))
    assert (
        "Warning sign: instructions to model at description, character 4: “do not tell the user”. "
        "It speaks to the model." in text
    )


def test_the_comment_of_a_hidden_tool_says_what_to_do() -> None:
    """And, where nothing is enforced, that it is not hidden."""
    for preset in (Preset.RECOMMENDED, Preset.STRICT):
        text = comments(rules("files", [POISONED], preset))
        assert "So it begins hidden: no model reads its definition" in text
        assert "write the rule that you want in place of this one" in text
    text = comments(rules("files", [POISONED], Preset.OBSERVE))
    assert "begins hidden" not in text
    assert "models do read its definition" in text


@pytest.mark.parametrize(
    ("kind", "action"),
    [
        ("same_name", "allow"),
        ("oversized_text", "allow"),
        ("lookalike_name", "hide"),
        ("duplicate_name", "hide"),
        ("unread_text", "hide"),
        ("hidden_characters", "hide"),
    ],
)
def test_a_slip_hides_a_tool_only_where_a_model_would_fall_for_it(kind: str, action: str) -> None:
    """A long text was read to its end; a name that is taken for another does harm in the list itself."""
    one = tool("list_files", signs=(sign(kind),))
    assert loaded([one])["tools"]["list_files"].get("action", "allow") == action
    said = "Warning sign: " in comments(rules("files", [one], Preset.RECOMMENDED))
    assert said == (kind != "same_name")


def test_many_signs_are_counted_and_those_that_hide_a_tool_come_first() -> None:
    """A server that trips every alarm does not bury the rules."""
    one = tool(
        "a", signs=(*[sign("oversized_text", f"long {at}") for at in range(4)], sign("padding"))
    )
    text = comments(rules("files", [one], Preset.RECOMMENDED))
    assert text.count("Warning sign: ") == 3
    assert text.index("Warning sign: padding") < text.index("Warning sign: oversized text")
    assert "There are 5 signs in all" in text


def test_of_two_tools_by_one_name_the_poisoned_one_is_ruled() -> None:
    """Also where the other does more."""
    twice = [tool("read_note", Category.DESTRUCTIVE, Risk.CRITICAL), POISONED]
    for tools in (twice, twice[::-1]):
        assert loaded(tools)["tools"]["read_note"]["action"] == "hide"


def test_a_name_by_no_grammar_is_quoted_and_said_to_be_refused() -> None:
    """It stands there all the same: the server's section may let it in."""
    text = rules("files", [tool("read files: all")], Preset.RECOMMENDED)
    assert '\n  "read files: all": {}\n' in text
    assert 'unless the server\'s section says tool_names = "any".' in comments(text)
    assert "tool_names" not in rules("files", [tool("read")], Preset.RECOMMENDED)


def test_a_tool_that_no_key_can_name_is_told_of_and_left_to_the_default() -> None:
    """Twenty of them by name; a list without an end would be a way to hide the rest."""
    tools = [tool("\ud800"), tool(""), tool("x" * 5000), tool("read")]
    assert set(loaded(tools)["tools"]) == {"read"}
    text = comments(rules("files", tools, Preset.RECOMMENDED))
    assert 'so `default` decides: "", "' in text
    assert '"\\u{d800}"' in text
    many = [tool("\ud800" + str(number)) for number in range(23)]
    assert "and 3 more." in comments(rules("files", many, Preset.RECOMMENDED))


def test_of_two_tools_by_one_name_the_more_dangerous_is_ruled() -> None:
    """A server that lists a name twice gains nothing by it, and the file loads."""
    twice = [tool("a"), tool("a", Category.DESTRUCTIVE), tool("a", Category.WRITE)]
    for tools in (twice, twice[::-1]):
        assert loaded(tools)["tools"]["a"]["action"] == "require_approval"
    assert [one.classification.category for one in ordered(twice)] == [Category.DESTRUCTIVE]


def test_what_a_rule_demands_is_what_the_preset_says() -> None:
    """But for a schema that cannot be held."""
    one = tool("write_file", Category.WRITE, schema=None)
    assert not judged(one, Preset.RECOMMENDED).declared
    assert ruling(Preset.RECOMMENDED, one.classification).declared
    assert judged(FILES[3], Preset.RECOMMENDED).declared


@given(STRANGERS, st.sampled_from(Preset))
def test_whatever_a_server_calls_its_tools_the_rules_load_and_say_the_preset(
    tools: list[Surveyed], preset: Preset
) -> None:
    """One rule for each tool that a key can name, no key that is none of ours, no line too long."""
    text = rules("files", tools, preset)
    text.encode()
    found = validate(text, "data.yaml", catalogue(tools))
    sections = {"default", "tools", "resources", "prompts", "methods", "limits"}
    assert set(found) - {"shadow"} == sections
    assert set(found["tools"]) == {one.name for one in tools if key(one.name)}
    for one in ordered(tools):
        if key(one.name):
            says = judged(one, preset)
            assert found["tools"][one.name].get("action", "allow") == says.action
            assert ("arguments" in found["tools"][one.name]) == says.declared
    comments = [line for line in text.splitlines() if line.lstrip().startswith("#")]
    assert all(len(line) <= 100 for line in comments)
