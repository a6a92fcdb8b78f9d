"""Mistakes that people make in Rego, YAML, TOML and on the command line: none is silent.

Each is refused or warned of, with the file, the line where there is one, and what to do about it.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from msgspec import Struct

from tipstaff.__main__ import main
from tipstaff.survey import pins
from tipstaff.survey.asking.listing import listing_of
from tipstaff.survey.report import report

TOML = """state_dir = "state"

[pep]
listen = "127.0.0.1:8700"

[servers.files]
url = "http://127.0.0.1:9/mcp"
"""
YAML = """default: deny
tools:
  list_files: {}
  read_file:
    arguments:
      properties: {path: {type: string, pattern: "^/srv/[a-z]+$"}}
      required: [path]
  pay:
    rate_limit: {max: 10, window: 60}
"""
TOOLS = {
    "list_files": {"type": "object", "properties": {}},
    "read_file": {
        "type": "object",
        "properties": {"path": {"type": "string"}, "limit": {"type": "integer"}},
        "required": ["path"],
    },
    "pay": {
        "type": "object",
        "properties": {"amount": {"type": "integer"}, "currency": {"type": "string"}},
        "required": ["amount"],
    },
    "wipe": {"type": "object", "properties": {"path": {"type": "string"}}},
}
HEAD = "package site.own\n\nimport future.keywords.not\n\n"
META = "# METADATA\n# title: A rule\n# custom:\n#   code: own\n"


class Mistake(Struct, frozen=True):
    """What is written where, what is run, and what a person then has to read."""

    name: str
    file: str
    text: str
    expected: tuple[str, ...]
    is_refused: bool = True
    command: tuple[str, ...] = ("check",)


def rego(name: str, line: int, text: str, *expected: str, refused: bool = True) -> Mistake:
    """In a site's own rules; `line` is counted in the whole file."""
    place = rf"own\.rego:{line}\b"
    return Mistake(name, "policy/site/own/own.rego", HEAD + text, (place, *expected), refused)


def rule(condition: str) -> str:
    return META + 'deny contains {"code": "own", "message": "No."} if ' + condition + "\n"


def yaml(name: str, line: int, old: str, new: str, *expected: str, refused: bool = True) -> Mistake:
    """In the rules of a server."""
    assert old in YAML
    place = rf"files/data\.yaml:{line}\b"
    text = YAML.replace(old, new, 1)
    return Mistake(name, "policy/servers/files/data.yaml", text, (place, *expected), refused)


def toml(name: str, line: int, old: str, new: str, *expected: str, refused: bool = True) -> Mistake:
    """In the configuration."""
    assert old in TOML
    place = rf"tipstaff\.toml:{line}\b"
    return Mistake(name, "tipstaff.toml", TOML.replace(old, new, 1), (place, *expected), refused)


def shell(name: str, command: str, *expected: str) -> Mistake:
    """On the command line."""
    return Mistake(name, "", "", expected, command=tuple(command.split()))


ELEMENT = '{"code": "own", "message": "No."}'
REGO = (
    rego(
        "a set of another name",
        9,
        META + f"denny contains {ELEMENT} if input.target\n",
        "denny",
        "`?deny`?",
    ),
    rego(
        "a group of nobody",
        9,
        META
        + 'require_approval contains {"code": "own", "message": "m", "approval": {"approvers": ["x"]}} if '
        + 'input.target == "pay"\n',
        "approval",
        "`x`",
        refused=False,
    ),
    rego("a rule that is no set", 9, META + 'deny if input.target == "pay"\n', "deny contains"),
    rego("a value for a set", 9, META + "deny := true\n", "deny contains"),
    rego("another's word for a permit", 9, META + 'allow if input.target == "pay"\n', "permit"),
    rego("a default of another's", 5, "default allow := false\n", "permit|deny"),
    Mistake(
        "a deeper package",
        "policy/site/own/own.rego",
        "package site.own.deep\n",
        (r"own\.rego:1\b", r"site\.own"),
    ),
    Mistake(
        "the library's package",
        "policy/site/own/own.rego",
        "package mcp.main\n",
        (r"own\.rego:1\b", r"site\."),
    ),
    rego("a syntax error", 10, META + f"deny contains {ELEMENT} if (\n"),
    rego("a field that does not exist", 9, rule('input.targget == "pay"'), "targget", "target"),
    rego(
        "a request to the network",
        9,
        rule('http.send({"method": "get", "url": "x"}).status_code == 200'),
        r"http\.send",
    ),
    rego("the machine's clock", 9, rule("time.now_ns() > 0"), r"time\.now_ns", r"input\.time"),
    rego(
        "an element without a code",
        9,
        META + 'deny contains {"message": "No."} if input.target == "pay"\n',
        "code",
    ),
    rego("a tool that is not there", 9, rule('input.target == "pya"'), "pya", "pay", refused=False),
    rego(
        "a server that is not there",
        9,
        rule('input.server == "filez"'),
        "filez",
        "files",
        refused=False,
    ),
    rego(
        "an argument that no tool has",
        9,
        rule("input.arguments.ammount > 5"),
        "ammount",
        "amount",
        refused=False,
    ),
    rego(
        "a text where there is a number",
        9,
        rule('input.arguments.amount > "100"'),
        "amount",
        "integer|number",
        refused=False,
    ),
    rego(
        "a claim of callers without claims",
        9,
        rule('input.principal.claims.team != "ops"'),
        "claims",
        refused=False,
    ),
    rego(
        "a category in another case",
        9,
        rule('input.tool.category == "destructive"'),
        "Destructive",
        refused=False,
    ),
    Mistake(
        "a test that is no Rego",
        "policy/site/own/own_test.rego",
        "package site.own_test\n\ntest_x if {\n",
        (r"own_test\.rego:\d",),
    ),
)
YAML_MISTAKES = (
    yaml("an unknown key", 9, "rate_limit:", "rate_limt:", "rate_limt", "rate_limit"),
    yaml("an unknown tool", 4, "read_file", "reed_file", "reed_file", "read_file"),
    yaml(
        "an unknown action",
        3,
        "list_files: {}",
        "list_files: {action: alow}",
        "tools.list_files.action",
        "`allow`",
    ),
    yaml("an unknown default", 1, "default: deny", "default: denny", "default", "`deny`"),
    yaml("a limit of nothing", 9, "max: 10", "max: 0", "max"),
    yaml("a negative window", 9, "window: 60", "window: -60", "window"),
    yaml("a number as text", 9, "max: 10", 'max: "10"', "max", "number|integer|int"),
    yaml("an unknown scope", 9, "max: 10", "scope: sesion, max: 10", "scope", "`session`"),
    yaml("an unknown category", 1, "default: deny", "categories: {Reads: {}}", "Reads", "Read"),
    yaml(
        "the same key twice",
        8,
        "  pay:",
        "  list_files: {action: deny}\n  pay:",
        "list_files",
        "twice|duplicate|already",
    ),
    yaml("a tab", 3, "  list_files", "\tlist_files", "tab|\\\\t"),
    yaml("an unknown keyword", 6, "pattern:", "patern:", "patern", "pattern"),
    yaml("a pattern that is none", 6, "^/srv/[a-z]+$", "^/srv/[a-z+$", "pattern|regex"),
    yaml(
        "a schema elsewhere",
        6,
        "{type: string, pattern",
        '{$ref: "https://example.com/x", pattern',
        "ref",
    ),
    yaml(
        "a group of nobody",
        9,
        "rate_limit: {max: 10, window: 60}",
        "approval: {approvers: [finanse]}\n    action: require_approval",
        "approvers",
        "`finanse`",
        "approvals.people",
        refused=False,
    ),
    yaml(
        "a question to a server's client",
        1,
        "default: deny",
        "methods: {sampling/createMessage: {action: require_approval}}",
        "nobody can be asked",
        refused=False,
    ),
    yaml("a pattern without an end", 6, "+$", "", "pattern", "anchor|\\$|end", refused=False),
    yaml(
        "an argument that the tool has not",
        6,
        "{path: {",
        "{file_path: {",
        "file_path",
        "path",
        refused=False,
    ),
    yaml(
        "a required one that it has not",
        7,
        "required: [path]",
        "required: [pathh]",
        "pathh",
        "path",
        refused=False,
    ),
    yaml(
        "a type that it never sends",
        6,
        "type: string, ",
        "type: integer, ",
        "integer",
        "string",
        refused=False,
    ),
    yaml(
        "a schema that requires nothing",
        6,
        "      required: [path]\n",
        "",
        "required",
        "path",
        refused=False,
    ),
    yaml(
        "an opening of what is closed",
        5,
        "default: deny\ntools:\n",
        "default: deny\ncategories:\n  Destructive: {action: deny}\ntools:\n  wipe: {}\n",
        "wipe",
        "Destructive",
        refused=False,
    ),
    Mistake(
        "another ending",
        "policy/servers/mail/data.yml",
        "default: deny\n",
        (r"data\.yml", r"data\.yaml"),
    ),
    Mistake(
        "a file in the wrong folder",
        "policy/server/files/data.yaml",
        "default: deny\n",
        ("policy/server/", "did you mean servers/files/data.yaml"),
    ),
    Mistake(
        "a file beside the folders",
        "policy/servers/files.yaml",
        "default: deny\n",
        (r"servers/files\.yaml", r"files/data\.yaml"),
    ),
    Mistake(
        "rules of a server that is not there",
        "policy/servers/filez/data.yaml",
        "default: deny\n",
        ("filez", "files"),
        is_refused=False,
    ),
)
TOML_MISTAKES = (
    toml("an unknown key", 4, "listen", "listn", "listn", "listen"),
    toml("an unknown section", 3, "[pep]", "[peps]", "peps", "pep"),
    toml("a port that is none", 4, "8700", "87000", "87000"),
    toml("a host alone", 4, ":8700", "", "HOST:PORT"),
    toml("an unknown way to say who calls", 7, "url", 'accept = ["jtw"]\nurl', "jtw", "jwt"),
    toml(
        "a store that is none",
        4,
        "[pep]",
        '[limits]\nstore = "sqllite"\n[pep]',
        "sqllite",
        "sqlite",
    ),
    toml(
        "an unset variable",
        8,
        '/mcp"',
        '/mcp"\nbearer = "env:NO_SUCH_VARIABLE"',
        "NO_SUCH_VARIABLE",
        refused=False,
    ),
    toml("a secret in clear", 8, '/mcp"', '/mcp"\nbearer = "abcdefghijklmnop"', "env:|file:"),
    toml("a URL without a scheme", 7, "http://", "", "http://"),
    toml("two ways to the server", 7, '/mcp"', '/mcp"\ncommand = ["python3"]', "url", "command"),
    toml(
        "a command that is not there",
        7,
        'url = "http://127.0.0.1:9/mcp"',
        'command = ["no-such-server"]',
        "no-such-server",
        refused=False,
    ),
    toml("a server in capitals", 6, "servers.files", "servers.Files", "Files", "files|lower|a-z"),
    toml(
        "a text where a number belongs",
        4,
        "[pep]",
        '[limits]\nprincipal_factor = "ten"\n[pep]',
        "principal_factor",
        "number|integer|int",
    ),
    toml("a line that does not end", 4, ':8700"', ":8700"),
    toml("a section twice", 6, "[servers.files]", "[pep]\n[servers.files]", "pep"),
)
SHELL = (
    shell("an unknown command", "chekc", "chekc", "check"),
    shell("an unknown option", "check --jsn", "--jsn", "--json"),
    shell("a server without a place", "register files2", "URL"),
    shell("a name that is none", "register 9files http://127.0.0.1:9/mcp", "9files"),
    shell(
        "an unknown preset",
        "register other http://127.0.0.1:9/mcp --preset strickt",
        "strickt",
        "strict",
    ),
    shell("a server that is away", "register other http://127.0.0.1:9/mcp", "127.0.0.1:9"),
    shell("an unknown server", "decide filez read_file", "filez", "files"),
    shell("arguments that are no JSON", "decide files read_file {path:1}", "JSON"),
    shell("a time that is none", "log --since yesterdayish", "yesterdayish"),
    shell(
        "a configuration that is not there",
        "check -c elsewhere.toml",
        r"elsewhere\.toml",
        "init|register",
    ),
    shell("a server that no file knows", "client-config filez --client cursor", "filez", "files"),
    shell("a token that is not there", "token revoke nobody", "nobody"),
    shell("an unknown client", "client-config files --client cursr", "cursr", "cursor"),
    shell("a command without dashes", "wrap files", "--"),
)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A registered server with rules, in the current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")
    write(tmp_path / "tipstaff.toml", TOML)
    write(tmp_path / "policy/servers/files/data.yaml", YAML)
    listed = [{"name": name, "inputSchema": schema} for name, schema in TOOLS.items()]
    survey = report("files", "http://127.0.0.1:9/mcp", listing_of(listed))
    catalogue = pins.catalogue({}, survey, TOOLS, time="2026-01-01T00:00:00Z")
    write(tmp_path / "policy/catalog/files/data.json", pins.text(catalogue))
    return tmp_path


def write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def run(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """The exit code, and all that a person reads."""
    capsys.readouterr()
    try:
        code = main(list(arguments))
    except SystemExit as end:
        code = int(end.code or 0)
    out, err = capsys.readouterr()
    return code, out + err


def test_what_is_right_is_neither_refused_nor_warned_of(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Or the cases below would prove nothing."""
    write(site / "policy/site/own/own.rego", HEAD + rule('input.target == "pay"'))
    code, text = run(("check",), capsys)
    assert code == 0, text
    assert "warning" not in text


@pytest.mark.parametrize(
    "mistake", REGO + YAML_MISTAKES + TOML_MISTAKES + SHELL, ids=lambda mistake: mistake.name
)
def test_no_mistake_is_silent(
    mistake: Mistake, site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A person reads where it is and what to do; what cannot work is refused."""
    if mistake.file:
        write(site / mistake.file, mistake.text)
    code, text = run(mistake.command, capsys)
    missing = [words for words in mistake.expected if not re.search(words, text)]
    assert not missing, f"exit {code}, {missing} not in:\n{text}"
    assert bool(code) == mistake.is_refused, text
    assert "Traceback" not in text
