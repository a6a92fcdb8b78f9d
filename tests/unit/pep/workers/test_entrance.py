"""What a worker takes from others, and whom it takes for the client."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from pdp.api.model import Principal
from pep.callers.authentication import CERTIFICATE_KEY
from pep.callers.session import SessionBook
from pep.judge.server_requests import ServerRequests
from pep.judge.tasks import TaskBook
from pep.ports import Receive, Send
from pep.workers.entrance import FORWARDED, NOTES_PATH, SENDER_LINE, Entrance, Sender
from pep.workers.notes import Books, TaskNote, encode

ANN = Principal("ann", "jwt")


class Rig:
    """An entrance, and what reached the application behind it."""

    def __init__(self) -> None:
        self.books = Books(SessionBook(), ServerRequests(), TaskBook())
        self.seen: list[dict[str, Any]] = []
        self.entrance = Entrance(self._app, self.books)

    async def _app(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        self.seen.append(scope)
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def request(
        self, path: bytes, *lines: tuple[bytes, bytes], parts: tuple[bytes, ...] = (b"",)
    ) -> tuple[int, bytes]:
        scope = {"type": "http", "raw_path": path, "headers": list(lines), "client": None, CERTIFICATE_KEY: ""}  # fmt: skip
        left, sent = list(parts), []

        async def receive() -> dict[str, Any]:
            if not left:
                return {"type": "http.disconnect"}
            return {"type": "http.request", "body": left.pop(0), "more_body": bool(left)}

        async def send(event: dict[str, Any]) -> None:
            sent.append(event)

        await self.entrance(scope, receive, send)
        return (sent[0]["status"], sent[1]["body"]) if sent else (0, b"")


def sender(*members: Any) -> tuple[bytes, bytes]:
    return SENDER_LINE, msgspec.json.encode(Sender(*members))


async def test_a_request_is_served_for_the_client_that_sent_it() -> None:
    """Its address and the identity in its certificate are those that the other worker saw."""
    rig = Rig()
    line = (b"accept", b"*/*")
    assert await rig.request(b"/s/mcp", sender(("1.2.3.4", 5), "spiffe://a"), line) == (204, b"")
    (scope,) = rig.seen
    assert (scope["client"], scope[CERTIFICATE_KEY]) == (("1.2.3.4", 5), "spiffe://a")
    assert (scope["headers"], scope[FORWARDED]) == ([line], True)


async def test_only_the_first_line_says_who_sends() -> None:
    """A client's own line of that name stands behind it, and is a line like any other."""
    rig = Rig()
    forged = sender(("9.9.9.9", 1), "spiffe://admin")
    await rig.request(b"/s/mcp", sender(("1.2.3.4", 5), ""), forged)
    assert rig.seen[0]["client"] == ("1.2.3.4", 5)
    assert rig.seen[0]["headers"] == [forged]


@pytest.mark.parametrize("lines", [(), ((b"accept", b"*/*"), sender(None, ""))])
async def test_a_request_of_nobody_is_not_served(lines: tuple[tuple[bytes, bytes], ...]) -> None:
    """Whoever writes here says whose request it is."""
    rig = Rig()
    status, _ = await rig.request(b"/s/mcp", *lines)
    assert (status, rig.seen) == (400, [])


async def test_a_note_is_written_down_before_it_is_answered() -> None:
    """However it arrives."""
    rig = Rig()
    note = encode(TaskNote("s", "t", ANN))
    assert await rig.request(NOTES_PATH, parts=(note[:5], note[5:])) == (200, b"true")
    assert rig.books.tasks.is_owner("s", "t", ANN)


@pytest.mark.parametrize("parts", [(b"{}",), (b"x" * 50_000, b"x" * 50_000, b"x")])
async def test_what_is_no_note_is_refused(parts: tuple[bytes, ...]) -> None:
    """Also what has no end."""
    assert await Rig().request(NOTES_PATH, parts=parts) == (400, b"")


async def test_a_note_that_breaks_off_is_nothing() -> None:
    """The worker that sent it has gone."""
    rig = Rig()
    scope = {"type": "http", "raw_path": NOTES_PATH, "headers": []}
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(event: dict[str, Any]) -> None:
        sent.append(event)

    await rig.entrance(scope, receive, send)
    assert sent == []


async def test_what_is_no_request_is_nothing() -> None:
    """As in the application for clients."""
    rig = Rig()
    await rig.entrance({"type": "lifespan"}, None, None)  # type: ignore[arg-type]
    assert rig.seen == []
