"""The stream by which an open page hears of changes: one a page, few a session. Edge: ASGI."""

from __future__ import annotations

import asyncio
from types import MappingProxyType

from tipstaff.console import asgi, requests
from tipstaff.console.asgi import Receive, Reply, Send
from tipstaff.console.news import APPROVALS, DECISIONS, News
from tipstaff.console.sessions import Session

PATHS = MappingProxyType({f"/events/{name}": name for name in (APPROVALS, DECISIONS)})
MAX_STREAMS = 4
_HEARTBEAT_SECONDS = 15.0


async def serve(
    name: str, session: Session | None, news: News, receive: Receive, send: Send
) -> None:
    """Tell a page of changes of this name until it is closed; one stream too many gets 204, which ends its trying."""
    if session is None or session.streams >= MAX_STREAMS:
        await asgi.reply(send, Reply(401 if session is None else 204, b"", ()))
        return
    session.streams += 1
    try:
        await asgi.until_gone(receive, _tell(name, news, send))
    finally:
        session.streams -= 1


async def _tell(name: str, news: News, send: Send) -> None:
    lines = [(b"content-type", b"text/event-stream"), *requests.SECURITY_LINES]
    await send({"type": "http.response.start", "status": 200, "headers": lines})
    await asgi.part(send, b": hello\n\n")
    changes = news.listen(name)
    upcoming = asyncio.ensure_future(anext(changes))
    try:
        while True:
            done, _ = await asyncio.wait({upcoming}, timeout=_HEARTBEAT_SECONDS)
            if not done:
                await asgi.part(send, b": alive\n\n")
                continue
            event = upcoming.result()
            await asgi.part(send, f"event: {event.name}\ndata: {event.word}\n\n".encode())
            upcoming = asyncio.ensure_future(anext(changes))
    finally:
        upcoming.cancel()
        await asyncio.gather(upcoming, return_exceptions=True)
        await changes.aclose()  # type: ignore[attr-defined]
