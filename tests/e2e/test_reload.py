"""Rules and catalogue change together, on a real OPA, while calls come in."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
from pathlib import Path
from typing import Any

import grpc
import yaml

from pdp.api.v1 import decision_pb2, policy_pb2, policy_pb2_grpc, types_pb2
from tests.gateway import Gateway, decisions, eventually, question

NOBODY = "http://127.0.0.1:9/mcp"
ALLOW, DENY = types_pb2.EFFECT_ALLOW, types_pb2.EFFECT_DENY


def policy(folder: Path, category: str) -> Path:
    """Rules that deny the tools of a category, and a catalogue in which the tool is of that one."""
    denied = {"action": "deny", "reason": category}
    files: dict[str, Any] = {
        "servers/s/data.yaml": yaml.safe_dump(
            {"default": "allow", "categories": {category: denied}}
        ),
        "catalog/s/data.json": json.dumps({"tools": {"drop": {"category": category}}}),
    }
    for name, text in files.items():
        path = folder / category / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder / category


async def test_no_call_is_judged_by_rules_and_catalogue_of_two_revisions(tmp_path: Path) -> None:
    """Each revision denies the tool, each by another category: a mixture of the two would allow it."""
    tipstaff, link = Gateway(tmp_path, {"s": NOBODY}), tmp_path / "policy"
    folders = itertools.cycle([policy(tmp_path, category) for category in ("Write", "Read")])
    link.symlink_to(next(folders))
    await tipstaff.start()
    judged: list[tuple[int, str, str]] = []
    async with decisions(tipstaff.address) as service:

        async def ask(worker: int) -> None:
            for number in itertools.count():
                one = question("s", "drop", f"{worker}-{number}")
                decision = (await service.Decide(one, timeout=10)).decision
                judged.append((decision.effect, decision.reason.message, decision.revision))

        asking = [asyncio.ensure_future(ask(worker)) for worker in range(4)]
        for _ in range(5):
            before = await tipstaff.revision()
            fresh = tmp_path / "fresh"
            fresh.symlink_to(next(folders))
            os.replace(fresh, link)  # noqa: PTH105 - in one step, so that no save is half done
            await tipstaff.wait_for_change(before, 30)
        for task in asking:
            task.cancel()
        failures = await asyncio.gather(*asking, return_exceptions=True)
    await tipstaff.stop()
    assert {type(one) for one in failures} == {asyncio.CancelledError}
    assert {effect for effect, *_ in judged} == {DENY}
    reasons = {(reason, revision) for _, reason, revision in judged}
    assert len(reasons) == 2
    assert {reason for reason, _ in reasons} == {"Write", "Read"}


async def test_a_large_limit_per_session_is_judged_beside_others(tmp_path: Path) -> None:
    """One that its companion would exceed: its batch is judged, and all of it is on record."""
    rules = {"tools": {"many": {"rate_limit": {"max": 5000, "window": 60}}, "read": {}}}
    tipstaff = Gateway(tmp_path, {"s": NOBODY})
    tipstaff.rules("s", rules)
    await tipstaff.start()
    async with decisions(tipstaff.address) as service:
        requests = [question("s", name, name) for name in ("read", "many", "read2")]
        asked = decision_pb2.BatchDecideRequest(requests=requests)
        replies = (await service.BatchDecide(asked, timeout=10)).responses
    await tipstaff.stop()
    assert [one.decision.effect for one in replies] == [ALLOW, ALLOW, DENY]
    assert [one.max for one in replies[1].decision.limits] == [5000, 10_000]
    assert [one["target"] for one in tipstaff.judged()] == ["read", "many", "read2"]


async def test_a_bundle_that_opa_activates_late_is_noticed(tmp_path: Path) -> None:
    """OPA hangs when the rules are saved; when it goes on, the status follows."""
    tipstaff = Gateway(tmp_path, {"s": NOBODY})
    tipstaff.rules("s", {"tools": {"read": {}}})
    await tipstaff.start()
    before = await tipstaff.revision()
    (opa,) = (pid for pid, line in tipstaff.descendants().items() if "opa run" in line)
    os.kill(opa, signal.SIGSTOP)
    tipstaff.rules("s", {"tools": {"read": {"action": "deny"}}})
    async with grpc.aio.insecure_channel(tipstaff.address) as channel:
        stub = policy_pb2_grpc.PolicyServiceStub(channel)

        async def status() -> policy_pb2.GetStatusResponse:
            return await stub.GetStatus(policy_pb2.GetStatusRequest(), timeout=5)

        async def is_late() -> bool:
            return "did not activate" in (await status()).last_error

        async def is_well() -> bool:
            now = await status()
            return now.ready and not now.stale and not now.last_error and now.revision != before

        await eventually(is_late, 60)
        assert (await status()).stale
        assert (await status()).revision == before
        os.kill(opa, signal.SIGCONT)
        await eventually(is_well, 30)
    await tipstaff.stop()
