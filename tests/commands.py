"""`tipstaff` commands, run to their end without a terminal, by processes that begin warm (`tests.warm`)."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from subprocess import CompletedProcess

from tests.warm import warm


def run(*words: str, cwd: Path | None = None, **settings: str) -> CompletedProcess[str]:
    """Run `tipstaff` with these words in `cwd`; `settings` are more variables of its environment."""
    environment = {**os.environ, "NO_COLOR": "1", **settings}
    return warm().run("tipstaff", *words, cwd=cwd or Path.cwd(), env=environment)


async def run_aside(*words: str, cwd: Path | None = None, **settings: str) -> CompletedProcess[str]:
    """As `run`, while other tasks go on."""
    warm()  # here, as threads that need it at once would each start one
    return await asyncio.to_thread(run, *words, cwd=cwd, **settings)


async def ended(*words: str, cwd: Path | None = None, **settings: str) -> tuple[int, str]:
    """As `run_aside`: the exit code, and all that is printed."""
    done = await run_aside(*words, cwd=cwd, **settings)
    return done.returncode, done.stdout + done.stderr
