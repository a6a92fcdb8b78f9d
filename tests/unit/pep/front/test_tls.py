"""The listener's certificates: a pair that is renewed while it listens."""

from __future__ import annotations

import asyncio
import shutil
import ssl
from pathlib import Path

from cryptography import x509
from structlog.testing import capture_logs

from pep.config import Tls
from pep.front.tls import keep_fresh
from tests.certificates import Authority, Issued


class Listener:
    """A TLS listener on a pair of files that is looked at often."""

    def __init__(self, folder: Path, authority: Authority) -> None:
        self.authority = authority
        self.tls = Tls(str(folder / "chain.pem"), str(folder / "key.pem"))
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.port = 0

    def put(self, issued: Issued, *, half: bool = False) -> None:
        shutil.copy(issued.chain, self.tls.certificate)
        if not half:
            shutil.copy(issued.key, self.tls.key)

    async def shown(self) -> int:
        """The serial number of the certificate that a new connection gets."""
        context = ssl.create_default_context(cafile=str(self.authority.path))
        _, writer = await asyncio.open_connection(
            "127.0.0.1", self.port, ssl=context, server_hostname="localhost"
        )
        der = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        writer.close()
        return x509.load_der_x509_certificate(der).serial_number


def serial(issued: Issued) -> int:
    return x509.load_pem_x509_certificate(issued.chain.read_bytes()).serial_number


async def test_a_renewed_pair_is_shown_to_new_connections_and_half_a_pair_is_not(
    tmp_path: Path,
) -> None:
    """In the middle of a renewal the old one stays; it is said once in the log."""
    listener = Listener(tmp_path, Authority(tmp_path / "ours"))
    first, second = (listener.authority.issue("localhost") for _ in range(2))
    listener.put(first)
    listener.context.load_cert_chain(listener.tls.certificate, listener.tls.key)
    server = await asyncio.start_server(
        lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=listener.context
    )
    listener.port = server.sockets[0].getsockname()[1]
    watching = asyncio.ensure_future(keep_fresh(listener.context, listener.tls, 0.01))
    try:
        await asyncio.sleep(0.05)
        with capture_logs() as logs:
            listener.put(second, half=True)
            await asyncio.sleep(0.1)
        assert {entry["event"] for entry in logs} == {"certificate not loaded"}
        assert await listener.shown() == serial(first)
        listener.put(second)
        async with asyncio.timeout(5):
            while await listener.shown() != serial(second):
                await asyncio.sleep(0.01)
    finally:
        watching.cancel()
        server.close()
    assert not watching.done() or watching.cancelled()
