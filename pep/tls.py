"""Who a client certificate names, told to the application. Edge: the server's own protocol class."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from pep.callers import CERTIFICATE_KEY


class CertificateProtocol(HttpToolsProtocol):
    """HTTP on a connection whose client may have shown a certificate: tells every request of it."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """See who has connected."""
        super().connection_made(transport)
        self._identity = certificate_identity(transport.get_extra_info("peercert") or {})

    def on_headers_complete(self) -> None:
        """Tell the application."""
        self.scope[CERTIFICATE_KEY] = self._identity  # type: ignore[literal-required]
        super().on_headers_complete()


def certificate_identity(certificate: Mapping[str, Any]) -> str:
    """Who a verified certificate names: its first URI, else its first DNS name, else nobody.

    The common name is not asked: RFC 6125 has retired it as an identity.
    """
    names = certificate.get("subjectAltName", ())
    for wanted in ("URI", "DNS"):
        for kind, name in names:
            if kind == wanted:
                return str(name)
    return ""
