"""From rule files to a signed bundle: read, validate, check with OPA, build with OPA.

One bundle holds the library and the site's rules (ADR 0002), so that one revision decides and one
step activates it. YAML is read here, once, and goes into the bundle as the JSON that was validated:
no second YAML parser sees it. The revision is a digest of everything that went in, and of the rest of
the catalogue, because arguments are checked by the schemas in it.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from pdp.api import strict_json
from pdp.errors import PolicyTextError, SidecarError
from pdp.rules import hints, server_rules, site_rules
from pdp.rules.elements import SETS
from pdp.rules.folder import entries, read_file
from pdp.rules.input_reads import SYNTAX_QUERY, InputPath, InputReads, input_reads, paths_read
from pdp.rules.site_rules import Module
from pdp.tools.catalogue import without_prose

# Every path: OPA then refuses to write any other rule or datum, and drops what was written before (ADR 21).
_ROOTS = [""]
_SERVER_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}\Z")
_PARSERS = 4
_PARSE = ("parse", "--format=json", "--json-include=locations,-comments")
# A line of a file that may begin a rule with the name of a set.
_SET_NAME = re.compile(rf"^\s*(default\s+)?({'|'.join(SETS)})\b".encode(), re.MULTILINE)
_SITE = "site/"
_NOT_RULES = (".md", ".txt")
_RULES = (".yaml", ".json", ".rego")
_OPA_SECONDS = 60.0
_INHERITED = ("PATH", "HOME", "TMPDIR")
# A command that is over in a tenth of a second need not collect its garbage four times: a quarter less CPU.
_UNHURRIED_COLLECTOR = {"GOGC": "400"}


class PolicyText(Struct, frozen=True):
    """A validated policy folder: bundle path to content, and the catalogue it holds.

    `tests` are the site's files of tests, which no bundle holds.
    """

    files: Mapping[str, bytes]
    tests: Mapping[str, bytes]
    catalogue: Mapping[str, Any]
    servers: tuple[str, ...]
    revision: str


class Bundle(Struct, frozen=True):
    """A bundle ready to be served."""

    revision: str
    data: bytes
    catalogue: Mapping[str, Any]
    reads: InputReads


def library_folder() -> Path:
    """The folder of the library's Rego: inside the installed package, or beside it in a checkout."""
    here = Path(__file__).parents[1]
    packaged = here / "rego"
    return packaged if packaged.is_dir() else here.parent / "rego"


def read_policy(folder: Path, library: Path) -> PolicyText:
    """Read and validate the site's `folder`; raises `PolicyTextError`."""
    if not folder.is_dir():
        raise PolicyTextError(f"{folder}: no such folder; `tipstaff init` makes one")
    catalogue: dict[str, Any] = {}
    files = {
        path.relative_to(library).as_posix(): path.read_bytes()
        for path in sorted((library / "mcp").rglob("*.rego"))
        if not path.name.endswith("_test.rego")
    }
    sources = [path for path in entries(folder) if _is_source(path)]
    for path in sources:
        if path.relative_to(folder).parts[0] == "catalog":
            _read_catalogue(folder, path, files, catalogue)
    servers = [_read_source(folder, path, files, catalogue) for path in sources]
    digest = hashlib.sha256()
    for name, content in sorted(files.items()):
        digest.update(f"{len(name)}:{name}{len(content)}:".encode() + content)
    digest.update(json.dumps(catalogue, sort_keys=True).encode())
    return PolicyText(
        files=files,
        tests={
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in sorted(folder.glob("site/**/*_test.rego"))
            if path.is_file()
        },
        catalogue=catalogue,
        servers=tuple(name for name in servers if name),
        revision=digest.hexdigest()[:12],
    )


async def build(text: PolicyText, *, opa: Path, library: Path, key_file: Path) -> Bundle:
    """Check `text` with OPA and build the signed bundle; raises `PolicyTextError` or `SidecarError`."""
    with tempfile.TemporaryDirectory(prefix="tipstaff-policy-") as temporary:
        staged = await _checked(text, Path(temporary), opa=opa, library=library)
        target = Path(temporary) / "policy.tar.gz"
        signing = (f"--signing-key={key_file}", "--signing-alg=HS256")
        await _run(
            opa, "build", "-b", ".", "-r", text.revision, *signing, "-o", str(target), cwd=staged
        )
        reads = input_reads(_library_reads(library), await _site_reads(text, opa, Path(temporary)))
        return Bundle(text.revision, target.read_bytes(), text.catalogue, reads)


async def check(text: PolicyText, *, opa: Path, library: Path) -> None:
    """Check `text` with OPA, building nothing; raises `PolicyTextError` or `SidecarError`."""
    with tempfile.TemporaryDirectory(prefix="tipstaff-policy-") as temporary:
        await _checked(text, Path(temporary), opa=opa, library=library)


def _is_source(path: Path) -> bool:
    """Whether `path` is to be read as a source of rules; raises `PolicyTextError` for a link to a folder."""
    if not _is_rule(path):
        return False
    if path.is_symlink() and path.is_dir():
        raise PolicyTextError(f"{path}: links to folders are not followed; copy it here")
    return not path.is_dir() or path.suffix in _RULES


def _is_rule(path: Path) -> bool:
    hidden = path.name.startswith(".") or path.name.endswith("~")
    return not hidden and path.suffix not in _NOT_RULES and not path.name.endswith("_test.rego")


def _read_catalogue(
    folder: Path, path: Path, files: dict[str, bytes], catalogue: dict[str, Any]
) -> None:
    relative = path.relative_to(folder)
    if len(relative.parts) != 3 or path.name != "data.json":
        raise PolicyTextError(f"{path}: not read; the catalogue is catalog/<server>/data.json")
    try:
        listing = strict_json.loads(read_file(path), strict_json.UNBOUNDED)
        seen_by_rules = without_prose(listing)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise PolicyTextError(f"{path}: not a catalogue: {_why(error)}") from error
    catalogue[relative.parts[1]] = listing
    files[relative.as_posix()] = json.dumps(seen_by_rules, sort_keys=True).encode()


def _read_source(
    folder: Path, path: Path, files: dict[str, bytes], catalogue: Mapping[str, Any]
) -> str:
    """Add what `path` holds to `files`; returns the server's name when it is a server's rules."""
    relative = path.relative_to(folder)
    match relative.parts:
        case ("catalog", *_):
            return ""
        case ("servers", server, "data.yaml" | "data.json"):
            files[f"servers/{server}/data.json"] = _server_rules(path, server, catalogue)
            return server
        case ("site", *_) if path.suffix == ".rego":
            files[relative.as_posix()] = read_file(path)
            return ""
    raise PolicyTextError(f"{path}: this file would not be read; {hints.of_place(relative)}")


def _server_rules(path: Path, server: str, catalogue: Mapping[str, Any]) -> bytes:
    if not _SERVER_NAME.match(server):
        raise PolicyTextError(f"{path}: {server!r} is no server name: [a-z][a-z0-9_]{{0,62}}")
    try:
        text = read_file(path).decode("utf-8")
    except UnicodeDecodeError as error:
        raise PolicyTextError(f"{path}: not UTF-8: {error.reason} at byte {error.start}") from error
    data = server_rules.validate(text, str(path), catalogue.get(server))
    return json.dumps(data, sort_keys=True).encode()


async def _checked(text: PolicyText, temporary: Path, *, opa: Path, library: Path) -> Path:
    """The folder below `temporary` that holds the bundle; raises `PolicyTextError`."""
    staged, tests = temporary / "bundle", temporary / "tests"
    _write(staged, text.files)
    _write(tests, text.tests)
    manifest = {"revision": text.revision, "roots": _ROOTS, "rego_version": 1}
    (staged / ".manifest").write_text(json.dumps(manifest), encoding="utf-8")
    site = [name for name in text.files if name.startswith(_SITE)]
    if site:  # the library is checked when it is made, and what stands in YAML is checked by now
        await _check(opa, staged, library)
    suspects = [name for name, content in text.tests.items() if _SET_NAME.search(content)]
    try:
        problems = await _problems(opa, staged, site) if site else []
        for name in suspects:
            with contextlib.suppress(PolicyTextError):  # not Rego yet; `tipstaff test` says so
                problems += site_rules.problems_of_tests(await _parse(opa, tests, [name]))
    except RecursionError:
        problems = ["the site's rules are nested too deeply to be read"]
    if problems:
        raise PolicyTextError("\n".join(problems))
    return staged


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    for name, content in files.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


async def _check(opa: Path, staged: Path, library: Path) -> None:
    """Check a bundle that has rules of the site with OPA: against the capabilities, and the schema of the input."""
    capabilities = f"--capabilities={library / 'capabilities.json'}"
    schemas = library / "schemas"
    await _run(
        opa, "check", "--strict", "--bundle", capabilities, f"--schema={schemas}", ".", cwd=staged
    )
    schema = f"--schema={schemas / 'input.json'}"
    await _run(opa, "check", "--strict", capabilities, schema, "site", cwd=staged)


async def _problems(opa: Path, staged: Path, site: Sequence[str]) -> list[str]:
    """Problems of the site's files that OPA accepts: rules that nothing reads."""
    modules = await _parse(opa, staged, site)
    query = site_rules.query(modules.values())
    used = await _run(opa, "deps", "--format=json", "-d", "mcp", "-d", "site", query, cwd=staged)
    return site_rules.problems(modules, site_rules.read_dependencies(used))


async def _parse(opa: Path, folder: Path, names: Sequence[str]) -> dict[str, Module]:
    """The files of `folder` as OPA reads them, by name."""
    free = asyncio.Semaphore(_PARSERS)

    async def parse(name: str) -> Module:
        async with free:
            return site_rules.read_module(await _run(opa, *_PARSE, name, cwd=folder))

    return dict(zip(names, await asyncio.gather(*map(parse, names)), strict=True))


def _library_reads(library: Path) -> frozenset[InputPath]:
    """What the library's rules read of their `input`; the file is held against the rules by a test."""
    lines = (library / "input_reads.txt").read_text(encoding="utf-8").splitlines()
    return frozenset(tuple(line.split("/")) for line in lines)


async def _site_reads(text: PolicyText, opa: Path, folder: Path) -> frozenset[InputPath]:
    """What the rules of the site read of their `input`, by OPA's own parser."""
    modules = {
        name: content.decode() for name, content in text.files.items() if name.startswith(_SITE)
    }
    if not modules:
        return frozenset()
    (folder / "modules.json").write_text(json.dumps(modules), encoding="utf-8")
    options = ("--strict-builtin-errors", "--format=json", "--input=modules.json")
    printed = json.loads(await _run(opa, "eval", *options, SYNTAX_QUERY, cwd=folder))
    return paths_read(printed["result"][0]["expressions"][0]["value"].values())


def _why(error: Exception) -> str:
    return str(error) if isinstance(error, ValueError) else repr(error)


async def _run(opa: Path, *arguments: str, cwd: Path) -> bytes:
    """The output of OPA, run in `cwd`; an error of OPA is raised as `PolicyTextError`.

    Raises `SidecarError` when OPA does not run, or does not come to an end.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            str(opa),
            *arguments,
            cwd=cwd,
            env={name: os.environ[name] for name in _INHERITED if name in os.environ}
            | _UNHURRIED_COLLECTOR,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
    except OSError as error:
        raise SidecarError(f"cannot run {opa}: {error.strerror}") from error
    try:
        async with asyncio.timeout(_OPA_SECONDS):
            output, _ = await process.communicate()
    except TimeoutError as error:
        raise SidecarError(
            f"`opa {arguments[0]}` did not end within {_OPA_SECONDS:.0f} s"
        ) from error
    finally:
        if process.returncode is None:
            process.kill()
    if process.returncode != 0:
        raise PolicyTextError(hints.of_opa(output.decode(errors="replace").splitlines()))
    return output
