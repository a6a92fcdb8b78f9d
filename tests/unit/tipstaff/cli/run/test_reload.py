"""What SIGHUP does to one service."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from pep.config import PepConfig
from tipstaff.cli.configuration.config import load
from tipstaff.cli.run import running
from tipstaff.cli.run.reload import PEP, Reload

SERVER = '[servers.a]\nurl = "http://127.0.0.1:9/mcp"\n'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "tipstaff.toml"
    path.write_text(SERVER)
    return path


def reloaded(reload: Reload) -> list[dict[str, Any]]:
    with capture_logs() as lines:
        reload.run()
    return [dict(line) for line in lines]


def test_what_can_be_is_taken_over_and_the_rest_is_told_until_a_restart(file: Path) -> None:
    """Line by line, also where only the file of a secret has changed; the note says what waits."""
    reload = Reload(PEP, load(file))
    taken: list[PepConfig] = []
    reload.offer(taken.append)
    token = file.with_name("token")
    token.write_text("first-of-a-file\n")
    file.write_text(f'[pep]\nmax_under_way = 1\n{SERVER}bearer = "file:{token}"\n')
    for what in (["servers.a", "pep.max_under_way"], ["pep.max_under_way"]):
        lines = reloaded(reload)
        assert {line["key"] for line in lines if "key" in line} == set(what)
    token.write_text("second-of-a-file\n")
    assert {line.get("key") for line in reloaded(reload)} >= {"servers.a"}
    bearers = [config.servers[0].bearer for config in taken]
    assert bearers == ["first-of-a-file", "first-of-a-file", "second-of-a-file"]
    assert taken[0].max_under_way == PepConfig().max_under_way
    (note,) = running.all_of(reload.config)
    assert (note.waiting, note.digest) == (("pep.max_under_way",), load(file).digest)


@pytest.mark.parametrize(
    "more", ["x = 1\n", 'bearer = "env:NOT_SET_ANYWHERE"\n', "accept = ['mtls']"]
)
def test_what_cannot_be_used_changes_nothing_and_is_told(file: Path, more: str) -> None:
    """In the file, on the machine, or without a restart."""
    reload = Reload(PEP, load(file))
    taken: list[PepConfig] = []
    reload.offer(taken.append)
    before = reload.settings
    file.write_text(SERVER + more)
    (line,) = reloaded(reload)
    assert (line["log_level"], taken) == ("error", [])
    assert line["event"] == "configuration not taken over; the old one goes on"
    assert reload.settings == before


def test_a_service_that_is_still_starting_reads_nothing(file: Path) -> None:
    """It has only just read the file."""
    (line,) = reloaded(Reload(PEP, load(file)))
    assert "still starting" in line["event"]


def test_a_service_that_can_write_no_note_runs_all_the_same(file: Path) -> None:
    """As a proxy that is alone in its container."""
    file.write_text(f'state_dir = "/proc/no"\n{SERVER}')
    reload = Reload(PEP, load(file))
    with capture_logs() as lines:
        reload.offer(lambda _: None)
    assert [line["log_level"] for line in lines] == ["warning"]
