"""What reaches another worker over its socket, and what comes of one that does not answer."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from pdp.api.model import Client, Principal
from pep.callers.authentication import CERTIFICATE_KEY
from pep.callers.session import LegacySession
from pep.config import Server
from pep.judge.server_requests import Holder
from pep.mcp.methods import LEGACY, MODERN
from pep.ports import NeverReachedError
from pep.workers.entrance import FORWARDED
from pep.workers.peers import Peers
from pep.workers.position import Position

HTTP, STDIO = Server("h", url="http://127.0.0.1:9/mcp"), Server("s", command=("x",))
ANN = Principal("ann", "jwt")


class Others:
    """The sockets of workers that answer with a word each, and what reached them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.words: dict[int, bytes] = {}
        self.heads: list[tuple[int, bytes]] = []
        self.bodies: list[tuple[int, Any]] = []

    @contextlib.asynccontextmanager
    async def listening(self, *numbers: int) -> AsyncIterator[None]:
        async with contextlib.AsyncExitStack() as stack:
            for number in numbers:
                path = Position(0, 3, self.folder, "").socket_of(number)
                server = await asyncio.start_unix_server(self._serve(number), str(path))
                await stack.enter_async_context(server)
            yield

    def _serve(self, number: int) -> Any:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            head = await reader.readuntil(b"\r\n\r\n")
            length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0] or b"0"
            body = await reader.readexactly(int(length))
            self.heads.append((number, head))
            self.bodies.append((number, json.loads(body or b"null")))
            word = self.words.get(number, b"true")
            writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: %d\r\n\r\n%b" % (len(word), word))  # fmt: skip
            await writer.drain()
            writer.close()

        return serve


@contextlib.asynccontextmanager
async def peers(folder: Path, number: int = 0) -> AsyncIterator[Peers]:
    made = Peers(Position(number, 3, folder, "k"))
    try:
        yield made
    finally:
        await made.close()


def session_of(worker: int) -> str:
    """A session that this worker must serve."""
    place = Position(0, 3, Path(), "")
    return next(f"{n}" for n in range(1000) if place.serves(HTTP, LEGACY, f"{n}") == worker)


async def test_a_request_is_served_elsewhere_only_once(tmp_path: Path) -> None:
    """What another worker has sent here is served here, whoever it might be for."""
    async with peers(tmp_path) as made:
        assert made.elsewhere({}, HTTP, LEGACY, session_of(1)) == 1
        assert made.elsewhere({}, HTTP, LEGACY, session_of(0)) is None
        assert made.elsewhere({}, HTTP, MODERN, "") is None
        assert made.elsewhere({FORWARDED: True}, HTTP, LEGACY, session_of(1)) is None


async def test_a_request_goes_on_as_it_came(tmp_path: Path) -> None:
    """With its credentials, and without what was about the connection; who sent it stands first."""
    others = Others(tmp_path)
    scope = {
        "method": "POST", "raw_path": b"/h/mcp", "client": ("1.2.3.4", 5), CERTIFICATE_KEY: "spiffe://a",
        "headers": [
            (b"host", b"gate.example"), (b"authorization", b"Bearer t"), (b"connection", b"x-mine"),
            (b"x-mine", b"1"), (b"transfer-encoding", b"chunked"), (b"mcp-session-id", b"abc"),
        ],
    }  # fmt: skip
    async with others.listening(1), peers(tmp_path) as made:
        answer = await made.forward(1, scope, b'{"a":1}')
        assert (answer.status, [piece async for piece in answer.chunks()]) == (200, [b"true"])
    ((_, head),) = others.heads
    assert head.split(b"\r\n") == [
        b"POST /h/mcp HTTP/1.1", b'tipstaff-sender: [["1.2.3.4",5],"spiffe://a"]', b"host: gate.example",
        b"authorization: Bearer t", b"mcp-session-id: abc", b"content-length: 7", b"", b"",
    ]  # fmt: skip
    assert others.bodies == [(1, {"a": 1})]


async def test_a_session_is_told_to_the_worker_that_serves_it(tmp_path: Path) -> None:
    """Only to that one, and to nobody when it is this one."""
    others, known = Others(tmp_path), LegacySession("ann", Client("c", "1"))
    async with others.listening(1, 2), peers(tmp_path) as made:
        assert await made.tell_session(HTTP, session_of(2), known)
        assert not await made.tell_session(HTTP, session_of(0), known)
    assert [(number, note["session"]) for number, note in others.bodies] == [(2, session_of(2))]


async def test_a_session_of_a_server_that_is_run_here_is_kept_here(tmp_path: Path) -> None:
    """Whatever its id: all of that server is served by the worker that has its processes."""
    number = Position(0, 3, tmp_path, "").serves(STDIO, LEGACY, "")
    async with peers(tmp_path, number) as made:
        for session in map(session_of, range(3)):
            assert not await made.tell_session(STDIO, session, LegacySession("ann", Client()))


async def test_a_task_is_told_to_all(tmp_path: Path) -> None:
    """A modern client asks for it anywhere."""
    others = Others(tmp_path)
    async with others.listening(1, 2), peers(tmp_path) as made:
        await made.tell_task("h", "t", ANN)
    assert sorted(number for number, _ in others.bodies) == [1, 2]
    assert {note["task"] for _, note in others.bodies} == {"t"}


@pytest.mark.parametrize("shown_by", [1, 2, None])
async def test_an_answer_is_taken_if_one_of_them_has_shown_the_request(
    tmp_path: Path, shown_by: int | None
) -> None:
    """They are asked one after the other, so that no two of them take it."""
    others = Others(tmp_path)
    others.words = {number: b"true" if number == shown_by else b"false" for number in (1, 2)}
    async with others.listening(1, 2), peers(tmp_path) as made:
        assert await made.ask_answer(Holder("h", "ann"), 7) == (shown_by is not None)
    assert len(others.bodies) == (1 if shown_by == 1 else 2)


async def test_a_worker_that_has_gone_holds_up_nobody(tmp_path: Path) -> None:
    """A note to it is lost; a request for it cannot be served."""
    async with peers(tmp_path) as made:
        await made.tell_task("h", "t", ANN)
        assert await made.tell_session(HTTP, session_of(1), LegacySession("ann", Client()))
        assert not await made.ask_answer(Holder("h", "ann"), 7)
        scope = {"method": "GET", "raw_path": b"/h/mcp", "client": None, "headers": []}
        with pytest.raises(NeverReachedError):
            await made.forward(1, scope, None)


async def test_a_worker_that_says_nothing_is_not_waited_for_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may hang."""
    monkeypatch.setattr("pep.workers.peers._NOTE_SECONDS", 0.05)
    hanging = asyncio.Event()

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await hanging.wait()
        writer.close()

    path = str(Position(0, 3, tmp_path, "").socket_of(1))
    async with await asyncio.start_unix_server(serve, path), peers(tmp_path) as made:
        assert not await made.ask_answer(Holder("h", "ann"), 7)
        hanging.set()
