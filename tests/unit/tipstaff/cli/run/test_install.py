"""The OPA binary: named, cached, released or built; what our source knows of it, and no other."""

from __future__ import annotations

import hashlib
import http.server
import os
import platform
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tipstaff.cli.run import install, opa_digests
from tipstaff.cli.run.install import OPA_VERSION, OpaInstallError, asset_name, find_opa, install_opa

GOOD = f"#!/bin/sh\necho 'Version: {OPA_VERSION}'\n".encode()
OTHER = b"#!/bin/sh\necho 'Version: 0.1.0'\n"


class Release:
    """A server of releases, which would publish any checksum beside its binary."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.binary = GOOD
        self.asked: list[str] = []


@pytest.fixture
def release() -> Iterator[Release]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.asked.append(self.path)
            checksum = f"{hashlib.sha256(found.binary).hexdigest()}  opa\n".encode()
            body = checksum if self.path.endswith(".sha256") else found.binary
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found = Release(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield found
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(autouse=True)
def no_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is built here, unless a test says so."""
    monkeypatch.setattr(install.shutil, "which", _which_without_go)


def _which_without_go(name: str) -> str | None:
    return None if name == "go" or not Path(name).exists() else name


def binary(path: Path, content: bytes = GOOD) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(0o755)
    return path


@pytest.fixture
def digest(monkeypatch: pytest.MonkeyPatch) -> None:
    """The digest of the good binary stands in the source, for this platform."""
    asset = asset_name(platform.system(), platform.machine())
    table = {asset: hashlib.sha256(GOOD).hexdigest()}
    monkeypatch.setattr(install, "RELEASE_SHA256", table)


@pytest.mark.usefixtures("digest")
def test_the_release_is_taken_when_it_is_the_one_that_the_source_knows(
    tmp_path: Path, release: Release
) -> None:
    """It is asked for once, and then cached, in folders where nobody else can put another."""
    told: list[str] = []
    mask = os.umask(0)
    try:
        path = install_opa(None, cache=tmp_path / "cache", releases=release.url, say=told.append)
    finally:
        os.umask(mask)
    assert path.read_bytes() == GOOD
    assert path == tmp_path / "cache" / f"opa-{OPA_VERSION}" / "opa"
    assert {one.stat().st_mode & 0o022 for one in (path, *path.parents[:2])} == {0}
    assert told == [f"opa {OPA_VERSION}: trying the official release …"]
    release.asked.clear()
    assert install_opa(None, cache=tmp_path / "cache", releases=release.url) == path
    assert not release.asked


@pytest.mark.usefixtures("digest")
def test_another_release_is_not_kept_whatever_is_published_beside_it(
    tmp_path: Path, release: Release
) -> None:
    """The message says what was tried and what to do; nothing is left in the cache."""
    release.binary = GOOD + b"# not the same\n"
    with pytest.raises(OpaInstallError) as caught:
        install_opa(None, cache=tmp_path, releases=release.url)
    assert f"but {hashlib.sha256(GOOD).hexdigest()} is expected" in str(caught.value)
    assert "there is no go command" in str(caught.value)
    assert "--opa PATH or TIPSTAFF_OPA=PATH" in str(caught.value)
    assert not list(tmp_path.rglob("opa"))


def test_a_release_that_the_source_does_not_know_is_not_even_asked_for(
    tmp_path: Path, release: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says so, and goes on."""
    monkeypatch.setattr(install, "RELEASE_SHA256", {})
    with pytest.raises(OpaInstallError, match="has no digest of opa_"):
        install_opa(None, cache=tmp_path, releases=release.url)
    assert not release.asked


@pytest.mark.parametrize("content", [OTHER, b"\x00not a program"])
def test_a_binary_that_is_not_the_pinned_version_is_not_kept(
    tmp_path: Path, release: Release, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even with a digest that fits."""
    release.binary = content
    asset = asset_name(platform.system(), platform.machine())
    table = {asset: hashlib.sha256(content).hexdigest()}
    monkeypatch.setattr(install, "RELEASE_SHA256", table)
    with pytest.raises(OpaInstallError):
        install_opa(None, cache=tmp_path, releases=release.url)
    assert not list(tmp_path.rglob("opa"))


GO = """#!/bin/sh
case "$1 $2" in
"mod download") [ "$4" = "MODULE" ] && echo '{"Sum": "SUM", "Dir": "FOLDER"}' ;;
"build -mod=readonly") [ "$PWD" = "FOLDER" ] && cp FOLDER/prototype "$5" ;;
*) exit 1 ;;
esac
"""


def go(folder: Path, monkeypatch: pytest.MonkeyPatch, sum_: str) -> None:
    """A go command that has the module, with that sum, and builds it."""
    binary(folder / "prototype")
    text = GO.replace("MODULE", opa_digests.MODULE).replace("SUM", sum_)
    path = binary(folder / "bin" / "go", text.replace("FOLDER", str(folder)).encode())
    monkeypatch.setattr(install.shutil, "which", lambda name: str(path) if name == "go" else None)


def test_without_a_release_go_builds_the_module_that_the_source_knows(
    tmp_path: Path, release: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In its own folder, so that its go.sum holds what it needs."""
    go(tmp_path, monkeypatch, opa_digests.MODULE_SUM)
    path = install_opa(None, cache=tmp_path / "cache", releases=release.url)
    assert path.read_bytes() == GOOD


def test_a_module_of_another_sum_is_not_built(
    tmp_path: Path, release: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the proxy and the checksum database of this machine say."""
    go(tmp_path, monkeypatch, "h1:other")
    with pytest.raises(OpaInstallError, match="has the sum h1:other, but h1:"):
        install_opa(None, cache=tmp_path / "cache", releases=release.url)


def test_an_installed_binary_that_has_changed_is_refused_and_installed_anew(
    tmp_path: Path, release: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By name, too; one of the right version all the same."""
    go(tmp_path, monkeypatch, opa_digests.MODULE_SUM)
    path = install_opa(None, cache=tmp_path / "cache", releases=release.url)
    path.write_bytes(GOOD + b"# changed\n")
    with pytest.raises(OpaInstallError, match=r"is not what was installed.*opa install"):
        find_opa(None, tmp_path / "cache")
    monkeypatch.setattr(install.shutil, "which", lambda name: name)
    with pytest.raises(OpaInstallError, match="is not what was installed"):
        find_opa(str(path), tmp_path / "cache")
    go(tmp_path, monkeypatch, opa_digests.MODULE_SUM)
    assert install_opa(None, cache=tmp_path / "cache", releases=release.url) == path
    assert path.read_bytes() == GOOD
    assert find_opa(None, tmp_path / "cache") == path


def test_one_that_was_installed_before_digests_were_kept_is_asked_its_version(
    tmp_path: Path,
) -> None:
    """And recorded."""
    path = binary(tmp_path / f"opa-{OPA_VERSION}" / "opa", OTHER)
    with pytest.raises(OpaInstallError, match=r"says 'Version: 0\.1\.0'"):
        find_opa(None, tmp_path)
    binary(path)
    assert find_opa(None, tmp_path) == path
    path.write_bytes(OTHER)
    with pytest.raises(OpaInstallError, match="is not what was installed"):
        find_opa(None, tmp_path)


def test_a_named_binary_wins_and_must_be_the_pinned_version(tmp_path: Path) -> None:
    """One that is not there, or another version, is an error; nothing else is tried."""
    good = binary(tmp_path / "good")
    assert install_opa(str(good), cache=tmp_path) == good
    for wrong, said in (
        (str(binary(tmp_path / "other", OTHER)), "says 'Version: 0.1.0'"),
        (str(tmp_path / "nowhere"), "is not an executable file"),
    ):
        with pytest.raises(OpaInstallError, match=said):
            install_opa(wrong, cache=tmp_path)


def test_without_any_there_is_none(tmp_path: Path) -> None:
    """Absence is no error here: the caller says what to do."""
    assert find_opa(None, tmp_path) is None


@pytest.mark.parametrize(
    ("system", "machine", "wanted"),
    [
        ("Linux", "x86_64", "opa_linux_amd64_static"),
        ("Linux", "aarch64", "opa_linux_arm64_static"),
        ("Darwin", "arm64", "opa_darwin_arm64_static"),
        ("Darwin", "x86_64", "opa_darwin_amd64"),
        ("Windows", "AMD64", None),
        ("Linux", "riscv64", None),
    ],
)
def test_every_platform_has_its_release_or_none(
    system: str, machine: str, wanted: str | None
) -> None:
    """The names that OPA gives its files."""
    assert asset_name(system, machine) == wanted
