"""OPA as the decision service runs it: locked down, and heard."""

from __future__ import annotations

import asyncio
import contextlib
import json
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from pdp.policy.bundle import build, library_folder, read_policy
from pdp.policy.bundle_server import BundleServer
from pdp.policy.sidecar import Sidecar, supervise
from tests.gateway import Gateway, eventually, gateway

OPA = Path(__file__).parents[2] / ".tools" / "opa-1.22.2" / "opa"
KEY = "k" * 64

ADD = b'[{"op": "add", "path": "/evil", "value": 1}]'
WRITES = [
    ("PUT", "/v1/data", b'{"evil": 1}'),
    ("PUT", "/v1/data/evil", b"1"),
    ("PUT", "/v1/data/system/evil", b"1"),
    ("PUT", "/v1/data/servers/s", b'{"default": "allow"}'),
    ("PATCH", "/v1/data", ADD),
    ("PATCH", "/v1/data/servers", ADD),
    ("DELETE", "/v1/data/servers", b""),
    ("PUT", "/v1/policies/evil", b"package evil\nallow := true\n"),
    ("PUT", "/v1/policies/evil", b'package mcp.main\ndecisions := {"0": {"effect": "allow"}}\n'),
    ("PUT", "/v1/policies/evil", b'package site.evil\npermit contains {"code": "x"} if true\n'),
    ("PUT", "/v1/policies/evil", b"package system.authz\ndefault allow := true\n"),
]
RULES = {"s": {"tools": {"read": {}}}}


@pytest.fixture
async def tipstaff(tmp_path: Path) -> AsyncIterator[Gateway]:
    async with gateway(tmp_path, {"s": "http://127.0.0.1:9/mcp"}, RULES) as one:
        yield one


@pytest.fixture
async def opa(tipstaff: Gateway) -> AsyncIterator[aiohttp.ClientSession]:
    """A client that can open OPA's socket, as only its own user can."""
    socket = tipstaff.folder / "state" / "run" / "opa" / "opa.sock"
    async with aiohttp.ClientSession(
        connector=aiohttp.UnixConnector(path=str(socket)), base_url="http://opa"
    ) as session:
        yield session


async def test_only_the_user_who_runs_it_can_reach_opa_or_the_decision_service(
    tipstaff: Gateway,
) -> None:
    """Sockets, keys, limits and records are ours alone."""
    state = tipstaff.folder / "state"
    for path, mode in (
        ("run", 0o700),
        ("run/opa", 0o700),
        ("run/opa/opa.sock", 0o600),
        ("run/opa/opa.yaml", 0o600),
        ("run/bundle.key", 0o600),
        ("limits.db", 0o600),
        ("decisions.jsonl", 0o600),
    ):
        assert stat.S_IMODE((state / path).stat().st_mode) == mode, path


async def everything(opa: aiohttp.ClientSession) -> tuple[Any, dict[str, str]]:
    """All data that OPA holds, and its rules by their identifiers."""
    async with opa.get("/v1/data") as data, opa.get("/v1/policies") as rules:
        modules = (await rules.json())["result"]
        return (await data.json())["result"], {each["id"]: each["raw"] for each in modules}


async def test_nothing_can_be_written(opa: aiohttp.ClientSession) -> None:
    """The bundle owns every path; a rule of it cannot be taken away either."""
    before = await everything(opa)
    deletes = [("DELETE", f"/v1/policies/{name}", b"") for name in before[1]]
    assert len(deletes) > 10
    for method, path, body in [*WRITES, *deletes]:
        async with opa.request(method, path, data=body) as response:
            assert response.status == 400, (method, path)
            assert "bundle" in await response.text()
    assert await everything(opa) == before


async def test_what_was_written_before_the_bundle_was_active_is_gone(tmp_path: Path) -> None:
    """By a process of the same user that was faster than the bundle."""
    rules, key = tmp_path / "policy" / "servers" / "s" / "data.yaml", tmp_path / "key"
    rules.parent.mkdir(parents=True)
    rules.write_text("tools: {read: {}}\n")
    key.write_text(KEY)
    text = read_policy(tmp_path / "policy", library_folder())
    bundle = await build(text, opa=OPA, library=library_folder(), key_file=key)
    bundles = BundleServer("token")
    sidecar = Sidecar(OPA, tmp_path / "run", await bundles.start(), "token", KEY, 400, "256MiB")
    running = asyncio.ensure_future(supervise(sidecar))
    connector = aiohttp.UnixConnector(path=str(sidecar.socket))
    try:
        async with aiohttp.ClientSession(connector=connector, base_url="http://opa") as opa:
            await eventually(lambda: is_well(opa, "/health"))
            for method, path, body in WRITES[1:4] + WRITES[7:10]:
                own = path.replace("evil", f"evil{len(body)}")
                async with opa.request(method, own, data=body) as response:
                    assert response.status < 300, own
            await bundles.publish("r1", bundle.data)
            await eventually(lambda: is_well(opa, "/health?bundles"))
            data, policies = await everything(opa)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await bundles.stop()
    assert "evil" not in json.dumps([data, list(policies)])
    assert data["servers"] == {"s": {"tools": {"read": {}}}}


async def is_well(opa: aiohttp.ClientSession, path: str) -> bool:
    with contextlib.suppress(aiohttp.ClientError):
        async with opa.get(path) as response:
            return response.status == 200
    return False


async def test_opa_tells_no_secret_of_its_configuration(
    tipstaff: Gateway, opa: aiohttp.ClientSession
) -> None:
    """Neither the key of its bundle nor the token that fetches it."""
    text = (tipstaff.folder / "state" / "run" / "opa" / "opa.yaml").read_text()
    given = yaml.safe_load(text)
    secrets = [
        given["keys"]["local"]["key"],
        given["services"]["local"]["credentials"]["bearer"]["token"],
    ]
    async with opa.get("/v1/config") as response:
        shown = await response.text()
    assert all(len(secret) >= 32 and secret not in shown for secret in secrets)


async def test_the_decision_itself_is_answered(opa: aiohttp.ClientSession) -> None:
    """And OPA is well: the refusals are not those of a dead server."""
    async with opa.post("/v1/data/mcp/main/decisions", json={"input": {"calls": []}}) as response:
        assert response.status == 200
    async with opa.get("/health?bundles") as response:
        assert response.status == 200


async def test_what_opa_says_is_in_our_log_and_a_clean_stop_is_silent(tipstaff: Gateway) -> None:
    """No line of a fault when there was none."""
    assert await tipstaff.stop() == 0
    assert not any('"level": "error"' in line for line in tipstaff.log), tipstaff.log
