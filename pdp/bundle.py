"""From rule files to a signed bundle: read, validate, check with OPA, build with OPA.

One bundle holds the library and the site's rules (ADR 0002), so that one revision decides and one
step activates it. YAML is read here, once, and goes into the bundle as the JSON that was validated:
no second YAML parser sees it. The revision is a digest of everything that went in, and of what the
catalogue says besides: arguments are checked by the schemas in it.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from pdp import rules
from pdp.api import strict_json
from pdp.catalogue import without_prose
from pdp.errors import PolicyTextError

ROOTS = ("mcp", "servers", "catalog", "site")
_SERVER_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}\Z")
_NOT_RULES = (".md", ".txt")


class PolicyText(Struct, frozen=True):
    """A validated policy folder: bundle path to content, and the catalogue it holds."""

    files: Mapping[str, bytes]
    catalogue: Mapping[str, Any]
    servers: tuple[str, ...]
    revision: str


class Bundle(Struct, frozen=True):
    """A bundle ready to be served."""

    revision: str
    data: bytes
    catalogue: Mapping[str, Any]


def library_folder() -> Path:
    """The folder of the library's Rego: inside the installed package, or beside it in a checkout."""
    here = Path(__file__).parent
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
    sources = [path for path in sorted(folder.rglob("*")) if path.is_file() and _is_rule(path)]
    for path in sources:
        if path.relative_to(folder).parts[0] == "catalog":
            _read_catalogue(folder, path, files, catalogue)
    servers = [_read_source(folder, path, files, catalogue) for path in sources]
    digest = hashlib.sha256()
    for name, content in sorted(files.items()):
        digest.update(f"{len(name)}:{name}{len(content)}:".encode() + content)
    digest.update(json.dumps(catalogue, sort_keys=True).encode())
    return PolicyText(
        files, catalogue, tuple(name for name in servers if name), digest.hexdigest()[:12]
    )


async def build(text: PolicyText, *, opa: Path, library: Path, key_file: Path) -> Bundle:
    """Check `text` with OPA and build the signed bundle; raises `PolicyTextError`."""
    with tempfile.TemporaryDirectory(prefix="tipstaff-policy-") as temporary:
        staged = Path(temporary) / "bundle"
        _stage(text, staged)
        await _check(opa, staged, library)
        target = Path(temporary) / "policy.tar.gz"
        signing = (f"--signing-key={key_file}", "--signing-alg=HS256")
        await _run(
            opa, "build", "-b", ".", "-r", text.revision, *signing, "-o", str(target), cwd=staged
        )
        return Bundle(text.revision, target.read_bytes(), text.catalogue)


async def check(text: PolicyText, *, opa: Path, library: Path) -> None:
    """Check `text` with OPA, building nothing; raises `PolicyTextError`."""
    with tempfile.TemporaryDirectory(prefix="tipstaff-policy-") as temporary:
        staged = Path(temporary) / "bundle"
        _stage(text, staged)
        await _check(opa, staged, library)


def fingerprint(folder: Path) -> tuple[tuple[str, int, int], ...]:
    """Changes whenever a file of `folder` does: path, modification time and size of each."""
    found = []
    for path in sorted(folder.rglob("*")):
        try:
            status = path.stat()
        except FileNotFoundError:
            continue
        found.append((str(path), status.st_mtime_ns, status.st_size))
    return tuple(found)


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
        listing = strict_json.loads(path.read_bytes())
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
            files[relative.as_posix()] = path.read_bytes()
            return ""
    raise PolicyTextError(
        f"{path}: this file would not be read; rules are servers/<server>/data.yaml, "
        "catalog/<server>/data.json and site/<name>/<name>.rego"
    )


def _server_rules(path: Path, server: str, catalogue: Mapping[str, Any]) -> bytes:
    if not _SERVER_NAME.match(server):
        raise PolicyTextError(f"{path}: {server!r} is no server name: [a-z][a-z0-9_]{{0,62}}")
    text = path.read_text(encoding="utf-8")
    data = rules.validate(text, str(path), catalogue.get(server))
    return json.dumps(data, sort_keys=True).encode()


def _stage(text: PolicyText, staged: Path) -> None:
    for name, content in text.files.items():
        target = staged / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    manifest = {"revision": text.revision, "roots": list(ROOTS), "rego_version": 1}
    (staged / ".manifest").write_text(json.dumps(manifest), encoding="utf-8")


async def _check(opa: Path, staged: Path, library: Path) -> None:
    """All of it against the capabilities; the site's rules, annotated or not, against the input."""
    capabilities = f"--capabilities={library / 'capabilities.json'}"
    schemas = library / "schemas"
    await _run(
        opa, "check", "--strict", "--bundle", capabilities, f"--schema={schemas}", ".", cwd=staged
    )
    if (staged / "site").is_dir():
        schema = f"--schema={schemas / 'input.json'}"
        await _run(opa, "check", "--strict", capabilities, schema, "site", cwd=staged)
        _check_packages(json.loads(await _run(opa, "inspect", "--format=json", ".", cwd=staged)))


def _check_packages(inspected: Mapping[str, Any]) -> None:
    """A site's file adds to its own package: one in the library's would rewrite how rules combine."""
    for package, files in inspected["namespaces"].items():
        for name in files:
            folder, _, rest = name.removeprefix("site/").partition("/")
            own = f"data.site.{folder}"
            if name.startswith("site/") and not (rest and f"{package}.".startswith(f"{own}.")):
                wanted = f"`package site.{folder}`" if rest else "it to site/NAME/NAME.rego"
                raise PolicyTextError(
                    f"{name}: its package is {package.removeprefix('data.')}; "
                    f"{'write' if rest else 'move'} {wanted}"
                )


def _why(error: Exception) -> str:
    return str(error) if isinstance(error, ValueError) else repr(error)


async def _run(opa: Path, *arguments: str, cwd: Path) -> str:
    """What OPA, run in `cwd`, prints; its complaints become a `PolicyTextError`."""
    process = await asyncio.create_subprocess_exec(
        str(opa),
        *arguments,
        cwd=cwd,
        env={name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    if process.returncode != 0:
        raise PolicyTextError(_readable(output.decode(errors="replace").splitlines()))
    return output.decode()


def _readable(lines: Iterable[str]) -> str:
    return "\n".join(line.removeprefix("error: ") for line in lines if line.strip())
