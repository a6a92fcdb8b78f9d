"""Random answers of a server through the real relay and the real filter, read as lenient clients do.

The readers take what they can get: JSON in whatever encoding it may be in, events cut at any line's
end that some reader knows, the first of several types. What one of them finds hidden, or asked of
the client, is a difference; so is an honest answer that does not arrive byte for byte.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import random
import re
import zlib
from collections.abc import AsyncIterator, Collection, Iterator, Sequence
from typing import Any

from msgspec import Struct

from pdp.api import model
from pdp.api.list_codec import ListEntry
from pdp.api.model import Call, Decision, Direction, Effect, Reason
from pep.errors import Refusal
from pep.front.relay_io import Client, hand_on
from pep.judge.parts import JudgeParts
from pep.judge.response_filter import ResponseFilter
from pep.judge.tasks import TaskBook
from pep.mcp.jsonrpc import Request
from pep.ports import LostError

_DENIED = "https://denied"
_ENCODINGS = (
    "utf-8",
    "utf-8-sig",
    "utf-16",
    "utf-16-le",
    "utf-16-be",
    "utf-32",
    "utf-32-le",
    "utf-7",
)
_TYPES = (
    b"application/json", b"application/json", b"text/event-stream", b"text/event-stream",
    b"application/json; charset=utf-8", b"text/event-stream;charset=UTF-8", b"application/jsonx",
    b"application/json; charset=utf-7", b"text/event-stream; charset=utf-16", b"text/html", b"text/plain",
    b"application/json, text/html", b"application/problem+json", b"APPLICATION/JSON ;", b"",
)  # fmt: skip
_STATUSES = (200, 200, 200, 200, 202, 204, 206, 301, 307, 400, 401, 404, 500, 503, 101, 304, 999)
_UTF_8 = rb"(application/json|text/event-stream)( ?;( ?charset=utf-8)?)?"
_LINE_ENDS = ("\n", "\r\n", "\r")
_SCRAPS = (
    b"\xff", b"\x00", b"\xc5\xbf", b"\xe2\x80\xa8", b"\xc2\x85", b"\xef\xbb\xbf", b"\n", b"\r", b"\\u0074",
    b'"', b"{", b"}", b"[", b"]", b",", b" ", b"\x1b$B", b"+AHQ-", b"data: ", b"\n\n",
)  # fmt: skip


class _Answer(Struct, frozen=True):
    status: int
    lines: tuple[tuple[bytes, bytes], ...]
    body: bytes
    cuts: tuple[int, ...]

    async def chunks(self) -> AsyncIterator[bytes]:
        start = 0
        for cut in () if self.status in {204, 304} else (*self.cuts, len(self.body)):
            yield self.body[start:cut]
            start = max(start, cut)

    def close(self) -> None:
        """Nothing is open."""


class _Decisions:
    """Hides `secret`, and lets a server ask nothing of its client."""

    async def decide(self, call: Call) -> Decision:
        is_denied = call.target == "secret" or call.direction is Direction.TO_CLIENT
        effect = Effect.DENY if is_denied else Effect.ALLOW
        return Decision(
            decision_id="d", effect=effect, reason=Reason("x", "x"), hidden=call.target == "secret"
        )

    async def hidden_entries(self, call: Call, entries: Sequence[ListEntry]) -> Collection[int]:
        del call
        return [number for number, entry in enumerate(entries) if entry.target == "secret"]

    def report_soon(self, call: Call, reason: Reason) -> None:
        """Nothing is recorded."""

    def finish_soon(self, decision: Decision) -> None:
        """Nothing is counted."""

    refund_soon = finish_soon


class _Shown:
    """What has gone to the client."""

    def __init__(self) -> None:
        self.status = 0
        self.lines: list[tuple[bytes, bytes]] = []
        self.body = b""
        self.is_whole = False

    async def begin(self, status: int, lines: list[tuple[bytes, bytes]]) -> None:
        assert not self.status, "begun twice"
        self.status, self.lines = status, lines

    async def part(self, data: bytes) -> None:
        self.body += data

    async def last(self, data: bytes) -> None:
        self.body, self.is_whole = self.body + data, True


def _message(dice: random.Random) -> dict[str, Any]:
    link = {"mode": "url", "url": _DENIED, "message": "?"}
    asked = {"a": {"method": "elicitation/create", "params": link}}
    error = {"code": -32042, "message": "?", "data": {"elicitations": [link]}}
    names = dice.choices(["a", "secret", "b"], k=dice.randrange(4))
    answer = dice.choice([
        {"result": {"content": [{"type": "text", "text": dice.choice(["x", "é", "\u2028", "tools"])}]}},
        {"result": {"tools": [{"name": name} for name in names], "nextCursor": "c"}},
        {"result": {"resources": [{"uri": name} for name in names]}},
        {"result": {"resultType": "input_required", "inputRequests": asked}},
        {"result": {"taskId": "t", "result": {"inputRequests": asked}}},
        {"result": {"taskId": "t", "error": error}},
        {"error": error},
        {"method": "elicitation/create", "params": link},
        {"method": "notifications/tasks", "params": {"inputRequests": asked}},
    ])  # fmt: skip
    ids = [{"id": 1}, {"id": 1}, {"id": "1"}, {"id": 2}, {"id": None}, {"id": 1.5}, {}]
    chosen = {} if answer.get("method", "").startswith("notifications") else dice.choice(ids)
    members = [("jsonrpc", "2.0"), *chosen.items(), *answer.items()]
    dice.shuffle(members)
    return dict(members)


def _text(dice: random.Random) -> bytes:
    """One message: as it should be, or in another encoding, another shape, with bytes changed."""
    value: Any = _message(dice)
    if dice.random() < 0.1:
        value = [value]
    text = json.dumps(value, ensure_ascii=dice.random() < 0.5, indent=dice.choice([None, None, 1]))
    if dice.random() < 0.1:
        text = text.replace("tools", "\\u0074ools").replace("url", "\\u0075rl")
    data = bytearray(text.encode(dice.choice(_ENCODINGS) if dice.random() < 0.2 else "utf-8"))
    for _ in range(dice.choice([0, 0, 0, 1, 2])):
        at = dice.randrange(len(data))
        data[at : at + dice.randrange(3)] = dice.choice(_SCRAPS)
    return b" " * dice.choice([0, 0, 3]) + bytes(data)


def _body(dice: random.Random, *, is_stream: bool) -> bytes:
    if not is_stream:
        return dice.choice([_text(dice), _text(dice), _text(dice), b"", b"<p>secret"])
    events = []
    for _ in range(dice.randrange(4)):
        end = dice.choice(_LINE_ENDS).encode()
        lines = [b"data: " + line for line in _text(dice).split(b"\n")]
        before = dice.choice([[], [b"event: message"], [b"id: 1"], [b": x"], [b"\xef\xbb\xbf: x"]])
        events.append(end.join([*before, *lines]) + end * 2)
    return b"".join(events) + dice.choice([b"", b": ping\n\n", b"data: " + _text(dice)])


def _answer(dice: random.Random) -> _Answer:
    media = dice.choice(_TYPES)
    body = _body(dice, is_stream=b"event-stream" in media)
    lines = [(b"Content-Type", media)] if media else []
    if dice.random() < 0.1:
        lines.append((b"Content-Type", dice.choice(_TYPES)))
    packers = {
        b"gzip": gzip.compress,
        b"deflate": zlib.compress,
        b"br": bytes,
        b"gzip, gzip": bytes,
    }
    if dice.random() < 0.3:
        coding = dice.choice(list(packers))
        lines.append((b"Content-Encoding", coding))
        body = packers[coding](body)
    if dice.random() < 0.05 and body:
        body = body[: dice.randrange(len(body))]
    lines.append(dice.choice([
        (b"Content-Length", b"%d" % len(body)), (b"Transfer-Encoding", b"chunked"), (b"X", b"\x0b"),
        (b"Set-Cookie", b"secret"), (b"Location", b"https://denied"), (b"Connection", b"content-type"),
    ]))  # fmt: skip
    dice.shuffle(lines)
    cuts = sorted(dice.randrange(len(body) + 1) for _ in range(dice.randrange(4)))
    return _Answer(dice.choice(_STATUSES), tuple(lines), body, tuple(cuts))


def _decompressed(shown: _Shown) -> bytes:
    coding = [value.strip().lower() for name, value in shown.lines if name == b"content-encoding"]
    if coding not in ([b"gzip"], [b"deflate"]):
        return shown.body
    try:
        return zlib.decompressobj(47).decompress(shown.body)
    except zlib.error:
        return shown.body


def _read(data: bytes) -> Iterator[Any]:
    """The values that lenient clients find: by the sniffing of JSON, or in UTF-8 with gaps."""
    for encoding in {json.detect_encoding(data), "utf-8", "utf-8-sig", "utf-16", "utf-32"}:
        try:
            yield json.loads(data.decode(encoding, "replace"), strict=False)
        except (ValueError, RecursionError):
            continue


def _values(data: bytes) -> Iterator[Any]:
    """Of a body, and of the events in it, their lines cut as any reader might."""
    yield from _read(data)
    text = data.decode("utf-8", "replace")
    for lines in (re.split(r"\r\n|\n|\r", text), text.splitlines()):
        event: list[str] = []
        for line in [*lines, ""]:
            name, _, value = line.removeprefix("\ufeff").partition(":")
            if name == "data":
                event.append(value.removeprefix(" "))
                yield from _read(value.encode())
            elif not line and event:
                yield from _read("\n".join(event).encode())
                event = []


def _finds(value: Any) -> bool:
    """Whether a client that matches keys loosely sees the hidden entry, or is asked what is denied."""
    if isinstance(value, list):
        return any(map(_finds, value))
    message = _loose(value)
    is_asked = message.get("method") == "elicitation/create" and "id" in message
    told = message.get("params") if "method" in message else None
    holders = [message.get("result"), told, {"error": message.get("error")}]
    return (is_asked and _is_link(message.get("params"))) or any(map(_holds, holders))


def _holds(value: Any) -> bool:
    """Whether a result, a task or the parameters of a notification hold it."""
    holder = _loose(value)
    entries = [*_items(holder.get("tools")), *_items(holder.get("resources"))]
    if any("secret" in {_loose(entry).get("name"), _loose(entry).get("uri")} for entry in entries):
        return True
    waiting = [_loose(request) for request in _items(holder.get("inputrequests"))]
    links = _items(_loose(_loose(holder.get("error")).get("data")).get("elicitations"))
    asked = [request.get("params") for request in waiting if "method" in request]
    if any(map(_is_link, [*links, *asked])):
        return True
    return any(_holds(holder[member]) for member in ("result", "task") if member in holder)


def _is_link(value: Any) -> bool:
    return _loose(value).get("url") == _DENIED


def _items(value: Any) -> list[Any]:
    """Of a list, or of an object that some take for one."""
    return list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []  # fmt: skip


def _loose(value: Any) -> dict[str, Any]:
    """An object with its keys as a reader takes them who heeds neither case nor kind of letter."""
    return {key.casefold(): member for key, member in value.items()} if isinstance(value, dict) else {}  # fmt: skip


def _filter(request_id: int | None) -> ResponseFilter:
    call = Call(
        request_id="r", server="s", method="tools/list", target="", arguments=b"{}",
        principal=model.Principal("p", "user"), session=model.Session("s", "principal"), client=model.Client(),
        protocol=model.Protocol("legacy", ""), transport="http",
    )  # fmt: skip
    request = None if request_id is None else Request(b"", request_id, "tools/list", {})
    parts = JudgeParts(_Decisions(), TaskBook(), lambda: "r", 1000)
    return ResponseFilter(
        parts, call, request=request, denial="result", answer_server=lambda body: None
    )


async def _tried(dice: random.Random) -> None:
    answer, shown = _answer(dice), _Shown()
    request_id = dice.choice([1, 1, None])
    client = Client(shown.begin, shown.part, shown.last, request_id)
    try:
        await hand_on(answer, _filter(request_id).filter, client, [])
    except (Refusal, LostError):
        assert not shown.is_whole
    told = dict(shown.lines)
    assert not told.keys() & {b"set-cookie", b"transfer-encoding"}
    assert not shown.body or re.fullmatch(_UTF_8, told[b"content-type"].lower()), answer
    assert shown.status in {0, *range(200, 600)}
    for value in _values(_decompressed(shown)):
        assert not _finds(value), (answer, shown.body)
    lengths = [int(value) for name, value in shown.lines if name == b"content-length"]
    assert not shown.is_whole or lengths in ([], [len(shown.body)]), (answer, shown.lines)


async def _honest(dice: random.Random) -> None:
    """An answer that holds nothing to judge arrives as it is."""
    result = {
        "content": [{"type": "text", "text": dice.choice(["é\u2028", "\u00e4\U0001f600", "x"])}]
    }
    message = {"jsonrpc": "2.0", "id": 1, "result": result}
    text = json.dumps(message, ensure_ascii=dice.random() < 0.5).encode()
    end = dice.choice(_LINE_ENDS).encode()
    media, body = dice.choice([
        (b"application/json", text),
        (b"text/event-stream; charset=utf-8", b"event: message%sdata: %s%s" % (end, text, end * 2)),
    ])  # fmt: skip
    shown, cut = _Shown(), dice.randrange(len(body))
    client = Client(shown.begin, shown.part, shown.last, 1)
    answer = _Answer(dice.choice([200, 400]), ((b"Content-Type", media),), body, (cut,))
    await hand_on(answer, _filter(1).filter, client, [])
    assert (shown.status, shown.body, shown.is_whole) == (answer.status, body, True)


_LOOP = asyncio.new_event_loop()


def answer(dice: random.Random) -> None:
    """One answer of a server, honest or not."""
    _LOOP.run_until_complete(_tried(dice))
    _LOOP.run_until_complete(_honest(dice))
