"""A person's rules stay theirs when the server is registered again."""

from __future__ import annotations

import random
import re
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pdp.errors import PolicyTextError
from pdp.rules.server_rules import validate
from pdp.rules.yaml_lines import load
from tests.surveyed import FILES, POISONED, STRANGERS, catalogue, tool
from tipstaff.survey.model import Category
from tipstaff.survey.starter.merge import diff, merged
from tipstaff.survey.starter.presets import Preset
from tipstaff.survey.starter.quoting import key
from tipstaff.survey.starter.rules import Surveyed, blocks, rules

EDITED = """\
# Ours since March.
default: deny

tools:
    list_files: {}     # harmless
    # Asked for by Ann.
    read_mail:
        action: deny
        reason: >-
            Not our
            business.

    wipe: {action: deny}
    # more to come

limits:
  - {name: everything, scope: principal, max: 60, window: 60}
"""
NEW = (tool("write_file", Category.WRITE), tool("drop", Category.DESTRUCTIVE))


def again(text: str, new: Any = (), gone: Any = (), preset: Preset = Preset.RECOMMENDED) -> Any:
    return merged(text, new, gone, preset, "files")


def test_rules_of_new_tools_are_put_behind_the_last_one_as_the_file_is_indented() -> None:
    """With their comments; every other byte stays."""
    found = again(EDITED, NEW)
    assert (found.added, found.commented_out, found.why) == (("write_file", "drop"), (), "")
    before, _, after = found.text.partition("\n    # New on the server")
    assert before + after[after.index("    # more to come") :] == EDITED
    assert "\n    write_file:\n      rate_limit: {max: 30, window: 60}\n" in after
    assert "\n    # Its name says so. 90% sure." in after
    assert "tipstaff approvals list" in after
    assert list(load(found.text, "s").value["tools"])[-2:] == ["write_file", "drop"]


def test_rules_of_tools_that_have_gone_become_comments_with_their_text() -> None:
    """To take the marks out again gives the old rule."""
    found = again(EDITED, (), {"read_mail", "never_ruled"})
    assert found.commented_out == ("read_mail",)
    assert found.text == EDITED.replace(
        """\
    read_mail:
        action: deny
        reason: >-
            Not our
            business.
""",
        """\
    # No longer on the server when it was registered again; its rule was:
    # read_mail:
    #     action: deny
    #     reason: >-
    #         Not our
    #         business.
""",
    )


def test_a_file_whose_last_rules_go_says_that_there_are_none() -> None:
    """`tools:` with nothing below it would not load."""
    found = again(EDITED, (), {"read_mail", "list_files", "wipe"})
    assert validate(found.text, "s", {"tools": {}})["tools"] == {}
    assert "\ntools: {}\n" in found.text
    assert "    # list_files: {}     # harmless\n" in found.text


def test_a_tool_that_has_a_rule_already_keeps_it() -> None:
    """Somebody has looked at it before it was registered."""
    found = again(EDITED, [tool("wipe", Category.DESTRUCTIVE), tool("extra")])
    assert found.added == ("extra",)
    assert load(found.text, "s").value["tools"]["wipe"] == {"action": "deny"}


def test_nothing_new_and_nothing_gone_changes_nothing() -> None:
    """Also in a file that could not be edited."""
    for text in (EDITED, "tools: {a: {}}", "", "a: ["):
        assert again(text).text == text
    assert again(EDITED, [tool("\ud800"), tool("wipe")], {"other"}).text == EDITED
    assert again("{tools: {a: {}}}", [tool("a")]).why == ""


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# nothing\n",
        "default: deny",
        "default: deny\r\n",
        "tools: {}\n",
        "tools: {}",
        "tools:   {}   # none yet\n#  list: {}\ndefault: deny\n",
        '"tools": {}\n',
        "tools:\n  a: {}",
        "tools:\n  a: {}\n\n\n",
        "tools:\n  a: {} # last\nlimits: []\n",
        "tools:\n  a:\n    action: deny\n    reason: |\n      Line.\n\n      Line.\n\n\nlimits: []\n",
        "tools:\n  a:\n    action: deny\n    reason: |+\n      Kept.\n\n\n# end\nlimits: []\n",
        "tools:\n  a:\n    action: deny\n    reason: two\n      lines\n  # end\n",
        "tools:\n  a:\n    rate_limit:\n    - max: 1\n      window: 1\n    - {max: 2,\n   window: 9}\n",
        "tools:\n  ? a\n  : {}\n",
        "---\ntools:\n a: {}\n",
        "\ufefftools:\n  a: {}\n",
        "  default: deny\n  tools:\n    a: {}\n",
        "tools:\r\n  a: {}\r\ndefault: deny\r\n",
        "# tools:\n#   b: {}\ntools:\n  a: {}\n",
    ],
)
def test_a_file_by_lines_is_edited_however_it_is_written(text: str) -> None:
    """It says what it said, and the new rules; whole old lines are all still there, in order."""
    old = validate(text, "s", None)
    found = again(text, NEW)
    assert found.why == ""
    value = validate(found.text, "s", None)
    assert {name: rule for name, rule in value["tools"].items() if name == "a"} == old.get(
        "tools", {}
    )
    assert set(value["tools"]) == {*old.get("tools", {}), "write_file", "drop"}
    assert {**value, "tools": {}} == {**old, "tools": {}}
    assert found.text.count("\r\n") in {0, found.text.count("\n")}
    assert survives(text, found.text)


@pytest.mark.parametrize(
    "text",
    [
        "tools: {a: {}}\n",
        "{default: deny}\n",
        "{}\n",
        "tools: {\n  # none\n}\n",
        "default: deny\n...\n",
        "tools: &all\n  a: {}\n",
        "tools: []\n",
        "tools:\n",
        "- a\n",
        "a: [\n",
        "a: \x00",
        "tools:\n  a: {}\n  a: {}\n",
    ],
)
def test_a_file_that_cannot_be_edited_stays_and_the_rules_come_beside_it(text: str) -> None:
    """Never a guess: a person pastes them."""
    found = again(text, NEW, {"gone"})
    assert found.text == text
    assert (found.added, found.commented_out) == ((), ())
    assert found.why
    assert found.snippets == tuple(blocks(NEW, Preset.RECOMMENDED))
    pasted = load("tools:\n" + "".join(found.snippets), "s").value
    assert list(pasted["tools"]) == ["write_file", "drop"]


def test_rules_of_tools_that_have_gone_are_named_where_they_cannot_be_taken_out() -> None:
    """They do not load any more; a person takes them out."""
    found = again("tools: {a: {}, b: {}}\n", (), {"a", "c"})
    assert (found.standing, found.why) == (
        ("a",),
        "the tools are written in braces, not line by line",
    )


def test_starter_rules_take_new_tools_too() -> None:
    """Registered today, and again tomorrow, by another preset or the same."""
    for preset in (Preset.RECOMMENDED, Preset.STRICT):
        found = again(rules("files", FILES, preset), NEW, {"wipe"}, Preset.STRICT)
        assert (found.why, found.commented_out) == ("", ("wipe",))
        known = catalogue([*FILES, *NEW])
        del known["tools"]["wipe"]
        assert validate(found.text, "s", known)["tools"].keys() == known["tools"].keys()


def test_what_comes_of_approvals_is_said_where_rules_are_enforced() -> None:
    """By the file, not by the preset that new rules are made by."""
    enforced = "tipstaff approvals list"
    assert enforced in again("default: deny\n", NEW, (), Preset.OBSERVE).text
    assert enforced not in again("shadow: true\n", NEW).text
    assert enforced not in again("default: deny\n", NEW[:1]).text


def test_a_new_tool_with_a_sign_is_hidden_and_its_comment_says_whether_that_is_enforced() -> None:
    """By the file, too."""
    for start, preset, says in (
        ("default: deny\n", Preset.OBSERVE, "begins hidden"),
        ("shadow: true\n", Preset.STRICT, "Nothing here is enforced"),
    ):
        text = again(start, [POISONED], (), preset).text
        assert says in text
        assert yaml.safe_load(text)["tools"]["read_note"]["action"] == "hide"


def test_a_diff_shows_the_lines_that_change() -> None:
    """And nothing where nothing does."""
    assert diff("a\nb\n", "a\nb\n") == ""
    assert diff("a\nb\n", "a\nc\n") == "--- before\n+++ after\n@@ -1,2 +1,2 @@\n a\n-b\n+c"


def survives(old: str, new: str) -> bool:
    """Whether each line of `old` is in `new`, in order, as it was or as a comment."""
    lines = iter(new.splitlines())
    return all(
        any(one in {line, line.replace("# ", "", 1)} for line in lines)
        for one in old.splitlines()
        if not re.search(r"tools\W*:", one)
    )


RULE = st.fixed_dictionaries(
    {},
    optional={
        "rate_limit": st.lists(
            st.fixed_dictionaries({"max": st.integers(1, 9), "window": st.integers(1, 9)}),
            min_size=1,
            max_size=2,
        ),
        "arguments": st.just("declared")
        | st.fixed_dictionaries({"description": st.text(max_size=20).filter(str.strip)}),
    },
) | st.fixed_dictionaries(
    {"action": st.just("deny"), "reason": st.text("ab \n#:é", max_size=20).filter(str.strip)}
)
NAMES = st.text("ab:# é\n", min_size=1, max_size=4) | st.sampled_from(["read", "wipe", "no", "1"])
FILE = st.fixed_dictionaries(
    {},
    optional={
        "default": st.sampled_from(["deny", "hide"]),
        "tools": st.dictionaries(NAMES, RULE, max_size=4),
        "limits": st.just([{"name": "n", "max": 1, "window": 1}]),
        "resources": st.dictionaries(
            st.just("file:///a*"), RULE.filter(lambda one: "arguments" not in one)
        ),
    },
)


def written(value: Any, seed: int) -> str:
    """Some way of writing `value` as YAML."""
    chance = random.Random(seed)
    text: str = yaml.safe_dump(
        value,
        indent=chance.choice([2, 3, 7]),
        width=chance.choice([5, 30, 400]),
        default_flow_style=chance.choice([False, False, None]),
        default_style=chance.choice([None, None, '"', "'", "|"]),
        allow_unicode=chance.choice([True, False]),
        sort_keys=chance.choice([True, False]),
        explicit_start=chance.choice([True, False, False]),
    )
    lines = text.splitlines(keepends=True)
    if chance.random() < 0.5:
        lines = [
            line + chance.choice(["", "", "# note\n", "\n", "        # far\n"]) for line in lines
        ]
    text = "".join(lines)
    if chance.random() < 0.3:
        text = text.removesuffix("\n")
    return text.replace("\n", "\r\n") if chance.random() < 0.2 else text


@given(FILE, st.integers(0, 10**6), STRANGERS, st.data())
def test_whatever_the_file_says_it_goes_on_saying_it(
    value: dict[str, Any], seed: int, new: list[Surveyed], data: st.DataObject
) -> None:
    """With the new rules and without those that have gone, or untouched with the rules beside it."""
    text = written(value, seed)
    try:
        old = validate(text, "s", None)
    except PolicyTextError:
        old = None
    ruled = list((old or value).get("tools", {}))
    gone = set(data.draw(st.lists(st.sampled_from(ruled))) if ruled else [])
    new = [one for one in new if one.name not in gone]
    found = again(text, new, gone)
    assert found.text == text if found.why else survives(text, found.text)
    if found.why or old is None:
        return
    kept = {name: rule for name, rule in old.get("tools", {}).items() if name not in gone}
    value = validate(found.text, "s", None)
    tools = value.get("tools", {})
    assert {**value, "tools": {}} == {**old, "tools": {}}
    assert {name: rule for name, rule in tools.items() if name in kept} == kept
    assert set(found.added) == set(tools) - set(kept)
    assert set(tools) == set(kept) | {one.name for one in new if key(one.name)}
    assert set(found.commented_out) == gone
