"""What `tipstaff up` hands on to its services when its configuration is read again."""

from __future__ import annotations

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from tipstaff.cli.configuration.config import Config, load
from tipstaff.cli.run.child import Child
from tipstaff.cli.run.up import Reloading

SERVER = '[servers.a]\nurl = "http://127.0.0.1:9/mcp"\n'


class Recorder(Child):
    """A service that keeps what it is to take over."""

    taken: list[Config] | None = None

    def reload(self, config: Config) -> None:
        self.taken = [*(self.taken or []), config]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "tipstaff.toml"
    path.write_text(SERVER)
    return path


def site(file: Path) -> tuple[Reloading, Recorder]:
    config = load(file)
    child = Recorder("pep", config, Path("opa"))
    return Reloading(config, [child]), child


def test_a_configuration_that_all_can_use_is_handed_on(file: Path) -> None:
    """And is the one that runs from then on."""
    running, child = site(file)
    file.write_text(f"{SERVER}poll_ms = 5\n")
    running.reload()
    assert child.taken == [running.config]
    assert running.config.pep.servers[0].poll_ms == 5


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("x = 1\n" + SERVER, "tipstaff.toml:1: x: there is no such key"),
        (SERVER + 'bearer = "clear"\n', ":3: servers.a.bearer: a secret stands here in clear"),
        (SERVER + 'bearer = "env:NOT_THERE"\n', "the environment variable NOT_THERE is not set"),
        (SERVER + 'bearer = "env:THERE"\n', "were started without the variable THERE: a restart"),
        ('state_dir = "other"\n' + SERVER, "another state_dir needs a restart"),
    ],
)
def test_what_a_service_could_not_take_over_is_handed_on_to_none(
    file: Path, text: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that none does half of it; the log says what is wrong."""
    monkeypatch.setenv("THERE", "a value")
    running, child = site(file)
    before = running.config
    file.write_text(text)
    with capture_logs() as lines:
        running.reload()
    (line,) = lines
    assert line["event"] == "configuration not taken over; the old one goes on"
    assert told in line["error"]
    assert child.taken is None
    assert running.config is before
