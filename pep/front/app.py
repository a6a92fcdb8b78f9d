"""The ASGI application: finds the server by the path, runs the exchange, and answers every failure.

Raw ASGI: on this path every microsecond is paid by every call. The one `except Exception` of the
proxy is here, and it means a refusal.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import structlog
from msgspec import structs

from pep.callers import metadata
from pep.config import PepConfig
from pep.errors import PathNotFound, Refusal, Unexpected, VerbNotAllowed
from pep.front.body_reader import ClientGoneError
from pep.front.client_answer import answer_whole
from pep.front.exchange import Exchange
from pep.front.request_caller import ExchangeParts
from pep.judge.enforce import refuse
from pep.ports import Receive, Send

log = structlog.get_logger("pep")

_PLAIN = [(b"content-type", b"application/json")]


class App:
    """All servers behind one ASGI callable."""

    def __init__(self, parts: ExchangeParts, *, health: Callable[[], tuple[int, bytes]]) -> None:
        """Serve the servers of the configuration; `health` gives status and body of `/healthz`."""
        self._health = health
        self._serve(parts)

    def take_over(self, config: PepConfig) -> None:
        """Serve by `config` from now on; a request that is under way ends by the one it began with."""
        self._serve(structs.replace(self._parts, config=config))

    def _serve(self, parts: ExchangeParts) -> None:
        self._parts = parts
        self._routes = {
            f"/{server.name}/mcp{slash}".encode(): server
            for server in parts.config.servers
            for slash in ("", "/")
        }
        documents = {
            metadata.path(server): metadata.document(parts.config, server)
            for server in parts.config.servers
        }
        self._documents = {path: body for path, body in documents.items() if body is not None}

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            return
        path = scope["raw_path"]
        server = self._routes.get(path)
        if server is None:
            await self._elsewhere(path, scope["method"], send)
            return
        exchange = Exchange(self._parts, server, scope, send)
        try:
            await exchange.run(receive)
        except Refusal as fault:
            await exchange.refuse(fault)
        except ClientGoneError:
            log.info("client gone", server=server.name)
        except Exception:  # the edge: no fault ends in a forward
            log.exception("unexpected fault", server=server.name)
            if not exchange.has_begun:
                await exchange.refuse(Unexpected("Internal error"))

    async def _elsewhere(self, path: bytes, verb: str, send: Send) -> None:
        """Answer `/healthz`, the metadata of servers, and every unknown path."""
        if path != b"/healthz" and path not in self._documents:
            log.info("refused", code=PathNotFound.code, path=path.decode("latin-1")[:256])
            answer = refuse(None, PathNotFound("Not Found"))
        elif verb != "GET":
            answer = refuse(None, VerbNotAllowed("Method Not Allowed"))
        elif path in self._documents:
            await _plain(send, 200, self._documents[path])
            return
        else:
            await _plain(send, *self._health())
            return
        await answer_whole(send, answer.status, answer.headers, answer.body)


async def _plain(send: Send, status: int, body: bytes) -> None:
    lines = [*_PLAIN, (b"content-length", b"%d" % len(body))]
    await answer_whole(send, status, lines, body)
