"""`data.yaml` and `input` as reference pages, and `data.yaml` as a JSON Schema for editors."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pdp.answer import MAX_LIMIT, MAX_RATE, MAX_WINDOW
from pdp.api.bounds import MAX_TARGET
from pdp.api.methods import METHODS
from pdp.approvals import terms
from pdp.rules import rule_keys
from pdp.rules.checks import KEYWORDS
from pdp.rules.server_rules import LONGEST_LIMIT_NAME

INPUT = Path(__file__).parent.parent / "rego" / "schemas" / "input.json"

_ITSELF = {"$ref": "#/$defs/schema"}
_MAP = {"type": "object", "additionalProperties": _ITSELF}
_NAMES = {"type": "array", "items": {"type": "string"}, "uniqueItems": True}
_TYPE = {"enum": ["array", "boolean", "integer", "null", "number", "object", "string"]}
_KINDS: tuple[tuple[str, Any], ...] = (
    (
        """additionalProperties propertyNames items contains if then else not unevaluatedItems
        unevaluatedProperties contentSchema""",
        _ITSELF,
    ),
    ("properties patternProperties $defs definitions dependentSchemas", _MAP),
    ("allOf anyOf oneOf prefixItems", {"type": "array", "items": _ITSELF, "minItems": 1}),
    (
        "minLength maxLength minItems maxItems minContains maxContains minProperties maxProperties",
        {"type": "integer", "minimum": 0},
    ),
    ("minimum maximum exclusiveMinimum exclusiveMaximum", {"type": "number"}),
    ("multipleOf", {"type": "number", "exclusiveMinimum": 0}),
    ("uniqueItems deprecated readOnly writeOnly", {"type": "boolean"}),
    (
        """$schema $id $ref $anchor $dynamicRef $dynamicAnchor $comment title description format pattern
        contentEncoding contentMediaType""",
        {"type": "string"},
    ),
    ("required", _NAMES),
    ("dependentRequired", {"type": "object", "additionalProperties": _NAMES}),
    ("enum examples", {"type": "array"}),
    (
        "type",
        {"anyOf": [_TYPE, {"type": "array", "items": _TYPE, "minItems": 1, "uniqueItems": True}]},
    ),
)
# What each keyword of 2020-12 may be, as far as an editor can tell; any value for the others.
_KEYWORDS: Mapping[str, Any] = {word: part for words, part in _KINDS for word in words.split()}


def schema() -> str:
    """The JSON Schema of `data.yaml`."""
    text = {"$schema": "https://json-schema.org/draft/2020-12/schema", **_server()}
    return json.dumps(text, indent=1) + "\n"


def _server() -> dict[str, Any]:
    limit, named = {"$ref": "#/$defs/limit"}, {"$ref": "#/$defs/named_limit"}
    keys = {
        "shadow": {"type": "boolean"},
        "default": {"$ref": "#/$defs/action"},
        "approval": {"$ref": "#/$defs/approval"},
        "tools": _rules("rule", {"minLength": 1, "maxLength": MAX_TARGET}),
        "categories": _rules("rule", {"enum": list(rule_keys.CATEGORIES)}),
        "resources": _rules(
            "rule_without_arguments", {"pattern": ":", "minLength": 1, "maxLength": MAX_TARGET}
        ),
        "prompts": _rules("rule_with_schema", {"minLength": 1, "maxLength": MAX_TARGET}),
        "methods": _methods(),
        "limits": {"type": "array", "items": named},
        "initialize": limit,
    }
    return {
        "title": "What agents may do with one server: policy/servers/NAME/data.yaml",
        "type": ["object", "null"],
        "additionalProperties": False,
        "properties": _described(keys, rule_keys.SERVER_KEYS),
        "$defs": {
            "action": _choice(rule_keys.ACTIONS),
            "rule": _rule(
                {"anyOf": [{"const": "declared"}, {"type": "object", "$ref": "#/$defs/schema"}]}
            ),
            "rule_with_schema": _rule({"type": "object", "$ref": "#/$defs/schema"}),
            "rule_without_arguments": _rule(None),
            "approval": _approval(),
            "limit": _limit(is_named=False),
            "named_limit": _limit(is_named=True),
            "schema": {
                "type": ["object", "boolean"],
                "additionalProperties": False,
                "properties": {word: _KEYWORDS.get(word, {}) for word in sorted(KEYWORDS)},
            },
        },
    }


def _described(keys: Mapping[str, Any], meanings: Mapping[str, str]) -> dict[str, Any]:
    return {
        name: {"description": meanings[name].replace("`", ""), **part}
        for name, part in keys.items()
    }


def _choice(words: Mapping[str, str]) -> dict[str, Any]:
    told = [f"{word}: {meaning}".replace("`", "") for word, meaning in words.items()]
    return {"description": "\n".join(told), "enum": list(words)}


def _rules(kind: str, names: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "propertyNames": names,
        "additionalProperties": {"$ref": f"#/$defs/{kind}"},
    }


def _methods() -> dict[str, Any]:
    """No method can be hidden, and some have no arguments."""
    kinds = {True: "rule_with_schema", False: "rule_without_arguments"}
    properties = {
        name: {
            "$ref": f"#/$defs/{kinds[has_arguments]}",
            "properties": {"action": {"not": {"const": "hide"}}},
        }
        for name, has_arguments in METHODS.items()
    }
    return {"type": "object", "additionalProperties": False, "properties": properties}


def _rule(arguments: dict[str, Any] | None) -> dict[str, Any]:
    limit = {"$ref": "#/$defs/limit"}
    keys: dict[str, Any] = {
        "action": {"$ref": "#/$defs/action"},
        "reason": {"type": "string", "pattern": r"\S"},
        "rate_limit": {"anyOf": [limit, {"type": "array", "items": limit, "minItems": 1}]},
        "arguments": False if arguments is None else arguments,
        "approval": {"$ref": "#/$defs/approval"},
    }
    described = _described(
        {name: part for name, part in keys.items() if part is not False}, rule_keys.RULE_KEYS
    )
    refuses = {"required": ["action"], "properties": {"action": {"enum": ["deny", "hide"]}}}
    allows = {"properties": {"action": {"const": "allow"}}}
    holds = {"required": ["action"], "properties": {"action": {"const": "require_approval"}}}
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": described,
        "allOf": [
            {"if": refuses, "then": {"properties": {"rate_limit": False, "arguments": False}}},
            {"if": allows, "then": {"properties": {"reason": False}}},
            {"if": holds, "else": {"properties": {"approval": False}}},
        ],
    }


def _approval() -> dict[str, Any]:
    text = {"type": "string", "minLength": 1, "maxLength": 128}
    pointers = {"type": "string", "pattern": "^/", "maxLength": 1024}
    standing = {
        "max": _whole(terms.MAX_STANDING),
        "match": {
            "anyOf": [
                {"const": "exact"},
                {
                    "type": "array",
                    "items": pointers,
                    "minItems": 1,
                    "maxItems": terms.MAX_POINTERS,
                },
            ]
        },
    }
    keys = {
        "approvers": {"type": "array", "items": text, "maxItems": terms.MAX_APPROVERS},
        "count": _whole(terms.MAX_COUNT),
        "not_self": {"type": "boolean"},
        "decide_within": _whole(terms.MAX_DECIDE),
        "use_within": _whole(terms.MAX_USE),
        "hold_seconds": {
            "anyOf": [
                {"type": "null"},
                {"type": "integer", "minimum": 0, "maximum": terms.MAX_HOLD},
            ]
        },
        "note": _choice(rule_keys.NOTES),
        "standing": {
            "type": ["object", "null"],
            "additionalProperties": False,
            "required": ["max"],
            "properties": _described(standing, rule_keys.STANDING_KEYS),
        },
    }
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": _described(keys, rule_keys.APPROVAL_KEYS),
    }


def _whole(most: int) -> dict[str, Any]:
    return {"type": "integer", "minimum": 1, "maximum": most}


def _limit(*, is_named: bool) -> dict[str, Any]:
    whole = {"type": "integer", "minimum": 1, "maximum": MAX_RATE}
    keys = {
        "name": {"type": "string", "minLength": 1, "maxLength": LONGEST_LIMIT_NAME},
        "max": whole,
        "window": {"type": "integer", "minimum": 1, "maximum": MAX_WINDOW},
        "scope": _choice(rule_keys.SCOPES),
        "algorithm": _choice(rule_keys.ALGORITHMS),
        "burst": whole,
        "cost": whole,
        "shadow": {"type": "boolean"},
        "on_store_error": _choice(rule_keys.ON_STORE_ERROR),
    }
    if not is_named:
        del keys["name"]
    small = {"maximum": MAX_LIMIT}
    rate = {"required": ["algorithm"], "properties": {"algorithm": {"const": "gcra"}}}
    return {
        "type": "object",
        "additionalProperties": False,
        "required": [*(["name"] if is_named else []), "max", "window"],
        "properties": _described(keys, rule_keys.LIMIT_KEYS),
        "if": rate,
        "else": {"properties": {"max": small, "cost": small, "burst": False}},
    }


_POLICY_YAML = """\
# data.yaml

`policy/servers/NAME/data.yaml` says what agents may do with the server NAME. Every word that may stand there is on
this page; any other is an error with its line and the nearest that there is, and never an allow. An edit takes
effect at once; what does not load changes nothing, and the old rules go on deciding. `tipstaff check` says what is
wrong, and warns of what loads and holds less than it seems to: arguments that the tool does not have, types that
it never takes, patterns without an end, what may be left out, a tool's rule that opens what its category closed, an approval that
nobody can give.
`tipstaff check --strict` exits with 1 where there is a warning.

Editors complete and check the file by its JSON Schema, which comes with Tipstaff: `tipstaff init` prints where it
lies, and writes it into the first line of the files it makes, `# yaml-language-server: $schema=…`. It cannot say
everything that the loader checks, for instance that no two limits have one name.

Generated from `pdp/rules/rule_keys.py` by `make docs`.

## The file

| key | meaning |
|---|---|
{server}
```yaml
default: deny
tools:
  read_file:
    arguments:
      properties: {{path: {{type: string, pattern: '^/srv(/\\w[\\w. -]*)+$'}}}}
      required: [path]
  write_file: {{rate_limit: {{max: 10, window: 60}}, arguments: declared}}
categories:
  Destructive: {{action: deny, reason: Agents delete nothing here.}}
resources:
  "file:///srv/*": {{}}
  "file:///srv/secret/*": {{action: hide}}
prompts:
  summarize: {{}}
methods:
  sampling/createMessage: {{action: deny}}
limits:
  - {{name: everything, scope: principal, max: 600, window: 60}}
initialize: {{max: 60, window: 60}}
```

## Which rule holds

One rule holds for a call, the first that there is, and as a whole: what it leaves out is not taken from the next.

1. that of the target itself: the tool, the prompt, or the resource (its URI, else the longest beginning of it);
2. for `tools/call`, that of the tool's category;
3. that of the method;
4. `default`, and without it `deny`.

Methods that only set up or list (`initialize`, `tools/list`, `tasks/get`, …) do not fall to `default`: they are
allowed unless `methods` says otherwise. Beside the rule that holds, `limits` count for every call. A site's Rego
joins in: any denial denies, else any demand for approval holds the call, else one permit allows it, and every limit
and schema applies. A tool that has changed since it was accepted is denied whatever a rule says.

So a rule under `tools` opens what `categories` closes, and loses its `rate_limit` and `arguments`, unless it says
them again.

## A rule

| key | meaning |
|---|---|
{rule}
An empty rule, `{{}}`, allows. Beside `deny` and `hide`, `rate_limit` and `arguments` have no effect and are errors.
Resources have no arguments. What a method has is marked [below](#methods).

## Actions

| `action` | what happens |
|---|---|
{actions}
## Arguments

A schema of one's own is held against what the caller sent, all of JSON Schema 2020-12; a keyword that is not in it,
an unknown `format` and a reference to elsewhere are errors. What it does not name is free: give `required` for
everything it constrains, and `additionalProperties: false` where nothing else may be there. A pattern is searched
for in the value, so it begins with `^` and ends with `$`.

`declared` holds the arguments against the `inputSchema` of the tool as it was accepted (`policy/catalog/NAME/data.json`,
written by `tipstaff register`). Without one in the catalogue it is an error in `tools`; in `categories` the call is
denied, with the code `arguments_invalid`.

## Approvals

What a rule that holds a call demands of its approval; [approvals](approvals.md) tells how they live. Where several
rules hold one call, all their terms hold.

| key of `approval` | meaning |
|---|---|
{approval}
| `note` | |
|---|---|
{notes}
| key of `standing` | meaning |
|---|---|
{standing}
## Categories

The category of a tool stands in the catalogue; `tipstaff register` finds it out, and it may be edited there. A tool
that is not in the catalogue has none, and falls to the method's rule or to `default`.

| category | a call |
|---|---|
{categories}
## Limits

`rate_limit`, each of `limits`, and `initialize` hold limits. [Limits](limits.md) tells how they count.

| key | meaning |
|---|---|
{limit}
| `scope` | |
|---|---|
{scopes}
| `algorithm` | |
|---|---|
{algorithms}
| `on_store_error` | |
|---|---|
{store}
`initialize` is the limit for beginning a session. It needs `max` and `window` like any other; its scope is
`principal` if it is not said. Without the key it is 300 in 60 seconds.

## Methods

Those that `methods` may name. Nothing of them can be hidden. `completion/complete` is judged by the rule of the
prompt or resource that it completes.

| method | has arguments |
|---|---|
{methods}"""

_INPUT_PAGE = """\
# input

What a rule in Rego may ask of a call. A name that is not here does not load; every member is always there, unless
its line says otherwise, so that a condition is undefined only where it looks into `arguments`, `annotations` or
`claims`. A denial over what may be missing is written with `not` over what has to hold, and `import
future.keywords.not`:

```rego
package site.sums

import future.keywords.not

deny contains {{"code": "sum_too_large", "message": "At most 100 at once."}} if {{
	input.target == "pay"
	not _small
}}

_small if {{
	is_number(input.arguments.amount)
	input.arguments.amount <= 100
}}
```

`tipstaff check` warns of a comparison with a server, tool, argument or value that there is not, and of a denial
that asks for a claim where callers without claims are accepted: such a rule never fires. It also warns of terms of an
approval that nobody can meet, as far as they stand in the text.

Generated from [`rego/schemas/input.json`](../rego/schemas/input.json) by `make docs`.

| member | type | what it says |
|---|---|---|
{members}
`data` holds, beside the packages of the library and of the site: `data.servers.NAME`, the rules of
[data.yaml](policy-yaml.md), and `data.catalog.NAME.tools.TOOL`, the catalogue without texts (`category`, `risk`,
`confidence`, `marks`, `digest`, `accepted`).
"""


def policy_yaml_page() -> str:
    """The reference of `data.yaml`."""
    return _POLICY_YAML.format(
        server=_table(rule_keys.SERVER_KEYS),
        rule=_table(rule_keys.RULE_KEYS),
        actions=_table(rule_keys.ACTIONS),
        approval=_table(rule_keys.APPROVAL_KEYS),
        notes=_table(rule_keys.NOTES),
        standing=_table(rule_keys.STANDING_KEYS),
        categories=_table(rule_keys.CATEGORIES),
        limit=_table(rule_keys.LIMIT_KEYS),
        scopes=_table(rule_keys.SCOPES),
        algorithms=_table(rule_keys.ALGORITHMS),
        store=_table(rule_keys.ON_STORE_ERROR),
        methods=_table({name: "yes" if has else "no" for name, has in METHODS.items()}),
    )


def input_page() -> str:
    """The reference of `input`."""
    rows = "".join(
        f"| `input.{name}` | {kind} | {meaning} |\n" for name, kind, meaning in _members()
    )
    return _INPUT_PAGE.format(members=rows)


def _table(meanings: Mapping[str, str]) -> str:
    return "".join(f"| `{name}` | {meaning} |\n" for name, meaning in meanings.items())


def _members() -> Iterator[tuple[str, str, str]]:
    listed = json.loads(INPUT.read_text(encoding="utf-8"))["properties"]
    for name, about in listed.items():
        yield name, _kind(about), about["description"]
        for inner, more in about.get("properties", {}).items():
            yield f"{name}.{inner}", _kind(more), more["description"]


def _kind(about: Mapping[str, Any]) -> str:
    if "enum" in about:
        return " or ".join(f"`{value}`" if value else '""' for value in about["enum"])
    return str(about.get("type", "any"))
