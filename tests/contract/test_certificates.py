"""The decision service's certificates are renewed while it runs: gRPC shows the new ones."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer

from pdp.config import PdpConfig, ServiceTls
from pdp.errors import ConfigError
from pdp.grpc.admission import server_credentials
from tests.certificates import Authority

SERVING = health_pb2.HealthCheckResponse.SERVING


async def reaches(port: int, authority: Authority) -> bool:
    """Whether a client of that authority, which believes it alone, is answered."""
    client = authority.issue(uri="spiffe://example/proxy")
    credentials = grpc.ssl_channel_credentials(
        authority.path.read_bytes(), client.key.read_bytes(), client.chain.read_bytes()
    )
    async with grpc.aio.secure_channel(f"localhost:{port}", credentials) as channel:
        try:
            stub = health_pb2_grpc.HealthStub(channel)
            reply = await stub.Check(health_pb2.HealthCheckRequest(), timeout=5)
        except grpc.aio.AioRpcError:
            return False
    return bool(reply.status == SERVING)


async def test_renewed_certificates_are_shown_and_half_renewed_ones_change_nothing(
    tmp_path: Path,
) -> None:
    """Without a restart; also the authority of the clients."""
    before, after = Authority(tmp_path / "before"), Authority(tmp_path / "after")
    tls = ServiceTls(*(str(tmp_path / name) for name in ("chain", "key", "ca")))

    def put(authority: Authority, *, only_chain: bool = False) -> None:
        issued = authority.issue("localhost")
        shutil.copy(issued.chain, tls.certificate)
        if not only_chain:
            shutil.copy(issued.key, tls.key)
            shutil.copy(authority.path, tls.client_ca)

    put(before)
    server = grpc.aio.server()
    health_pb2_grpc.add_HealthServicer_to_server(HealthServicer(), server)
    credentials = server_credentials(PdpConfig(listen="0.0.0.0:0", tls=tls))
    port = server.add_secure_port("127.0.0.1:0", credentials)
    await server.start()
    try:
        assert await reaches(port, before)
        assert not await reaches(port, after)
        await asyncio.sleep(0.02)  # the time of a file may be as coarse as that
        put(after, only_chain=True)
        assert await reaches(port, before)
        await asyncio.sleep(0.02)
        put(after)
        assert await reaches(port, after)
        assert not await reaches(port, before)
    finally:
        await server.stop(0)


def test_certificates_that_do_not_fit_are_refused_at_the_start(tmp_path: Path) -> None:
    """By the name of their section."""
    first, second = Authority(tmp_path / "a"), Authority(tmp_path / "b")
    chain, key = first.issue("localhost").chain, second.issue("localhost").key
    tls = ServiceTls(str(chain), str(key), str(first.path))
    with pytest.raises(ConfigError, match=r"\[pdp.tls\]: cannot use"):
        server_credentials(PdpConfig(listen="0.0.0.0:0", tls=tls))
