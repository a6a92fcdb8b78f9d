"""A child's messages for one request, until they are read; bounded, and charged to the caller. Pure.

Unread messages of all callers share one storage. When it is full, the caller with the most bytes in it
loses the largest of its streams: a caller that does not read holds up no other, and fills nothing.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable

from pep.mcp.addressing import Addressed
from pep.ports import LostError

_MOST_MESSAGES = 256
# Bytes beside the newest message, which is always kept: it may be the answer.
_MOST_BYTES = 4 * 1024 * 1024
STORAGE_BYTES = 64 * 1024 * 1024


class Storage:
    """The bytes that all streams hold."""

    def __init__(
        self, most: int = STORAGE_BYTES, on_drop: Callable[[str, int], None] | None = None
    ) -> None:
        """Hold at most so many bytes; `on_drop` gets the caller whose stream gave way, and the bytes in it."""
        self._most = most
        self._on_drop = on_drop
        self._streams: set[Stream] = set()
        self._by_caller: Counter[str] = Counter()
        self.size = 0

    def change(self, stream: Stream, size: int) -> None:
        """Add `size`, which may be negative, to the stream's bytes; some stream may have to give way."""
        self.size += size
        self._by_caller[stream.caller] += size
        if stream.size:
            self._streams.add(stream)
        else:
            self._streams.discard(stream)
        if not self._by_caller[stream.caller]:
            del self._by_caller[stream.caller]
        while self.size > self._most:
            ((caller, _),) = self._by_caller.most_common(1)
            streams = (other for other in self._streams if other.caller == caller)
            largest = max(streams, key=lambda other: (not other.readers, other.size))
            if self._on_drop is not None:
                self._on_drop(caller, largest.size)
            largest.cut()


class Stream:
    """The messages for one request, or on the client's own stream."""

    def __init__(
        self, number: int, request: Addressed | None, caller: str, storage: Storage, *, keeps: bool
    ) -> None:
        """`request` is the client's request, `None` for the client's own stream.

        `keeps` keeps messages that have been read, too, for a client that may come back for them. `wakers`
        holds a function for each waiting reader.
        """
        self.number = number
        self.request = request
        self.caller = caller
        self.keeps = keeps
        self.readers = 0
        self.left_at = 0.0
        self.size = 0
        self.told_count = 0
        self.is_done = False
        self._is_lost = False
        self._storage = storage
        self._messages: deque[bytes] = deque()
        self._count = 0
        self.wakers: set[Callable[[], None]] = set()

    @property
    def count(self) -> int:
        """The number of messages so far."""
        return self._count

    def is_abandoned(self, now: float, patience: float) -> bool:
        """Whether the stream has had no reader for `patience` seconds."""
        return not self.readers and now - self.left_at >= patience

    def put(self, message: bytes) -> None:
        """Add a message; of very many, the first are forgotten."""
        if self.is_done:
            return
        self._messages.append(message)
        self._count += 1
        self._grow(len(message))
        while len(self._messages) > _MOST_MESSAGES or self.size - len(message) > _MOST_BYTES:
            self._drop_first()
        self._wake()

    def finish(self, *, is_lost: bool = False) -> None:
        """End the stream: there will be no more messages."""
        self.is_done, self._is_lost = True, self._is_lost or is_lost
        self._wake()

    def release(self) -> None:
        """Forget the messages that no reader waits for, as no client comes back for them."""
        self.keeps = False
        if not self.readers:
            self.cut()

    def cut(self) -> None:
        """Forget all messages; a reader sees that the stream is broken off."""
        self._messages.clear()
        self.finish(is_lost=True)
        self._grow(-self.size)

    def is_whole(self, seen: int) -> bool:
        """Whether no message comes after `seen` messages."""
        return self.is_done and not self._is_lost and self._count <= seen

    def has_news(self, seen: int) -> bool:
        """Whether there is a message after `seen` messages, or never will be."""
        return self._count > seen or self.is_done

    def after(self, seen: int) -> tuple[int, bytes] | None:
        """The count with the first message after `seen`, and that message; `None` when there is none.

        Raises `LostError` when there will be no message because the stream is broken off.
        """
        self._forget(seen)
        first = self._count - len(self._messages)
        if max(seen, first) < self._count:
            index = max(0, seen - first)
            self.told_count = max(self.told_count, first + index + 1)
            return first + index + 1, self._messages[index]
        if self._is_lost:
            raise LostError("the server's process has ended, or its answer was not read")
        return None

    def _wake(self) -> None:
        for waker in tuple(self.wakers):
            waker()

    def _forget(self, seen: int) -> None:
        """Forget messages that have been read, unless the client may come back for them."""
        while not self.keeps and self._messages and self._count - len(self._messages) < seen:
            self._drop_first()

    def _drop_first(self) -> None:
        self._grow(-len(self._messages.popleft()))

    def _grow(self, size: int) -> None:
        self.size += size
        self._storage.change(self, size)
