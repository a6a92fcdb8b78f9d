"""Has another worker answer a request, whose answer goes to the client as it comes. Edge, without sockets of its own."""

from __future__ import annotations

from typing import Any

import structlog

from pep.errors import WorkerAway
from pep.front.held_answer import HeldAnswer
from pep.mcp.headers import HOP_BY_HOP, HeaderLines
from pep.ports import LostError, NeverReachedError, Workers

log = structlog.get_logger("pep.workers")


async def hand_over(
    workers: Workers, worker: int, scope: dict[str, Any], body: bytes | None, client: HeldAnswer
) -> None:
    """Answer the request; raises `WorkerAway` when nothing has been answered yet."""
    try:
        answer = await workers.forward(worker, scope, body)
        try:
            await client.begin(answer.status, _for_client(answer.lines))
            async for piece in answer.chunks():
                await client.part(piece)
            await client.last(b"")
        finally:
            answer.close()
    except (NeverReachedError, LostError) as error:
        log.warning("another worker has not answered", worker=worker, error=str(error))
        if not client.has_begun:
            raise WorkerAway("This session cannot be served now; try again later") from error


def _for_client(lines: tuple[tuple[bytes, bytes], ...]) -> HeaderLines:
    """The lines of the answer itself; how it is framed is for this connection to say."""
    return [line for line in lines if line[0].lower() not in HOP_BY_HOP]
