"""Matches a child's lines to requests, as a machine: lines and events in, actions out. Pure.

A line that answers a request belongs to that request, and so does one that names its progress token or
its subscription. Any other line of the child goes to the newest call that has a reader, which most
servers mean; else to the client's own stream, where it waits for a reader.

In the modern era one child serves all requests of a caller, so each goes to the child under a number of
ours, and its answer comes back under the client's own id (MCP 2026-07-28 has no sessions). In the legacy
era a child serves one session, and ids pass as they are.

A call is *abandoned* when its client has been gone for a minute. A child with no other call is idle.
"""

from __future__ import annotations

from collections import OrderedDict, deque

from msgspec import Struct

from pep.errors import InvalidRequest, MethodNotFound
from pep.mcp import addressing
from pep.mcp.addressing import CANCELLED, PROGRESS, Addressed
from pep.mcp.jsonrpc import Id, render_error
from pep.mcp.methods import MODERN
from pep.ports import BusyError
from pep.upstreams.stream import Storage, Stream

ABANDONED_SECONDS = 60.0
MOST_UNDER_WAY = 256
MOST_DONE = 64
_LIST_CHANGED = "notifications/tools/list_changed"


class WriteAside(Struct, frozen=True):
    """Write a line to the child; nobody waits for the write."""

    line: bytes


class Drop(Struct, frozen=True):
    """Log that a line of the child was dropped, and why; `detail` holds what is known of the line."""

    reason: str
    detail: dict[str, str]


class ForgetTools(Struct, frozen=True):
    """Forget the schemas of the child's tools, which have changed."""


Action = WriteAside | Drop | ForgetTools


class Conversation:
    """The requests to one child, and the stream of messages for each."""

    def __init__(self, era: str, caller: str, storage: Storage) -> None:
        """`storage` holds messages that wait to be read; `own` is the client's own stream."""
        self.own = Stream(0, None, caller, storage, keeps=era != MODERN)
        self._era = era
        self._caller = caller
        self._storage = storage
        self._numbers = 0
        self._under_way: OrderedDict[Id, Stream] = OrderedDict()
        self._done: deque[Stream] = deque()

    def is_idle(self, now: float) -> bool:
        """Whether every request under way is abandoned."""
        return all(
            stream.is_abandoned(now, ABANDONED_SECONDS) for stream in self._under_way.values()
        )

    def request(
        self, message: bytes, addressed: Addressed, *, keeps: bool = False, is_ours: bool = False
    ) -> tuple[Stream, bytes]:
        """Begin a client's request: the stream of its messages, with one reader, and the line to write.

        `keeps` is for a client that may come back. `is_ours` marks the proxy's own request, for which no
        notification is meant. Raises `InvalidRequest` or `BusyError`.
        """
        self._numbers += 1
        number = self._numbers
        request = None if is_ours else addressed
        stream = Stream(number, request, self._caller, self._storage, keeps=keeps)
        key = number if self._era == MODERN or addressed.id is None else addressed.id
        if key in self._under_way:
            raise InvalidRequest("a request with this id is under way in this session")
        self._make_way()
        stream.readers = 1
        self._under_way[key] = stream
        is_numbered = self._era == MODERN
        return stream, addressing.numbered_request(message, number) if is_numbered else message

    def never_sent(self, stream: Stream) -> None:
        """Forget a request whose line was not written: it is not under way."""
        self._remove(stream)

    def notification(
        self, message: bytes, addressed: Addressed
    ) -> tuple[Stream | None, bytes | None]:
        """Take a client's message that wants no answer: the request that it cancels, and the line to write.

        A modern client's cancellation or progress goes on only under the number of one request of its
        caller, else there is no line.
        """
        stream = self._named(addressed)
        line: bytes | None = message
        if self._era == MODERN and addressed.method in {CANCELLED, PROGRESS}:
            number = None if stream is None else stream.number
            line = None if number is None else addressing.numbered_notification(message, number)
        return (stream if addressed.method == CANCELLED else None), line

    def end(self, stream: Stream) -> None:
        """End a request whose answer nobody wants any more."""
        self._remove(stream)
        stream.finish()
        stream.release()

    def leave(self, stream: Stream, now: float) -> list[Action]:
        """Note that a reader has gone, which cancels the request in the modern era, not in the legacy era."""
        stream.readers -= 1
        stream.left_at = now
        if stream.readers:
            return []
        if stream.is_done and not stream.keeps:
            stream.cut()
        elif not stream.is_done and self._era == MODERN:
            self.end(stream)
            return [WriteAside(addressing.cancellation(stream.number))]
        return []

    def kept(self, number: int, seen: int) -> Stream | None:
        """The stream of that number, to be read again from message `seen` on; `None` when it is not kept."""
        streams = (self.own, *self._under_way.values(), *self._done)
        return next(
            (
                stream
                for stream in streams
                if stream.number == number and stream.keeps and seen <= stream.count
            ),
            None,
        )

    def line(self, line: bytes | None) -> list[Action]:
        """Take a line of the child, `None` for one that was too long."""
        try:
            addressed = addressing.read_line(line)
        except ValueError as error:
            return [Drop("no message", {"reason": str(error)[:200]})]
        assert line is not None  # noqa: S101 - it was read
        if addressed.is_answer:
            return self._answer(line, addressed)
        if addressed.is_request and self._era == MODERN:
            # MCP 2026-07-28 has no requests of servers, and its clients could not answer.
            fault = MethodNotFound("A client of this version takes no requests")
            return [
                Drop("a request of the server", {"method": addressed.method[:200]}),
                WriteAside(render_error(addressed.id, fault)),
            ]
        return self._notice(line, addressed)

    def over(self) -> None:
        """End all streams with the child, and forget messages that nobody reads."""
        for stream in (*self._under_way.values(), *self._done, self.own):
            stream.finish(is_lost=not stream.is_done and stream is not self.own)
            stream.release()
        self._under_way.clear()
        self._done.clear()

    def _make_way(self) -> None:
        """Make room for one more request: forget the oldest that has no reader."""
        if len(self._under_way) < MOST_UNDER_WAY:
            return
        unread = next((stream for stream in self._under_way.values() if not stream.readers), None)
        if unread is None:
            raise BusyError(f"{MOST_UNDER_WAY} requests are under way")
        self.end(unread)

    def _remove(self, stream: Stream) -> None:
        for key, other in list(self._under_way.items()):
            if other is stream:
                del self._under_way[key]

    def _named(self, addressed: Addressed) -> Stream | None:
        """The request that a client's notification is about; `None` unless it is exactly one."""
        if self._era != MODERN:
            cancels = addressed.cancels
            return None if cancels is None else self._under_way.get(cancels)
        streams = [stream for stream in self._under_way.values() if _is_about(addressed, stream)]
        return streams[0] if len(streams) == 1 else None

    def _answer(self, line: bytes, addressed: Addressed) -> list[Action]:
        assert addressed.id is not None  # noqa: S101 - an answer has one
        stream = self._under_way.pop(addressed.id, None)
        if stream is None:
            return [Drop("an answer to no request that is under way", {})]
        if self._era == MODERN and stream.request is not None:
            line = addressing.returned_answer(line, stream.request)
        stream.put(line)
        stream.finish()
        if stream.keeps:
            self._done.append(stream)
            while len(self._done) > MOST_DONE:
                self._done.popleft().release()
        else:
            stream.release()
        return []

    def _notice(self, line: bytes, addressed: Addressed) -> list[Action]:
        actions: list[Action] = [ForgetTools()] if addressed.method == _LIST_CHANGED else []
        stream = self._meant(addressed)
        if stream is None:
            actions.append(Drop("a notification for nobody", {"method": addressed.method[:200]}))
            return actions
        if self._era == MODERN and stream.request is not None:
            line = addressing.returned_notification(line, stream.request)
        stream.put(line)
        return actions

    def _meant(self, addressed: Addressed) -> Stream | None:
        """The stream of the request that the child's line names, else of the newest call with a reader."""
        token = addressed.token if addressed.token is not None else addressed.subscription
        if self._era == MODERN and token is not None:
            stream = self._under_way.get(token) if isinstance(token, int) else None
            return None if stream is None or stream.request is None else stream
        calls = [stream for stream in reversed(self._under_way.values()) if _is_call(stream)]
        if token is not None:
            asking = (
                stream
                for stream in calls
                if stream.request and _is_same(stream.request.token, token)
            )
            if (stream := next(asking, None)) is not None:
                return stream
        attended = next((stream for stream in calls if stream.readers), None)
        if attended is not None or self._era == MODERN:
            return attended
        return self.own if self.own.readers or not calls else calls[0]


def _is_about(addressed: Addressed, stream: Stream) -> bool:
    """Whether a modern client's cancellation or progress names this request of its own."""
    request = stream.request
    if request is None:
        return False
    if addressed.method == CANCELLED:
        return addressed.cancels == request.id
    return addressed.token is not None and _is_same(addressed.token, request.token)


def _is_call(stream: Stream) -> bool:
    return stream.request is not None and stream.request.method != "subscriptions/listen"


def _is_same(token: object, other: object) -> bool:
    """Whether two tokens are the same; 1, 1.0 and "1" are three tokens."""
    return type(token) is type(other) and token == other
