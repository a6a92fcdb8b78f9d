"""`python -m tests.screenshots FOLDER [NAME…]`: pictures of the console at work, taken by a real browser."""

from __future__ import annotations

import asyncio
import random
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from pdp.api.v1 import types_pb2
from tests.browser import chromium
from tests.console_rig import Site, console_before
from tests.gateway import Gateway, decisions, question
from tests.interop.matrix import HERE, NODE

SCRIPT = HERE.parent / "node" / "screenshots.mjs"
RULES = {
    "brokers": {
        "tools": {
            "reboot_broker": {"action": "require_approval", "reason": "A reboot drops connections."},
            "list_brokers": {"action": "allow", "rate_limit": {"max": 60, "window": 60}},
            "delete_broker": {"action": "deny", "reason": "Brokers are deleted by people."},
        }
    },
    "billing": {
        "tools": {
            "refund": {
                "action": "require_approval",
                "reason": "Money leaves the company.",
                "approval": {"count": 2, "note": "on_refuse"},
            },
            "read_invoice": {"action": "allow", "rate_limit": {"max": 20, "window": 60}},
        }
    },
}  # fmt: skip
CATALOGUE = {
    "brokers": {
        "reboot_broker": {"category": "Execute", "risk": "high"},
        "list_brokers": {"category": "Read", "risk": "low"},
        "delete_broker": {"category": "Destructive", "risk": "critical"},
    },
    "billing": {
        "refund": {"category": "Financial", "risk": "critical"},
        "read_invoice": {"category": "Read", "risk": "medium"},
    },
}
AGENTS = ("jwt:agent-support", "jwt:agent-ops", "token:nightly-report")
CALLS = (
    ("brokers", "list_brokers", b'{"region": "eu-central-1"}'),
    ("billing", "read_invoice", b'{"invoice": "2026-11-0417"}'),
    ("brokers", "delete_broker", b'{"broker_id": "b-9f31"}'),
)
HELD = (
    ("brokers", "reboot_broker", b'{"broker_id": "b-9f31", "region": "eu-central-1"}', 1),
    ("billing", "refund", b'{"invoice": "2026-11-0417", "amount": 1290.50, "currency": "EUR"}', 0),
)


async def fill(site: Site) -> None:
    """Calls of a few agents, as they come in an hour."""
    chance = random.Random(18)
    calls = [chance.choices(CALLS, (12, 24, 2))[0] for _ in range(70)]
    async with decisions(site.tipstaff.address) as service:
        for number, (server, tool, arguments) in enumerate(calls):
            await service.Decide(_question(server, tool, arguments, number, chance.choice(AGENTS)))
        for server, tool, arguments, agent in HELD:
            await service.Decide(_question(server, tool, arguments, len(calls) + agent, AGENTS[agent]))  # fmt: skip


def _question(server: str, tool: str, arguments: bytes, number: int, agent: str) -> object:
    return question(
        server, tool, f"r{number}", session=f"session-{agent.partition(':')[2]}", arguments_json=arguments,
        principal=types_pb2.Principal(id=agent, kind=agent.partition(":")[0]),
        client=types_pb2.Client(name="claude-code", version="2.1"),
    )  # fmt: skip


async def main(folder: Path, names: Sequence[str]) -> int:
    """Take the pictures of these names, or all; returns the exit code of the browser."""
    folder.mkdir(parents=True, exist_ok=True)
    script = NODE / SCRIPT.name
    shutil.copyfile(SCRIPT, script)
    with tempfile.TemporaryDirectory() as place:
        servers = dict.fromkeys(RULES, "http://127.0.0.1:9/mcp")
        gateway = Gateway(Path(place), servers)
        for name, rules in RULES.items():
            gateway.rules(name, rules)
            gateway.catalogue(name, CATALOGUE[name])
        async with console_before(gateway) as site:
            await fill(site)
            login = f"{site.url}/login#t={await site.way_in()}"
            browser = await asyncio.create_subprocess_exec(
                str(NODE / "bin" / "node"),
                str(script),
                chromium(),
                login,
                str(folder.resolve()),
                *names,
            )
            return await browser.wait()


if __name__ == "__main__":
    sys.exit(asyncio.run(main(Path(sys.argv[1]), sys.argv[2:])))
