"""What `tipstaff up` tells each of its workers."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest
import structlog

from pep.workers.position import MOST
from tipstaff.cli.configuration.config import Config, load
from tipstaff.cli.errors import OptionError
from tipstaff.cli.run.workers import options_of, position, positions, variables_of


@pytest.fixture
def config(tmp_path: Path) -> Config:
    path = tmp_path / "tipstaff.toml"
    path.write_text('[servers.s]\nurl = "http://127.0.0.1:9/mcp"\n')
    return load(path)


def told(word: str | None) -> argparse.Namespace:
    return argparse.Namespace(worker=word)


def test_each_worker_has_its_own_number_and_the_same_secret(config: Config) -> None:
    """What one has sealed, the others can open; a server that it starts does not get the secret."""
    taken = []
    for place in positions(3, config.run_folder):
        option, word = options_of(place)
        assert option == "--worker"
        environment = {"PATH": "/bin", **variables_of(place)}
        taken.append(position(told(word), config, environment))
        assert taken[-1] == place
        assert environment == {"PATH": "/bin"}
    assert [each.number for each in taken if each is not None] == [0, 1, 2]
    assert {each.count for each in taken if each is not None} == {3}
    assert len({each.secret for each in taken if each is not None}) == 1
    assert {each.folder for each in taken if each is not None} == {config.run_folder}
    structlog.contextvars.clear_contextvars()


def test_two_gateways_have_two_secrets() -> None:
    """It is drawn at each start."""
    first, second = (positions(1, Path())[0] for _ in range(2))
    assert first.secret != second.secret


def test_a_proxy_that_is_told_nothing_is_alone(config: Config) -> None:
    """As `tipstaff pep` is."""
    assert position(told(None), config, {}) is None


@pytest.mark.parametrize("count", [0, -1, MOST + 1])
def test_a_number_that_cannot_be_meant_is_an_error(count: int) -> None:
    """It says which numbers can."""
    with pytest.raises(OptionError, match="1 to 64"):
        positions(count, Path())
