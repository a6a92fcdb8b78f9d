"""One child and the HTTP requests that are held with it: which of its lines is whose.

A line that answers a request is that request's, and so is one that names its progress token or its
subscription. What else it says goes to the call under way, since most servers speak of that, else to
the client's own stream, and waits when there is none.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict, deque
from typing import Any

import msgspec
import structlog
from msgspec import Struct

from pdp.lifelong import heard
from pep import raw
from pep.child import Child
from pep.lines import is_one
from pep.methods import MODERN
from pep.ports import LostError

SUBSCRIPTION_KEY = "io.modelcontextprotocol/subscriptionId"
_MOST_KEPT = 256
_TOKEN = ("params", "_meta", "progressToken")

log = structlog.get_logger("pep.child")


class _Meta(Struct):
    token: Any = msgspec.field(default=None, name="progressToken")
    subscription: Any = msgspec.field(default=None, name=SUBSCRIPTION_KEY)


class _Params(Struct):
    meta: _Meta = msgspec.field(default_factory=_Meta, name="_meta")
    token: Any = msgspec.field(default=None, name="progressToken")


class Said(Struct):
    """As much of a message as tells whose it is."""

    id: Any = None
    method: str = ""
    params: _Params = msgspec.field(default_factory=_Params)


read = msgspec.json.Decoder(Said, strict=False).decode


class Stream:
    """What the child has said for one request, or for nobody in particular; kept to be told again."""

    def __init__(self, number: int, asked: bytes) -> None:
        """`asked` is the request's bytes, empty for the client's own stream."""
        self.number = number
        self.asked = asked
        self.is_subscription = bool(asked) and read(asked).method == "subscriptions/listen"
        self.is_done = False
        self._is_lost = False
        self._messages: deque[bytes] = deque(maxlen=_MOST_KEPT)
        self._count = 0
        self._news = asyncio.Event()

    def put(self, message: bytes) -> None:
        """One message more; of very many, the first are forgotten."""
        self._messages.append(message)
        self._count += 1
        self._news.set()

    def finish(self, *, is_lost: bool = False) -> None:
        """There will be no more."""
        self.is_done, self._is_lost = True, is_lost
        self._news.set()

    async def after(self, seen: int, seconds: float | None) -> tuple[int, bytes] | None:
        """The first message after `seen` of them, and how many it makes; waits so long for it.

        `None` when there is none, which is for good when `is_done`. Raises `LostError`.
        """
        try:
            async with asyncio.timeout(seconds):
                while self._count <= seen and not self.is_done:
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            return None
        if self._count <= seen:
            if self._is_lost:
                raise LostError("the server's process has ended")
            return None
        index = max(0, seen - (self._count - len(self._messages)))
        return self._count - len(self._messages) + index + 1, self._messages[index]


class Conversation:
    """A child in use."""

    def __init__(self, child: Child, era: str, now: float) -> None:
        """`now` is a monotonic clock's seconds."""
        self.child = child
        self.used_at = now
        self._era = era
        self._numbers = 0
        self._telling: set[asyncio.Task[None]] = set()
        self._under_way: OrderedDict[Any, Stream] = OrderedDict()
        self._done: deque[Stream] = deque(maxlen=_MOST_KEPT)
        self.own = Stream(0, b"")
        self.mirrored: dict[str, Any] | None = None

    @property
    def is_idle(self) -> bool:
        """Whether nobody waits for anything."""
        return not self._under_way

    async def hear(self) -> None:
        """Hand out what the child says until it ends; then nobody waits in vain."""
        try:
            async for line in self.child.lines():
                self._sort(line)
        finally:
            for stream in self._under_way.values():
                stream.finish(is_lost=True)
            self.own.finish(is_lost=True)
            self._under_way.clear()

    async def ask(self, message: bytes) -> Stream:
        """Send a request; what comes of it. Raises `LostError`."""
        self._numbers += 1
        stream = Stream(self._numbers, message)
        self._under_way[self._key(message, stream)] = stream
        await self.child.write(self._line(message, stream.number))
        return stream

    async def tell(self, message: bytes) -> None:
        """Send what wants no answer; raises `LostError`."""
        await self.child.write(_on_one_line(message))

    def leave(self, stream: Stream) -> None:
        """The client has gone: in the modern era that cancels its request, in the legacy it does not."""
        if stream.is_done or self._era != MODERN or stream.number == 0:
            return
        stream.finish()
        self._under_way.pop(stream.number, None)
        note = b'{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":%d}}'
        telling = heard("a call cancelled", asyncio.ensure_future(self._told(note % stream.number)))
        self._telling.add(telling)
        telling.add_done_callback(self._telling.discard)

    async def _told(self, message: bytes) -> None:
        with contextlib.suppress(LostError):
            await self.child.write(message)

    def kept(self, number: int) -> Stream | None:
        """The stream of that number, to be told again."""
        if number == 0:
            return self.own
        streams = (*self._under_way.values(), *self._done)
        return next((stream for stream in streams if stream.number == number), None)

    def _key(self, message: bytes, stream: Stream) -> Any:
        if self._era == MODERN:
            return stream.number
        given = read(message).id
        return (type(given), given)

    def _line(self, message: bytes, number: int) -> bytes:
        """Modern clients share a child, and their ids and tokens meet there: each gets its own."""
        if self._era == MODERN:
            own = b"%d" % number
            message = raw.replaced(raw.replaced(message, ("id",), own), _TOKEN, own)
        return _on_one_line(message)

    def _sort(self, line: bytes | None) -> None:
        try:
            if line is None or not is_one(line):
                raise ValueError("too long, or more than one line")
            said = read(line)
        except (ValueError, msgspec.DecodeError) as error:
            log.warning("line of the server dropped", pid=self.child.pid, reason=str(error))
            return
        if said.method or said.id is None:
            self._notice(line, said)
            return
        key = said.id if self._era == MODERN else (type(said.id), said.id)
        stream = self._under_way.pop(key, None)
        if stream is None:
            log.warning("answer to nobody dropped", pid=self.child.pid)
            return
        stream.put(self._returned(line, stream))
        stream.finish()
        self._done.append(stream)

    def _notice(self, line: bytes, said: Said) -> None:
        if said.method == "notifications/tools/list_changed":
            self.mirrored = None
        stream = self._meant(said)
        if stream is None:
            self.own.put(line)
        else:
            stream.put(self._noticed(line, stream))

    def _meant(self, said: Said) -> Stream | None:
        """Whose it is by what it names, else the newest call's."""
        named = (
            said.params.token if said.params.token is not None else said.params.meta.subscription
        )
        if self._era == MODERN and isinstance(named, int) and named in self._under_way:
            return self._under_way[named]
        if named is not None and self._era != MODERN:
            for stream in self._under_way.values():
                if read(stream.asked).params.meta.token == named:
                    return stream
        calls = (one for one in reversed(self._under_way.values()) if not one.is_subscription)
        return next(calls, None)

    def _returned(self, line: bytes, stream: Stream) -> bytes:
        """The answer with the client's own id in it."""
        if self._era != MODERN:
            return line
        own_id = bytes(raw.members(stream.asked)["id"])
        line = raw.replaced(line, ("id",), own_id)
        return raw.replaced(line, ("result", "_meta", SUBSCRIPTION_KEY), own_id)

    def _noticed(self, line: bytes, stream: Stream) -> bytes:
        """The notification with the client's own token or subscription in it."""
        if self._era != MODERN:
            return line
        own_id = bytes(raw.members(stream.asked)["id"])
        line = raw.replaced(line, ("params", "_meta", SUBSCRIPTION_KEY), own_id)
        token = read(stream.asked).params.meta.token
        if token is None:
            return line
        return raw.replaced(line, ("params", "progressToken"), msgspec.json.encode(token))


def _on_one_line(message: bytes) -> bytes:
    """JSON has line ends only between its tokens, where a blank does as well."""
    return message.replace(b"\r", b" ").replace(b"\n", b" ")
