"""The answer to a client whose call is held: an event stream that begins before the answer is known. Edge: ASGI.

Once the stream has begun, nothing can be a status any more. A JSON body becomes one event; the events of
the server go on as they are; a refusal, or a failure without a body, becomes an event with a JSON-RPC
error. Until the call is held, everything goes to the client as it comes.
"""

from __future__ import annotations

from pep.errors import AnswerUnreadable
from pep.front.client_answer import ClientAnswer
from pep.mcp.headers import HeaderLines
from pep.mcp.jsonrpc import NO_REPLY, Id, ReplyTo, render_error

_LINES: HeaderLines = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-cache, no-transform"),
    # nginx keeps back what it has not gathered a buffer of.
    (b"x-accel-buffering", b"no"),
]
_EVENTS = b"text/event-stream"


class HeldAnswer:
    """A `ClientAnswer` that can begin with waiting."""

    def __init__(self, client: ClientAnswer) -> None:
        """Nothing has been sent yet."""
        self._client = client
        self._is_stream = False
        self._is_event_open = False
        self._are_events = False
        self._status = 0
        self.reply_to: ReplyTo = None
        self.has_begun = False

    @property
    def caller(self) -> str:
        """Who must read the answer."""
        return self._client.caller

    @caller.setter
    def caller(self, caller: str) -> None:
        self._client.caller = caller

    @property
    def is_stream(self) -> bool:
        """Whether the event stream has begun."""
        return self._is_stream

    @property
    def request_id(self) -> Id | None:
        """The id of the client's request, `None` when it waits for no message."""
        return None if self.reply_to is NO_REPLY else self.reply_to

    async def comment(self, text: str) -> None:
        """Send a comment, which begins the stream."""
        if not self._is_stream:
            self._is_stream = True
            await self._client.begin(200, _LINES)
        await self._client.part(b": " + text.encode() + b"\n\n")

    async def notify(self, message: bytes) -> None:
        """Send a message as an event, if the stream has begun."""
        if self._is_stream:
            await self._client.part(b"event: message\ndata: " + message + b"\n\n")

    async def begin(self, status: int, lines: HeaderLines) -> None:
        """Begin the answer, in the stream or by itself."""
        if not self._is_stream:
            self.has_begun = True
            await self._client.begin(status, lines)
            return
        values = dict(lines)
        if values.get(b"content-encoding", b"identity") not in {b"", b"identity"}:
            raise AnswerUnreadable("the server's answer is in a coding that was not asked for")
        self.has_begun = True
        self._status = status
        self._are_events = values.get(b"content-type", b"").lower().startswith(_EVENTS)

    async def part(self, data: bytes) -> None:
        """Send more of the body."""
        await self._client.part(self._shown(data))

    async def last(self, data: bytes) -> None:
        """Send the rest of the body, and end the stream."""
        if not self._is_stream or self._are_events:
            await self._client.last(data)
            return
        shown = self._shown(data)
        if not self._is_event_open:
            failure = AnswerUnreadable(f"the server answers with the status {self._status}")
            shown = self._shown(render_error(self.reply_to, failure))
        await self._client.last(shown + b"\n\n")

    def _shown(self, data: bytes) -> bytes:
        """The data as part of an event, which is one line: line ends stand between tokens only."""
        if not self._is_stream or self._are_events or not data:
            return data
        line = data.replace(b"\n", b" ").replace(b"\r", b" ")
        if self._is_event_open:
            return line
        self._is_event_open = True
        return b"event: message\ndata: " + line
