"""One HTTP exchange of the proxy without sockets: an ASGI request in, a scripted decision service and upstream."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from typing import Any

from msgspec import Struct, structs

from pdp.api.list_codec import ListEntry
from pdp.api.model import Approval, Call, Decision, Effect, Reason
from pdp.api.reasons import PASSING_FAULTS
from pep.callers.authentication import Callers
from pep.callers.session import SessionBook
from pep.config import PepConfig, Server
from pep.front.app import App
from pep.front.request_caller import ExchangeParts
from pep.judge.parts import JudgeParts
from pep.judge.refusals import Refusals
from pep.judge.rounds import Rounds
from pep.judge.server_requests import ServerRequests
from pep.judge.tasks import TaskBook
from pep.load.background import Background
from pep.load.room import Room
from pep.mcp.headers import HeaderLines
from pep.ports import LostError

RawLines = tuple[tuple[bytes, bytes], ...]
JSON_LINE = (b"content-type", b"application/json")
EVENTS_LINE = (b"content-type", b"text/event-stream")
SERVER = Server("s", url="http://127.0.0.1:9/mcp")


def decision(effect: Effect = Effect.ALLOW, code: str = "code", **more: Any) -> Decision:
    """A decision; an allow unless told otherwise."""
    return Decision(decision_id="d", effect=effect, reason=Reason(code, "No."), **more)


class Service:
    """A decision service that decides as it is told to, and remembers what it hears."""

    def __init__(self, answer: Decision | Callable[[Call], Decision] | None = None) -> None:
        self.answer = answer or decision()
        self.calls: list[Call] = []
        self.reports: list[str] = []
        self.gate: asyncio.Event | None = None
        self.approvals: list[Approval] = []
        self.waits: list[tuple[str, float]] = []

    async def decide(self, call: Call) -> Decision:
        self.calls.append(call)
        if self.gate is not None:
            await self.gate.wait()
        return self.answer(call) if callable(self.answer) else self.answer

    async def hidden_entries(
        self, call: Call, entries: Sequence[ListEntry]
    ) -> Collection[int] | None:
        calls = [
            structs.replace(call, target=entry.target, definition=entry.definition)
            for entry in entries
        ]
        decisions = [await self.decide(each) for each in calls]
        if any(each.reason.code in PASSING_FAULTS for each in decisions):
            return None
        return {number for number, each in enumerate(decisions) if each.hidden}

    async def await_approval(self, approval_id: str, seconds: float) -> Approval | None:
        self.waits.append((approval_id, seconds))
        await asyncio.sleep(0)
        return self.approvals.pop(0) if self.approvals else None

    def refund_soon(self, decision: Decision) -> None:
        self.reports.append("refund")

    def lost_soon(self, decision: Decision) -> None:
        self.reports.append("lost")

    def finish_soon(self, decision: Decision) -> None:
        self.reports.append("finish")

    def report_soon(self, call: Call, reason: Reason) -> None:
        self.reports.append(reason.code)


class Response(Struct):
    """A response of the upstream; `is_lost` breaks it off after its chunks."""

    lines: RawLines = (JSON_LINE,)
    body: tuple[bytes, ...] = (b'{"jsonrpc":"2.0","id":1,"result":{}}',)
    status: int = 200
    is_lost: bool = False
    is_closed: bool = False

    async def chunks(self) -> AsyncIterator[bytes]:
        for chunk in self.body:
            yield chunk
        if self.is_lost:
            raise LostError("cut")

    def close(self) -> None:
        self.is_closed = True


class Sent(Struct, frozen=True):
    """A request that reached the upstream."""

    verb: str
    lines: HeaderLines
    body: bytes | None
    caller: str


class Upstream:
    """An upstream that answers with `answer`, or fails with it."""

    def __init__(self) -> None:
        self.answer: Response | BaseException = Response()
        self.sent: list[Sent] = []
        self.gate: asyncio.Event | None = None

    async def send(
        self, method: str, server: Server, lines: HeaderLines, body: bytes | None, caller: str
    ) -> Response:
        self.sent.append(Sent(method, lines, body, caller))
        if self.gate is not None:
            await self.gate.wait()
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer


class Shown(Struct):
    """What the client got."""

    status: int = 0
    lines: HeaderLines = []
    body: bytes = b""
    is_whole: bool = False

    def json(self) -> Any:
        return json.loads(self.body)

    def header(self, name: bytes) -> bytes:
        return dict(self.lines).get(name, b"")


class ExchangeRig:
    """The proxy's application; every request comes from `peer`."""

    def __init__(self, service: Service | None = None, **config: Any) -> None:
        self.service = service or Service()
        self.upstream = Upstream()
        self.peer = "127.0.0.1"
        settings = PepConfig(**{"servers": (SERVER,), **config})
        numbers = iter(range(1000))
        self.parts = ExchangeParts(
            config=settings,
            decisions=self.service,
            upstreams=self.upstream,
            sessions=SessionBook(),
            server_requests=ServerRequests(),
            callers=Callers(settings, lambda: 1e9, lambda: 0.0),
            judging=JudgeParts(self.service, TaskBook(), lambda: f"q{next(numbers)}", 1000),
            background=Background(),
            room=Room.of(settings),
            refusals=Refusals(self.service.report_soon, lambda: 0.0),
            new_id=lambda: f"r{next(numbers)}",
            rounds=Rounds(b"k" * 32, lambda: 0.0),
        )
        self.app = App(self.parts, health=lambda: (200, b"{}"))

    async def request(
        self,
        message: Any = None,
        *lines: tuple[bytes, bytes],
        verb: str = "POST",
        gone: asyncio.Event | None = None,
    ) -> Shown:
        """Play one request; the client leaves when `gone` is set. A `message` may be bytes or JSON."""
        body = message if isinstance(message, bytes) else json.dumps(message).encode()
        scope = {
            "type": "http", "method": verb, "raw_path": b"/s/mcp", "client": (self.peer, 1),
            "headers": self._lines(verb, body if verb == "POST" else None, lines),
        }  # fmt: skip
        shown, unread = Shown(), [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> dict[str, Any]:
            if unread and verb == "POST":
                return unread.pop()
            await (gone or asyncio.Event()).wait()
            return {"type": "http.disconnect"}

        async def send(event: dict[str, Any]) -> None:
            if event["type"] == "http.response.start":
                shown.status, shown.lines = event["status"], list(event["headers"])
            else:
                shown.body += event["body"]
                shown.is_whole = not event.get("more_body", False)

        await self.app(scope, receive, send)
        return shown

    @staticmethod
    def _lines(verb: str, body: bytes | None, more: tuple[tuple[bytes, bytes], ...]) -> HeaderLines:
        lines = [(b"host", b"127.0.0.1:8700"), (b"accept", b"application/json, text/event-stream")]
        if body is not None:
            lines += [JSON_LINE, (b"content-length", b"%d" % len(body))]
        names = {name for name, _ in more}
        return [*(line for line in lines if line[0] not in names), *more]
