"""The command line as a person meets it: what it prints, where, and with which exit code."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import time
import tomllib
from pathlib import Path

import jsonschema_rs
import pytest

from tests.commands import run
from tests.gateway import gateway
from tests.mcp_servers import Counting
from tests.proxy_rig import asgi_upstream

SERVER = "files=http://127.0.0.1:9/mcp"


def tipstaff(folder: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run it in `folder` and wait."""
    return run(*arguments, cwd=folder, **settings)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder that `tipstaff init` has filled."""
    assert tipstaff(tmp_path, "init", "--server", SERVER).returncode == 0
    return tmp_path


def rules(site: Path, text: str) -> None:
    (site / "policy" / "servers" / "files" / "data.yaml").write_text(text)


def test_help_teaches_and_every_command_has_some(tmp_path: Path) -> None:
    """The first thing a person asks for."""
    text = tipstaff(tmp_path, "--help").stdout
    for command in ("init", "up", "pdp", "pep", "check", "test", "decide", "log", "opa"):
        assert f"\n    {command} " in text or f"\n  {command} " in text
        own = tipstaff(tmp_path, command, "--help")
        assert (own.returncode, "usage: tipstaff" in own.stdout) == (0, True)
    assert "start here:" in text


def test_no_command_or_an_unknown_one_is_a_usage_error(tmp_path: Path) -> None:
    """Exit code 2, and a word on what there is."""
    for arguments in ((), ("upp",)):
        result = tipstaff(tmp_path, *arguments)
        assert result.returncode == 2
        assert "usage:" in result.stderr


def test_init_writes_what_check_and_test_accept(site: Path) -> None:
    """From nothing to a site that could be started."""
    checked = tipstaff(site, "check")
    assert checked.returncode == 0, checked.stderr
    assert "ok policy" in checked.stdout
    assert "rules for files" in checked.stdout
    tested = tipstaff(site, "test")
    assert tested.returncode == 0, tested.stderr
    assert "library  " in tested.stdout


def test_init_names_a_schema_that_editors_can_use(tmp_path: Path) -> None:
    """Its own file is valid by it; a server may be named without the scheme of its URL."""
    made = tipstaff(tmp_path, "init", "--server", "files=127.0.0.1:9000/mcp")
    text = (tmp_path / "tipstaff.toml").read_text()
    (path,) = re.findall(r"^#:schema (\S+)\n", text)
    assert f"schema {path}\n" in made.stdout
    schema = json.loads(Path(path).read_text())
    settings = tomllib.loads(text)
    assert settings["servers"]["files"]["url"] == "http://127.0.0.1:9000/mcp"
    jsonschema_rs.validate(schema, settings)


def test_init_overwrites_nothing(site: Path) -> None:
    """A second one says so and changes no file."""
    rules(site, "default: allow\n")
    again = tipstaff(site, "init", "--server", SERVER)
    assert again.returncode == 2
    assert "exists already" in again.stderr
    assert (site / "policy/servers/files/data.yaml").read_text() == "default: allow\n"


@pytest.mark.parametrize(
    "server", ["files", "files=", "Files=http://x/mcp", "f=ftp://x", "f=http://"]
)
def test_init_refuses_servers_that_cannot_be(tmp_path: Path, server: str) -> None:
    """And writes nothing."""
    result = tipstaff(tmp_path, "init", "--server", server)
    assert result.returncode == 2
    assert not list(tmp_path.iterdir())


def test_check_prints_json_for_programs(site: Path) -> None:
    """Every setting with its value, and the revision."""
    data = json.loads(tipstaff(site, "check", "--json").stdout)
    assert data["servers"] == ["files"]
    assert data["config"]["pep"]["listen"] == "127.0.0.1:8700"
    assert data["revision"]


def test_check_says_of_which_servers_nothing_is_enforced(site: Path) -> None:
    """So that nobody forgets; of a server that is enforced it says nothing."""
    rules(site, "shadow: true\ndefault: deny\n")
    checked = tipstaff(site, "check")
    assert checked.returncode == 0, checked.stderr
    assert "note files is in shadow: its rules are recorded" in checked.stderr
    assert json.loads(tipstaff(site, "check", "--json").stdout)["shadow"] == ["files"]
    rules(site, "shadow: false\ndefault: deny\n")
    assert "shadow" not in tipstaff(site, "check").stderr
    assert json.loads(tipstaff(site, "check", "--json").stdout)["shadow"] == []


def test_without_a_configuration_the_error_says_how_to_get_one(tmp_path: Path) -> None:
    """One line, exit code 2."""
    result = tipstaff(tmp_path, "check")
    assert result.returncode == 2
    assert "tipstaff init" in result.stderr
    assert result.stdout == ""


CONFIGURATIONS = {
    "not TOML": ("state_dir = [", "tipstaff.toml:1: not TOML", "Invalid value"),
    "a section that is none": (
        "[policies]\n",
        "tipstaff.toml:1: policies",
        "did you mean `policy`",
    ),
    "a key that is none": ("[pep]\nlisen = 'x'\n", "tipstaff.toml:2: pep.lisen", "mean `listen`"),
    "a number that is text": (
        "[opa]\ntimeout_ms = 'x'\n",
        "tipstaff.toml:2: opa.timeout_ms",
        "a whole number",
    ),
    "a port that is none": (
        "[pep]\nlisten = '127.0.0.1'\n",
        "tipstaff.toml:2: pep.listen",
        "HOST:PORT",
    ),
    "a bad name": ("[servers.My-S]\nurl = 'http://x/mcp'\n", "tipstaff.toml:1", "lower-case"),
    "a bad URL": ("[servers.s]\nurl = 'x'\n", "tipstaff.toml:2: servers.s.url", "http://"),
}


@pytest.mark.parametrize("command", ["check", "up"])
@pytest.mark.parametrize("case", CONFIGURATIONS)
def test_a_broken_configuration_is_one_message_with_file_line_and_what_to_do(
    site: Path, case: str, command: str
) -> None:
    """Nothing is half started: there is no state folder."""
    text, where, what = CONFIGURATIONS[case]
    (site / "tipstaff.toml").write_text(text)
    result = tipstaff(site, command)
    assert result.returncode == 2
    assert where in result.stderr
    assert what in result.stderr
    assert "Traceback" not in result.stderr
    assert not (site / ".tipstaff" / "decisions.jsonl").exists()


RULES = {
    "not YAML": ("tools: [", "data.yaml:", "not YAML"),
    "a key that is none": ("tools:\n  read:\n    acton: deny\n", "data.yaml:3:", "mean `action`"),
    "an action that is none": ("tools:\n  read: {action: forbid}\n", "data.yaml:2:", "allow, deny"),
    "a limit of nothing": ("tools:\n  read: {rate_limit: {max: 0, window: 60}}\n", ":2:", "1 to"),
    "a key twice": ("tools: {}\ntools: {}\n", "data.yaml:2:", "given twice"),
    "a schema that is none": ("tools:\n  r: {arguments: {requird: [a]}}\n", ":2:", "`required`"),
}


@pytest.mark.parametrize("command", ["check", "up"])
@pytest.mark.parametrize("case", RULES)
def test_broken_rules_are_one_message_with_file_line_and_nearest_key(
    site: Path, case: str, command: str
) -> None:
    """Before anything listens."""
    text, where, what = RULES[case]
    rules(site, text)
    result = tipstaff(site, command)
    assert result.returncode == 2, result.stdout
    assert where in result.stderr
    assert what in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("rego", "where"),
    [
        ("package site.mine\n\ndeny contains {", "site/mine/mine.rego:3"),
        ("package site.mine\n\nimport rego.v1\n\nx := input.sesion.id\n", "mine.rego:5"),
        ('package site.mine\n\nx := http.send({"url": "http://x"})\n', "mine.rego:3"),
    ],
    ids=["does not parse", "no such input", "no such function"],
)
def test_broken_rego_is_named_with_file_and_line(site: Path, rego: str, where: str) -> None:
    """OPA's own words, with the path as the person knows it."""
    path = site / "policy" / "site" / "mine" / "mine.rego"
    path.parent.mkdir(parents=True)
    path.write_text(rego)
    for command in ("check", "up"):
        result = tipstaff(site, command)
        assert result.returncode == 2
        assert where in result.stderr


def test_a_file_that_would_not_be_read_is_an_error(site: Path) -> None:
    """A rule in the wrong place must not be a rule that silently does nothing."""
    (site / "policy" / "files.yaml").write_text("default: deny\n")
    result = tipstaff(site, "check")
    assert result.returncode == 2
    assert "would not be read" in result.stderr


def test_a_failing_rego_test_is_the_answer_no(site: Path) -> None:
    """Exit code 1, and the name of the test."""
    path = site / "policy" / "site" / "mine" / "mine_test.rego"
    path.parent.mkdir(parents=True)
    path.write_text("package site.mine_test\n\ntest_that_fails if {\n\tgot := 1\n\tgot == 2\n}\n")
    result = tipstaff(site, "test")
    assert result.returncode == 1
    assert "FAIL policy/site/mine/mine_test.rego:3 test_that_fails" in result.stdout
    got = result.stdout[result.stdout.index("got == 2") :].split()
    assert got[:4] == ["got", "==", "2", "|"]
    assert got[4] == "1"
    assert "yours    0 passed, 1 failed" in result.stdout


@pytest.mark.parametrize("command", ["check", "test"])
@pytest.mark.parametrize("place", ["servers/files/mine_test.rego", "site/mine/mine_test.rego"])
def test_a_file_of_tests_that_cannot_be_read_is_an_error(
    site: Path, command: str, place: str
) -> None:
    """With its line; a running gateway reads no tests, and goes on."""
    path = site / "policy" / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("package mine_test\n\ntest_a if {\n")
    result = tipstaff(site, command)
    assert result.returncode == 2
    assert f"{place}:4: rego_parse_error" in result.stderr


def test_up_without_a_server_says_what_to_add(tmp_path: Path) -> None:
    """The section that is missing."""
    tipstaff(tmp_path, "init")
    result = tipstaff(tmp_path, "up")
    assert result.returncode == 2
    assert "[servers.NAME]" in result.stderr


def test_an_opa_that_is_none_is_refused(site: Path) -> None:
    """By name, by version, or for not running at all."""
    other = site / "opa"
    other.write_text("#!/bin/sh\necho Version: 0.1.0\n")
    other.chmod(0o755)
    for path, said in (("/nowhere/opa", "/nowhere/opa"), (str(other), "1.22.2 is needed")):
        result = tipstaff(site, "check", TIPSTAFF_OPA=path)
        assert result.returncode == 2
        assert said in result.stderr


def test_a_port_in_use_stops_the_start_and_leaves_nothing(site: Path) -> None:
    """The decision service that was started first is stopped again."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        text = (site / "tipstaff.toml").read_text()
        (site / "tipstaff.toml").write_text(text.replace("127.0.0.1:8700", f"127.0.0.1:{port}", 1))
        result = tipstaff(site, "up")
    assert result.returncode == 2
    assert "the port is in use" in result.stderr
    time.sleep(0.2)
    left = [path for path in Path("/proc").glob("[0-9]*/cmdline") if str(site) in _text(path)]
    assert not left


def test_decide_without_a_service_says_so(site: Path) -> None:
    """Exit code 2: there was no answer, not the answer no."""
    result = tipstaff(site, "decide", "files", "read")
    assert result.returncode == 2
    assert "is `tipstaff up` running?" in result.stderr


def test_log_without_records_says_so(site: Path) -> None:
    """Nothing was decided yet."""
    result = tipstaff(site, "log")
    assert result.returncode == 2
    assert "no records yet" in result.stderr


async def test_decide_and_log_show_what_is_decided(tmp_path: Path) -> None:
    """For people in words, for programs as JSON; a denial is exit code 1."""
    given = {"tools": {"read": {}, "drop": {"action": "deny", "reason": "Never."}}}
    async with (
        asgi_upstream(Counting()) as url,
        gateway(tmp_path, {"s": url}, {"s": given}),
    ):
        allowed = tipstaff(tmp_path, "decide", "s", "read", '{"token": "abc"}')
        denied = tipstaff(tmp_path, "decide", "s", "drop", "--json", "--session", "a")
        broken = tipstaff(tmp_path, "decide", "s", "read", "{")
        shown = tipstaff(tmp_path, "log")
        plain = tipstaff(tmp_path, "log", "--json", "--effect", "deny")
    assert (allowed.returncode, denied.returncode, broken.returncode) == (0, 1, 2)
    assert "allow" in allowed.stdout
    answer = json.loads(denied.stdout)
    assert answer["reason"] == {"code": "denied_by_rule", "message": "Never."}
    assert "the arguments: not JSON" in broken.stderr
    assert [line.split()[2] for line in shown.stdout.splitlines()] == ["allow", "deny"]
    assert "[masked]" in shown.stdout
    assert "abc" not in shown.stdout
    (record,) = [json.loads(line) for line in plain.stdout.splitlines()]
    assert (record["target"], record["session"]["id"]) == ("drop", "a")


def test_a_long_state_path_still_gets_its_sockets(tmp_path: Path) -> None:
    """A unix socket's path is limited; the sockets then stand elsewhere, in a folder of our own."""
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    deep.mkdir(parents=True)
    tipstaff(deep, "init", "--server", SERVER)
    data = json.loads(tipstaff(deep, "check", "--json").stdout)
    assert len(data["config"]["pdp"]["listen"]) < 100


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode(errors="replace")
    except OSError:
        return ""
