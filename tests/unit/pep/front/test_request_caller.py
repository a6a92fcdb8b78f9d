"""Who has come with a request: the caller, the agent session, and the call that is judged."""

from __future__ import annotations

import pytest

from pdp.api.model import Client
from pep.callers.authentication import CERTIFICATE_KEY
from pep.callers.session import LegacySession
from pep.config import Jwt, Server, Tls
from pep.errors import CredentialMissing, InvalidRequest, SessionNotFound
from pep.front.request_caller import RequestCaller
from pep.mcp import headers, jsonrpc
from pep.mcp.admit import Admitted, admit
from tests.exchange_rig import JSON_LINE, ExchangeRig, Response

ANN = "anonymous:127.0.0.1"
LEGACY = (b"mcp-protocol-version", b"2025-06-18")
SESSION = (b"mcp-session-id", b"abc")
CALL = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"add","arguments":{"a":1}}}'
INITIALIZE = (
    b'{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18",'
    b'"capabilities":{},"clientInfo":{"name":"c","version":"1"}}}'
)
CLOSED = Server("s", url="http://127.0.0.1:9/mcp", accept=("jwt",))
JWT = Jwt(issuer="https://issuer.example", jwks="https://issuer.example/keys")


async def came(
    rig: ExchangeRig, *lines: tuple[bytes, bytes], peer: str = "127.0.0.1"
) -> RequestCaller:
    """The caller of a request with these header lines, authenticated."""
    caller = stranger(rig, *lines, peer=peer)
    await caller.authenticate()
    return caller


def stranger(
    rig: ExchangeRig, *lines: tuple[bytes, bytes], peer: str = "127.0.0.1", certificate: str = ""
) -> RequestCaller:
    """The same before it is known who it is."""
    scope = {"method": "POST", "client": (peer, 1), "headers": list(lines)}
    scope[CERTIFICATE_KEY] = certificate
    caller = RequestCaller(rig.parts, rig.parts.config.servers[0], scope)
    caller.headers = headers.read([JSON_LINE, LEGACY, *lines])
    return caller


def admitted(caller: RequestCaller, body: bytes = CALL) -> Admitted:
    return admit(caller.headers, jsonrpc.read(jsonrpc.open_envelope(body)))


async def test_a_call_is_of_its_caller_server_and_session() -> None:
    """Without a session of its own it is counted for the caller."""
    caller = await came(ExchangeRig())
    call = caller.call(admitted(caller), caller.legacy_session())
    assert (call.server, call.method, call.target, call.arguments) == ("s", "tools/call", "add", b'{"a":1}')  # fmt: skip
    assert (call.principal.id, call.session.id, call.session.kind) == (ANN, ANN, "principal")
    assert call.transport == "http"


async def test_the_session_that_an_initialize_gave_out_is_its_callers() -> None:
    """And is known by what its client said of itself."""
    rig = ExchangeRig()
    caller = await came(rig)
    response = Response((*Response().lines, SESSION))
    assert await caller.learn(response, admitted(caller, INITIALIZE)) == "abc"
    again = await came(rig, SESSION)
    assert again.legacy_session() == LegacySession(ANN, Client("c", "1"))
    call = again.call(admitted(again), again.legacy_session())
    assert (call.session.kind, call.client.name) == ("legacy", "c")
    other = await came(rig, SESSION, peer="127.0.0.2")
    with pytest.raises(SessionNotFound):
        other.legacy_session()
    assert rig.service.reports == ["session_not_found"]


@pytest.mark.parametrize(
    "response",
    [Response((SESSION,), status=404), Response((SESSION, SESSION)), Response(())],
    ids=["a failure", "two ids", "none"],
)
async def test_only_one_id_of_a_successful_initialize_is_a_session(response: Response) -> None:
    """Two readers would take different ones of two."""
    rig = ExchangeRig()
    caller = await came(rig)
    assert await caller.learn(response, admitted(caller, INITIALIZE)) == ""
    assert (await came(rig, SESSION)).legacy_session() is None


async def test_where_callers_are_known_a_session_nobody_gave_out_is_refused() -> None:
    """An anonymous caller may go on with it, as after a restart: it could have been bound to nobody."""
    assert (await came(ExchangeRig(), SESSION)).legacy_session() is None
    server = Server("s", url="http://127.0.0.1:9/mcp", accept=("mtls",))
    rig = ExchangeRig(servers=(server,), tls=Tls("certificate", "key", "authorities"))
    caller = stranger(rig, SESSION)
    caller._scope["tipstaff.certificate"] = "ann"
    await caller.authenticate()
    with pytest.raises(SessionNotFound):
        caller.legacy_session()


async def test_a_caller_without_a_credential_is_told_where_to_get_one_and_recorded() -> None:
    """RFC 9728; a flood of them is recorded as sums."""
    rig = ExchangeRig(servers=(CLOSED,), jwt=JWT, public_url="https://gate.example")
    for _ in range(50):
        with pytest.raises(CredentialMissing) as caught:
            await stranger(rig).authenticate()
    ((name, value),) = caught.value.lines
    assert name == b"www-authenticate"
    assert b"https://gate.example" in value
    assert 0 < rig.service.reports.count("credential_missing") < 50
    rig.parts.refusals.close()


@pytest.mark.parametrize("key", ["k", "x" * 128])
async def test_a_key_of_the_client_names_its_session(key: str) -> None:
    """From the header."""
    caller = await came(ExchangeRig(), (b"tipstaff-session", key.encode()))
    call = caller.call(admitted(caller), None)
    assert (call.session.id, call.session.kind) == (key, "cooperative")
    assert caller.listening("GET", None).session == call.session


async def test_a_key_that_cannot_be_one_is_refused() -> None:
    """Longer than anybody needs."""
    caller = await came(ExchangeRig(), (b"tipstaff-session", b"x" * 129))
    with pytest.raises(InvalidRequest):
        caller.call(admitted(caller), None)


async def test_a_stream_of_the_server_is_heard_by_its_caller() -> None:
    """It answers no message, so it names no target."""
    caller = await came(ExchangeRig())
    call = caller.listening("GET", None)
    assert (call.method, call.target, call.arguments, call.principal.id) == ("GET", "", b"{}", ANN)
    assert caller.holder("abc").session == "abc"
