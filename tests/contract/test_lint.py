"""Rego that OPA takes and that can never fire, read by the real OPA: each is told with its line."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from pdp.errors import PolicyTextError
from pdp.policy.bundle import check, library_folder, read_policy
from pep.config import Jwt, PepConfig, Server
from tests.commands import run
from tipstaff.cli.run.install import find_opa
from tipstaff.lint.site import cautions

LIBRARY = library_folder()
OPA = find_opa(None) or Path("make dev gets it")
NOBODY = "http://127.0.0.1:9/mcp"
DENY = 'deny contains {"code": "c", "message": "m"} if '


def tool(**properties: Any) -> dict[str, Any]:
    schema = {"type": "object", "properties": properties}
    return {"category": "Read", "definition": {"inputSchema": schema}}


PAY = tool(
    amount={"type": "number"},
    to={"type": "string"},
    size={"enum": ["small", "large"]},
    tags={"type": "array", "items": {"enum": ["red", "blue"]}},
    address={"type": "object", "properties": {"city": {"type": "string"}}},
)
CATALOGUE = {
    "bank": {"pay": PAY, "refund": tool(amount={"type": "integer"})},
    "files": {"read": tool(path={"type": "string"}), "delete_file": tool(path={"type": "string"})},
}


async def told(
    folder: Path, text: str, *, accept: Any = ("jwt",), catalogue: Any = None, beside: str = ""
) -> list[str]:
    """What is said of `text` as the package site.x, which loads: line and sentence."""
    for server in ("bank", "files"):
        rules = folder / "servers" / server / "data.yaml"
        rules.parent.mkdir(parents=True)
        rules.write_text('default: deny\nprompts: {greet: {}}\nresources: {"file:///a": {}}\n')
    for server, tools in (CATALOGUE if catalogue is None else catalogue).items():
        listing = folder / "catalog" / server / "data.json"
        listing.parent.mkdir(parents=True)
        listing.write_text(json.dumps({"tools": tools}))
    site = folder / "site" / "x"
    site.mkdir(parents=True)
    (site / "x.rego").write_text(f"package site.x\nimport future.keywords.not\n{text}\n")
    if beside:
        (site / "beside.rego").write_text(f"package site.x\n{beside}\n")
    policy = read_policy(folder, LIBRARY)
    await check(policy, opa=OPA, library=LIBRARY)
    jwt = Jwt(issuer="https://login.example", jwks="https://login.example/jwks.json")
    servers = tuple(Server(name, NOBODY, accept=accept) for name in ("bank", "files"))
    pep = PepConfig(servers=servers, jwt=jwt, public_url="https://gate.example")
    start = f"{site}/"
    return [str(one).removeprefix(start) for one in cautions(policy, folder, pep, OPA)]


NEVER_FIRES = {
    "a tool": ('input.target == "pya"', "there is no tool `pya`: it never holds; did you mean `pay`?"),
    "a tool the other way round": ('"pya" == input.target', "there is no tool `pya`"),
    "a tool among others": ('input.target in {"pay", "refnd"}', "there is no tool `refnd`"),
    "a tool in a list": ('input.target in ["refnd"]', "did you mean `refund`?"),
    "a tool by its beginning": ('startswith(input.target, "delet-")', 'no tool that begins with "delet-"'),
    "a tool by its end": ('endswith(input.target, "_flie")', 'no tool that ends with "_flie"'),
    "a tool by a part": ('contains(input.target, "delet-")', 'no tool that contains "delet-"'),
    "a tool by a pattern": ('regex.match("^(pya|refnd)$", input.target)', 'no tool that matches "^(pya|refnd)$"'),
    "a method by its beginning": ('startswith(input.method, "tool/")', 'there is no method that begins with "tool/"'),
    "a tool under a name": ('t := input.target\n t == "pya"', "there is no tool `pya`"),
    "a tool that always differs": ('input.target != "pya"', "the comparison always holds"),
    "a tool of a server": ('input.server == "bank"\n input.target == "read"', "bank has no tool `read`"),
    "a server": ('input.server == "filez"', "there is no server `filez`: it never holds; did you mean `files`?"),
    "a server in a not": ('not input.server == "filez"', "there is no server `filez`"),
    "a server of data": ("not data.servers.filez.tools", "`data.servers.filez` is never there"),
    "a method": ('input.method == "tool/call"', "there is no method `tool/call`"),
    "a category": ('input.tool.category == "destructive"', "did you mean `Destructive`?"),
    "a risk": ('input.tool.risk in {"High"}', "did you mean `high`?"),
    "a mark": ('"secret_out" in input.tool.marks', "did you mean `secrets_out`?"),
    "an argument": ("input.arguments.ammount > 10",
        "no tool has an argument `ammount`: `input.arguments.ammount` is never there; did you mean `amount`?"),
    "an argument in brackets": ('input.arguments["ammount"] > 10', "did you mean `amount`?"),
    "an argument of a tool": ('input.target == "refund"\n input.arguments.to == "x"', "refund has no argument `to`"),
    "an argument under a name": ("a := input.arguments\n a.ammount > 1", "did you mean `amount`?"),
    "an argument with a default": ('object.get(input.arguments, "ammount", 0) > 1', "did you mean `amount`?"),
    "an argument with a path": ('object.get(input, ["arguments", "ammount"], 0) > 1', "did you mean `amount`?"),
    "an argument within another": ('input.arguments.address.cty == "x"', "argument `address.cty`"),
    "an argument in a comprehension": ("count([1 | input.arguments.ammount > 1]) > 0", "did you mean `amount`?"),
    "an argument in the message": ('sprintf("%v", [input.arguments.ammount]) != ""', "did you mean `amount`?"),
    "a text for a number": ('input.arguments.amount == "100"',
        "`input.arguments.amount` is declared as integer or number, and the value is string: it never holds"),
    "a text above a number": ('input.arguments.amount > "100"', "types decide, no values"),
    "a number for a text": ("input.arguments.to == 7", "declared as string, and the value is integer"),
    "a value that is not declared": ('input.arguments.size == "lrge"', "is never `lrge`: it never holds; did you mean `large`?"),
    "an element that is not declared": ('"rde" in input.arguments.tags', "is never `rde`"),
    "a text for the time": ('input.time > "2026-01-01"', "`input.time` is a number"),
}  # fmt: skip


@pytest.mark.parametrize("kind", NEVER_FIRES)
async def test_a_condition_that_never_holds_is_told(tmp_path: Path, kind: str) -> None:
    """With the line and the nearest name."""
    condition, says = NEVER_FIRES[kind]
    lines = f"{DENY}{{\n {condition}\n}}"
    (line,) = await told(tmp_path, lines)
    last = 4 + condition.count("\n")
    assert line.startswith(f"x.rego:{last}: ")
    assert says in line


CAN_FIRE = {
    "what there is": 'input.server == "bank"\n input.target == "pay"\n input.arguments.amount > 100',
    "several tools": 'input.target in {"pay", "read"}\n input.arguments.path == "x"',
    "a beginning": 'startswith(input.target, "delete_")',
    "a part": 'contains(input.target, "lete")',
    "a pattern": 'regex.match("^(pay|pya)$", input.target)',
    "a pattern of another dialect": "regex.match(`\\pL`, input.target)",
    "a number for a whole one": "input.arguments.amount == 1.5",
    "a declared value": 'input.arguments.size == "large"\n "red" in input.arguments.tags',
    "a resource": 'input.target == "file:///b"',
    "a resource that rules name": 'input.target == "file:///a"',
    "a prompt that rules name": 'input.target == "greet"',
    "another method's target": 'input.method == "prompts/get"\n input.target == "hello"',
    "another method's arguments": 'input.method == "sampling/createMessage"\n input.arguments.tokens > 1',
    "another method's known arguments": "input.arguments.maxTokens > 1000",
    "a method by its beginning": 'startswith(input.method, "prompts/")\n input.target == "hello"',
    "what the client is asked": 'input.direction == "to_client"\n input.arguments.x == 1',
    "a variable": "some name\n input.arguments[name] == 7",
    "a local input": 'input.target == "pay" with input as {"target": "x"}',
    "an empty target": 'input.target == ""',
    "a time": "input.time > 1",
}


@pytest.mark.parametrize("kind", CAN_FIRE)
async def test_a_condition_that_can_hold_is_silent(tmp_path: Path, kind: str) -> None:
    """A warning that is wrong teaches to pass over the right ones."""
    assert await told(tmp_path, f"{DENY}{{\n {CAN_FIRE[kind]}\n}}") == []


async def test_names_that_the_package_gives_are_looked_into(tmp_path: Path) -> None:
    """In a set, in a set by parts, in a table, in another file; the line is the name's own."""
    lines = await told(
        tmp_path,
        'closed := {"pay", "pya"}\nmore contains "refnd"\nprices := {"reda": 1, "read": 2}\n'
        f"{DENY}{{\n input.target in closed\n}}\n"
        f"{DENY}{{\n input.target == closed[_]\n input.target in more\n prices[input.target] > 1\n}}\n"
        f"{DENY}{{\n input.target in elsewhere\n}}",
        beside='elsewhere := ["delete_flie"]',
    )
    assert [line.partition(":")[2].partition(":")[::2] for line in lines] == [
        ("2", " there is no tool `delete_flie`: it never holds; did you mean `delete_file`?"),
        ("3", " there is no tool `pya`: it never holds; did you mean `pay`?"),
        ("4", " there is no tool `refnd`: it never holds; did you mean `refund`?"),
        ("5", " there is no tool `reda`: it never holds; did you mean `read`?"),
    ]


async def test_what_is_not_known_is_not_missed(tmp_path: Path) -> None:
    """Where one server has no catalogue, any tool may be its."""
    text = f'{DENY}{{\n input.target == "pya"\n input.arguments.ammount > 1\n}}'
    assert await told(tmp_path, text, catalogue={"bank": CATALOGUE["bank"]}) == []


CLAIMS = {
    "a denial": (f'{DENY}{{\n input.principal.claims.role == "intern"\n}}', "x.rego:4: "),
    "a hold": (
        DENY.replace("deny", "require_approval") + "input.principal.claims.intern",
        "x.rego:3: ",
    ),
    "a helper": (f"{DENY}_intern\n_intern if input.principal.claims.intern", "x.rego:4: "),
    "a function": (f"{DENY}_is(1)\n_is(x) if input.principal.claims.level == x", "x.rego:4: "),
    "a name for it": (f"{DENY}{{\n c := input.principal.claims\n c.intern\n}}", "x.rego:5: "),
}


@pytest.mark.parametrize("kind", CLAIMS)
async def test_a_denial_that_callers_without_claims_walk_past_is_told(
    tmp_path: Path, kind: str
) -> None:
    """What is absent is undefined, and an undefined denial is none."""
    text, start = CLAIMS[kind]
    (line,) = await told(tmp_path, text, accept=("jwt", "token"))
    assert line.startswith(start)
    assert "is there only for callers with a JWT, and bank accepts token as well" in line


NO_CLAIMS = {
    "who must have a claim": f'{DENY}not input.principal.claims.role == "staff"',
    "who must pass a helper": f"{DENY}not _staff\n_staff if input.principal.claims.staff",
    "a permit": (DENY.replace("deny", "permit") + "input.principal.claims.staff"),
    "a default": f'{DENY}object.get(input.principal.claims, "role", "intern") == "intern"',
}


@pytest.mark.parametrize("kind", NO_CLAIMS)
async def test_a_rule_that_thinks_of_absence_is_silent(tmp_path: Path, kind: str) -> None:
    """It closes, or opens nothing, where there are no claims."""
    assert await told(tmp_path, NO_CLAIMS[kind], accept=("jwt", "anonymous")) == []


async def test_a_server_where_all_have_claims_is_no_reason(tmp_path: Path) -> None:
    """There the denial fires."""
    assert await told(tmp_path, CLAIMS["a denial"][0], accept=("jwt",)) == []


@pytest.mark.parametrize("depth", [300, 420, 450, 480, 490, 500, 700])
async def test_rules_that_are_nested_without_end_are_said_to_be_so(
    tmp_path: Path, depth: int
) -> None:
    """By the check itself, or where it still reads them and the look through them does not."""
    deep = "[" * depth + "1" + "]" * depth
    says = "nested too deeply"
    try:
        lines = await told(tmp_path, f"{DENY}input.arguments == {deep}")
    except PolicyTextError as error:
        lines = [str(error)]
    assert all(says in line for line in lines)
    assert lines or depth < 500


def run_check(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return run("check", *options, cwd=folder)


def test_warnings_are_shown_counted_and_no_errors(tmp_path: Path) -> None:
    """Unless they are asked to be; programs get them too."""
    (tmp_path / "tipstaff.toml").write_text(f'[servers.bank]\nurl = "{NOBODY}"\n')
    rules = tmp_path / "policy" / "servers" / "bank" / "data.yaml"
    rules.parent.mkdir(parents=True)
    rules.write_text("tools:\n  pay:\n    arguments: {properties: {to: {pattern: x}}}\n")
    site = tmp_path / "policy" / "site" / "x" / "x.rego"
    site.parent.mkdir(parents=True)
    site.write_text(f'package site.x\n{DENY}input.server == "bnak"\n')
    shown = run_check(tmp_path)
    assert shown.returncode == 0
    assert "warning: policy/servers/bank/data.yaml:3: tools.pay.arguments." in shown.stderr
    assert "warning: policy/site/x/x.rego:2: there is no server `bnak`" in shown.stderr
    assert "3 warnings: " in shown.stderr
    answer = run_check(tmp_path, "--json")
    assert answer.returncode == 0
    assert [(Path(one["file"]).name, one["line"]) for one in json.loads(answer.stdout)["warnings"]] == [
        ("data.yaml", 3), ("data.yaml", 3), ("x.rego", 2),
    ]  # fmt: skip
    assert run_check(tmp_path, "--strict").returncode == 1
    assert run_check(tmp_path, "--strict", "--json").returncode == 1
    rules.write_text("tools: {pay: {}}\n")
    site.unlink()
    silent = run_check(tmp_path, "--strict")
    assert (silent.returncode, silent.stderr) == (0, "")
