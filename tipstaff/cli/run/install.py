"""Finds the pinned OPA binary, or gets it.

Order: the one that was named; the cached one; the official release; a build of the Go module. Release and
module are held against the digests that stand in our source, and whatever comes must say that it is the
pinned version. The cache is `.tools/` in a checkout, else the user's cache folder; the digest of what was
put there stands beside it, and is compared whenever the file is not the one that was looked at last.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from tipstaff.cli.run.installed import BrokenInstallError, check, record, sha256
from tipstaff.cli.run.opa_digests import MODULE, MODULE_SUM, OPA_VERSION, RELEASE_SHA256
from tipstaff.common import atomic_file

RELEASES = "https://github.com/open-policy-agent/opa/releases/download"
_MACHINES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}

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
    """The folder in which the binary is kept."""
    checkout = Path(__file__).parents[3]
    if (checkout / "Makefile").exists():
        return checkout / ".tools"
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(home) / "tipstaff"


def cached_path(cache: Path) -> Path:
    """Where the pinned version stands in a cache."""
    return cache / f"opa-{OPA_VERSION}" / "opa"


def find_opa(named: str | None, cache: Path | None = None) -> Path | None:
    """The binary that was named, or the cached one, or `None`; raises `OpaInstallError`.

    The named one is asked for its version; the cached one was when it was put there, and must be the
    same file still.
    """
    cached = cached_path(cache or cache_folder())
    if named:
        path = shutil.which(named)
        if path is None:
            raise OpaInstallError(f"{named} is not an executable file")
        if not (cached.exists() and cached.samefile(path)):
            _check_version(Path(path))
            return Path(path).resolve()
    if not cached.exists():
        return None
    try:
        if not check(cached):
            _check_version(cached)  # put there before digests were kept
            record(cached)
    except BrokenInstallError as error:
        raise OpaInstallError(f"{error}. Run `tipstaff opa install` to get it anew") from error
    return cached


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
    try:
        binary = find_opa(named, cache)
    except OpaInstallError as error:
        if named:
            raise
        tell(str(error))
        binary = None
    if binary is not None:
        return binary
    tried = []
    for what, get in (
        ("the official release", lambda target: _download(target, releases)),
        (f"go build {MODULE}", _go_build),
    ):
        tell(f"opa {OPA_VERSION}: trying {what} …")
        try:
            return _place(get, cached_path(cache))
        except (OpaInstallError, OSError) as error:
            tried.append(f"  {what}: {error}")
            tell(f"  did not work: {error}")
    raise OpaInstallError(
        f"cannot get opa {OPA_VERSION}:\n" + "\n".join(tried) + "\nGet that version by other means"
        " and name it with --opa PATH or TIPSTAFF_OPA=PATH."
    )


def _place(get: Callable[[Path], None], final: Path) -> Path:
    """Get the binary aside, check it, and only then put it where it is looked for."""
    atomic_file.make_missing(final.parent, 0o755)  # nobody else can write in it
    with tempfile.TemporaryDirectory(dir=final.parent) as folder:
        target = Path(folder) / "opa"
        get(target)
        target.chmod(0o755)  # whatever the umask: nobody else may put another in its place
        _check_version(target)
        atomic_file.take_place(target, final)
    record(final)
    return final


def _download(target: Path, releases: str) -> None:
    asset = asset_name(platform.system(), platform.machine())
    if asset is None:
        raise OpaInstallError(f"there is no release for {platform.system()} {platform.machine()}")
    digest = RELEASE_SHA256.get(asset)
    if digest is None:
        raise OpaInstallError(f"the source of this Tipstaff has no digest of {asset}")
    target.write_bytes(_fetched(f"{releases}/v{OPA_VERSION}/{asset}"))
    actual = sha256(target)
    if actual != digest:
        raise OpaInstallError(f"{asset} has SHA-256 {actual}, but {digest} is expected")


def _fetched(url: str) -> bytes:
    """The body at a URL; raises `OpaInstallError`."""
    import httpx  # looking for an opa that is here already does without

    try:
        with httpx.Client(
            timeout=httpx.Timeout(60.0, connect=5.0), follow_redirects=True
        ) as client:
            return client.get(url).raise_for_status().content
    except httpx.HTTPError as error:
        raise OpaInstallError(str(error)) from error


def _go_build(target: Path) -> None:
    """Build the module whose sum we know; its own go.sum, which that covers, holds the rest."""
    go = shutil.which("go")
    if go is None:
        raise OpaInstallError("there is no go command")
    module = json.loads(_go(go, "mod", "download", "-json", MODULE))
    if module.get("Sum") != MODULE_SUM:
        raise OpaInstallError(
            f"{MODULE} has the sum {module.get('Sum')}, but {MODULE_SUM} is expected"
        )
    _go(go, "build", "-mod=readonly", "-trimpath", "-o", str(target), ".", cwd=module["Dir"])


def _go(go: str, *arguments: str, cwd: str | None = None) -> str:
    """The output of a go command; raises `OpaInstallError`."""
    # A workspace of the user's would have a say in what is built.
    environment = {**os.environ, "CGO_ENABLED": "0", "GOWORK": "off", "GOFLAGS": ""}
    result = subprocess.run(  # noqa: S603 - the go command of this machine, fixed arguments
        [go, *arguments],
        env=environment,
        cwd=cwd or tempfile.gettempdir(),
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode != 0:
        last = (result.stderr.strip() or result.stdout.strip()).splitlines()[-1:]
        raise OpaInstallError(last[0] if last else f"go ended with {result.returncode}")
    return result.stdout


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
