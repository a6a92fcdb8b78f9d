"""`tipstaff client-config` on real files, in a home of its own."""

from __future__ import annotations

import argparse
import json
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from pdp.errors import ConfigError
from tipstaff.cli.clients.client_config import command
from tipstaff.cli.clients.client_forms import CLIENTS, Client, servers_in

CONFIG = """
[servers.files]
url = "http://127.0.0.1:9000/mcp"
accept = ["token"]
[servers.local]
command = ["npx", "server"]
environment = {LEVEL = "debug"}
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home and a project in it, where we stand."""
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "tipstaff.toml").write_text(CONFIG)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path / "project")
    for name in ("CODEX_HOME", "TIPSTAFF_OPA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    return tmp_path


def run(client: Client, name: str = "files", **options: Any) -> int:
    defaults = {"write": False, "json": False, "file": None, "token_env": None, "opa": None}
    return command(
        argparse.Namespace(
            name=name, client=client, config=Path("tipstaff.toml"), **{**defaults, **options}
        )
    )


def files(home: Path) -> dict[str, bytes]:
    return {
        path.relative_to(home).as_posix(): path.read_bytes()
        for path in home.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("client", CLIENTS)
def test_without_write_the_text_is_printed_and_nothing_touched(
    client: Client, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The text alone on standard output, so that it can be put anywhere; the rest beside it."""
    before = files(home)
    assert run(client) == 0
    assert files(home) == before
    out, err = capsys.readouterr()
    (server,) = servers_in(client, out)
    assert server.name == "files"
    assert f"This belongs in {home}" in err


@pytest.mark.parametrize("client", CLIENTS)
def test_written_twice_is_written_once(
    client: Client, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The second time nothing changes, and no copy is made."""
    assert run(client, write=True) == 0
    once = files(home)
    assert len(once) == 2
    assert run(client, write=True) == 0
    assert files(home) == once
    assert "kept" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("client", "path"),
    [
        ("claude-code", "project/.mcp.json"),
        ("claude-desktop", ".config/Claude/claude_desktop_config.json"),
        ("cursor", ".cursor/mcp.json"),
        ("vscode", "project/.vscode/mcp.json"),
        ("windsurf", ".codeium/windsurf/mcp_config.json"),
        ("codex", ".codex/config.toml"),
    ],
)
def test_each_client_has_its_file(client: Client, path: str, home: Path) -> None:
    """Which its own reader understands."""
    run(client, "local", write=True)
    text = (home / path).read_text()
    data = tomllib.loads(text) if client == "codex" else json.loads(text)
    (servers,) = data.values()
    assert list(servers) == ["local"]


def test_what_was_there_is_kept_and_copied(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The copy is beside the file, and the entry that was replaced is shown without its secret."""
    path = home / ".cursor" / "mcp.json"
    path.parent.mkdir()
    old = '{"mcpServers": {"files": {"url": "http://old", "headers": {"X-Api-Key": "s3cr3t"}}}, "b": 1}'
    path.write_text(old)
    path.chmod(0o600)
    run("cursor", write=True)
    out = capsys.readouterr().out
    assert "http://old" in out
    assert "s3cr3t" not in out
    (backup,) = path.parent.glob("mcp.json.*.bak")
    assert str(backup) in out
    assert backup.read_text() == old
    assert path.stat().st_mode & 0o777 == 0o600
    assert json.loads(path.read_text())["b"] == 1
    assert json.loads(path.read_text())["mcpServers"]["files"]["url"].endswith("/files/mcp")


def test_another_entry_of_the_name_is_told_of_before_it_is_replaced(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And one that is there already, too."""
    path = home / ".mcp.json"
    path.write_text('{"mcpServers": {"files": {"url": "http://old"}}}')
    run("claude-code", file=path)
    assert "--write would replace it" in capsys.readouterr().err
    run("claude-code", file=path, write=True)
    capsys.readouterr()
    run("claude-code", file=path)
    assert "It is there already" in capsys.readouterr().err


def test_a_file_with_comments_is_refused_with_what_to_paste(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It stays as it is; and only printing works none the less."""
    path = home / "project" / ".vscode" / "mcp.json"
    path.parent.mkdir()
    path.write_text('{\n  // mine\n  "servers": {}\n}\n')
    before = files(home)
    with pytest.raises(ConfigError) as caught:
        run("vscode", write=True)
    assert str(caught.value).startswith(f"{path}: not strict JSON, or with comments")
    assert '"url": "http://127.0.0.1:8700/files/mcp"' in str(caught.value)
    assert files(home) == before
    assert run("vscode") == 0
    assert "by hand" in capsys.readouterr().err


def test_what_is_no_file_is_refused(home: Path) -> None:
    """A folder of that name, for one."""
    (home / ".cursor" / "mcp.json").mkdir(parents=True)
    with pytest.raises(ConfigError):
        run("cursor", write=True)


def test_programs_get_it_as_json(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One document on standard output, and with `--write` what was done."""
    run("codex", json=True)
    answer = json.loads(capsys.readouterr().out)
    assert set(answer) == {"client", "file", "entry", "text"}
    assert answer["file"] == str(home / ".codex" / "config.toml")
    assert tomllib.loads(answer["text"])["mcp_servers"]["files"] == answer["entry"]
    run("codex", json=True, write=True)
    answer = json.loads(capsys.readouterr().out)
    assert (answer["changed"], answer["backup"], answer["replaced"]) == (True, None, None)
    run("codex", json=True, write=True)
    assert json.loads(capsys.readouterr().out)["changed"] is False


def test_an_unknown_server_is_an_error_with_the_nearest(home: Path) -> None:
    """Where the clients' files are left alone."""
    with pytest.raises(ConfigError, match="did you mean `files`"):
        run("cursor", "filez", write=True)
    assert list(files(home)) == ["project/tipstaff.toml"]


@pytest.mark.parametrize("name", ["tipstaff_" + "A" * 43, "a-b", "${X}", "1"])
def test_a_token_in_place_of_its_variable_is_refused(name: str, home: Path) -> None:
    """And not repeated."""
    with pytest.raises(ConfigError) as caught:
        run("cursor", token_env=name)
    assert name not in str(caught.value)


def test_the_variable_can_be_named(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As any shell would name it."""
    run("cursor", token_env="MY_TOKEN")
    assert "Bearer ${env:MY_TOKEN}" in capsys.readouterr().out


def test_codex_has_a_home_of_its_own(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where `CODEX_HOME` says."""
    monkeypatch.setenv("CODEX_HOME", str(home / "elsewhere"))
    run("codex", write=True)
    assert (home / "elsewhere" / "config.toml").exists()


def test_claude_desktop_is_given_paths_that_hold_anywhere(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It starts the wrapper from another folder, without our environment."""
    monkeypatch.setenv("TIPSTAFF_OPA", "tools/opa")
    run("claude-desktop", "local", json=True)
    entry = json.loads(capsys.readouterr().out)["entry"]
    assert Path(entry["command"]).is_absolute()
    assert (
        entry["args"][-10:]
        == [
            *("wrap", "-c", str(home / "project" / "tipstaff.toml")),
            *("--opa", str(home / "project" / "tools" / "opa"), "local", "--", "npx", "server"),
        ][-10:]
    )
    assert entry["env"] == {"LEVEL": "debug"}
