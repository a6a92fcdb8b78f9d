"""What holds for every test."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest
import structlog
from hypothesis import settings

# A test says what is right, not how long it takes: the machine may be busy.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

# What a terminal says of itself is said by the tests that are about it.
os.environ.pop("COLUMNS", None)

# Counts as set up, so that a command run inside a test leaves no logger behind that keeps the
# stream which pytest closes after that test.
structlog.configure(cache_logger_on_first_use=False)

_made: list[str] = []


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Keep temporary folders short: a unix socket's path has 100 characters, its worker's name in it."""
    if config.option.basetemp is None and not hasattr(config, "workerinput"):
        _made.append(tempfile.mkdtemp(prefix="t"))
        config.option.basetemp = str(Path(_made[-1]) / "t")


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Leave them only where something failed, to be looked at."""
    del session
    if exitstatus == 0:
        for folder in _made:
            shutil.rmtree(folder, ignore_errors=True)
