"""Who may call: each kind of proof at the real gateway, each kind of forgery, and its record."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.certificates import Authority
from tests.gateway import Gateway, call_headers, eventually, gateway, make_token, tool_call
from tests.jwts import ISSUER, Issuer
from tests.mcp_servers import Counting
from tests.proxy_rig import asgi_upstream, free_port

HONEST = Issuer("ES256")
RULES = {"tools": {"read": {"rate_limit": {"max": 3, "window": 600, "scope": "principal"}}}}


class Keeping(Counting):
    """Keeps the header lines of what arrives, too; gives a legacy client a session."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[dict[bytes, bytes]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            self.lines.append(dict(scope["headers"]))

        async def with_session(message: Any) -> None:
            if message["type"] == "http.response.start" and b"initialize" in self.bodies[-1]:
                message["headers"].append((b"mcp-session-id", b"session-%d" % len(self.bodies)))
            await send(message)

        await super().__call__(scope, receive, with_session)


@pytest.fixture
def upstream() -> Keeping:
    return Keeping()


@pytest.fixture
async def tipstaff(upstream: Keeping, tmp_path: Path) -> AsyncIterator[Gateway]:
    (tmp_path / "jwks.json").write_text(HONEST.jwks())
    (tmp_path / "upstream-token").write_text("ours\n")
    settings = f'[jwt]\nissuer = "{ISSUER}"\njwks = "jwks.json"\n'
    async with asgi_upstream(upstream) as url:
        one = Gateway(tmp_path, {"files": url, "open": url}, settings)
        with one.config.open("a") as config:
            config.write('auth = "strip"\n')
        text = one.config.read_text()
        one.config.write_text(
            text.replace(
                "[servers.files]",
                '[servers.files]\naccept = ["jwt", "token"]\n'
                f'bearer = "file:{tmp_path / "upstream-token"}"',
            )
        )
        one.rules("files", RULES)
        one.rules("open", RULES)
        await one.start()
        try:
            yield one
        finally:
            await one.stop()


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(timeout=30, verify=False) as one:
        yield one


def audience(tipstaff: Gateway, server: str = "files") -> str:
    return tipstaff.url(server)


async def call(
    client: httpx.AsyncClient, tipstaff: Gateway, token: str | None = None, **more: str
) -> httpx.Response:
    headers = call_headers("read") | more
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    return await client.post(tipstaff.url("files"), json=tool_call("read"), headers=headers)


async def test_a_verified_token_names_the_principal_and_stays_here(
    tipstaff: Gateway, upstream: Keeping, client: httpx.AsyncClient
) -> None:
    """Its budget is the principal's, in whatever session; the upstream sees our credential only."""
    token = HONEST.token(audience(tipstaff), groups=["ops"])
    answers = [
        (await call(client, tipstaff, token, **{"Tipstaff-Session": f"s{n}"})).json()
        for n in range(4)
    ]
    assert [one["result"].get("isError", False) for one in answers] == [False] * 3 + [True]
    bob = (await call(client, tipstaff, HONEST.token(audience(tipstaff), sub="bob"))).json()
    assert not bob["result"].get("isError")
    assert {one["principal"]["id"] for one in tipstaff.judged()} == {"jwt:ann", "jwt:bob"}
    assert {one.get(b"authorization") for one in upstream.lines} == {b"Bearer ours"}
    journal = (tipstaff.folder / "state" / "decisions.jsonl").read_text()
    assert token.rpartition(".")[2] not in journal


def forgeries(tipstaff: Gateway) -> dict[str, str]:
    mine = audience(tipstaff)
    return {
        "forged": Issuer("ES256").token(mine),
        "expired": HONEST.token(mine, exp=1_700_000_000),
        "for another server": HONEST.token(audience(tipstaff, "open")),
        "alg: none": HONEST.unsigned(mine),
        "key confusion": HONEST.confused(mine),
        "of another issuer": HONEST.token(mine, iss="https://evil.example"),
        "an unknown API token": "tipstaff_" + "A" * 43,
        "no token at all": "x",
    }


async def test_a_token_that_proves_nothing_is_refused_and_recorded(
    tipstaff: Gateway, upstream: Keeping, client: httpx.AsyncClient
) -> None:
    """401, with where to get another; nothing of the token is told or kept."""
    wanted = forgeries(tipstaff)
    for case, token in wanted.items():
        answer = await call(client, tipstaff, token)
        assert answer.status_code == 401, case
        challenge = answer.headers["www-authenticate"]
        assert challenge.startswith('Bearer error="invalid_token"'), case
        assert "/.well-known/oauth-protected-resource/files/mcp" in challenge
        assert answer.json()["error"]["code"] == 4010
    await eventually(lambda: _has_records(tipstaff, len(wanted)))
    records = tipstaff.records()
    assert {(one["effect"], one["reason"]["code"]) for one in records} == {
        ("deny", "credential_invalid")
    }
    assert {one["principal"]["id"] for one in records} == {"unauthenticated:127.0.0.1"}
    assert {one["target"] for one in records} == {"read"}
    assert upstream.bodies == []


async def test_a_caller_without_a_token_learns_where_to_get_one(
    tipstaff: Gateway, client: httpx.AsyncClient
) -> None:
    """RFC 9728: the challenge names the metadata, which names the authorization server."""
    answer = await call(client, tipstaff)
    assert answer.status_code == 401
    challenge = answer.headers["www-authenticate"]
    assert "error=" not in challenge
    place = challenge.partition('resource_metadata="')[2].rstrip('"')
    metadata = (await client.get(place)).json()
    assert metadata["resource"] == audience(tipstaff)
    assert metadata["authorization_servers"] == [ISSUER]
    nowhere = place.replace("/files/", "/open/")
    assert (await client.get(nowhere)).status_code == 404
    await eventually(lambda: _has_records(tipstaff, 1))
    assert tipstaff.records()[0]["reason"]["code"] == "credential_missing"


async def test_an_api_token_works_until_it_is_revoked(
    tipstaff: Gateway, client: httpx.AsyncClient
) -> None:
    """At once, without a restart; the file tells nothing that could be shown."""
    token = make_token(tipstaff, "create", "nightly")
    assert (await call(client, tipstaff, token)).status_code == 200
    assert tipstaff.judged()[-1]["principal"] == {"id": "token:nightly", "kind": "token"}
    kept = tipstaff.folder / "state" / "tokens.json"
    assert token not in kept.read_text()
    assert kept.stat().st_mode & 0o077 == 0
    listed = json.loads(make_token(tipstaff, "list", "--json"))
    assert [(one["name"], one["state"]) for one in listed] == [("nightly", "active")]
    make_token(tipstaff, "revoke", "nightly")
    answer = await call(client, tipstaff, token)
    assert (answer.status_code, answer.json()["error"]["message"]) == (401, "the token is revoked")
    await eventually(lambda: _has_records(tipstaff, 2))
    assert tipstaff.records()[-1]["reason"]["code"] == "credential_invalid"


async def test_keys_that_are_renewed_are_believed_and_the_old_are_not(
    tipstaff: Gateway, client: httpx.AsyncClient
) -> None:
    """Also for a token that was verified before."""
    token, new = HONEST.token(audience(tipstaff)), Issuer("ES256", "k2")
    assert (await call(client, tipstaff, token)).status_code == 200
    (tipstaff.folder / "jwks.json").write_text(new.jwks())
    assert (await call(client, tipstaff, token)).status_code == 401
    assert (await call(client, tipstaff, new.token(audience(tipstaff)))).status_code == 200


async def test_keys_that_cannot_be_read_are_our_fault(
    tipstaff: Gateway, client: httpx.AsyncClient
) -> None:
    """And nobody gets in meanwhile."""
    token = HONEST.token(audience(tipstaff))
    assert (await call(client, tipstaff, token)).status_code == 200
    (tipstaff.folder / "jwks.json").write_text("{")
    answer = await call(client, tipstaff, token)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, 5030)


async def test_an_odd_key_of_the_issuer_takes_nobodys_key_away(
    tipstaff: Gateway, client: httpx.AsyncClient
) -> None:
    """RFC 7517 section 5: what cannot be used is passed over."""
    good = HONEST.jwk()
    odd = [{"kty": "AKP", "kid": "new"}, {**good, "kid": "bad", "x": "AAAA"}, 5]
    (tipstaff.folder / "jwks.json").write_text(json.dumps({"keys": [*odd, good]}))
    assert (await call(client, tipstaff, HONEST.token(audience(tipstaff)))).status_code == 200
    assert any("keys passed over" in line for line in tipstaff.log)


async def test_a_flood_of_refusals_fills_no_disk_and_loses_no_refund(tmp_path: Path) -> None:
    """A few records and lines, whatever comes; a call that reached nobody is given back meanwhile."""
    rules = {"tools": {"read": {"rate_limit": {"max": 1, "window": 600, "scope": "principal"}}}}
    way = {"url": f"http://127.0.0.1:{free_port()}/mcp", "accept": ("token",)}
    async with (
        gateway(tmp_path, {"files": way}, {"files": rules}) as gate,
        httpx.AsyncClient(timeout=60) as client,
    ):
        token = make_token(gate, "create", "nightly")

        async def flood(count: int) -> None:
            for _ in range(count):
                assert (await call(client, gate, "x")).status_code == 401
                assert (
                    await client.post(f"http://127.0.0.1:{gate.port}/none/mcp")
                ).status_code == 404

        floods = [asyncio.ensure_future(flood(40)) for _ in range(25)]
        for _ in range(4):
            answer = await call(client, gate, token)
            assert answer.json()["error"]["code"] == 5020, answer.text
            await asyncio.sleep(0.3)
        await asyncio.gather(*floods)
        await asyncio.sleep(0.5)
        lines = [line for line in gate.log if "refused" in line]
    codes = [one["reason"]["code"] for one in gate.records()]
    assert codes.count("allowed") == 4
    # Ten in a minute and one sum; the flood may begin in one minute and end in the next.
    assert 10 <= codes.count("credential_invalid") <= 22
    sums = [one["reason"]["message"] for one in gate.records() if "more like" in str(one["reason"])]
    one_by_one = codes.count("credential_invalid") - len(sums)
    assert one_by_one + sum(int(message.split()[0]) for message in sums) == 25 * 40
    assert len(lines) <= 2 * 2 * 60


async def legacy(
    client: httpx.AsyncClient,
    tipstaff: Gateway,
    token: str,
    session: str,
    method: str = "tools/call",
) -> httpx.Response:
    params: dict[str, Any] = {"name": "read", "arguments": {}}
    if method == "initialize":
        params = {"protocolVersion": "2025-11-25", "capabilities": {},
                  "clientInfo": {"name": "t", "version": "1"}}  # fmt: skip
    headers = {
        "Content-Type": "application/json",
        "Accept": "application/json, text/event-stream",
        "Authorization": f"Bearer {token}",
    }
    if session:
        headers["Mcp-Session-Id"] = session
    message = {"jsonrpc": "2.0", "method": method, "params": params}
    if not method.startswith("notifications/"):
        message["id"] = 1
    return await client.post(tipstaff.url("files"), json=message, headers=headers)


async def test_another_callers_session_does_not_exist(
    tipstaff: Gateway, upstream: Keeping, client: httpx.AsyncClient
) -> None:
    """Nor does one that was given to nobody: 404, recorded, and the upstream hears of neither."""
    ann = HONEST.token(audience(tipstaff))
    mallory = HONEST.token(audience(tipstaff), sub="mallory")
    session = (await legacy(client, tipstaff, ann, "", "initialize")).headers["mcp-session-id"]
    assert (await legacy(client, tipstaff, ann, session)).status_code == 200
    before = len(upstream.bodies)
    for stolen in (session, "made-up"):
        answer = await legacy(client, tipstaff, mallory, stolen)
        assert answer.status_code == 404, stolen
        told = await legacy(client, tipstaff, mallory, stolen, "notifications/cancelled")
        assert told.status_code == 404
        deleted = await client.delete(
            tipstaff.url("files"),
            headers={"Authorization": f"Bearer {mallory}", "Mcp-Session-Id": stolen},
        )
        assert deleted.status_code == 404
    assert len(upstream.bodies) == before
    await eventually(lambda: _has_records(tipstaff, 8))
    refused = [one for one in tipstaff.records() if one["reason"]["code"] == "session_not_found"]
    assert {one["principal"]["id"] for one in refused} == {"jwt:mallory"}
    assert len(refused) == 6


async def test_a_client_certificate_names_the_principal(upstream: Keeping, tmp_path: Path) -> None:
    """One of our authority; without one, and with another's, there is no way in."""
    ours, others = Authority(tmp_path / "ours"), Authority(tmp_path / "others")
    server = ours.issue("127.0.0.1", "localhost")
    settings = (
        f'[tls]\ncertificate = "{server.chain}"\nkey = "{server.key}"\nclient_ca = "{ours.path}"\n'
    )
    async with asgi_upstream(upstream) as url:
        one = Gateway(tmp_path, {"files": url}, settings)
        with one.config.open("a") as config:
            config.write('accept = ["mtls"]\n')
        one.rules("files", RULES)
        await one.start()
        try:
            address = one.url("files").replace("http:", "https:")

            async def ask(identity: Any) -> httpx.Response:
                context = ssl.create_default_context(cafile=str(ours.path))
                if identity is not None:
                    context.load_cert_chain(identity.chain, identity.key)
                async with httpx.AsyncClient(verify=context) as client:
                    return await client.post(
                        address, json=tool_call("read"), headers=call_headers("read")
                    )

            answer = await ask(ours.issue(uri="spiffe://example.org/agent"))
            assert answer.status_code == 200
            principal = one.judged()[-1]["principal"]
            assert principal == {"id": "mtls:spiffe://example.org/agent", "kind": "mtls"}
            assert (await ask(None)).status_code == 401
            with pytest.raises((httpx.TransportError, ssl.SSLError)):
                await ask(others.issue(uri="spiffe://example.org/agent"))
        finally:
            await one.stop()


async def _has_records(tipstaff: Gateway, count: int) -> bool:
    return len(tipstaff.records()) >= count


async def test_a_renewed_certificate_serves_new_connections_without_a_restart(
    upstream: Keeping, tmp_path: Path
) -> None:
    """Files that do not fit together, as in the middle of a renewal, change nothing."""
    ours, later = Authority(tmp_path / "ours"), Authority(tmp_path / "later")
    first, second = ours.issue("127.0.0.1"), later.issue("127.0.0.1")
    settings = f'[tls]\ncertificate = "{first.chain}"\nkey = "{first.key}"\n'
    async with asgi_upstream(upstream) as url:
        one = Gateway(tmp_path, {"files": url}, settings)
        one.rules("files", RULES)
        await one.start()
        try:
            address = one.url("files").replace("http:", "https:")

            async def serves(authority: Authority) -> bool:
                context = ssl.create_default_context(cafile=str(authority.path))
                try:
                    async with httpx.AsyncClient(verify=context) as client:
                        answer = await client.post(
                            address, json=tool_call("read"), headers=call_headers("read")
                        )
                        return answer.status_code == 200
                except httpx.ConnectError:
                    return False

            assert await serves(ours)
            first.chain.write_bytes(second.chain.read_bytes())
            async with asyncio.timeout(10):
                while not any("certificate not loaded" in line for line in one.log):
                    await asyncio.sleep(0.05)
            assert await serves(ours)
            first.key.write_bytes(second.key.read_bytes())
            await eventually(lambda: serves(later))
        finally:
            await one.stop()
