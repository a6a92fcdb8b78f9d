"""A part of a service that fails ends the service, which says why; `tipstaff up` starts it again."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pytest

from tests.gateway import Gateway, below

NOBODY = "http://127.0.0.1:9/mcp"
RULES = {"tools": {"read": {}}}
# Runs the command line with one function replaced by one that fails after a while.
BROKEN = """
import asyncio, importlib, sys

async def fails(*arguments):
    await asyncio.sleep(1)
    raise RuntimeError("a bug of ours")

module, _, name = sys.argv[1].rpartition(":")
place = importlib.import_module(module)
*path, last = name.split(".")
for part in path:
    place = getattr(place, part)
setattr(place, last, fails)
from tipstaff.__main__ import main
sys.exit(main(sys.argv[2:]))
"""


@pytest.mark.parametrize(
    ("service", "broken", "part"),
    [
        ("pdp", "pdp.grpc.health:HealthStates.keep", "the health"),
        ("pdp", "pdp.policy.reload:Reloader.watch", "the watch over the rules"),
        ("pdp", "pdp.wiring:supervise", "opa"),
        ("pdp", "pdp.grpc.batching:Batcher.run", "the judging of calls"),
        ("pep", "pep.front.health:Health.watch", "the health"),
        ("pep", "pep.upstreams.stdio_pool:Pool.sweep", "the end of idle servers"),
        (
            "pep",
            "pep.judge.decision_client:DecisionClient.run",
            "the stream to the decision service",
        ),
    ],
)
async def test_a_part_that_fails_ends_its_service_with_a_cause_and_a_code(
    tmp_path: Path, service: str, broken: str, part: str
) -> None:
    """Nothing of it is left behind, OPA included."""
    site = Gateway(tmp_path, {"s": NOBODY})
    site.rules("s", RULES)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", BROKEN, broken, service, "--config", str(site.config),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    output, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode not in {0, None}
    told = [json.loads(line) for line in output.splitlines() if line.startswith(b"{")]
    (ending,) = [one for one in told if one.get("part")]
    assert ending["part"] == part
    assert "a bug of ours" in ending["error"]
    assert not below(process.pid)


def test_a_service_that_hangs_while_it_starts_is_not_waited_for_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is ended, which is a failed start; one that cannot be made leaves no descriptor open."""
    from tipstaff.cli.configuration.config import load
    from tipstaff.cli.run import child

    monkeypatch.setattr(child, "_READY_SECONDS", 0.3)
    monkeypatch.setattr(child, "_STOP_SECONDS", 0.3)
    source = tmp_path / "tipstaff.toml"
    source.write_text("")
    one = child.Child("pdp", load(source), tmp_path / "opa")
    one._command = [sys.executable, "-c", "import time; time.sleep(60)"]
    descriptors = open_descriptors()
    with pytest.raises(child.ChildFailed):
        asyncio.run(asyncio.wait_for(one.start(), 30))
    monkeypatch.setattr(asyncio, "create_subprocess_exec", _no_process)
    with pytest.raises(OSError, match="unavailable"):
        asyncio.run(one.start())
    assert open_descriptors() == descriptors


def open_descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


async def _no_process(*arguments: object, **more: object) -> None:
    raise OSError(11, "Resource temporarily unavailable")
