"""Takes what other workers send: notes, and requests that this worker must serve. Edge: ASGI.

Its socket stands in a folder that only this user may enter, so whoever writes to it is a worker. The first
header line of a request says where its client is, as the worker saw it to which the client is connected; on
the port of the clients that line means nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import structlog
from msgspec import Struct

from pep.callers.authentication import CERTIFICATE_KEY
from pep.errors import BodyTooLarge
from pep.front.body_reader import ClientGoneError, read_up_to
from pep.front.client_answer import answer_whole
from pep.ports import Receive, Send
from pep.workers.notes import Books, decode, take

NOTES_PATH = b"/notes"
SENDER_LINE = b"tipstaff-sender"
# In the scope of a request that another worker has sent here.
FORWARDED = "tipstaff.forwarded"
_LONGEST_NOTE = 64 * 1024

App = Callable[[dict[str, Any], Receive, Send], Awaitable[None]]

log = structlog.get_logger("pep.workers")


class Sender(Struct, frozen=True, array_like=True):
    """The client of a forwarded request: its address, and the identity in its certificate."""

    address: tuple[str, int] | None
    certificate: str


_decoder = msgspec.json.Decoder(Sender)


class Entrance:
    """The ASGI application of a worker's own socket."""

    def __init__(self, app: App, books: Books) -> None:
        """Serve requests by `app`, and write notes into `books`."""
        self._app = app
        self._books = books

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """One request of another worker."""
        if scope["type"] != "http":
            return
        if scope["raw_path"] == NOTES_PATH:
            await self._take(receive, send)
            return
        lines = scope["headers"]
        if not lines or lines[0][0] != SENDER_LINE:
            await _answer(send, 400, b"the first header line must say who sends")
            return
        sender = _decoder.decode(lines[0][1])
        own = {"headers": lines[1:], "client": sender.address, FORWARDED: True}
        await self._app({**scope, **own, CERTIFICATE_KEY: sender.certificate}, receive, send)

    async def _take(self, receive: Receive, send: Send) -> None:
        try:
            answer = take(decode(await read_up_to(receive, _LONGEST_NOTE)), self._books)
        except ClientGoneError:
            return
        except (ValueError, BodyTooLarge) as error:
            log.error("a note of another worker cannot be read", error=str(error))
            await _answer(send, 400, b"")
        else:
            await _answer(send, 200, b"true" if answer else b"false")


async def _answer(send: Send, status: int, body: bytes) -> None:
    await answer_whole(send, status, [(b"content-length", b"%d" % len(body))], body)
