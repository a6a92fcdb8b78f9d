"""The gateway, those who use it, those who attack it, and what is measured meanwhile."""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import sys
from pathlib import Path
from typing import Any

from msgspec import Struct

from tests.gateway import Gateway, gateway
from tests.hostile import DENIED_TOOL, HIDDEN_TOOL
from tests.hostile.honest import Honest, Idempotency
from tests.proxy_rig import asgi_upstream

CALLERS = 10
MOST_SECONDS = 1.0
MOST_MEBIBYTES = 300
_ROOT = Path(__file__).parents[2]
_ATTACKERS = ("127.0.0.66", "127.0.0.67")
_OURS = ("tipstaff pdp", "tipstaff pep", "tipstaff up", "opa run")
_RULES: dict[str, Any] = {
    "default": "deny",
    "tools": {
        "echo": {},
        DENIED_TOOL: {"action": "deny"},
        HIDDEN_TOOL: {"action": "hide"},
    },
    "prompts": {"hidden_prompt": {"action": "hide"}},
    "resources": {"file:///public/*": {}, "file:///secret*": {"action": "hide"}},
    "methods": {
        "sampling/createMessage": {"action": "deny"},
        "elicitation/create": {"action": "deny"},
    },
}


class Report(Struct):
    """What came of it. Times in seconds, sizes in MiB."""

    calls: int
    p50: float
    p99: float
    slowest: float
    mebibytes: dict[str, int]
    attacks: dict[str, int]
    problems: list[str]


async def fight(folder: Path, seconds: float, most_seconds: float = MOST_SECONDS) -> Report:
    """Everybody at once for so long; `most_seconds` is what a hundredth of the honest calls may take."""
    idempotency, record = Idempotency(), folder / "record"
    record.touch()
    trap = await _attacker("tests.hostile.server", str(record), str(seconds + 10))
    assert trap.stdout is not None
    port = int(await trap.stdout.readline())
    child = (sys.executable, "-m", "tests.hostile.child")
    environment = {"RECORD": str(record), "PYTHONPATH": str(_ROOT)}
    async with asgi_upstream(idempotency) as url:
        servers: dict[str, Any] = {
            "idempotency": {"url": url, "accept": ("token", "anonymous")},
            "trap": f"http://127.0.0.1:{port}/mcp",
            "pipe": {"command": child, "environment": environment, "max_processes": 8},
        }
        async with gateway(folder, servers, dict.fromkeys(servers, _RULES)) as tipstaff:
            report = await _fight(tipstaff, idempotency, seconds, most_seconds)
    await trap.wait()
    attacks = json.loads(await trap.stdout.readline() or b"{}")
    report.attacks |= {f"server: {title}": count for title, count in attacks.items()}
    report.problems += (
        record.read_text(errors="replace").splitlines()[:20] + idempotency.violations[:20]
    )
    return report


async def _fight(
    tipstaff: Gateway, idempotency: Idempotency, seconds: float, most_seconds: float
) -> Report:
    before = _processes(tipstaff)
    hostile = [
        await _attacker("tests.hostile.caller", str(tipstaff.port), str(seconds), address)
        for address in _ATTACKERS
    ]
    honest = [Honest(tipstaff.port, number) for number in range(CALLERS)]
    await asyncio.gather(*(caller.run(seconds) for caller in honest))
    reports = []
    for process in hostile:
        output, _ = await asyncio.wait_for(process.communicate(), 60)
        reports.append(json.loads(output.splitlines()[-1]))
    times = sorted(second for caller in honest for second in caller.seconds)
    after = _processes(tipstaff)
    report = Report(
        calls=len(times),
        p50=statistics.median(times),
        p99=times[int(len(times) * 0.99)],
        slowest=times[-1],
        mebibytes={_name(command): _peak(pid) for pid, command in after.items()},
        attacks={
            title: sum(one["tried"][title] for one in reports) for title in reports[0]["tried"]
        },
        problems=[text for caller in honest for text in caller.failures][:20],
    )
    report.problems += [text for one in reports for text in one["seen"]]
    report.problems += _counted(tipstaff, idempotency)
    if set(before) != set(after):
        report.problems.append(f"a process died: {before} and then {after}")
    if report.p99 > most_seconds:
        report.problems.append(f"a hundredth of the honest calls took {report.p99:.2f} s and more")
    for name, size in report.mebibytes.items():
        if size > MOST_MEBIBYTES:
            report.problems.append(f"{name} grew to {size} MiB")
    return report


def _counted(tipstaff: Gateway, idempotency: Idempotency) -> list[str]:
    """Admitted, forwarded and recorded are one number; a call that broke off may be missing."""
    allowed = sum(
        record["server"] == "idempotency" and record["effect"] == "allow"
        for record in tipstaff.judged()
        if record.get("phase", "call") == "call"
    )
    return (
        []
        if idempotency.echoed <= allowed
        else [f"{idempotency.echoed} calls arrived, {allowed} were allowed"]
    )


async def _attacker(module: str, *arguments: str) -> asyncio.subprocess.Process:
    """A process of lower priority: attackers have machines of their own."""
    return await asyncio.create_subprocess_exec(
        "nice", "-n", "5", sys.executable, "-m", module, *arguments,
        cwd=_ROOT, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(_ROOT)},
    )  # fmt: skip


def _processes(tipstaff: Gateway) -> dict[int, str]:
    """The gateway's own processes; what it starts for servers comes and goes."""
    assert tipstaff.process is not None
    everything = {tipstaff.process.pid: "tipstaff up", **tipstaff.descendants()}
    return {
        pid: command for pid, command in everything.items() if any(own in command for own in _OURS)
    }


def _name(command: str) -> str:
    return next(own for own in _OURS if own in command)


def _peak(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) // 1024
    return 0
