"""The JSON Schema of `data.yaml` that editors use, and the loader, agree; so do the reference pages."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pdp.api.methods import METHODS
from pdp.errors import PolicyTextError
from pdp.rules import rule_keys
from pdp.rules.checks import KEYWORDS
from pdp.rules.server_rules import starter_rules, validate
from tests.commands import run
from tests.surveyed import FILES
from tests.test_docs import ROOT, blocks
from tipstaff import schemas
from tipstaff.lint.server_rules import cautions
from tipstaff.survey.starter import rules as starter
from tipstaff.survey.starter.presets import Preset

SCHEMA = json.loads(schemas.DATA_YAML.read_text(encoding="utf-8"))
VALIDATOR = jsonschema_rs.Draft202012Validator(SCHEMA)
# What only the loader can say: how values go together, how names are spelled, whether a schema can be held.
ONLY_THE_LOADER = (
    "exceeds max", "exceeds burst", "two limits are called", "not a JSON Schema", "can never match",
    "must be a URI, or its beginning", "a * stands at the end only", "not 1.0",
)  # fmt: skip

# What may come into a document in one place: words, numbers at the edges of what is allowed, odd shapes.
VALUES: list[Any] = [
        None, True, False, -1, 0, 1, 2, 10_000, 10_001, 1_000_000, 1_000_001, 31_622_400, 31_622_401, 0.5, 1.0,
        "", " ", "x", "declared", "^a$", "(", "string", "strng", "a", "x" * 513,
        *rule_keys.ACTIONS, *rule_keys.SCOPES, *rule_keys.ALGORITHMS, *rule_keys.ON_STORE_ERROR, *rule_keys.NOTES,
        [], [1], ["a"], ["a", "a"], ["string", "null"], {}, {"a": {}}, {"type": "strng"}, {"patern": "a"},
        [{"max": 1, "window": 1}], {"max": 1, "window": 1},
]  # fmt: skip
WORDS = ["nokey", "", "a", "Read", "Writ", "file:///a/*", "no uri", *METHODS, *KEYWORDS]
WORDS += [*rule_keys.SERVER_KEYS, *rule_keys.RULE_KEYS, *rule_keys.LIMIT_KEYS]
WORDS += [*rule_keys.APPROVAL_KEYS, *rule_keys.STANDING_KEYS]
ANYTHING, NAMES = st.sampled_from(VALUES), st.sampled_from(WORDS)
LIMIT = st.one_of(
    st.fixed_dictionaries(
        {"max": st.sampled_from([1, 10_000]), "window": st.just(60)},
        optional={"scope": st.sampled_from(list(rule_keys.SCOPES)), "shadow": st.booleans()},
    ),
    st.just({"max": 1_000_000, "window": 31_622_400, "algorithm": "gcra", "burst": 5, "cost": 5}),
    st.just({"max": 3, "window": 1, "algorithm": "concurrency", "on_store_error": "local"}),
)
ARGUMENTS = st.sampled_from(
    [
        {"properties": {"a": {"type": "string", "pattern": "^a$", "minLength": 1}}, "required": ["a"]},
        {"anyOf": [{"required": ["a"]}, {"not": {"type": ["object", "null"]}}], "additionalProperties": False},
        {"properties": {"a": {"items": {"enum": [1]}, "minItems": 1, "uniqueItems": True}}, "maxProperties": 3},
        {},
    ]
)  # fmt: skip


def rule(*, arguments: st.SearchStrategy[Any] | None, hide: bool = True) -> st.SearchStrategy[Any]:
    """A rule of each kind: one that lets a call go on, and one that refuses it."""
    demands = {"rate_limit": LIMIT | st.lists(LIMIT, min_size=1, max_size=2)}
    demands |= {"arguments": arguments} if arguments is not None else {}
    refusals = ["deny", "hide"] if hide else ["deny"]
    return st.one_of(
        st.fixed_dictionaries({}, optional=demands),
        st.fixed_dictionaries({"action": st.just("require_approval")}, optional={**demands, "reason": st.just("No.")}),
        st.fixed_dictionaries({"action": st.sampled_from(refusals)}, optional={"reason": st.just("No.")}),
    )  # fmt: skip


def rules(names: list[str], kind: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.dictionaries(st.sampled_from(names), kind, max_size=2)


WITH, WITHOUT = (
    [name for name, has in METHODS.items() if has is wanted] for wanted in (True, False)
)
RIGHT = st.fixed_dictionaries(
    {},
    optional={
        "shadow": st.booleans(),
        "default": st.sampled_from(list(rule_keys.ACTIONS)),
        "tools": rules(["read", "write file"], rule(arguments=ARGUMENTS | st.just("declared"))),
        "categories": rules(list(rule_keys.CATEGORIES), rule(arguments=st.just("declared"))),
        "resources": rules(["file:///a/*", "mail:x"], rule(arguments=None)),
        "prompts": rules(["greet"], rule(arguments=ARGUMENTS)),
        "methods": rules(WITH, rule(arguments=ARGUMENTS, hide=False))
        | rules(WITHOUT, rule(arguments=None, hide=False)),
        "limits": st.lists(LIMIT, max_size=2).map(
            lambda limits: [{"name": f"n{at}", **limit} for at, limit in enumerate(limits)]
        ),
        "initialize": LIMIT,
    },
)


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every container in it with each of its keys."""
    inner = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, part in inner:
        yield value, key
        yield from places(part)


@st.composite
def documents(draw: st.DrawFn) -> Any:
    """What is right, with nothing or with one thing in it changed: put in place, taken away, added."""
    document = json.loads(json.dumps(draw(RIGHT)))
    spots = list(places(document))
    if not spots or draw(st.booleans()) is False:
        return document
    within, key = draw(st.sampled_from(spots))
    how = draw(st.sampled_from(["value", "value", "key", "gone"]))
    if how == "gone":
        del within[key]
    elif how == "key" and isinstance(within, dict):
        within[draw(NAMES)] = draw(ANYTHING)
    else:
        within[key] = draw(ANYTHING)
    return document


def problems(document: Any) -> list[str]:
    """What the loader says."""
    try:
        validate(json.dumps(document), "data.yaml", None)
    except PolicyTextError as error:
        return str(error).splitlines()
    return []


def check_agreement(document: Any) -> None:
    listed = problems(document)
    told = [line for line in listed if not any(words in line for words in ONLY_THE_LOADER)]
    if VALIDATOR.is_valid(document):
        assert told == [], document
    else:
        assert listed, (document, next(iter(VALIDATOR.iter_errors(document))).message)


@settings(max_examples=300)
@given(documents())
@example(None)
@example([])
@example({"limits": [{"name": "a", "max": 1, "window": 1}] * 2})
def test_a_document_is_right_for_the_schema_exactly_when_it_is_for_the_loader(
    document: Any,
) -> None:
    """As far as a schema can say; what only the loader sees is listed."""
    check_agreement(document)


SMALL = {"max": 1, "window": 60}
SCHEMAS = {
    "properties": {"a": {"type": "string", "pattern": "^a$", "minLength": 1}},
    "required": ["a"],
    "anyOf": [{"not": {"items": {"enum": [1]}}}],
    "multipleOf": 2,
    "uniqueItems": True,
}
EACH: tuple[Any, ...] = (
    {"shadow": True, "default": "deny", "initialize": SMALL},
    {
        "limits": [
            {"name": "n", **SMALL, "scope": "tool", "shadow": False, "on_store_error": "deny"}
        ]
    },
    {"limits": [{"name": "n", **SMALL, "algorithm": "gcra", "burst": 1, "cost": 1}]},
    {"tools": {"a": {"rate_limit": SMALL, "arguments": "declared"}}},
    {"tools": {"a": {"action": "require_approval", "reason": "No.", "rate_limit": [SMALL]}}},
    {"tools": {"a": {"action": "deny", "reason": "No."}}},
    {"tools": {"a": {"arguments": SCHEMAS}}},
    {"categories": {"Read": {"arguments": "declared"}}},
    {"resources": {"mail:x": {"action": "hide"}}},
    {"resources": {"mail:x": {"rate_limit": SMALL}}},
    {"prompts": {"a": {"action": "hide"}}},
    {"prompts": {"a": {"arguments": {"required": ["a"]}}}},
    {"methods": {"tools/call": {"action": "deny"}, "tools/list": {"action": "deny"}}},
    {"methods": {"tools/call": {"arguments": {"required": ["a"]}}}},
)


@pytest.mark.parametrize("document", EACH, ids=json.dumps)
def test_no_single_change_is_right_for_one_of_them_alone(document: Any) -> None:
    """Every value in every place, every place taken away, every word added to every mapping."""
    check_agreement(document)
    assert problems(document) == []
    count = sum(1 for _ in places(document))
    for at in range(count):
        for value in VALUES:
            changed = json.loads(json.dumps(document))
            within, key = list(places(changed))[at]
            within[key] = value
            check_agreement(changed)
        changed = json.loads(json.dumps(document))
        within, key = list(places(changed))[at]
        del within[key]
        check_agreement(changed)
    mappings = [at for at in range(count) if isinstance(list(places(document))[at][0], dict)]
    for at, name in itertools.product(mappings, sorted(set(WORDS))):
        for value in (1, "declared", {}, [], "hide", {"required": ["a"]}):
            changed = json.loads(json.dumps(document))
            within, _ = list(places(changed))[at]
            if name not in within:
                within[name] = value
                check_agreement(changed)


@pytest.mark.parametrize(
    "text",
    [
        starter_rules("s"),
        *(starter.rules("s", FILES, preset) for preset in Preset),
        (ROOT / "demo/policy/servers/amazon_mq/data.yaml").read_text(),
        *blocks("limits.md", "yaml"),
        *blocks("../README.md", "yaml"),
        *blocks("policy-yaml.md", "yaml"),
    ],
)
def test_rules_that_people_copy_are_right_for_both(text: str) -> None:
    """Without a wrong mark in the editor, and without a warning of `check`."""
    assert VALIDATOR.is_valid(yaml.safe_load(text))
    validate(text, "data.yaml", None)
    assert cautions(text, "data.yaml", None) == []


def test_every_keyword_of_a_schema_is_known_to_the_editor() -> None:
    """And no other, so that a misspelt one is marked."""
    assert set(SCHEMA["$defs"]["schema"]["properties"]) == KEYWORDS


def test_every_key_has_a_text_for_the_editor() -> None:
    """Shown where the cursor is."""
    for part in (SCHEMA, SCHEMA["$defs"]["rule"], SCHEMA["$defs"]["named_limit"]):
        assert part["properties"]
        for name, about in part["properties"].items():
            assert len(about["description"]) > 10, name


def test_starter_files_name_the_schema_where_editors_look() -> None:
    """In the first line, as yaml-language-server reads it."""
    line = schemas.yaml_line(schemas.DATA_YAML)
    for text in (starter_rules("s", line), starter.rules("s", FILES, Preset.STRICT, line)):
        first, _, rest = text.partition("\n")
        assert first == f"# yaml-language-server: $schema={schemas.DATA_YAML}"
        assert rest.startswith("# What")
        validate(text, "data.yaml", None)


def test_init_prints_where_the_schema_lies_and_writes_it_into_its_files(tmp_path: Path) -> None:
    """Who uses another editor can point it there."""
    done = run("init", "--server", "files=http://127.0.0.1:9/mcp", cwd=tmp_path)
    assert str(schemas.DATA_YAML) in done.stdout
    rules = (tmp_path / "policy" / "servers" / "files" / "data.yaml").read_text()
    assert rules.startswith(schemas.yaml_line(schemas.DATA_YAML))


def test_the_rules_in_the_comments_of_starter_files_are_rules() -> None:
    """Somebody will take the mark away."""
    text = starter_rules("s")
    taken = re.sub(r"^([a-z]+): \{\}$", r"\1:", text, flags=re.MULTILINE)
    document = re.sub(r"^#  ", "  ", taken, flags=re.MULTILINE)
    written = validate(document, "data.yaml", None)
    assert set(written["tools"]) == {"list_things", "create_thing", "delete_thing"}
    schema = jsonschema_rs.Draft202012Validator(written["tools"]["create_thing"]["arguments"])
    assert schema.is_valid({"size": "small"})
    for arguments in ({}, {"size": "huge"}, {"size": ["small"]}, {"Size": "small"}):
        assert not schema.is_valid(arguments)


def test_the_page_of_input_tells_every_member_with_its_type() -> None:
    """As the schema that rules are checked by has them."""
    listed = json.loads((ROOT / "rego/schemas/input.json").read_text())["properties"]
    names = set(listed)
    names |= {
        f"{name}.{inner}" for name, about in listed.items() for inner in about.get("properties", ())
    }
    page = (ROOT / "docs/input.md").read_text()
    assert set(re.findall(r"^\| `input\.([a-z_.]+)` \| \S", page, re.MULTILINE)) == names
