"""What is logged holds no variables and no secrets, whoever says it."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from tipstaff.cli import known_secrets
from tipstaff.cli.run import logs

SECRET = "planted-9f31c7"


@pytest.fixture(params=[True, False], ids=["for people", "for programs"])
def said(request: pytest.FixtureRequest) -> Iterator[Callable[[], str]]:
    """What was logged, by either renderer."""
    file, before = io.StringIO(), structlog.get_config()
    structlog.configure(
        processors=logs.processors(for_people=request.param),
        logger_factory=structlog.PrintLoggerFactory(file),
        cache_logger_on_first_use=False,
    )
    yield file.getvalue
    structlog.configure(**before)


@pytest.fixture
def known() -> Iterator[None]:
    """The process has been given the secret by its configuration."""
    known_secrets.hide([SECRET, "", "no"])
    yield
    known_secrets._known.clear()


def fail(authorization: str) -> None:
    headers = {"authorization": authorization}
    raise RuntimeError(f"no such server among {len(headers)}")


def test_a_traceback_shows_no_variables(said: Callable[[], str]) -> None:
    """Only where it was, and what was raised."""
    try:
        fail(SECRET)
    except RuntimeError:
        structlog.get_logger().exception("unexpected fault")
    assert SECRET not in said()
    assert "in fail" in said()
    assert "no such server among 1" in said()


@pytest.mark.parametrize(
    "value",
    [
        f"Authorization: ApiKey {SECRET}",
        f"https://{SECRET}@h/x",
        f"https://u:{SECRET}@h/x",
        f"?access_token={SECRET}",
        RuntimeError(f"token={SECRET}"),
        ["a", {"password": SECRET}],
        b"Bearer " + SECRET.encode(),
    ],
    ids=repr,
)
def test_what_has_the_form_of_a_secret_is_masked(value: Any, said: Callable[[], str]) -> None:
    """In any value of a line, whatever its type."""
    structlog.get_logger().error("keys cannot be fetched", error=value, count=3, ok=True)
    assert SECRET not in said()
    assert "[masked]" in said()
    assert "keys cannot be fetched" in said()


@pytest.mark.usefixtures("known")
def test_a_secret_of_the_configuration_is_masked_whatever_it_looks_like(
    said: Callable[[], str],
) -> None:
    """In a value, in the event, in a traceback; short words are left alone."""
    try:
        raise ValueError(f"port could not be cast: {SECRET}")
    except ValueError:
        structlog.get_logger().exception(f"cannot use {SECRET}", where=f"x{SECRET}x", why="no")
    assert SECRET not in said()
    assert said().count("[masked]") == 3
    assert "no" in said()


def test_no_line_is_endless(said: Callable[[], str]) -> None:
    """Its beginning and its end are shown."""
    try:
        raise RuntimeError("x" * 1_000_000)
    except RuntimeError:
        structlog.get_logger().exception("e", error="a" + "b" * 1_000_000 + "c")
    assert 30_000 < len(said()) < 50_000


def test_half_a_secret_is_not_left_where_a_line_is_cut(said: Callable[[], str]) -> None:
    """What has lost its beginning has no form that a mask would know."""
    before = "a" * 3000 + " Authorization: ApiKey "
    structlog.get_logger().error("e", error=before + SECRET * 1000 + "\n" + "b" * 1000)
    assert SECRET not in said()


def logged(logger: str, text: str, *arguments: Any, **more: Any) -> None:
    """What a library says."""
    one = logging.getLogger(logger)
    one.propagate = False
    handler = logs._Library()
    one.addHandler(handler)
    try:
        one.error(text, *arguments, **more)
    finally:
        one.removeHandler(handler)


def test_what_libraries_log_is_a_line_of_ours(said: Callable[[], str]) -> None:
    """With their name, masked too."""
    logged("some.library", "cannot fetch %s", f"http://u:{SECRET}@h/")
    assert "some.library" in said()
    assert SECRET not in said()


async def test_representations_of_what_a_loop_holds_are_not_logged(
    said: Callable[[], str],
) -> None:
    """A task's shows its exception, a handle's the arguments of its function."""
    loop = asyncio.get_running_loop()
    handler = logs._Library()
    logging.getLogger("asyncio").addHandler(handler)
    try:
        loop.call_soon(fail, SECRET)
        loop.call_exception_handler({"message": "went wrong", "argument": SECRET})
        await asyncio.sleep(0.01)
    finally:
        logging.getLogger("asyncio").removeHandler(handler)
    assert "went wrong" in said()
    assert "no such server" in said()
    assert SECRET not in said()


SCRIPT = f"""
import gc, logging, sys, threading
from tipstaff.cli.run import logs
logs.configure()
logs.configure()

class Unclosed:
    def __del__(self):
        fail("{SECRET}")

def fail(authorization):
    raise RuntimeError("failed with token={SECRET}")

thread = threading.Thread(target=fail, args=("{SECRET}",))
thread.start()
thread.join()
one = Unclosed()
del one
gc.collect()
logging.getLogger("x").error("%d of them", "{SECRET}")
fail("{SECRET}")
"""


def test_faults_that_nobody_catches_are_told_without_secrets(tmp_path: Path) -> None:
    """In a thread, in a clean-up, in a log line that cannot be formatted, and at the end."""
    command = [sys.executable, "-c", SCRIPT]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert SECRET not in done.stdout + done.stderr
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [line["event"] for line in lines] == [
        "fault in a thread",
        "fault in a clean-up",
        "%d of them",
        "unexpected fault",
    ]
    assert ["in fail" in line.get("exception", "") for line in lines] == [True, True, False, True]
    assert done.returncode == 1


def test_what_a_server_says_in_a_log_on_a_terminal_is_shown() -> None:
    """The log of a hostile server's own words."""
    event = logs._show(None, "info", {"event": "server says", "text": "\x1b]0;x\x07", "pid": 1})
    assert event == {"event": "server says", "text": r"\u{1b}]0;x\u{7}", "pid": 1}


def test_who_called_is_shown_and_a_credential_in_a_name_is_not(said: Callable[[], str]) -> None:
    """An operator resets the limits of a caller, and the log says of whom."""
    token = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl"
    log = structlog.get_logger()
    log.warning("limits reset", principal="jwt:alice")
    log.warning("limits reset", principal=f"jwt:{token}")
    log.warning("something else", note="jwt:bob")
    assert "jwt:alice" in said()
    assert token not in said()
    assert "bob" not in said()
