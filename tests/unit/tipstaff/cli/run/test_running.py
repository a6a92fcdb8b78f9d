"""Notes of what runs by which configuration."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tipstaff.cli.configuration.config import Config, load
from tipstaff.cli.run import running


@pytest.fixture
def config(tmp_path: Path) -> Config:
    (tmp_path / "tipstaff.toml").write_text("# first\n")
    return load(tmp_path / "tipstaff.toml")


def edited(config: Config) -> Config:
    config.source.write_text("# second\n")
    return load(config.source)


def test_a_service_that_runs_by_the_text_of_the_file_needs_nothing(config: Config) -> None:
    """Nor is anything told where nothing runs."""
    assert running.outdated(config) == ""
    running.note("pep", config)
    (service,) = running.all_of(config)
    assert (service.service, service.pid, service.waiting) == ("pep", os.getpid(), ())
    assert running.digest_of(config.source) == service.digest
    assert running.outdated(config) == ""


def test_who_runs_by_an_older_text_is_named_with_what_to_do(config: Config) -> None:
    """`up` alone, where it runs: it hands the signal on."""
    running.note("pep", config)
    new = edited(config)
    assert f"tipstaff pep runs by an older text of this file: `kill -HUP {os.getpid()}`" in running.outdated(new)  # fmt: skip
    running.note("up", config)
    assert "tipstaff up runs by" in running.outdated(new)
    running.note("up", new)
    running.note("pep", new)
    assert running.outdated(new) == ""


def test_a_note_whose_writer_has_gone_or_that_cannot_be_read_tells_nothing(config: Config) -> None:
    """After a kill -9, or of another configuration."""
    running.note("pdp", config)
    path = config.run_folder / "pdp.json"
    told = json.loads(path.read_bytes())
    for text in (
        json.dumps({**told, "pid": 2**22 + 1}),
        json.dumps({**told, "configuration": "/elsewhere"}),
        "{",
    ):
        path.write_text(text)
        assert running.all_of(config) == []
        assert running.outdated(edited(config)) == ""


def test_only_its_writer_takes_a_note_away(config: Config) -> None:
    """A second service that ends is not the first."""
    running.note("up", config)
    path = config.run_folder / "up.json"
    text = path.read_text()
    path.write_text(text.replace(str(os.getpid()), str(os.getppid())))
    running.forget("up", config)
    assert path.exists()
    path.write_text(text)
    running.forget("up", config)
    assert not path.exists()


def test_a_file_that_is_not_there_has_no_digest(tmp_path: Path) -> None:
    """It is another than the one that runs."""
    assert running.digest_of(tmp_path / "x") == ""
