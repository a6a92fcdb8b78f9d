"""OPA as the decision service runs it: locked down, and heard."""

from __future__ import annotations

import stat
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from tests.gateway import Gateway, gateway

CLOSED = [
    ("GET", "/v1/data"),
    ("POST", "/v1/data"),
    ("POST", "/v1/data/mcp/main/decision"),
    ("GET", "/v1/data/servers"),
    ("PUT", "/v1/data/servers/s"),
    ("PATCH", "/v1/data/servers/s"),
    ("DELETE", "/v1/data/servers"),
    ("GET", "/v1/policies"),
    ("PUT", "/v1/policies/mine"),
    ("POST", "/v1/query"),
    ("POST", "/v1/compile"),
    ("GET", "/v1/config"),
    ("GET", "/metrics"),
    ("GET", "/debug/pprof/"),
    ("POST", "/"),
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


async def test_nothing_but_the_decision_can_be_asked_and_nothing_written(
    opa: aiohttp.ClientSession,
) -> None:
    """Refused by the authorization policy, or not there at all."""
    for asked in CLOSED:
        async with opa.request(*asked, data=b"{}") as response:
            assert response.status in {401, 403, 404}, asked


async def test_the_decision_itself_is_answered(opa: aiohttp.ClientSession) -> None:
    """The refusals above are not those of a dead server."""
    async with opa.post("/v1/data/mcp/main/decisions", json={"input": {"calls": []}}) as response:
        assert response.status == 200
    async with opa.get("/health?bundles") as response:
        assert response.status == 200


async def test_what_opa_says_is_in_our_log_and_a_clean_stop_is_silent(tipstaff: Gateway) -> None:
    """No line of a fault when there was none."""
    assert await tipstaff.stop() == 0
    assert not any('"level": "error"' in line for line in tipstaff.log), tipstaff.log
