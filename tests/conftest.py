"""What holds for every test."""

from __future__ import annotations

import gc
import os
import shutil
import tempfile
from collections.abc import Iterator
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

# The files that take longest, the longest first: begun last, one of them would go on alone.
_LONGEST = (
    "e2e/test_register.py", "e2e/test_conformance.py", "e2e/test_console_browser.py", "e2e/test_reload.py",
    "e2e/test_limits.py", "e2e/test_one_folder.py", "e2e/test_hostile.py", "e2e/test_command_line.py",
    "e2e/test_introspect.py", "e2e/test_callers.py", "e2e/test_stdio_servers.py", "e2e/test_health.py",
    "e2e/test_stdio_pool.py", "contract/test_site_rules.py", "e2e/test_scan.py", "e2e/test_faults.py",
    "contract/test_lint.py", "e2e/test_interop.py", "e2e/test_demo.py", "e2e/test_memory.py",
    "e2e/test_counting.py", "unit/tipstaff/survey/poisoning/test_signs.py", "test_rules_schema.py",
    "e2e/test_hostile_answers.py", "e2e/test_changed_tools.py", "contract/test_starter_rules.py",
    "e2e/test_clients.py", "e2e/test_approvals_command.py", "e2e/test_console_openid.py",
)  # fmt: skip
# The modules whose gateways are one process each (`tipstaff up --inline`): they are about pages, commands, rules and
# sessions. Those about processes, faults, limits, clients and attacks have the two processes of the default.
_IN_ONE_PROCESS = frozenset(
    f"tests/e2e/test_{name}.py"
    for name in (
        "approvals_page", "callers", "changed_tools", "clients", "config_reload",
        "console", "console_openid", "console_pages", "decide_command", "held_calls", "limits_command",
        "register", "resource_uris", "secrets", "server_requests", "sessions", "shadow", "webhook",
    )
)  # fmt: skip
_made: list[str] = []


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Keep temporary folders short: a unix socket's path has 100 characters, its worker's name in it."""
    if config.option.basetemp is None and not hasattr(config, "workerinput"):
        _made.append(tempfile.mkdtemp(prefix="t"))
        config.option.basetemp = str(Path(_made[-1]) / "t")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest; within a file the order stays."""
    ranks = {f"tests/{name}": rank for rank, name in enumerate(_LONGEST)}
    items.sort(key=lambda item: ranks.get(item.nodeid.partition("::")[0], len(ranks)))


def pytest_collection_finish() -> None:
    """Leave the tests themselves, a million objects, out of every further collection of garbage."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="module", autouse=True)
def way_of_gateways(request: pytest.FixtureRequest) -> Iterator[None]:
    """Start the module's gateways as one process or as two; see `_IN_ONE_PROCESS`."""
    if request.node.nodeid not in _IN_ONE_PROCESS or "TIPSTAFF_TEST_UP" in os.environ:
        yield
        return
    from tests.gateway import Gateway  # here, as few tests need it

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Gateway, "options", ("--inline",))
        yield


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Leave them only where something failed, to be looked at."""
    del session
    if exitstatus == 0:
        for folder in _made:
            shutil.rmtree(folder, ignore_errors=True)
