"""The rules of a server: what is not exactly a rule is refused, with the place and what was meant."""

from __future__ import annotations

import contextlib
import re
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pdp.errors import PolicyTextError
from pdp.rules.server_rules import ACTIONS, CATEGORIES, SCOPES, starter_rules, validate

CATALOGUE: dict[str, Any] = {
    "tools": {
        "read": {"definition": {"inputSchema": {}}},
        "write": {},
        "null": {"definition": {"inputSchema": None}},
    }
}
EVERYTHING = """\
shadow: true
default: hide
tools:
  read: {}
  write:
    action: require_approval
    reason: Ask first.
    rate_limit:
      - {max: 10, window: 60}
      - {max: 100, window: 3600, scope: principal, algorithm: sliding_log, cost: 2}
      - {max: 100000, window: 60, algorithm: gcra, burst: 50, shadow: true, on_store_error: local}
    arguments: {properties: {path: {type: string, pattern: "^/tmp/"}}, required: [path]}
categories:
  Execute: {rate_limit: {max: 1, window: 1, on_store_error: deny}, arguments: declared}
resources:
  "file:///srv/*": {}
  "file:///srv/secret/*": {action: hide}
  "mail://inbox": {action: require_approval, rate_limit: {max: 1, window: 60}}
prompts:
  greet: {arguments: {properties: {name: {maxLength: 40}}}}
methods:
  sampling/createMessage: {arguments: {properties: {maxTokens: {maximum: 100}}}}
  roots/list: {action: deny, reason: Not here.}
limits:
  - {name: everything, scope: global, max: 600, window: 60}
  - {name: at once, scope: server, algorithm: concurrency, max: 8, window: 300}
initialize: {max: 30, window: 60}
"""


def problems(text: str, catalogue: Any = None) -> list[str]:
    """What is wrong with the text, problem by problem."""
    with pytest.raises(PolicyTextError) as caught:
        validate(text, "data.yaml", catalogue)
    return str(caught.value).splitlines()


def rule(text: str) -> str:
    return f"tools:\n  read: {{{text}}}\n"


def test_everything_the_language_can_say_is_accepted() -> None:
    """And comes out as plain data, unchanged."""
    assert validate(EVERYTHING, "s", CATALOGUE) == yaml.safe_load(EVERYTHING)


@pytest.mark.parametrize("text", ["", "# nothing\n", "{}"])
def test_an_empty_file_has_no_rules(text: str) -> None:
    """Everything is then denied, which is no error."""
    assert validate(text, "s", None) == {}


@pytest.mark.parametrize("word", ["true", "false", "yes", "off"])
def test_a_server_is_in_shadow_or_not(word: str) -> None:
    """Whatever YAML reads as a flag, and nothing else: see `WRONG`."""
    found = validate(f"shadow: {word}\n", "s", None)
    assert found == {"shadow": word in {"true", "yes"}}


@pytest.mark.parametrize("action", ACTIONS)
def test_every_action_is_known(action: str) -> None:
    """Of a tool and as the default."""
    validate(f"default: {action}\n" + rule(f"action: {action}"), "s", None)


@pytest.mark.parametrize("category", CATEGORIES)
def test_every_category_is_known(category: str) -> None:
    """By its name in the catalogue."""
    validate(f"categories: {{{category}: {{action: deny}}}}", "s", None)


@pytest.mark.parametrize("scope", SCOPES)
def test_every_scope_is_known(scope: str) -> None:
    """Of a tool's limit and of a server's."""
    limit = f"max: 1, window: 1, scope: {scope}"
    validate(rule(f"rate_limit: {{{limit}}}") + f"limits: [{{name: n, {limit}}}]\n", "s", None)


WRONG = {
    "a list": ("[]", "1: must be a mapping"),
    "a section that is none": ("tool: {}", "1: tool: there is no key `tool` here; did you mean"),
    "a key that is none": (rule("acton: deny"), "2: tools.read.acton: there is no key `acton`"),
    "nothing like a key": (
        rule("zzz: 1"),
        "known are: action, approval, arguments, rate_limit, reason",
    ),
    "an action that is none": (rule("action: denny"), "tools.read.action: must be one of"),
    "a flag as an action": (rule("action: yes"), "must be one of"),
    "an empty rule": ("tools:\n  read:\n", "2: tools.read: is empty: write {}"),
    "a rule that is text": ("tools: {read: deny}", "tools.read: must be a mapping"),
    "tools that are a list": ("tools: [read]", "tools: must be a mapping"),
    "a reason for an allow": (rule("reason: Because."), "is `action` missing?"),
    "a reason without words": (rule('action: deny, reason: " "'), "must be a sentence"),
    "a limit that a denial makes void": (
        rule("action: deny, rate_limit: {max: 1, window: 1}"),
        "rate_limit: has no effect beside action: deny",
    ),
    "a check that hiding makes void": (
        rule("action: hide, arguments: {type: object}"),
        "arguments: has no effect beside action: hide",
    ),
    "a limit without max": (rule("rate_limit: {window: 1}"), "needs `max`"),
    "a limit without window": (rule("rate_limit: {max: 1}"), "needs `window`"),
    "a max of zero": (rule("rate_limit: {max: 0, window: 1}"), "from 1 to"),
    "a negative max": (rule("rate_limit: {max: -1, window: 1}"), "not -1"),
    "half a max": (rule("rate_limit: {max: 1.5, window: 1}"), "not 1.5"),
    "a max that is true": (rule("rate_limit: {max: true, window: 1}"), "not True"),
    "a max that is text": (rule("rate_limit: {max: '1', window: 1}"), "not '1'"),
    "a window in words": (rule("rate_limit: {max: 1, window: 1m}"), "whole number of seconds"),
    "a cost above the max": (
        rule("rate_limit: {max: 1, window: 1, cost: 2}"),
        "exceeds max (1), so that no call could ever pass",
    ),
    "no limits in a list": (rule("rate_limit: []"), "is empty: give a limit"),
    "a limit that is a number": (rule("rate_limit: 10"), "must be a mapping"),
    "a second limit that is wrong": (
        rule("rate_limit: [{max: 1, window: 1}, {max: 1, windw: 1}]"),
        "rate_limit.1.windw: there is no key `windw` here; did you mean `window`?",
    ),
    "a name on a tool's limit": (
        rule("rate_limit: {name: n, max: 1, window: 1}"),
        "there is no key `name`",
    ),
    "a scope that is none": (
        rule("rate_limit: {max: 1, window: 1, scope: sesion}"),
        "did you mean `session`?",
    ),
    "an algorithm that is none": (
        rule("rate_limit: {max: 1, window: 1, algorithm: fixed}"),
        "must be one of sliding_log, gcra",
    ),
    "a dead store's answer that is none": (
        rule("rate_limit: {max: 1, window: 1, on_store_error: alow}"),
        "must be one of deny, local, allow; did you mean `allow`?",
    ),
    "a shadow that is text": (
        rule("rate_limit: {max: 1, window: 1, shadow: 'true'}"),
        "must be one of true, false",
    ),
    "a shadow that is a number": (
        rule("rate_limit: {max: 1, window: 1, shadow: 1}"),
        "must be one of true, false",
    ),
    "a server's shadow that is text": (
        "default: deny\nshadow: 'true'",
        "2: shadow: must be one of",
    ),
    "a server's shadow that is a number": ("shadow: 1", "must be one of true, false"),
    "a server's shadow that is nothing": ("shadow:", "must be one of true, false"),
    "a shadow of a single rule": (rule("shadow: true"), "there is no key `shadow`"),
    "a misspelt shadow": ("shadwo: true", "did you mean `shadow`?"),
    "a burst of a log": (
        rule("rate_limit: {max: 2, window: 1, burst: 1}"),
        "burst: has no effect without algorithm: gcra",
    ),
    "a burst above the max": (
        rule("rate_limit: {max: 2, window: 1, algorithm: gcra, burst: 3}"),
        "burst: exceeds max (2)",
    ),
    "a cost above the burst": (
        rule("rate_limit: {max: 9, window: 1, algorithm: gcra, burst: 2, cost: 3}"),
        "cost: exceeds burst (2), so that no call could ever pass",
    ),
    "a log that is too long": (
        rule("rate_limit: {max: 10001, window: 1}"),
        "from 1 to 10000, not 10001",
    ),
    "limits without a name": ("limits: [{max: 1, window: 1}]", "limits.0: needs a name"),
    "a limit with too long a name": (
        f"limits: [{{name: {'n' * 513}, max: 1, window: 1}}]",
        "limits.0.name: is longer than 512 characters",
    ),
    "a tool that nobody can call": (
        f"tools:\n  ? {'n' * 8193}\n  : {{}}\n",
        "can never match: it is longer than 8192 characters",
    ),
    "limits that are a mapping": ("limits: {max: 1}", "limits: must be a list"),
    "two limits of one name": (
        "limits: [{name: n, max: 1, window: 1}, {name: n, max: 2, window: 1}]",
        "limits.1.name: two limits are called n",
    ),
    "a category that is none": ("categories: {Reed: {}}", "did you mean `Read`?"),
    "arguments that are a list": (rule("arguments: [a]"), "must be a JSON Schema, or the word"),
    "a word of a schema that is none": (
        rule("arguments: {properties: {a: {maxLenght: 1}}}"),
        "`maxLenght` checks nothing; did you mean `maxLength`?",
    ),
    "a schema that is none": (rule("arguments: {type: strng}"), "not a JSON Schema"),
    "a pattern that is none": (rule("arguments: {pattern: '('}"), "not a JSON Schema"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_no_rule_is_refused_with_its_place(case: str) -> None:
    """File, line, key, and what to do."""
    text, said = WRONG[case]
    found = problems(text)
    assert any(said in one for one in found), found
    assert all(one.startswith("data.yaml:") for one in found)


def test_all_problems_are_told_at_once() -> None:
    """A person mends them in one go."""
    assert len(problems("tools: {a: {acton: x}, b: {action: x}}\nlimit: []\n")) == 3


def test_a_tool_that_the_catalogue_does_not_know_is_refused() -> None:
    """A rule for a misspelt tool would silently protect nothing."""
    (found,) = problems("tools: {raed: {action: deny}}", CATALOGUE)
    assert "there is no such tool in the catalogue; did you mean `read`?" in found
    validate("tools: {raed: {action: deny}}", "s", None)


def test_declared_needs_a_schema_in_the_catalogue() -> None:
    """Where there is a catalogue; a server without one is checked when it is called."""
    validate(rule("arguments: declared"), "s", CATALOGUE)
    validate("tools: {write: {arguments: declared}}", "s", None)
    for tool in ("write", "'null'"):
        (found,) = problems(f"tools: {{{tool}: {{arguments: declared}}}}", CATALOGUE)
        assert "the catalogue holds no schema of this tool" in found


def test_the_starter_rules_are_rules() -> None:
    """Also with every example taken out of its comment."""
    text = starter_rules("files")
    assert validate(text, "s", None)["default"] == "deny"
    open_ = re.sub(r"(\w+): \{\}\n#", r"\1:\n#", text).replace("\n#  ", "\n  ")
    assert set(validate(open_, "s", None)["tools"]) == {
        "list_things",
        "create_thing",
        "delete_thing",
    }
    assert set(validate(open_, "s", None)) >= {"resources", "prompts", "methods"}


@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3)
    | st.sampled_from([*ACTIONS, "declared"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(
        st.sampled_from(["tools", "limits", "default", "action", "rate_limit", "arguments", "read"])
        | st.text(max_size=3), inner, max_size=3),
    max_leaves=12,
))  # fmt: skip
def test_whatever_is_written_is_rules_or_a_clear_refusal(value: Any) -> None:
    """No other exception, and no rule whose keys are unknown."""
    with contextlib.suppress(PolicyTextError):
        found = validate(yaml.safe_dump(value), "data.yaml", None)
        assert set(found) <= {"default", "tools", "categories", "limits"}


def test_the_budget_of_initialize_is_a_limit_without_a_name() -> None:
    """And as strict as any."""
    (found,) = problems("initialize: {max: 0, window: 1}")
    assert found.startswith("data.yaml:1: initialize.max: must be a whole number")
    (found,) = problems("initialize: {name: x, max: 1, window: 1}")
    assert "there is no key `name` here" in found


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("resources: {readme: {}}", "must be a URI"),
        ('resources: {"file:///*/x": {}}', "at the end only"),
        ('resources: {"file:///a/../b": {}}', "can never match"),
        ('resources: {"file:///a/%2e%2e/*": {}}', "can never match"),
        ('resources: {"FILE:/a/*": {}}', "write `file:///a/*`"),
        ('prompts: {"greet ": {}}', "can never match: write `greet`"),
        ('prompts: {"gre\u00adet": {}}', "can never match: write `greet`"),
        ('tools: {"wipe ": {action: deny}}', "can never match: write `wipe`"),
        ('resources: {"file:///a b": {}}', "percent-encoded"),
        ('resources: {"a:1": {arguments: {}}}', "no arguments here"),
        ("prompts: {greet: {arguments: declared}}", "only tools declare"),
        ('prompts: {"": {}}', "is empty"),
        ("methods: {sampling/createMesage: {}}", "did you mean `sampling/createMessage`?"),
        ("methods: {ping: {action: deny}}", "no such method that rules can name"),
        ("methods: {roots/list: {action: hide}}", "cannot be hidden"),
        ("methods: {tools/list: {arguments: {}}}", "no arguments here"),
        ("methods: {roots/list: }", "is empty"),
    ],
)
def test_rules_of_resources_prompts_and_methods_are_held_to_what_they_can_mean(
    text: str, problem: str
) -> None:
    """The same words as for tools, where they have a meaning."""
    assert any(problem in one for one in problems(text)), problems(text)
