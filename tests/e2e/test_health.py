"""`/healthz`: ready means that calls are judged, and by the rules that are in the files."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from pep.config import Server
from tests.gateway import Gateway, eventually, gateway
from tests.proxy_rig import proxy

NOBODY = "http://127.0.0.1:9/mcp"
ALLOW, DENY = {"tools": {"read": {}}}, {"tools": {"read": {"action": "deny"}}}


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(timeout=10, verify=False) as one:
        yield one


async def health(client: httpx.AsyncClient, port: int) -> tuple[int, str, dict[str, Any]]:
    answer = await client.get(f"http://127.0.0.1:{port}/healthz")
    body = answer.json()
    assert body["ready"] is (answer.status_code == 200)
    return answer.status_code, body.get("code", ""), body


async def becomes(client: httpx.AsyncClient, port: int, code: str) -> dict[str, Any]:
    """Wait until that is why it is not ready ("": it is); the body of the answer."""
    bodies: list[dict[str, Any]] = []

    async def holds() -> bool:
        _, found, body = await health(client, port)
        bodies.append(body)
        return found == code

    await eventually(holds, 30)
    return bodies[-1]


async def test_a_gateway_whose_rules_are_older_than_its_files_is_not_ready(
    tmp_path: Path, client: httpx.AsyncClient
) -> None:
    """Whatever is wrong with the files; the reason says where to look, and quotes nothing."""
    async with gateway(tmp_path, {"s": NOBODY}, {"s": ALLOW}) as tipstaff:
        rules = tmp_path / "policy" / "servers" / "s" / "data.yaml"
        await becomes(client, tipstaff.port, "")
        for spoil in (
            lambda: rules.write_bytes(b"tools: {\xff: {}}"),
            lambda: (rules.unlink(), rules.symlink_to(rules)),
            lambda: (rules.unlink(), rules.write_text("tools: {read: {acton: secret}}")),
        ):
            first = await tipstaff.revision()
            spoil()
            body = await becomes(client, tipstaff.port, "policy_stale")
            assert "older than the files" in body["reason"]
            assert "secret" not in str(body)
            assert await tipstaff.revision() == first
            rules.unlink()
            tipstaff.rules("s", ALLOW)
            await becomes(client, tipstaff.port, "")
        tipstaff.rules("s", DENY)
        await tipstaff.wait_for_change(first, 30)
        await becomes(client, tipstaff.port, "")


async def test_a_gateway_without_its_parts_is_not_ready(
    tmp_path: Path, client: httpx.AsyncClient
) -> None:
    """OPA that hangs, a decision service that is gone; and ready again when they are back."""
    async with gateway(tmp_path, {"s": NOBODY}, {"s": ALLOW}) as tipstaff:
        await becomes(client, tipstaff.port, "")
        (opa,) = (pid for pid, line in tipstaff.descendants().items() if "opa run" in line)
        os.kill(opa, signal.SIGSTOP)
        await becomes(client, tipstaff.port, "policy_engine_unavailable")
        os.kill(opa, signal.SIGCONT)
        await becomes(client, tipstaff.port, "")
        service = _pid(tipstaff, "tipstaff pdp")
        os.kill(service, signal.SIGSTOP)
        await becomes(client, tipstaff.port, "decision_service_silent")
        os.kill(service, signal.SIGCONT)
        await becomes(client, tipstaff.port, "")
        os.kill(service, signal.SIGKILL)
        await becomes(client, tipstaff.port, "decision_service_unreachable")
        await becomes(client, tipstaff.port, "")


def _pid(tipstaff: Gateway, what: str) -> int:
    (pid,) = (pid for pid, line in tipstaff.descendants().items() if what in line)
    return pid


@pytest.mark.parametrize(
    ("status", "code"),
    [
        ({"ready": True}, ""),
        ({"ready": True, "stale": True, "last_error": "x"}, "policy_stale"),
        ({"ready": False, "stale": True}, "policy_engine_unavailable"),
        ({}, "policy_engine_unavailable"),
        (None, "decision_service_silent"),
    ],
)
async def test_each_answer_of_the_decision_service_has_its_reason(
    client: httpx.AsyncClient, status: dict[str, Any] | None, code: str
) -> None:
    """Also none, and one that says nothing."""
    async with proxy(Server("demo", NOBODY)) as gate:
        gate.service.status = status
        await becomes(client, gate.port, code)
