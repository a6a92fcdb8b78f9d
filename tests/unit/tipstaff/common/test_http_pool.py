"""Connections that are kept: when one serves again, when it is closed, and what is asked a second time."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.certificates import Authority
from tipstaff.common import http_pool
from tipstaff.common.http_answer import LostError
from tipstaff.common.http_pool import Origin, Pool, origin_and_target

HEAD = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


class Server:
    """Answers on a unix socket; counts its connections, and closes each after `most` answers."""

    def __init__(self, most: int = 1000) -> None:
        self.most = most
        self.connections = self.requests = 0

    @contextlib.asynccontextmanager
    async def running(self, folder: Path) -> AsyncIterator[Origin]:
        server = await asyncio.start_unix_server(self._serve, folder / "s")
        async with server:
            yield Origin(socket=str(folder / "s"))
            await asyncio.sleep(0.01)  # both sides close

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            for _ in range(self.most):
                await reader.readuntil(b"\r\n\r\n")
                self.requests += 1
                writer.write(OK)
            await reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


def pool(idle_seconds: float = 60) -> Pool:
    return Pool(connect_seconds=5, idle_seconds=idle_seconds)


async def test_one_connection_serves_many_requests_and_several_at_once_have_one_each(
    tmp_path: Path,
) -> None:
    """No request waits for another."""
    server, connections = Server(), pool()
    async with server.running(tmp_path) as origin:
        for _ in range(5):
            assert await (await connections.ask(origin, HEAD)).read() == b"ok"
        assert server.connections == 1
        await asyncio.gather(*(connections.ask(origin, HEAD) for _ in range(4)))
        assert (server.connections, server.requests) == (4, 9)
        connections.close()


async def test_a_connection_is_not_kept_for_long(tmp_path: Path) -> None:
    """Its server may close it any moment."""
    server, connections = Server(), pool(0.05)
    async with server.running(tmp_path) as origin:
        await connections.ask(origin, HEAD)
        kept = await connections.connection(origin)
        await kept.ask(HEAD, b"")
        assert server.connections == 1
        await asyncio.sleep(0.15)
        assert not kept.is_usable
        await connections.ask(origin, HEAD)
        assert server.connections == 2
        connections.close()


async def test_what_may_be_repeated_is_asked_again_where_the_connection_had_been_closed(
    tmp_path: Path,
) -> None:
    """The server closes when it gets a second request."""
    server, connections = Server(most=1), pool()
    async with server.running(tmp_path) as origin:
        for _ in range(3):
            assert await (await connections.ask(origin, HEAD)).read() == b"ok"
        assert server.requests == 3
        connections.close()


async def test_a_first_request_that_is_lost_is_not_repeated(tmp_path: Path) -> None:
    """The server would lose the second, too."""
    server, connections = Server(most=0), pool()
    async with server.running(tmp_path) as origin:
        with pytest.raises(LostError):
            await connections.ask(origin, HEAD)
        assert server.connections == 1


async def test_closed_connections_and_a_closed_pool_keep_nothing(tmp_path: Path) -> None:
    """Also what was under way."""
    server, connections = Server(), pool()
    async with server.running(tmp_path) as origin:
        under_way = await connections.connection(origin)
        await connections.ask(origin, HEAD)
        connections.close()
        assert not under_way.is_usable
        late = await connections.connection(origin)
        await late.ask(HEAD, b"")
        assert not late.is_usable


async def test_a_server_that_closes_a_connection_is_noticed_at_once(tmp_path: Path) -> None:
    """Not so a connection that was closed here."""
    lost: list[int] = []
    connections = Pool(connect_seconds=5, idle_seconds=60, on_lost=lambda: lost.append(1))
    async with Server(most=0).running(tmp_path) as origin:
        given_up = await connections.connection(origin)
        given_up.abort()
        await asyncio.sleep(0.01)
        assert not lost
        with pytest.raises(LostError):
            await connections.ask(origin, HEAD)
        assert lost == [1]


async def test_where_nobody_listens_there_is_no_connection(tmp_path: Path) -> None:
    """As the operating system says it."""
    with pytest.raises(OSError, match="No such file"):
        await pool().ask(Origin(socket=str(tmp_path / "none")), HEAD)


async def test_a_server_that_takes_too_long_to_connect_is_given_up() -> None:
    """TEST-NET-1 (RFC 5737) answers nobody; some networks refuse it at once."""
    hasty = Pool(connect_seconds=0.05, idle_seconds=1)
    with pytest.raises(OSError):
        await hasty.connection(Origin("192.0.2.1", 81))


@pytest.mark.parametrize(
    ("url", "origin", "target"),
    [
        ("http://a.example", Origin("a.example", 80), b"/"),
        ("https://a.example/mcp?x=%2F", Origin("a.example", 443, is_tls=True), b"/mcp?x=%2F"),
        ("http://[::1]:8080/a/../b", Origin("::1", 8080), b"/a/../b"),
        ("http://A.example:81?q", Origin("a.example", 81), b"/?q"),
    ],
)
def test_a_url_is_taken_as_it_is_written(url: str, origin: Origin, target: bytes) -> None:
    """Nothing is normalised: another spelling may be another place."""
    assert origin_and_target(url) == (origin, target)


@pytest.mark.parametrize(
    ("names", "is_known", "passes"),
    [("127.0.0.1", True, True), ("127.0.0.2", True, False), ("127.0.0.1", False, False)],
)
async def test_over_tls_a_server_is_who_it_says_by_an_authority_that_is_known(
    names: str, is_known: bool, passes: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system's authorities, or those that OpenSSL's variables name."""
    authority = Authority(tmp_path / "ca")
    issued = authority.issue(names)
    if is_known:
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.path))
    http_pool._tls.cache_clear()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(issued.chain, issued.key)
    server = await asyncio.start_server(Server()._serve, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    connections = pool()
    asking = connections.ask(Origin("127.0.0.1", port, is_tls=True), HEAD)
    async with server:
        if passes:
            assert await (await asking).read() == b"ok"
        else:
            with pytest.raises(ssl.SSLCertVerificationError):
                await asking
        connections.close()
        await asyncio.sleep(0.05)
    http_pool._tls.cache_clear()
