"""The catalogue of attacks: complete, strict, and safe to print whatever a server calls its tools."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from pdp.errors import PolicyTextError
from pdp.rules.checks import compile_schema
from pdp.rules.server_rules import validate
from tipstaff.lint.server_rules import cautions
from tipstaff.survey.classify.attacks import MOST, Applied, argument, attacks_on, load, parse
from tipstaff.survey.classify.classify import classify_all
from tipstaff.survey.model import Category, Classification, Evidence, Mark, Risk

ROOT = Path(__file__).parents[5]
DEFINITION: dict[str, Any] = {
    "name": "x",
    "inputSchema": {
        "properties": {
            "limit": {"type": "integer"},
            "filePath": {"type": "string"},
            "sql": {"type": "string"},
            "webhook_url": {"type": "string"},
            "api_key": {"type": "string"},
        }
    },
}
DANGEROUS = set(Mark) - {Mark.IDEMPOTENT}


def found(category: Category, *marks: Mark, risk: Risk = Risk.LOW, **more: Any) -> Classification:
    return Classification(category, risk, 1.0, marks, more.get("evidence", ()), "")


def applied(
    category: Category, *marks: Mark, tool: str = "x", risk: Risk = Risk.LOW
) -> dict[str, Applied]:
    hits = attacks_on(tool, "files", DEFINITION, found(category, *marks, risk=risk))
    return {one.key: one for one in hits}


def everything(tool: str, definition: dict[str, Any] = DEFINITION) -> list[Applied]:
    """Every attack there is, as applied to some tool of this name."""
    hits: dict[str, Applied] = {}
    for category in Category:
        for risk in Risk:
            for marks in ((), *((mark,) for mark in Mark)):
                for name in (tool, f"{tool}_log"):
                    kind = found(category, *marks, risk=risk)
                    hits.update({one.key: one for one in attacks_on(name, "s", definition, kind)})
    assert set(hits) == {attack.key for attack in load()}
    return list(hits.values())


def rules_in(stops: str) -> list[str]:
    """What stands there as a rule of YAML."""
    quoted = re.findall(r"`([^`]*)`", stops)
    return [one for one in quoted if re.match(r"(tools|categories|limits|default): ", one)]


def test_keys_are_unique_and_references_are_ids_with_titles() -> None:
    """Both are what others hold on to."""
    attacks = load()
    assert (
        len({attack.key for attack in attacks})
        == len({attack.name for attack in attacks})
        == len(attacks)
    )
    for attack in attacks:
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", attack.key)
        assert attack.references
        for one in attack.references:
            assert re.fullmatch(r"(MCP|LLM)(0[1-9]|10):2025|ASI(0[1-9]|10):2026", one)
    assert applied(Category.READ)["rug_pull"].references[0] == "MCP03:2025 Tool Poisoning"


@pytest.mark.parametrize(
    "tool", ["delete_file", "a: b}, c", "yes", "x" * 5000, "`x`", "\x1b]\u202e"]
)
def test_every_template_is_filled_whatever_a_tool_is_called(tool: str) -> None:
    """And can be printed on one line."""
    for one in everything(tool):
        for text in (one.looks_like, one.stops):
            assert not re.search(r"(?<!`)\{(tool|server|argument)\}", text)
            assert text.isprintable()
            assert len(text) < 900


def test_a_name_that_looks_like_a_placeholder_is_a_name() -> None:
    """It is not filled in turn."""
    hit = applied(Category.DESTRUCTIVE, tool="{server}")["mass_deletion"]
    assert "calls `{server}` for everything" in hit.looks_like


@pytest.mark.parametrize("tool", ["delete_file", "a: b}, c", "yes", "1", "x" * 5000, "é"])
def test_every_rule_that_is_shown_is_one(tool: str) -> None:
    """As it stands there, for this tool."""
    shown = 0
    for one in everything(tool):
        for rule in rules_in(one.stops):
            validate(rule, one.key, None)
            shown += 1
        assert rules_in(one.stops) or "deny contains" in one.stops, one.key
    assert shown > 30


def test_a_rule_that_is_none_would_be_noticed() -> None:
    """The test above can fail."""
    with pytest.raises(PolicyTextError):
        validate("tools: {x: {action: forbid}}", "x", None)


@pytest.mark.parametrize("category", Category)
@pytest.mark.parametrize("risk", Risk)
def test_every_kind_of_tool_is_open_to_something(category: Category, risk: Risk) -> None:
    """To at least three attacks, and no more are told than are read."""
    assert 3 <= len(applied(category, risk=risk)) <= MOST
    assert len(applied(category, *Mark, risk=risk)) == MOST


@pytest.mark.parametrize("mark", sorted(DANGEROUS))
def test_every_mark_of_danger_opens_to_an_attack(mark: Mark) -> None:
    """That is what marks are for."""
    assert any(
        set(applied(category, mark, risk=risk)) - set(applied(category, risk=risk))
        for category in Category
        for risk in Risk
    )


@pytest.mark.parametrize(
    ("category", "marks", "risk", "tool", "first"),
    [
        (Category.EXECUTE, (Mark.FREE_CODE,), Risk.CRITICAL, "run_command", "command_injection"),
        (Category.READ, (Mark.FREE_CODE,), Risk.LOW, "query", "query_injection"),
        (Category.READ, (Mark.FREE_URL,), Risk.MEDIUM, "fetch", "server_side_request_forgery"),
        (Category.READ, (Mark.FILES,), Risk.MEDIUM, "read_file", "path_traversal"),
        (Category.READ, (Mark.SECRETS_OUT,), Risk.HIGH, "get_secret", "secret_leak"),
        (Category.READ, (Mark.PERSONAL,), Risk.MEDIUM, "list_mail", "indirect_prompt_injection"),
        (Category.READ, (), Risk.LOW, "list_regions", "rug_pull"),
        (Category.WRITE, (Mark.GRANTS_ACCESS,), Risk.HIGH, "add_member", "privilege_escalation"),
        (Category.WRITE, (Mark.GRANTS_ACCESS,), Risk.CRITICAL, "create_key", "credential_minting"),
        (Category.WRITE, (Mark.BILLABLE,), Risk.HIGH, "create_cluster", "denial_of_wallet"),
        (Category.WRITE, (Mark.SENDS_OUT,), Risk.HIGH, "send_email", "message_spoofing"),
        (Category.DESTRUCTIVE, (), Risk.CRITICAL, "delete_table", "mass_deletion"),
        (Category.DESTRUCTIVE, (), Risk.CRITICAL, "delete_audit_log", "evidence_deletion"),
        (Category.FINANCIAL, (), Risk.CRITICAL, "pay_invoice", "payment_redirection"),
        (Category.FINANCIAL, (), Risk.CRITICAL, "place_order", "split_payments"),
    ],
)
def test_the_most_relevant_attack_comes_first(
    category: Category, marks: tuple[Mark, ...], risk: Risk, tool: str, first: str
) -> None:
    """What one would fear first of such a tool."""
    assert next(iter(applied(category, *marks, tool=tool, risk=risk))) == first


def test_a_payment_that_is_safe_to_repeat_is_not_open_to_repetition() -> None:
    """`not_marks` takes an attack away."""
    assert "repeated_payment" in applied(Category.FINANCIAL)
    assert "repeated_payment" not in applied(Category.FINANCIAL, Mark.IDEMPOTENT)


@pytest.mark.parametrize(
    ("mark", "name"),
    [
        (Mark.FILES, "filePath"),
        (Mark.FREE_CODE, "sql"),
        (Mark.FREE_URL, "webhook_url"),
        (Mark.SECRETS_IN, "api_key"),
    ],
)
def test_the_argument_that_carries_the_danger_is_named(mark: Mark, name: str) -> None:
    """By what it is called."""
    assert argument(DEFINITION, found(Category.READ, mark), [mark]) == name


def test_the_argument_that_the_evidence_names_goes_first() -> None:
    """The classifier knows why it set the mark."""
    said = (
        Evidence("name", "sql", "Read: sql"),
        Evidence("description", "execute code", "free_code: its text says so"),
        Evidence("description", "query, limit", "free_code: an argument is a query"),
    )
    kind = found(Category.READ, Mark.FREE_CODE, evidence=said)
    assert argument(DEFINITION, kind, [Mark.FREE_CODE]) == "limit"


@pytest.mark.parametrize("schema", [None, 7, {}, {"properties": []}, {"properties": {"a": True}}])
def test_a_tool_without_arguments_is_spoken_of_all_the_same(schema: Any) -> None:
    """The mark may come from its text."""
    kind = found(Category.READ, Mark.FILES)
    (hit,) = [
        one
        for one in attacks_on("x", "s", {"inputSchema": schema}, kind)
        if one.key == "path_traversal"
    ]
    assert "with its argument set to" in hit.looks_like
    for rule in rules_in(hit.stops):
        validate(rule, "x", None)


FILE_TOOLS: dict[str, dict[str, Any]] = {
    "a path": {"path": {"type": "string"}},
    "a move": {"source": {"type": "string"}, "destination": {"type": "string"}},
    "a move in camels": {"oldPath": {"type": "string"}, "newPath": {"type": "string"}},
    "a move from and to": {"path": {"type": "string"}, "to": {"type": "string"}},
    "a list": {"paths": {"type": "array", "items": {"type": "string"}}},
    "a list or one": {"path": {"type": ["string", "array"]}},
    "one or a list": {"path": {"anyOf": [{"type": "string"}, {"type": "array"}]}},
    "an object": {"target": {"type": "object", "properties": {"path": {"type": "string"}}}},
    "a list of objects": {
        "edits": {"type": "array", "items": {"properties": {"file_path": {"type": "string"}}}}
    },
    "a path that may be left out": {"path": {"type": "string", "default": "/"}, "n": {}},
}
OUTSIDE = (
    "/etc/passwd", "/srv/../etc/passwd", "/srv/a/../../etc/passwd", "..", "/srv/..", "~/x", "x", "",
    "/srv", "/srv/", "/srv//etc", "/srv/.ssh/id", "/srvx/a", "\n/srv/a", "/srv/a\n/etc/passwd",
    "/srv/a/%2e%2e/b", "/srv/a\\..\\b", "/srv/./x", "/srv/a/-rf", "/srv/a\0", "file:///srv/a", 7, None,
    ["/srv/a", "/etc/passwd"], [["/etc/passwd"]], {"path": "/etc/passwd"}, {},
)  # fmt: skip


def demanded(stops: str) -> Any:
    """The schema of the last rule that is shown, as the decision service holds it."""
    rules = validate(rules_in(stops)[-1], "data.yaml", None)
    (rule,) = rules["tools"].values()
    return compile_schema(rule["arguments"])


def advice(key: str, mark: Mark, properties: Any, **schema: Any) -> str:
    definition = {"inputSchema": {"type": "object", "properties": properties, **schema}}
    category = Category.EXECUTE if key == "command_injection" else Category.READ
    hits = attacks_on("x", "s", definition, found(category, mark))
    return next(one.stops for one in hits if one.key == key)


def filled(part: dict[str, Any], value: Any, *, as_list: bool = True) -> Any:
    """Arguments of the shape that is declared, with `value` for every text in them."""
    kinds = part.get("type", "object" if "properties" in part else "string")
    if kinds == "object":
        inner = part["properties"].items()
        return {name: filled(one, value, as_list=as_list) for name, one in inner}
    if kinds == "array" and as_list:
        return [filled(part.get("items", {}), value, as_list=as_list)]
    return value


@pytest.mark.parametrize("kind", FILE_TOOLS)
def test_no_path_gets_round_the_rule_that_is_advised(kind: str) -> None:
    """Neither end of a move, no element of a list, nothing that lies deeper, and not by absence."""
    properties = FILE_TOOLS[kind]
    stops = advice("path_traversal", Mark.FILES, properties)
    schema = demanded(stops)
    listed = {"tools": {"x": {"definition": {"inputSchema": {"properties": properties}}}}}
    assert cautions(rules_in(stops)[-1], "data.yaml", listed) == []
    inside = filled({"properties": properties}, "/srv/a/b c.txt")
    assert schema.is_valid(inside), stops
    assert not schema.is_valid({})
    for outside in OUTSIDE:
        for name in set(inside) - {"n"}:
            shaped = filled({"properties": properties}, outside)[name]
            assert not schema.is_valid(inside | {name: shaped}), (stops, name, outside)
            assert not schema.is_valid(inside | {name: outside}), (stops, name, outside)
            assert not schema.is_valid({one: inside[one] for one in inside if one != name})


@pytest.mark.parametrize(
    "url",
    [
        "http://docs.example.com/", "https://docs.example.com.evil.example/", "https://evil.example/",
        "https://docs.example.com@evil.example/", "https://docs.example.com:80@evil.example/",
        "https://docsXexample.com/", "https://docs.example.com", "https://docs.example.com/\r\nHost: x",
        "https://169.254.169.254/latest/meta-data/", " https://docs.example.com/", "file:///etc/passwd",
        "https://docs.example.com/\\@evil.example/", "https://docs.example.com/a https://evil.example/",
    ],
)  # fmt: skip
def test_no_url_gets_round_the_rule_that_is_advised(url: str) -> None:
    """Only the hosts that are named; a webhook is a URL, too."""
    properties = {"url": {"type": "string"}, "webhook_url": {"type": "string"}, "depth": {}}
    schema = demanded(advice("server_side_request_forgery", Mark.FREE_URL, properties))
    fine = {"url": "https://docs.example.com/a?b=1", "webhook_url": "https://api.example.com/"}
    assert schema.is_valid(fine | {"depth": 2})
    for name, other in fine.items():
        assert not schema.is_valid(fine | {name: url})
        assert not schema.is_valid({name: other})


@pytest.mark.parametrize(
    "value", ["-o/etc/x", "--output=x", "a\n-b", "a;b", "a|b", "$(b)", "`b`", "a/../b"]
)
def test_no_option_gets_round_the_rule_that_is_advised(value: str) -> None:
    """A dash first, a line break, what a shell reads."""
    schema = demanded(advice("argument_injection", Mark.FILES, {"path": {"type": "string"}}))
    for fine in ("a/b c.txt", "/srv/x-1", "https://example.com/a?b=c"):
        assert schema.is_valid({"path": fine})
    assert not schema.is_valid({"path": value})


@pytest.mark.parametrize(
    ("key", "value"),
    [("command_injection", "git status"), ("query_injection", "SELECT name FROM customers LIMIT 50")],
)  # fmt: skip
def test_no_code_gets_round_the_rule_that_is_advised(key: str, value: str) -> None:
    """What is named and nothing behind it, nor beside it in another argument."""
    properties = {"command": {"type": "string"}, "args": {"type": "array"}}
    schema = demanded(advice(key, Mark.FREE_CODE, properties))
    assert schema.is_valid({"command": value})
    for other in (f"{value}; rm -rf /", f"{value} ", value.upper(), "", [value]):
        assert not schema.is_valid({"command": other})
    assert not schema.is_valid({"command": value, "args": ["--exec=sh"]})
    assert not schema.is_valid({})


def test_no_secret_gets_round_the_rule_that_is_advised() -> None:
    """A reference, and nothing behind it."""
    hits = attacks_on("x", "s", DEFINITION, found(Category.READ, Mark.SECRETS_IN))
    schema = demanded(next(one.stops for one in hits if one.key == "secret_in_arguments"))
    assert schema.is_valid({"api_key": "vault:team/mail.key"})
    for value in ("sk-123", "env:", "env:A sk-123", "env:A\nsk-123"):
        assert not schema.is_valid({"api_key": value})


@pytest.mark.parametrize(
    "path", sorted((ROOT / "bench" / "tools").glob("*.json")), ids=lambda path: path.stem
)
def test_advice_for_tools_of_real_servers_loads_and_gives_no_warning(path: Path) -> None:
    """Of every attack that each of them is open to."""
    tools = [one for one in json.loads(path.read_text())["tools"] if one.get("inputSchema")]
    for tool, kind in zip(tools, classify_all(tools), strict=True):
        listed = {"tools": {tool["name"]: {"definition": tool}}}
        for hit in attacks_on(tool["name"], "s", tool, kind):
            for rule in rules_in(hit.stops):
                if rule.startswith("tools: ") and "ARGUMENT" not in rule:
                    validate(rule, hit.key, listed)
                    assert cautions(rule, hit.key, listed) == []


def test_arguments_that_are_too_many_to_show_leave_the_call_to_a_person() -> None:
    """A rule that names some of them would look as if it held."""
    properties = {f"a{number}_path": {"type": "string"} for number in range(20)}
    for schema in (
        {},
        {"$defs": {"n": {"properties": {str(n): {"$ref": "#/$defs/n"} for n in range(30)}}}},
    ):
        many = properties if not schema else {"path": {"$ref": "#/$defs/n"}}
        stops = advice("path_traversal", Mark.FILES, many, **schema)
        (rule,) = rules_in(stops)
        assert validate(rule, "x", None)["tools"]["x"] == {"action": "require_approval"}


ENTRY = """
[references]
"MCP03:2025" = "Tool Poisoning"
[[attack]]
key = "k"
name = "n"
weight = 1
what = "w"
looks_like = "l"
stops = "s"
references = ["MCP03:2025"]
applies = {all_marks = ["bulk"]}
"""


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('name = "n"', 'name = "n"\ncolour = "red"', "colour"),
        ('["bulk"]', '["bulky"]', "bulky"),
        ("all_marks", "every_mark", "every_mark"),
        ('["MCP03:2025"]', '["MCP13:2025"]', "MCP13"),
        ('"s"', '"{argument}"', "demands no mark"),
        ('"s"', '"{held}"', "not to what"),
    ],
)
def test_a_slip_in_the_catalogue_is_an_error(old: str, new: str, says: str) -> None:
    """An entry that is not read rightly would be missed by nobody."""
    assert [attack.key for attack in parse(ENTRY)] == ["k"]
    with pytest.raises(ValueError, match=says):
        parse(ENTRY.replace(old, new))


def test_a_key_that_is_there_twice_is_an_error() -> None:
    """One of them would be lost."""
    with pytest.raises(ValueError, match="twice"):
        parse(ENTRY + ENTRY[ENTRY.index("[[attack]]") :])


def test_what_every_tool_is_open_to_can_be_told_from_the_rest() -> None:
    """A pin stops it, no rule of the tool's own."""
    assert {one.key for one in load() if one.is_universal} == {
        "rug_pull",
        "tool_poisoning",
        "tool_shadowing",
    }
