"""Admits clients to the decision service, by certificate and by expected configuration. Edge: gRPC.

Every client can spend budgets and reset them, so an address that other machines can reach demands a
certificate. A wrapper names the configuration that it expects, because a decision service of another
configuration may be running in its state folder.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Awaitable, Callable, Collection
from typing import Any

import grpc
import structlog
from grpc import aio

from pdp.api.address import CONFIGURATION_KEY, is_local
from pdp.config import PdpConfig, ServiceTls
from pdp.errors import ConfigError
from tipstaff.common import certificates

_NAMES = "x509_subject_alternative_name"

log = structlog.get_logger("pdp.admission")


def server_credentials(config: PdpConfig) -> grpc.ServerCredentials | None:
    """The credentials of the service's listener; `None` on a plain address. Raises `ConfigError`."""
    tls = config.tls
    if not tls.certificate or config.listen.startswith("unix:"):
        if not is_local(config.listen):
            raise ConfigError(
                f"[pdp] listen: other machines can reach {config.listen}, and whoever can ask can spend "
                "and reset limits: write [pdp.tls] with certificate, key and client_ca, or listen on "
                "127.0.0.1 or a unix socket"
            )
        return None
    try:
        fresh = _FreshCertificates(tls)
    except ValueError as error:
        raise ConfigError(f"[pdp.tls]: {error}") from error
    return grpc.dynamic_ssl_server_credentials(
        fresh.first, fresh, require_client_authentication=True
    )


class _FreshCertificates:
    """The certificates for the next connection: read again when a file has changed.

    Files that do not fit together, as in the middle of a renewal, change nothing. gRPC calls this for
    each connection, in a thread of its own.
    """

    def __init__(self, tls: ServiceTls) -> None:
        """Read the files; raises `ValueError`."""
        self._files = (tls.certificate, tls.key, tls.client_ca)
        self._seen = certificates.changed_at(self._files)
        self.first = self._read()

    def __call__(self) -> Any:
        """The certificate and authorities from now on; `None` when they have not changed."""
        seen = certificates.changed_at(self._files)
        if seen == self._seen:
            return None
        self._seen = seen
        try:
            fresh = self._read()
        except ValueError as error:
            log.warning("certificate not loaded", file=self._files[0], error=str(error))
            return None
        log.info("certificate loaded", file=self._files[0])
        return fresh

    def _read(self) -> Any:
        files = certificates.read(*self._files)
        pair = (files.key, files.chain)
        return grpc.ssl_server_certificate_configuration([pair], files.authorities)


class Admission(aio.ServerInterceptor):  # type: ignore[misc]  # grpc ships no types
    """Refuses requests of clients that are not admitted, or that expect the rules of another configuration."""

    def __init__(self, configuration: str, clients: Collection[str]) -> None:
        """`clients` are names in certificates; with none, every certificate of the authority is admitted."""
        self._configuration = os.fsencode(configuration)
        self._clients = frozenset(clients)

    async def intercept_service(
        self,
        continuation: Callable[[Any], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """The handler of a request, behind the checks that it needs."""
        handler = await continuation(handler_call_details)
        if handler is None:
            return None
        expected = dict(handler_call_details.invocation_metadata or ()).get(CONFIGURATION_KEY)
        if expected is None and not self._clients:
            return handler

        async def check(context: Any) -> None:
            if self._clients:
                await self._check_client(context)
            if expected is not None:
                await self._confirm(expected, context)

        return _guarded(handler, check)

    async def _confirm(self, expected: bytes, context: Any) -> None:
        if expected != self._configuration:
            await context.abort(
                grpc.StatusCode.FAILED_PRECONDITION,
                "this decision service decides by another configuration",
            )
        await context.send_initial_metadata(((CONFIGURATION_KEY, self._configuration),))

    async def _check_client(self, context: Any) -> None:
        shown = context.auth_context().get(_NAMES, ())
        if not self._clients & {name.decode(errors="replace") for name in shown}:
            await context.abort(
                grpc.StatusCode.PERMISSION_DENIED,
                "no name in the certificate is in [pdp.tls] clients",
            )


def _guarded(handler: Any, check: Callable[[Any], Awaitable[None]]) -> Any:
    """`handler` behind a check; a request that fails the check is ended."""
    kind = "stream" if handler.request_streaming else "unary"
    kind += "_stream" if handler.response_streaming else "_unary"
    inner = getattr(handler, kind)

    async def once(request: Any, context: Any) -> Any:
        await check(context)
        return await inner(request, context)

    async def many(request: Any, context: Any) -> Any:
        await check(context)
        async for response in inner(request, context):
            yield response

    guarded = many if inspect.isasyncgenfunction(inner) else once
    return getattr(grpc, f"{kind}_rpc_method_handler")(
        guarded, handler.request_deserializer, handler.response_serializer
    )
