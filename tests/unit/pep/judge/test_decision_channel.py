"""How the decision service is reached: plain on this machine only, else by certificates."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import grpc
import pytest

from pdp.api.v1 import policy_pb2, policy_pb2_grpc
from pep.config import PdpTls
from pep.errors import StartError
from pep.judge.decision_channel import async_channel, channel
from tests.certificates import Authority
from tests.proxy_rig import ScriptedService, grpc_service

PLAIN = PdpTls()


@pytest.mark.parametrize("address", ["unix:/run/x.sock", "127.0.0.1:1", "localhost:1", "[::1]:1"])
async def test_on_this_machine_it_is_reached_plainly(address: str) -> None:
    """Nobody listens in there."""
    await async_channel(address, PLAIN).close()
    channel(address, PLAIN).close()


@pytest.mark.parametrize("address", ["10.0.0.1:1", "pdp.example:1", "0.0.0.0:1"])
def test_another_machine_is_not_reached_without_certificates(address: str) -> None:
    """What is sent there could be read, and answered by anybody."""
    with pytest.raises(StartError, match=r"pep\.pdp_tls"):
        channel(address, PLAIN)


def test_files_that_do_not_fit_are_refused_at_the_start(tmp_path: Path) -> None:
    """gRPC would take them without a word."""
    authority = Authority(tmp_path / "ours")
    one, other = (authority.issue(uri="spiffe://proxy") for _ in range(2))
    mixed = PdpTls(server_ca=str(authority.path), certificate=str(one.chain), key=str(other.key))
    with pytest.raises(StartError, match=r"pep\.pdp_tls"):
        channel("pdp.example:1", mixed)


async def test_with_certificates_only_the_named_authority_is_believed(tmp_path: Path) -> None:
    """Under the name that it has there."""
    ours, theirs = Authority(tmp_path / "ours"), Authority(tmp_path / "theirs")
    served = ours.issue("pdp.internal")
    credentials = grpc.ssl_server_credentials(
        [(served.key.read_bytes(), served.chain.read_bytes())],
        ours.path.read_bytes(),
        require_client_auth=True,
    )
    server = grpc.aio.server()
    port = server.add_secure_port("127.0.0.1:0", credentials)
    await server.start()
    client = ours.issue(uri="spiffe://proxy")
    reached = []
    for authority, name in ((ours, "pdp.internal"), (theirs, "pdp.internal"), (ours, "")):
        tls = PdpTls(
            server_ca=str(authority.path), certificate=str(client.chain), key=str(client.key),
            server_name=name,
        )  # fmt: skip
        asking = channel(f"127.0.0.1:{port}", tls)
        try:
            grpc.channel_ready_future(asking).result(timeout=5 if not reached else 0.5)
            reached.append(True)
        except grpc.FutureTimeoutError:
            reached.append(False)
        finally:
            asking.close()
    await server.stop(0)
    assert reached == [True, False, False]


async def test_a_service_that_takes_a_moment_to_connect_is_there(tmp_path: Path) -> None:
    """As on a machine with much else to do: the first question waits for it."""
    real, slow, connections = tmp_path / "real.sock", tmp_path / "slow.sock", []

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(asyncio.current_task())
        await asyncio.sleep(0.5)
        to_reader, to_writer = await asyncio.open_unix_connection(real)
        await asyncio.gather(copy(reader, to_writer), copy(to_reader, writer))

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Either side may break off, and both are closed all the same.
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                writer.write(data)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    async with grpc_service(ScriptedService(), f"unix:{real}"):
        forwarder = await asyncio.start_unix_server(forward, slow)
        asking = channel(f"unix:{slow}", PLAIN)
        stub = policy_pb2_grpc.PolicyServiceStub(asking)
        status = await asyncio.to_thread(stub.GetStatus, policy_pb2.GetStatusRequest(), timeout=5)
        assert status.ready
        asking.close()
        await asyncio.wait(connections, timeout=5)
        forwarder.close()
        # Also one that came late.
        await asyncio.wait(connections, timeout=5)
    assert all(connection.done() for connection in connections)
