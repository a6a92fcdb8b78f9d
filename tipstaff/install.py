"""Finds the pinned OPA binary, or gets it.

Order: the one that was named; the cached one; the official release, verified against the SHA-256
published beside it; `go install`. Whatever comes must say that it is the pinned version. The cache
is `.tools/` in a checkout, else the user's cache folder.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import httpx

OPA_VERSION = "1.22.2"
GO_MODULE = f"github.com/open-policy-agent/opa@v{OPA_VERSION}"
RELEASES = "https://github.com/open-policy-agent/opa/releases/download"
_MACHINES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
_TIMEOUT = httpx.Timeout(60.0, connect=5.0)

Say = Callable[[str], None]


class OpaInstallError(Exception):
    """No usable opa binary; the message says what was tried and what to do."""


def asset_name(system: str, machine: str) -> str | None:
    """The release file for a platform as `platform` names it, or `None` when there is none."""
    architecture = _MACHINES.get(machine.lower())
    if architecture is None or system not in ("Linux", "Darwin"):
        return None
    suffix = "_static" if system == "Linux" or architecture == "arm64" else ""
    return f"opa_{system.lower()}_{architecture}{suffix}"


def cache_folder() -> Path:
    """Where the binary is kept."""
    checkout = Path(__file__).parent.parent
    if (checkout / "Makefile").exists():
        return checkout / ".tools"
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(home) / "tipstaff"


def cached_path(cache: Path) -> Path:
    """Where the pinned version stands in a cache."""
    return cache / f"opa-{OPA_VERSION}" / "opa"


def find_opa(named: str | None, cache: Path | None = None) -> Path | None:
    """The binary that was named, or the cached one, or `None`; raises `OpaInstallError`.

    The named one is asked for its version; the cached one was when it was put there.
    """
    if named:
        path = shutil.which(named)
        if path is None:
            raise OpaInstallError(f"{named} is not an executable file")
        _check_version(Path(path))
        return Path(path).resolve()
    cached = cached_path(cache or cache_folder())
    return cached if cached.exists() else None


def install_opa(
    named: str | None,
    *,
    cache: Path | None = None,
    releases: str = RELEASES,
    say: Say | None = None,
) -> Path:
    """Find or get the pinned binary; `say` is told of the progress. Raises `OpaInstallError`."""
    tell = say or (lambda _: None)
    cache = cache or cache_folder()
    found = find_opa(named, cache)
    if found is not None:
        return found
    tried = []
    for what, get in (
        ("the official release", lambda target: _download(target, releases)),
        (f"go install {GO_MODULE}", _go_install),
    ):
        tell(f"opa {OPA_VERSION}: trying {what} …")
        try:
            return _place(get, cached_path(cache))
        except (OpaInstallError, httpx.HTTPError, OSError) as error:
            tried.append(f"  {what}: {error}")
            tell(f"  did not work: {error}")
    raise OpaInstallError(
        f"cannot get opa {OPA_VERSION}:\n" + "\n".join(tried) + "\nGet that version by other means"
        " and name it with --opa PATH or TIPSTAFF_OPA=PATH."
    )


def _place(get: Callable[[Path], None], final: Path) -> Path:
    """Get the binary aside, check it, and only then put it where it is looked for."""
    final.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=final.parent) as folder:
        target = Path(folder) / "opa"
        get(target)
        target.chmod(target.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
        _check_version(target)
        target.replace(final)
    return final


def _download(target: Path, releases: str) -> None:
    asset = asset_name(platform.system(), platform.machine())
    if asset is None:
        raise OpaInstallError(f"there is no release for {platform.system()} {platform.machine()}")
    url = f"{releases}/v{OPA_VERSION}/{asset}"
    with httpx.Client(timeout=_TIMEOUT, follow_redirects=True) as client:
        published = client.get(f"{url}.sha256")
        published.raise_for_status()
        binary = client.get(url)
        binary.raise_for_status()
    wanted = published.text.split()[0] if published.text.split() else ""
    actual = hashlib.sha256(binary.content).hexdigest()
    if actual != wanted:
        raise OpaInstallError(f"{asset} has SHA-256 {actual}, but {wanted or 'none'} is published")
    target.write_bytes(binary.content)


def _go_install(target: Path) -> None:
    go = shutil.which("go")
    if go is None:
        raise OpaInstallError("there is no go command")
    environment = {**os.environ, "GOBIN": str(target.parent), "CGO_ENABLED": "0"}
    result = subprocess.run(  # noqa: S603 - the go command of this machine, fixed arguments
        [go, "install", GO_MODULE], env=environment, capture_output=True, text=True, check=False
    )
    if result.returncode != 0:
        last = result.stderr.strip().splitlines()[-1:]
        raise OpaInstallError(last[0] if last else f"go ended with {result.returncode}")


def _check_version(path: Path) -> None:
    try:
        result = subprocess.run(  # noqa: S603 - the binary just found or got
            [str(path), "version"], capture_output=True, text=True, check=False, timeout=60
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise OpaInstallError(f"{path} does not run: {error}") from error
    if f"Version: {OPA_VERSION}\n" not in result.stdout:
        first = result.stdout.partition("\n")[0] or "nothing"
        raise OpaInstallError(f"{path} says {first!r}, but version {OPA_VERSION} is needed")
