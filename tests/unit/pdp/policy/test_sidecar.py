"""The keeper of OPA: it never gives up, and never leaves OPA talking to nobody."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest
import structlog

from pdp.errors import SidecarError
from pdp.policy import sidecar
from pdp.policy.sidecar import Sidecar, supervise


def opa(folder: Path) -> Sidecar:
    return Sidecar(folder / "opa", folder / "run", "http://127.0.0.1:9", "t", "k", 400, "200MiB")


class Starts:
    """What becomes of each start: a program of a few lines, or `None` for one that fails."""

    def __init__(self, *programs: str | None) -> None:
        self.programs = list(programs)
        self.running: asyncio.subprocess.Process | None = None

    async def __call__(self, one: Sidecar) -> asyncio.subprocess.Process:
        program = self.programs.pop(0)
        if program is None:
            raise SidecarError("cannot run opa: no such file")
        self.running = await asyncio.create_subprocess_exec(
            sys.executable, "-I", "-S", "-c", program,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        return self.running


LIVES = "import time; print('up', flush=True); time.sleep(60)"
DIES = "raise SystemExit(3)"


async def until_no_start_is_left(starts: Starts, keeping: asyncio.Task[None]) -> None:
    async with asyncio.timeout(20):
        while starts.programs and not keeping.done():
            await asyncio.sleep(0.01)


async def test_a_restart_that_fails_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However often, and each time it is told; cancelled, the last one is stopped."""
    starts = Starts(DIES, None, None, DIES, None, LIVES)
    monkeypatch.setattr(sidecar, "_start", starts)
    monkeypatch.setattr(sidecar, "_LONGEST_PAUSE", 0.05)
    with structlog.testing.capture_logs() as logs:
        keeping = asyncio.ensure_future(supervise(opa(tmp_path)))
        await until_no_start_is_left(starts, keeping)
        await asyncio.sleep(0.2)
        assert not keeping.done()
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
    assert [one["event"] for one in logs].count("opa not started") == 3
    assert starts.running is not None
    assert starts.running.returncode is not None


async def test_a_first_start_that_fails_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The operator is there to see it."""
    monkeypatch.setattr(sidecar, "_start", Starts(None))
    with pytest.raises(SidecarError):
        await supervise(opa(tmp_path))


async def test_whatever_opa_says_is_heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line that is no text, one without end, one that is very deep: OPA never waits for a reader."""
    program = """
import sys, time
out = sys.stdout.buffer
out.write(b'{"msg":"\\xff\\xfe"}\\n' + b'{"x":' + b"[" * 100000 + b"\\n" + b"y" * 3000000 + b"\\n")
out.write(b'{"msg":"the end","level":"error"}\\n')
out.flush()
time.sleep(60)
"""
    monkeypatch.setattr(sidecar, "_start", Starts(program))
    with structlog.testing.capture_logs() as logs:
        keeping = asyncio.ensure_future(supervise(opa(tmp_path)))
        async with asyncio.timeout(20):
            while not any(one.get("text") == "the end" for one in logs):
                assert not keeping.done(), keeping
                await asyncio.sleep(0.01)
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
