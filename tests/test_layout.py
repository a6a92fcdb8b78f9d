"""The shape of the house: sizes, names, mirrors, and where things may stand."""

from __future__ import annotations

import ast
import re
import statistics
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("pdp", "pep", "tipstaff")
GENERATED = ROOT / "pdp" / "api" / "v1"
MODULE_LINES = 300
FUNCTION_LINES, MEDIAN_FUNCTION_LINES = 50, 10
REGO_RULE_LINES = 30
FOLDER_MODULES = 20
VAGUE = {"one", "found", "said", "told", "asked", "wanted"}
NO_NAME = re.compile(r"(^|_)(utils?|helpers?|managers?|base|common|misc|tipstaff_mcp)($|_)")


def modules() -> list[Path]:
    """Every module that people have written."""
    found = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
    return [path for path in found if GENERATED not in path.parents]


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def length(node: ast.stmt) -> int:
    assert node.end_lineno is not None
    return node.end_lineno - node.lineno + 1


def tracked() -> list[Path]:
    """Every file under version control, or every file where there is none."""
    result = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return [ROOT / name for name in result.stdout.splitlines() if (ROOT / name).is_file()]


@pytest.mark.parametrize("path", modules(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_module_fits_into_one_head(path: Path) -> None:
    """Not too long, nor any of its functions."""
    assert len(path.read_text().splitlines()) <= MODULE_LINES
    assert {
        node.name: length(node) for node in functions(path) if length(node) > FUNCTION_LINES
    } == {}


def test_most_functions_are_small() -> None:
    """The limit above is for the exceptions."""
    lengths = [length(node) for path in modules() for node in functions(path)]
    assert statistics.median(lengths) <= MEDIAN_FUNCTION_LINES


def test_names_say_what_a_thing_is() -> None:
    """A name for everything is a name for nothing."""
    for path in modules():
        assert not NO_NAME.search(path.stem), path
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                word = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", node.name).lower()
                assert not NO_NAME.search(word), f"{path}: {node.name}"


def names(tree: ast.AST) -> Iterator[str]:
    """Every name that is bound in a module, and every attribute."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name


def test_names_are_nouns_of_the_thing() -> None:
    """What was found, said or asked is a rule, a header, a question: the name says which."""
    for path in modules():
        vague = VAGUE & {name.strip("_") for name in names(ast.parse(path.read_text()))}
        assert not vague, f"{path}: {vague}"


def test_unit_tests_mirror_modules() -> None:
    """Who looks for the tests of a module knows where they are."""
    unit = ROOT / "tests" / "unit"
    for path in sorted(unit.rglob("test_*.py")):
        module = ROOT / path.parent.relative_to(unit) / f"{path.stem.removeprefix('test_')}.py"
        assert module.exists(), f"{path.relative_to(ROOT)} tests no module"


def test_the_proxy_may_import_nothing_of_the_decision_service_but_its_contract() -> None:
    """The import contract names what it may not: all there is."""
    text = (ROOT / "pyproject.toml").read_text()
    contract = text.partition("by its contract only")[2].partition("forbidden_modules")[2]
    named = set(re.findall(r'"pdp\.([a-z_]+)"', contract.partition("]")[0]))
    there = {path.stem for path in (ROOT / "pdp").iterdir() if path.suffix in {"", ".py"}}
    assert named == there - {"__init__", "__pycache__", "api"}


def test_no_folder_holds_more_than_a_person_looks_through() -> None:
    """Twenty modules; then it is two folders."""
    for folder in {path.parent for path in modules()}:
        assert len(list(folder.glob("*.py"))) <= FOLDER_MODULES, folder


def test_every_pure_module_has_tests_of_its_own() -> None:
    """As the import contracts list them: what does no I/O needs no rig to be tested."""
    text = (ROOT / "pyproject.toml").read_text()
    contract = text.partition("pure modules do no I/O")[2].partition("forbidden_modules")[0]
    names = re.findall(r'"((?:pdp|pep|tipstaff)\.[a-z_.]+)"', contract)
    assert len(names) > 15
    for name in set(names) - {"pdp.api.model", "tipstaff.survey.model"}:  # nouns without behaviour
        *packages, module = name.split(".")
        path = ROOT / "tests" / "unit" / Path(*packages) / f"test_{module}.py"
        assert path.exists(), f"{name} has no tests"


def test_every_module_of_the_proxy_has_tests_of_its_own() -> None:
    """Also its edges; `parts` is a tuple of what others do, with nothing to test."""
    modules_of_proxy = [
        path.relative_to(ROOT) for path in modules() if path.relative_to(ROOT).parts[0] == "pep"
    ]
    missing = {
        path.as_posix()
        for path in modules_of_proxy
        if path.name != "__init__.py"
        and not (ROOT / "tests" / "unit" / path.parent / f"test_{path.name}").is_file()
    }
    assert missing == {"pep/judge/parts.py"}


def test_every_test_says_in_a_sentence_what_it_holds() -> None:
    """The name is the sentence, the docstring the reason or the detail."""
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for node in functions(path):
            if node.name.startswith("test_"):
                assert node.name.count("_") >= 3, f"{path}: {node.name}"
                assert ast.get_docstring(node), f"{path}: {node.name}"


def test_every_rego_rule_is_small_and_has_its_test_beside_it() -> None:
    """One folder per rule."""
    for path in sorted((ROOT / "rego" / "mcp").rglob("*.rego")):
        for block in () if path.stem.endswith("_test") else re.split(r"\n(?=\S)", path.read_text()):
            assert block.count("\n") < REGO_RULE_LINES, f"{path}: {block[:60]}"
        if "mcp/rules/" in path.as_posix() and not path.stem.endswith("_test"):
            assert path.with_name(f"{path.stem}_test.rego").exists(), path
            assert "# custom:\n#   code: " in path.read_text(), f"{path} names no reason code"


def test_locks_hold_hashes_and_name_no_host() -> None:
    """Any index that serves the same files will do."""
    for path in ROOT.glob("requirements*.lock"):
        text = path.read_text()
        assert "--hash=sha256:" in text
        assert "://" not in text


def test_no_file_under_version_control_is_a_left_over() -> None:
    """No marks of a merge, nothing to be done later, no state of a run."""
    for path in tracked():
        assert path.suffix not in {".db", ".log", ".jsonl", ".pyc", ".orig"}, path
        if path != Path(__file__) and path.suffix in {".py", ".rego", ".md", ".toml", ".yaml"}:
            found = re.search(
                r"^(<<<<<<<|>>>>>>>)|\b(TODO|FIXME|XXX)\b", path.read_text(), re.MULTILINE
            )
            assert not found, f"{path}: {found}"
