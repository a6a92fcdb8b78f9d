"""The command line as it is written: options at any place, and one way to be told what is wrong."""

from __future__ import annotations

import shlex
import subprocess
import sys
from typing import Any

import pytest

from tipstaff.__main__ import parser
from tipstaff.cli import commands, survey_commands

SERVER = ["npx", "-y", "server", "--", "-v", "/srv"]


def parsed(line: str) -> dict[str, Any]:
    return vars(parser().parse_args(shlex.split(line)))


@pytest.mark.parametrize(
    "line",
    [
        "register files http://x/mcp --preset strict --seconds 5 -v",
        "register files --preset strict http://x/mcp --seconds=5 -v",
        "register --preset strict files --seconds 5 -v http://x/mcp",
        "register --preset=strict -v --seconds 5 files http://x/mcp",
        "register files --pres strict http://x/mcp --sec 5 --verb",
        "--preset strict -v --seconds 5 register files http://x/mcp",
    ],
)
def test_an_option_stands_before_between_and_after_the_others(line: str) -> None:
    """With its value, also abbreviated, and also before the command."""
    found = parsed(line)
    assert (found["name"], found["place"]) == ("files", ["http://x/mcp"])
    assert (found["preset"], found["seconds"], found["verbose"]) == ("strict", 5.0, True)


@pytest.mark.parametrize(
    "line",
    [
        "register files --seconds 5 -- npx -y server -- -v /srv",
        "register --seconds 5 files -- npx -y server -- -v /srv",
        "register files --seconds 5 npx -- -y server -- -v /srv",
    ],
)
def test_what_follows_two_dashes_is_the_servers_command_word_for_word(line: str) -> None:
    """Its own two dashes too."""
    found = parsed(line)
    assert found["place"] == SERVER
    assert (found["seconds"], found["verbose"]) == (5.0, False)


@pytest.mark.parametrize("agent", ["--agent bob files", "files --agent bob", "files --agent=bob"])
def test_wrap_takes_its_agent_on_either_side_of_the_name(agent: str) -> None:
    """But not from the command of the server."""
    found = parsed(f"wrap {agent} -- npx -y server -- -v /srv")
    assert (found["name"], found["agent"], found["server_command"]) == ("files", "bob", SERVER)


def test_an_option_of_ours_behind_two_dashes_is_the_servers_and_that_is_said(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It is not known whose it is; one that many servers have is not mentioned."""
    found = parsed("register files -- npx server --preset strict -v")
    assert found["preset"] == "recommended"
    assert found["place"] == ["npx", "server", "--preset", "strict", "-v"]
    assert capsys.readouterr().err.startswith("warning: --preset stands behind --")


def test_commands_below_a_command_take_options_at_any_place_too() -> None:
    """`tipstaff token` has some."""
    found = parsed("token create --expires 90d ci --json")
    assert (found["name"], found["expires"], found["json"]) == ("ci", "90d", True)
    found = parsed("decide --principal token:ci files read '{\"a\": 1}'")
    assert (found["server"], found["target"], found["arguments"]) == ("files", "read", '{"a": 1}')


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("upp", "there is no command 'upp'; did you mean `up`?"),
        ("token lisst", "there is no command 'lisst'; did you mean `list`?"),
        ("register f --preset strickt", "there is no choice 'strickt'; did you mean `strict`?"),
        ("register f npx -y server", "-y: no such option; put -- before a server's command"),
        ("register", "the following arguments are required: name\n"),
        ("init --server", "expected one argument"),
    ],
)
def test_a_slip_on_the_command_line_is_told_like_every_other_error(
    line: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is wrong first, then how it is written; exit code 2."""
    with pytest.raises(SystemExit) as ended:
        parsed(line)
    error = capsys.readouterr().err
    assert ended.value.code == 2
    assert error.startswith("error: ")
    assert told in error
    assert "usage: tipstaff" in error


@pytest.mark.parametrize("line", ["", "token", "limits", "opa"])
def test_a_command_that_needs_another_word_shows_its_help(
    line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where errors go, with exit code 2: a script that forgot the word is told."""
    arguments = parser().parse_args(shlex.split(line))
    assert arguments.command(arguments) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert f"usage: tipstaff {line}".rstrip() in shown.err
    assert "\ncommands:\n" in shown.err
    assert "error" not in shown.err


def test_the_version_is_told_with_that_of_opa(capsys: pytest.CaptureFixture[str]) -> None:
    """What a report of a fault begins with."""
    with pytest.raises(SystemExit) as ended:
        parsed("--version")
    assert ended.value.code == 0
    assert capsys.readouterr().out == "tipstaff 0.1.0 (OPA 1.22.2)\n"


@pytest.mark.parametrize("name", [*survey_commands.ALL, *commands.ALL])
def test_of_a_command_that_is_named_nothing_else_is_built(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """It has its own name in the table, and the help that it has beside all others."""
    shown = []
    for whole in (parser([name]), parser()):
        with pytest.raises(SystemExit):
            whole.parse_args([name, "--help"])
        shown.append(capsys.readouterr().out)
    assert shown[0] == shown[1]
    assert f"usage: tipstaff {name}" in shown[0]
    other = next(each for each in commands.ALL if each != name)
    with pytest.raises(SystemExit):
        parser([name]).parse_args([other, "--help"])


def test_help_loads_neither_service() -> None:
    """A person waits for it; the modules of a command are loaded when that command is run."""
    code = "import sys; from tipstaff.__main__ import parser; parser(); print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert "tipstaff.cli.commands" in loaded
    assert not {"rich", "structlog", "grpc", "aiohttp", "mcp", "pdp.wiring", "pep.wiring"} & set(
        loaded
    )
