"""What a configuration does not find on this machine, and what should not stand in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pdp.errors import ConfigError
from tipstaff.cli.configuration.config import parse
from tipstaff.cli.configuration.config_checks import findings, warnings

TOKEN = "ghp_0123456789abcdefghijABCDEFGHIJ012345"
URL = 'url = "http://127.0.0.1:9/mcp"\n'
GOOD = f"""
[servers.a]
{URL}bearer = "env:THERE"
[servers.b]
command = ["sh", "-c", "true"]
environment = {{KEY_FILE = "/etc/key", LEVEL = "debug", KEY = "env:THERE"}}
"""


def told(text: str, folder: Path) -> list[str]:
    config = parse(text, folder / "tipstaff.toml")
    place = f"{config.source}:"
    lines = [finding.sentence(config) for finding in findings(config)]
    assert all(line.startswith(place) for line in lines)
    assert TOKEN not in "".join(lines)
    return [line.removeprefix(place) for line in lines]


@pytest.fixture(autouse=True)
def one_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THERE", "a value")
    monkeypatch.delenv("NOT_THERE", raising=False)


def test_of_what_is_in_order_nothing_is_told(tmp_path: Path) -> None:
    """References to what is there, programs that are installed."""
    assert told(GOOD, tmp_path) == []


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (f'[servers.a]\n{URL}bearer = "{TOKEN}"\n', "3: servers.a.bearer: a secret stands here"),
        (
            f'[servers.a]\n{URL}[servers.a.headers]\nX-Key = "abc"\n',
            "4: servers.a.headers.X-Key: a secret stands here",
        ),
        (f'[servers.a]\nurl = "http://x/{TOKEN}"\n', "2: servers.a.url: a key seems to stand"),
        (
            f'[servers.a]\ncommand = ["sh", "--token", "{TOKEN}"]\n',
            "2: servers.a.command: a secret seems to stand in the command",
        ),
        (
            f'[servers.a]\ncommand = ["sh"]\nenvironment.API_KEY = "{TOKEN}"\n',
            "3: servers.a.environment.API_KEY: a secret stands here in clear",
        ),
        (
            f'[servers.a]\n{URL}bearer = "env:NOT_THERE"\n',
            "3: servers.a.bearer: the environment variable NOT_THERE is not set",
        ),
        (
            f'[servers.a]\n{URL}bearer = "file:/nowhere/token"\n',
            "3: servers.a.bearer: cannot read /nowhere/token",
        ),
        (
            '[servers.a]\ncommand = ["no-such-program", "x"]\n',
            "2: servers.a.command: there is no program no-such-program: is it installed, and on",
        ),
        (
            '[servers.a]\ncommand = ["/etc/passwd"]\n',
            "2: servers.a.command: /etc/passwd cannot be run: is it the right file",
        ),
        (
            '[servers.a]\ncommand = ["sh"]\nenvironment = {PATH = "/nowhere"}\n',
            "2: servers.a.command: there is no program sh",
        ),
        ('[limits]\nstore = "redis"\n', "2: limits.store: redis needs url"),
        ('[limits]\nurl = "redis://x"\n', "2: limits.url: has no effect, since store"),
        (
            '[limits]\nstore = "redis"\nurl = "redis://u:pass@x"\n',
            "3: limits.url: a password stands here in clear",
        ),
        (
            '[limits]\nstore = "redis"\nurl = "env:NOT_THERE"\n',
            "3: limits.url: the environment variable NOT_THERE is not set",
        ),
        ('[tls]\ncertificate = "c.pem"\nkey = "/etc/passwd"\n', "2: tls.certificate: "),
        ('[jwt]\njwks = "keys.json"\n', "2: jwt.jwks: "),
        (f'[jwt]\njwks = "https://u:{TOKEN}@x/keys"\n', "2: jwt.jwks: a secret seems to stand"),
    ],
)
def test_what_is_not_in_order_is_told_with_its_line_and_no_value(
    text: str, line: str, tmp_path: Path
) -> None:
    """What to do instead is told too."""
    (found,) = told(text, tmp_path)
    assert found.startswith(line)


def test_findings_come_in_the_order_of_the_file(tmp_path: Path) -> None:
    """As a person reads it."""
    text = f'[servers.a]\n{URL}bearer = "x"\n[limits]\nurl = "redis://x"\n[jwt]\njwks = "k"\n'
    assert [line.partition(":")[0] for line in told(text, tmp_path)] == ["3", "5", "7"]


def test_only_what_no_machine_could_use_is_an_error(tmp_path: Path) -> None:
    """A secret in clear where there must be a reference; all of them at once."""
    text = f'[servers.a]\n{URL}bearer = "x"\nheaders = {{X-A = "y"}}\n'
    with pytest.raises(
        ConfigError, match=r"(?s):3: servers.a.bearer: .*:4: servers.a.headers.X-A: "
    ):
        warnings(parse(text, tmp_path / "tipstaff.toml"))
    text = '[servers.a]\ncommand = ["no-such-program"]\n'
    (finding,) = warnings(parse(text, tmp_path / "tipstaff.toml"))
    assert not finding.is_error
