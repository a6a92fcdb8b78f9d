"""TLS of the listener: loads its certificate and its authorities again when the files change. Edge: files."""

from __future__ import annotations

import asyncio
import ssl

import structlog

from pep.config import Tls
from tipstaff.common.certificates import changed_at

log = structlog.get_logger("pep")


async def keep_fresh(context: ssl.SSLContext, tls: Tls, every_seconds: float) -> None:
    """Load the files into `context` again whenever one of them changes; runs until cancelled.

    New connections use the new files; open ones go on. Files that do not fit together, as in the
    middle of a renewal, change nothing and are tried again. Authorities are added, never taken away.
    """
    loaded = await asyncio.to_thread(_changed_at, tls)
    while True:
        await asyncio.sleep(every_seconds)
        now = await asyncio.to_thread(_changed_at, tls)
        if now == loaded:
            continue
        try:
            # A context with half a pair would serve no connection: so another context is tried first.
            _load(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), tls)
            _load(context, tls)
        except (OSError, ssl.SSLError) as error:
            log.warning("certificate not loaded", file=tls.certificate, error=str(error))
            continue
        loaded = now
        log.info("certificate loaded", file=tls.certificate)


def _load(context: ssl.SSLContext, tls: Tls) -> None:
    context.load_cert_chain(tls.certificate, tls.key)
    if tls.client_ca:
        context.load_verify_locations(tls.client_ca)


def _changed_at(tls: Tls) -> list[int]:
    return changed_at(filter(None, (tls.certificate, tls.key, tls.client_ca)))
