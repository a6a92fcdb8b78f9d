"""What rules read of their input: found in what OPA's own parser says of them, and in doubt all."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from pdp.policy.bundle import library_folder
from pdp.rules.claims import ClaimsRead
from pdp.rules.input_reads import EVERYTHING, SYNTAX_QUERY, InputReads, input_reads, paths_read
from tipstaff.cli.run.install import find_opa

HEAD = "package site.a\n\nimport future.keywords.not\n"


def parsed(modules: dict[str, str], folder: Path) -> dict[str, Any]:
    """The syntax trees, by the real OPA."""
    (folder / "modules.json").write_text(json.dumps(modules))
    opa = find_opa(None)
    assert opa is not None, "make dev gets it"
    options = ["--strict-builtin-errors", "--input", str(folder / "modules.json")]
    command = [opa, "eval", "--format=json", *options, SYNTAX_QUERY]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    trees: dict[str, Any] = json.loads(printed)["result"][0]["expressions"][0]["value"]
    return trees


def reads_of(text: str, folder: Path) -> InputReads:
    return input_reads(paths_read(parsed({"a.rego": HEAD + text}, folder).values()))


def read_by(text: str, folder: Path) -> ClaimsRead:
    return reads_of(text, folder).claims


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("p if input.arguments.claims", set()),
        ("p if input.principal.id == input.principal.kind", set()),
        ('p if "admin" in input.principal.claims.roles', {"roles"}),
        ('p if input["principal"]["claims"]["https://x/dept"] == "a"', {"https://x/dept"}),
        ("p if input.principal.claims.org.units[_].name == input.target", {"org"}),
        ("p if not input.principal.claims.a\n\nq := input.principal.claims.b", {"a", "b"}),
        ("p := x if {\n\tx := 1\n} else := input.principal.claims.c", {"c"}),
        ("p := [x | some x in input.principal.claims.d]", {"d"}),
        ("p if every x in input.principal.claims.e { x > 1 }", {"e"}),
        ("f(x) := x\n\np := f(input.principal.claims.g)", {"g"}),
        ('p := $"{input.principal.claims.h} of {input.target}"', {"h"}),
        ("p contains input.principal.claims.i", {"i"}),
        ("p[input.principal.claims.j] := 1", {"j"}),
        ("p := input.arguments[input.principal.claims.k]", {"k"}),
        ('p := object.get(input.principal.claims, "l", "")', {"l"}),
        ('p := object.get(input, ["principal", "claims", "m"], input.target)', {"m"}),
        ('p := object.get(input, "server", "")', set()),
        ('p := object.get(input.principal, ["id"], "")', set()),
        ("p if data.x with input as {}", set()),
        ("p if data.x with input.principal.claims as input.principal.claims.n", {"n"}),
        ("default p := false\n\np if input.principal.claims.o", {"o"}),
        ("import input.principal.claims.q as q\n\np if q", {"q"}),
    ],
)
def test_claims_that_are_read_by_name_are_found(text: str, names: set[str], tmp_path: Path) -> None:
    """Wherever in a rule they stand."""
    assert read_by(text, tmp_path) == names


@pytest.mark.parametrize(
    "text",
    [
        "p := input",
        "p := input.principal",
        "p := input.principal.claims",
        "p := input[input.target]",
        "p := input.principal[input.target]",
        "p := input.principal.claims[input.target]",
        "p if some _, x in input.principal.claims",
        "p if walk(input, [_, 1])",
        "c := input.principal.claims\n\np if c.roles",
        "import input as i\n\np if i.principal.claims.roles",
        "import input.principal as who\n\np if who.claims.roles",
        "f(x) := x.claims.roles\n\np := f(input.principal)",
        "p := object.get(input.principal, input.target, 1)",
        'p := object.get(input, ["principal", input.target], 1)',
        'p := object.get(input, "principal", {})',
        "p := object.get(input, [], {})",
        "p := json.filter(input, [])",
        "p if data.x with input as input.principal",
        "p if data.x with data.y as input.principal.claims",
        'object.get(a, b, c) := a\n\np := object.get(input, "server", 1)',
        'import data.site.b.object\n\np := object.get(input, "server", 1)',
    ],
)
def test_in_doubt_all_claims_are_read(text: str, tmp_path: Path) -> None:
    """A record without one that was read could not be replayed."""
    assert read_by(text, tmp_path) is None


def test_the_library_reads_no_claims(tmp_path: Path) -> None:
    """Only what a site writes makes records hold them."""
    library = library_folder()
    modules = {str(path): path.read_text() for path in (library / "mcp").rglob("*.rego")}
    tested = {name: text for name, text in modules.items() if not name.endswith("_test.rego")}
    assert len(tested) > 10
    assert input_reads(paths_read(parsed(tested, tmp_path).values())).claims == frozenset()


def test_no_rules_read_no_claims() -> None:
    """Nothing is not everything."""
    nothing: frozenset[str] = frozenset()
    assert input_reads(paths_read([])) == InputReads(nothing, nothing, nothing, nothing)


@pytest.mark.parametrize(
    ("text", "members", "arguments"),
    [
        ("p if input.arguments.path", {"arguments"}, {"path"}),
        (
            'p if object.get(input.arguments, "a", 1) > input.arguments["b"].c',
            {"arguments"},
            {"a", "b"},
        ),
        (
            'p if object.get(input, ["arguments", "a"], 1) == input.target',
            {"arguments", "target"},
            {"a"},
        ),
        ("p if some _, x in input.arguments", {"arguments"}, None),
        ("p if input.arguments[input.target]", {"arguments", "target"}, None),
        ("p if count(input.arguments) > 1", {"arguments"}, None),
        ("p if data.x with input.arguments as {}", set(), set()),
        ("p if input.tool.category == input.session.kind", {"tool", "session"}, set()),
        ("p if input[data.x]", None, None),
        ("p := input", None, None),
    ],
)
def test_members_and_arguments_that_are_read_by_name_are_found(
    text: str, members: set[str] | None, arguments: set[str] | None, tmp_path: Path
) -> None:
    """Where a name is computed, or the whole is handed on, everything is read."""
    reads = reads_of(text, tmp_path)
    assert (reads.members, reads.arguments) == (members, arguments)


@pytest.mark.parametrize(
    ("text", "is_repeatable"),
    [
        ("p if input.target", True),
        ("p if input.time > 1", False),
        ("p if input.request_id", False),
        ("p := input", False),
    ],
)
def test_what_depends_on_one_call_has_no_answer_for_another(
    text: str, is_repeatable: bool, tmp_path: Path
) -> None:
    """The time, and the name of the request."""
    assert reads_of(text, tmp_path).is_repeatable == is_repeatable
    assert not EVERYTHING.is_repeatable
