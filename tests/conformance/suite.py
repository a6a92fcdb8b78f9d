"""Runs the suite against one URL and gathers what it says, as a multiset of check results."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[2]
NODE = ROOT / ".tools" / "node" / "bin" / "node"
SUITE = ROOT / ".tools/node/node_modules/@modelcontextprotocol/conformance/dist/index.js"
VERSIONS = ("2025-11-25", "2026-07-28")
_SECONDS = 120

# Scenario, check id, status: how often.
Outcome = Counter[tuple[str, str, str]]


async def run(url: str, version: str) -> Outcome:
    """All of the suite's server scenarios of one protocol version."""
    with tempfile.TemporaryDirectory(prefix="conformance") as folder:
        process = await asyncio.create_subprocess_exec(
            str(NODE), str(SUITE), "server", "--url", url, "--suite", "all",
            "--spec-version", version, "--output-dir", folder,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        try:
            async with asyncio.timeout(_SECONDS):
                output, _ = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        outcome = gather(Path(folder))
    if not outcome:
        raise AssertionError(f"the suite said nothing:\n{output.decode()[-2000:]}")
    return outcome


def gather(folder: Path) -> Outcome:
    """What the suite wrote: one folder per scenario, named after it and the time."""
    found: Outcome = Counter()
    for path in folder.glob("server-*/checks.json"):
        scenario = path.parent.name.removeprefix("server-").partition("-20")[0]
        for check in json.loads(path.read_text()):
            found[scenario, check["id"], check["status"]] += 1
    return found


def difference(expected: Outcome, seen: Outcome) -> list[str]:
    """Every check that is not as often, or not as it was, as lines; none when they are equal."""
    return [
        f"{' '.join(key)}: {expected[key]} directly, {seen[key]} through Tipstaff"
        for key in sorted(expected.keys() | seen.keys())
        if expected[key] != seen[key]
    ]
