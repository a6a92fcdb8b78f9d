"""The OPA binary: named, cached, released or built, and in every case the pinned version."""

from __future__ import annotations

import hashlib
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tipstaff import install
from tipstaff.install import OPA_VERSION, OpaInstallError, asset_name, find_opa, install_opa

GOOD = f"#!/bin/sh\necho 'Version: {OPA_VERSION}'\n".encode()
OTHER = b"#!/bin/sh\necho 'Version: 0.1.0'\n"


class Release:
    """A server of releases: the binary and the checksum published beside it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.binary = GOOD
        self.checksum: str | None = f"{hashlib.sha256(GOOD).hexdigest()}  opa\n"
        self.asked: list[str] = []


@pytest.fixture
def release() -> Iterator[Release]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.asked.append(self.path)
            wanted = found.checksum if self.path.endswith(".sha256") else found.binary
            body = wanted.encode() if isinstance(wanted, str) else wanted
            self.send_response(404 if body is None else 200)
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write(body or b"")

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


def test_the_release_is_taken_when_its_published_checksum_fits(
    tmp_path: Path, release: Release
) -> None:
    """It is asked for once, and then cached."""
    told: list[str] = []
    path = install_opa(None, cache=tmp_path, releases=release.url, say=told.append)
    assert path.read_bytes() == GOOD
    assert path == tmp_path / f"opa-{OPA_VERSION}" / "opa"
    assert told == [f"opa {OPA_VERSION}: trying the official release …"]
    release.asked.clear()
    assert install_opa(None, cache=tmp_path, releases=release.url) == path
    assert not release.asked


@pytest.mark.parametrize("checksum", ["0" * 64, "", None])
def test_a_release_whose_checksum_does_not_fit_is_not_kept(
    tmp_path: Path, release: Release, checksum: str | None
) -> None:
    """The message says what was tried and what to do; nothing is left in the cache."""
    release.checksum = checksum
    with pytest.raises(OpaInstallError) as caught:
        install_opa(None, cache=tmp_path, releases=release.url)
    assert "the official release:" in str(caught.value)
    assert "there is no go command" in str(caught.value)
    assert "--opa PATH or TIPSTAFF_OPA=PATH" in str(caught.value)
    assert not list(tmp_path.rglob("opa"))


@pytest.mark.parametrize("content", [OTHER, b"\x00not a program"])
def test_a_binary_that_is_not_the_pinned_version_is_not_kept(
    tmp_path: Path, release: Release, content: bytes
) -> None:
    """Even with a checksum that fits."""
    release.binary = content
    release.checksum = hashlib.sha256(content).hexdigest()
    with pytest.raises(OpaInstallError):
        install_opa(None, cache=tmp_path, releases=release.url)
    assert not list(tmp_path.rglob("opa"))


def test_without_a_release_go_builds_the_pinned_module(
    tmp_path: Path, release: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`go install`, told where to put it."""
    release.checksum = None
    text = f'#!/bin/sh\n[ "$2" = "{install.GO_MODULE}" ] || exit 1\ncp "$PROTOTYPE" "$GOBIN/opa"\n'
    go = binary(tmp_path / "bin" / "go", text.encode())
    monkeypatch.setenv("PROTOTYPE", str(binary(tmp_path / "prototype")))
    monkeypatch.setattr(install.shutil, "which", lambda name: str(go) if name == "go" else None)
    path = install_opa(None, cache=tmp_path / "cache", releases=release.url)
    assert path.read_bytes() == GOOD


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
