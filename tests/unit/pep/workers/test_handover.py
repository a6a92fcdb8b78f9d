"""An answer of another worker on its way to the client."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from pep.errors import WorkerAway
from pep.front.client_answer import ClientAnswer
from pep.front.held_answer import HeldAnswer
from pep.load.room import Unread
from pep.ports import LostError, NeverReachedError
from pep.workers.alone import Alone
from pep.workers.handover import hand_over


class Answer:
    """An answer in pieces, which may break off."""

    status = 200

    def __init__(self, *pieces: bytes | Exception) -> None:
        self.lines = ((b"Transfer-Encoding", b"chunked"), (b"x-a", b"1"), (b"connection", b"close"))
        self.is_closed = False
        self._pieces = pieces

    async def chunks(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            if isinstance(piece, Exception):
                raise piece
            yield piece

    def close(self) -> None:
        self.is_closed = True


class Other(Alone):
    """Another worker with that answer, or with none."""

    def __init__(self, answer: Answer | Exception) -> None:
        self.answer = answer

    async def forward(self, worker: int, scope: dict[str, Any], body: bytes | None) -> Answer:  # type: ignore[override]
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


async def handed(answer: Answer | Exception) -> list[dict[str, Any]]:
    """What the client gets."""
    sent: list[dict[str, Any]] = []

    async def send(event: dict[str, Any]) -> None:
        sent.append(event)

    client = HeldAnswer(ClientAnswer(send, Unread(1_000_000)))
    await hand_over(Other(answer), 1, {}, b"{}", client)
    return sent


async def test_the_answer_goes_on_piece_by_piece() -> None:
    """How it is framed is for the client's own connection to say."""
    answer = Answer(b"a", b"b")
    head, *body = await handed(answer)
    assert (head["status"], head["headers"]) == (200, [(b"x-a", b"1")])
    assert [event["body"] for event in body] == [b"a", b"b", b""]
    assert [event["more_body"] for event in body] == [True, True, False]
    assert answer.is_closed


@pytest.mark.parametrize("error", [NeverReachedError("gone"), LostError("broke off")])
async def test_a_worker_that_has_gone_is_an_error_that_says_so(error: Exception) -> None:
    """The client may try again."""
    with pytest.raises(WorkerAway, match="try again later"):
        await handed(error)


async def test_an_answer_that_breaks_off_stays_unfinished() -> None:
    """The client must see that it is not whole."""
    answer = Answer(b"a", LostError("broke off"))
    sent = await handed(answer)
    assert sent[-1] == {"type": "http.response.body", "body": b"a", "more_body": True}
    assert answer.is_closed
