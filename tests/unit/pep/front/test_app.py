"""Which server a request is for, and what every failure is answered with."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from msgspec import structs

from pep.config import Jwt, Server
from pep.front.app import App
from pep.front.body_reader import ClientGoneError
from tests.exchange_rig import SERVER, ExchangeRig, Service

CALL = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "add"}}
LEGACY = (b"mcp-protocol-version", b"2025-06-18")


async def get(app: App, path: bytes, verb: str = "GET") -> tuple[int, Any]:
    """Status and body of a request without a body."""
    status, body = 0, b""

    async def receive() -> dict[str, Any]:
        await asyncio.Event().wait()
        raise AssertionError

    async def send(event: dict[str, Any]) -> None:
        nonlocal status, body
        status, body = event.get("status", status), body + event.get("body", b"")

    scope = {"type": "http", "method": verb, "raw_path": path, "client": ("127.0.0.1", 1), "headers": [(b"host", b"127.0.0.1:8700")]}  # fmt: skip
    await app(scope, receive, send)
    return status, json.loads(body) if body else None


@pytest.mark.parametrize(
    "path", [b"/", b"/s", b"/t/mcp", b"/S/mcp", b"//s/mcp", b"/s/mcp/x", b"/s/%6dcp", b"/s/mcp%2f", b"/./s/mcp"]
)  # fmt: skip
async def test_only_the_very_path_of_a_server_leads_to_it(path: bytes) -> None:
    """As it was sent, nothing undone."""
    rig = ExchangeRig()
    status, body = await get(rig.app, path)
    assert (status, "error" in body) == (404, True)
    assert rig.upstream.sent == []


async def test_a_slash_at_the_end_makes_no_difference() -> None:
    """Some clients add it."""
    rig = ExchangeRig()
    for path in (b"/s/mcp", b"/s/mcp/"):
        assert (await get(rig.app, path))[0] == 200
    assert len(rig.upstream.sent) == 2


@pytest.mark.parametrize(("verb", "status"), [("GET", 200), ("POST", 405)])
async def test_health_is_told_to_whoever_gets_it(verb: str, status: int) -> None:
    """It is the answer of the health, as it is."""
    rig = ExchangeRig()
    app = App(rig.parts, health=lambda: (200, b'{"status":"ok"}'))
    answered, body = await get(app, b"/healthz", verb)
    assert answered == status
    assert (body == {"status": "ok"}) is (verb == "GET")


async def test_a_server_that_wants_a_token_says_where_to_get_one() -> None:
    """RFC 9728: at its own well-known path; another has none."""
    closed = Server("s", url="http://127.0.0.1:9/mcp", accept=("jwt",))
    jwt = Jwt(issuer="https://login.example", jwks="/keys")
    rig = ExchangeRig(servers=(closed,), jwt=jwt, public_url="https://gate.example")
    path = b"/.well-known/oauth-protected-resource/s/mcp"
    status, document = await get(rig.app, path)
    assert status == 200
    assert document["authorization_servers"] == ["https://login.example"]
    assert (await get(ExchangeRig().app, path))[0] == 404


async def test_a_changed_configuration_has_other_servers() -> None:
    """From the next request on."""
    rig = ExchangeRig()
    rig.app.take_over(
        structs.replace(rig.parts.config, servers=(structs.replace(SERVER, name="t"),))
    )
    assert (await get(rig.app, b"/s/mcp"))[0] == 404
    assert (await get(rig.app, b"/t/mcp"))[0] == 200


async def test_a_fault_inside_is_answered_and_a_client_that_is_gone_is_not() -> None:
    """Nothing of the fault is told."""
    rig = ExchangeRig()

    def fail(_: object) -> Any:
        raise RuntimeError("secret")

    rig.service.answer = fail
    shown = await rig.request(CALL, LEGACY)
    assert (shown.status, b"secret" in shown.body) == (500, False)

    def leave(_: object) -> Any:
        raise ClientGoneError

    rig = ExchangeRig(Service(leave))
    assert (await rig.request(CALL, LEGACY)).status == 0


async def test_other_connections_than_http_are_not_answered() -> None:
    """There are none."""

    async def never(*_: object) -> Any:
        raise AssertionError

    await ExchangeRig().app({"type": "websocket"}, never, never)
