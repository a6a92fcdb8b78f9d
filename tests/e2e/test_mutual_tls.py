"""The decision service on an address that other machines reach: certificates on both sides."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import httpx
import pytest

from pdp.api.v1 import decision_pb2_grpc, limits_pb2, limits_pb2_grpc
from tests.certificates import Authority, Issued
from tests.commands import ended
from tests.gateway import Gateway, call_headers, gateway, question, tool_call
from tests.mcp_servers import Counting
from tests.proxy_rig import asgi_upstream, free_port

RULES = {"tools": {"read": {"rate_limit": {"max": 100, "window": 60}}}}
PROXY = "spiffe://example/proxy"


class Site:
    """A gateway whose two halves know each other by certificates, on all addresses of the machine."""

    def __init__(self, gate: Gateway, ours: Authority, port: int) -> None:
        self.gate = gate
        self.ours = ours
        self.port = port

    async def ask(self, shown: Issued | None, *, plain: bool = False) -> grpc.StatusCode | str:
        """The effect that a client with this certificate is told, or why it is told nothing."""
        address = f"localhost:{self.port}"
        if plain:
            channel = grpc.aio.insecure_channel(address)
        else:
            pair = (shown.key.read_bytes(), shown.chain.read_bytes()) if shown else (None, None)
            credentials = grpc.ssl_channel_credentials(self.ours.path.read_bytes(), *pair)
            channel = grpc.aio.secure_channel(address, credentials)
        async with channel:
            stub = decision_pb2_grpc.DecisionServiceStub(channel)
            try:
                reply = await stub.Decide(question("s", "read", os.urandom(8).hex()), timeout=5)
                await limits_pb2_grpc.LimitServiceStub(channel).List(
                    limits_pb2.LimitServiceListRequest(), timeout=5
                )
            except grpc.aio.AioRpcError as error:
                return error.code()
        return str(reply.decision.reason.code)


def settings(authority: Authority, port: int, clients: str = f'["{PROXY}"]') -> tuple[str, str]:
    service, proxy = authority.issue("localhost"), authority.issue(uri=PROXY)
    pdp = f"""
[pdp]
listen = "0.0.0.0:{port}"
[pdp.tls]
certificate = "{service.chain}"
key = "{service.key}"
client_ca = "{authority.path}"
clients = {clients}
"""
    pep = f"""
[pep.pdp_tls]
server_ca = "{authority.path}"
certificate = "{proxy.chain}"
key = "{proxy.key}"
server_name = "localhost"
"""
    return pdp, pep


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    ours, port = Authority(tmp_path / "ours"), free_port()
    pdp, pep = settings(ours, port)
    async with (
        asgi_upstream(Counting()) as url,
        gateway(tmp_path, {"s": url}, {"s": RULES}, pdp, pep) as gate,
    ):
        yield Site(gate, ours, port)


async def run(gate: Gateway, *arguments: str) -> tuple[int, str]:
    return await ended(*arguments, "-c", str(gate.config))


async def test_who_is_named_may_ask_and_nobody_else(site: Site, tmp_path: Path) -> None:
    """Neither plain, nor without a certificate, nor with a stranger's or a name that is not listed."""
    assert await site.ask(site.ours.issue(uri=PROXY)) == "allowed"
    refused = grpc.StatusCode.UNAVAILABLE
    assert await site.ask(None, plain=True) == refused
    assert await site.ask(None) == refused
    assert await site.ask(Authority(tmp_path / "theirs").issue(uri=PROXY)) == refused
    for other in (
        site.ours.issue(uri=PROXY + "x"),
        site.ours.issue("proxy"),
        site.ours.issue("root"),
    ):
        assert await site.ask(other) == grpc.StatusCode.PERMISSION_DENIED


async def test_the_proxy_and_the_commands_ask_with_their_certificates(site: Site) -> None:
    """Calls pass; `decide` and `limits` answer; a certificate that has gone is named."""
    async with httpx.AsyncClient(timeout=20) as client:
        answer = await client.post(
            site.gate.url("s"), json=tool_call("read"), headers=call_headers("read")
        )
    assert "result" in answer.json(), answer.text
    code, said = await run(site.gate, "decide", "s", "read")
    assert (code, "allow" in said) == (0, True), said
    code, said = await run(site.gate, "limits", "list")
    assert (code, "s/read" in said) == (0, True), said
    text = site.gate.config.read_text()
    site.gate.config.write_text(text.replace('server_ca = "', 'server_ca = "/nowhere'))
    code, said = await run(site.gate, "decide", "s", "read")
    assert (code, "[pep.pdp_tls]: cannot use" in said) == (2, True), said


@pytest.mark.parametrize("command", ["up", "pdp", "check"])
async def test_plain_off_this_machine_is_refused_with_what_to_write(
    tmp_path: Path, command: str
) -> None:
    """Before anything is started."""
    gate = Gateway(tmp_path, {"s": "http://127.0.0.1:9/mcp"}, '[pdp]\nlisten = "0.0.0.0:1"\n')
    code, said = await run(gate, command)
    assert code == 2
    for part in ("tipstaff.toml:3: pdp.listen", "[pdp.tls]", "[pep.pdp_tls]", "127.0.0.1"):
        assert part in said
    assert not (tmp_path / "state").exists()


async def test_each_side_needs_its_own_half(tmp_path: Path) -> None:
    """A machine that only asks has no certificate to serve with, and must not serve."""
    ours = Authority(tmp_path / "ours")
    pdp, pep = settings(ours, free_port(), "[]")
    listen = pdp.partition("[pdp.tls]")[0]
    asks = Gateway(tmp_path, {"s": "http://127.0.0.1:9/mcp"}, listen, pep)
    asks.rules("s", RULES)
    code, said = await run(asks, "pdp")
    assert (code, "write [pdp.tls] with certificate" in said) == (2, True), said
    serves = Gateway(tmp_path, {"s": "http://127.0.0.1:9/mcp"}, pdp)
    for command in (("pep",), ("decide", "s", "read")):
        code, said = await run(serves, *command)
        assert (code, "write [pep.pdp_tls] with server_ca" in said) == (2, True), said
    code, said = await run(serves, "decide", "s", "read", "--address", "10.0.0.1:1")
    assert (code, "is not on this machine" in said) == (2, True), said


async def test_up_wants_both_halves_also_on_this_machine(tmp_path: Path) -> None:
    """One half would speak TLS to a plain one, and every call would be denied."""
    ours = Authority(tmp_path / "ours")
    pdp, pep = settings(ours, free_port(), "[]")
    listen = f'[pdp]\nlisten = "127.0.0.1:{free_port()}"\n'
    for halves in ((pdp.replace("0.0.0.0", "127.0.0.1"), ""), (listen, pep)):
        gate = Gateway(tmp_path, {"s": "http://127.0.0.1:9/mcp"}, *halves)
        code, said = await run(gate, "up")
        assert (code, "write both [pdp.tls] and [pep.pdp_tls]" in said) == (2, True), said


async def test_certificates_that_do_not_fit_are_named(tmp_path: Path) -> None:
    """Not taken for a port in use."""
    ours = Authority(tmp_path / "ours")
    pdp, pep = settings(ours, free_port())
    gate = Gateway(tmp_path, {"s": "http://127.0.0.1:9/mcp"}, pdp, pep)
    gate.rules("s", RULES)
    other = ours.issue("localhost").key
    text = gate.config.read_text()
    first = text.index('key = "')
    end = text.index("\n", first)
    gate.config.write_text(f'{text[:first]}key = "{other}"{text[end:]}')
    code, said = await run(gate, "pdp")
    assert (code, "[pdp.tls]: cannot use" in said) == (2, True), said
