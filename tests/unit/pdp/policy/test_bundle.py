"""From rule files to a signed bundle, with the real OPA."""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
from pathlib import Path

import pytest

from pdp.errors import PolicyTextError
from pdp.policy.bundle import PolicyText, build, check, library_folder, read_policy
from pdp.rules.input_reads import SYNTAX_QUERY, paths_read
from tipstaff.cli.run.install import find_opa

LIBRARY = library_folder()
RULE = "tools: {read: {}}\n"
SITE = """package site.hours

import data.mcp.lib.defaults

deny contains {"code": "closed", "message": "Closed."} if {
	input.target == "write"
	defaults.limit.cost == 1
}
"""


def write(folder: Path, **files: str) -> Path:
    """Write files; `__` in a name is a slash, and `_DOT_` a dot."""
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_DOT_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def read(folder: Path, **files: str) -> PolicyText:
    return read_policy(write(folder, **files), LIBRARY)


@pytest.fixture(scope="module")
def opa() -> Path:
    found = find_opa(None)
    assert found is not None, "make dev gets it"
    return found


async def test_a_bundle_holds_library_and_site_under_one_revision(
    tmp_path: Path, opa: Path
) -> None:
    """Signed, with the rules as the JSON that was validated, and without tests."""
    text = read(
        tmp_path / "policy",
        servers__files__data_DOT_yaml=RULE,
        site__hours__hours_DOT_rego=SITE,
        site__hours__hours_test_DOT_rego="package site.hours_test\n",
        README_DOT_md="notes",
    )
    key = tmp_path / "key"
    key.write_text("secret")
    bundle = await build(text, opa=opa, library=LIBRARY, key_file=key)
    with tarfile.open(fileobj=io.BytesIO(bundle.data)) as archive:
        names = {name.lstrip("/") for name in archive.getnames()}
        data = json.load(archive.extractfile("/data.json"))  # type: ignore[arg-type]
        manifest = json.load(archive.extractfile("/.manifest"))  # type: ignore[arg-type]
    assert data["servers"]["files"] == {"tools": {"read": {}}}
    assert manifest["revision"] == bundle.revision == text.revision
    assert ".signatures.json" in names
    assert "site/hours/hours.rego" in names
    assert not any(name.endswith(("_test.rego", ".md")) for name in names)
    assert text.servers == ("files",)


def test_the_revision_changes_with_any_content_and_with_nothing_else(tmp_path: Path) -> None:
    """The same files elsewhere have the same revision."""
    one = read(tmp_path / "a", servers__files__data_DOT_yaml=RULE)
    same = read(tmp_path / "b", servers__files__data_DOT_yaml="# a comment\n" + RULE)
    other = read(tmp_path / "c", servers__files__data_DOT_yaml="tools: {read: {action: deny}}\n")
    moved = read(tmp_path / "d", servers__other__data_DOT_yaml=RULE)
    assert one.revision == same.revision
    assert len({one.revision, other.revision, moved.revision}) == 3


def test_what_people_read_in_the_catalogue_stays_here(tmp_path: Path) -> None:
    """OPA sees a tool's facts; its definition would cost it many times their size."""
    entry = {"category": "Read", "definition": {"inputSchema": {}}, "rationale": "Reads."}
    text = read(tmp_path, catalog__files__data_DOT_json=json.dumps({"tools": {"read": entry}}))
    assert text.files["catalog/files/data.json"] == b'{"tools": {"read": {"category": "Read"}}}'
    assert text.catalogue["files"]["tools"]["read"] == entry


def test_the_revision_changes_with_a_schema_that_arguments_are_checked_by(tmp_path: Path) -> None:
    """OPA does not see it, but the decision depends on it; and only another revision activates."""
    revisions = set()
    for number, schema in enumerate([{}, {"required": ["path"]}]):
        entry = {"tools": {"read": {"definition": {"inputSchema": schema}}}}
        folder = tmp_path / str(number)
        revisions.add(read(folder, catalog__files__data_DOT_json=json.dumps(entry)).revision)
    assert len(revisions) == 2


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("servers__My-Files__data_DOT_yaml", RULE, "is no server name"),
        ("servers__files__rules_DOT_yaml", RULE, "this file would not be read"),
        ("servers__files_DOT_yaml", RULE, "this file would not be read"),
        ("data_DOT_yaml", RULE, "this file would not be read"),
        ("mcp__mine_DOT_rego", "package mcp.mine\n", "this file would not be read"),
        ("site__notes_DOT_yaml", "a: 1\n", "this file would not be read"),
        ("catalog__files__x_DOT_json", "{}", "not read; the catalogue is"),
        ("catalog__files__data_DOT_json", "{", "not a catalogue"),
        ("catalog__files__data_DOT_json", '{"tools": []}', "not a catalogue"),
        ("catalog__files__data_DOT_json", "[]", "not a catalogue"),
        ("catalog__files__data_DOT_json", '{"tools": {"a": {}, "a": {}}}', "duplicate key 'a'"),
        ("catalog__files__data_DOT_json", '{"tools": {"a": {"risk": "hihg"}}}', "a: Invalid enum"),
        ("servers__files__data_DOT_yaml", "tools: {a: {acton: b}}\n", "did you mean `action`"),
    ],
)
def test_a_file_that_would_do_nothing_or_not_what_it_says_is_refused(
    tmp_path: Path, name: str, content: str, said: str
) -> None:
    """With its path."""
    with pytest.raises(PolicyTextError) as caught:
        read(tmp_path, **{name: content})
    assert said in str(caught.value)
    assert str(tmp_path) in str(caught.value)


def test_a_folder_that_is_not_there_says_what_makes_one(tmp_path: Path) -> None:
    """It is not an empty policy."""
    with pytest.raises(PolicyTextError, match="tipstaff init"):
        read_policy(tmp_path / "nowhere", LIBRARY)


@pytest.mark.parametrize(
    ("rego", "said"),
    [
        ("package site.hours\n\nx := {\n", "site/hours/hours.rego:4"),
        ("package mcp.main\n\nx := 1\n", "hours.rego:1: its package is mcp.main; write"),
        ("package site.hours2\n\nx := 1\n", "write `package site.hours`"),
        ("package site.hours\n\nx := input.sesion\n", "sesion"),
        (
            'package site.hours\n\nx := http.send({"method": "get", "url": "http://x"})\n',
            "http.send",
        ),
        ("package site.hours\n\nx := opa.runtime()\n", "opa.runtime"),
        ("package site.hours\n\nimport data.mcp.main\n", "unused"),
    ],
    ids=[
        "no Rego",
        "a library package",
        "another's package",
        "no such input",
        "network",
        "environment",
        "not strict",
    ],
)
async def test_rego_that_must_not_decide_is_refused_by_opa(
    tmp_path: Path, opa: Path, rego: str, said: str
) -> None:
    """Strict, with the input's schema, without built-ins that reach out."""
    text = read(tmp_path, site__hours__hours_DOT_rego=rego)
    with pytest.raises(PolicyTextError) as caught:
        await check(text, opa=opa, library=LIBRARY)
    assert said in str(caught.value)


async def test_proper_rego_of_the_site_passes(tmp_path: Path, opa: Path) -> None:
    """It may use the library."""
    await check(read(tmp_path, site__hours__hours_DOT_rego=SITE), opa=opa, library=LIBRARY)


def test_what_the_library_reads_of_its_input_is_known_without_a_look_at_it(
    tmp_path: Path, opa: Path
) -> None:
    """`rego/input_reads.txt` says it, so that a site without Rego of its own loads with one run of OPA."""
    modules = {
        str(path): path.read_text()
        for path in (LIBRARY / "mcp").rglob("*.rego")
        if not path.name.endswith("_test.rego")
    }
    (tmp_path / "modules.json").write_text(json.dumps(modules))
    done = subprocess.run(
        [opa, "eval", "--format=json", f"--input={tmp_path / 'modules.json'}", SYNTAX_QUERY],
        capture_output=True, check=True,
    )  # fmt: skip
    trees = json.loads(done.stdout)["result"][0]["expressions"][0]["value"]
    assert len(trees) > 10
    read = sorted(map("/".join, paths_read(trees.values())))
    assert (LIBRARY / "input_reads.txt").read_text().splitlines() == read
