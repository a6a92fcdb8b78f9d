"""What `tipstaff up` tells each of its workers."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest
import structlog

from pep.workers.position import MOST
from tipstaff.cli.configuration.config import Config, load
from tipstaff.cli.errors import OptionError
from tipstaff.cli.run.workers import position, seats


@pytest.fixture
def config(tmp_path: Path) -> Config:
    path = tmp_path / "tipstaff.toml"
    path.write_text('[servers.s]\nurl = "http://127.0.0.1:9/mcp"\n')
    return load(path)


def told(word: str | None) -> argparse.Namespace:
    return argparse.Namespace(worker=word)


def test_each_worker_has_its_own_number_and_the_same_secret(config: Config) -> None:
    """What one has sealed, the others can open; a server that it starts does not get the secret."""
    positions = []
    for seat in seats(3):
        option, word = seat.options()
        assert option == "--worker"
        environment = {"PATH": "/bin", **seat.environment()}
        positions.append(position(told(word), config, environment))
        assert environment == {"PATH": "/bin"}
    assert [each.number for each in positions if each is not None] == [0, 1, 2]
    assert {each.count for each in positions if each is not None} == {3}
    assert len({each.secret for each in positions if each is not None}) == 1
    assert {each.folder for each in positions if each is not None} == {config.run_folder}
    structlog.contextvars.clear_contextvars()


def test_two_gateways_have_two_secrets() -> None:
    """It is drawn at each start."""
    assert seats(1)[0].secret != seats(1)[0].secret


def test_a_proxy_that_is_told_nothing_is_alone(config: Config) -> None:
    """As `tipstaff pep` is."""
    assert position(told(None), config, {}) is None


@pytest.mark.parametrize("count", [0, -1, MOST + 1])
def test_a_number_that_cannot_be_meant_is_an_error(count: int) -> None:
    """It says which numbers can."""
    with pytest.raises(OptionError, match="1 to 64"):
        seats(count)
