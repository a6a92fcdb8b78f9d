"""Approvals in Redis or Valkey, for several decision services over one store.

A change reads, works out the next state in this process, and writes only if nobody has written meanwhile
(WATCH, MULTI, EXEC); the loser looks again. People answer seldom, so hardly anybody loses; calls that are
begun all watch the count of the pending ones, so those of one service take turns. Time is the server's. A transaction whose answer was lost may have been carried out: a use of a grant then counts as
used, though nobody was let in, which is the safe side.

Keys, after the prefix: `a:ID` the approval; `k:KEY` and `s:STANDING_KEY` the newest identifier of each;
`p:PRINCIPAL` and `pending` the pending ones; `ends`, `created` and `changed` identifiers by time.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Sequence
from typing import Any, TypeVar

import msgspec
import redis.asyncio
import redis.exceptions
from redis.asyncio.client import Pipeline
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from pdp.api.model import ApprovalState as State
from pdp.approvals import life
from pdp.approvals.life import HeldCall
from pdp.approvals.port import MAX_KEPT, Begun, Filter, Step, begun
from pdp.errors import ConfigError, StoreError

_CONNECTIONS = 16
_TRIES = 50
_PAUSE = 0.001  # seconds, at most, after the first loss
_PAGE = 200
_MILLISECOND = 1000
T = TypeVar("T")
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(HeldCall).decode


class RedisApprovals:
    """Keeps approvals on a server that several decision services share."""

    def __init__(
        self,
        url: str,
        timeout_ms: int,
        prefix: str = "tipstaff:approval:",
        clock: Callable[[], int] | None = None,
    ) -> None:
        """Connect on first use. `url` is `redis://`, `rediss://` or `unix://`; raises `ConfigError`.

        `clock` gives microseconds; without one the server's is read.
        """
        seconds = timeout_ms / 1000
        try:
            pool = redis.asyncio.BlockingConnectionPool.from_url(
                url,
                max_connections=_CONNECTIONS,
                timeout=seconds,
                socket_timeout=seconds,
                socket_connect_timeout=seconds,
                retry=Retry(NoBackoff(), 0),
            )
        except (ValueError, TypeError) as error:
            # The error's text may hold a piece of the password.
            raise ConfigError("limits.url is not the URL of a Redis") from error
        self._client = redis.asyncio.Redis(connection_pool=pool)
        self._prefix = prefix
        self._seconds = seconds
        self._turn = asyncio.Lock()
        self._clock = clock

    async def now(self) -> int:
        """See `ApprovalStore.now`."""
        return await _answered(self._now)

    async def begin(self, new: HeldCall) -> Begun:
        """See `ApprovalStore.begin`."""
        watched = [
            self._name("k", new.key),
            self._of_caller(new),
            self._name("pending"),
            *([self._name("s", new.standing_key)] if new.standing_key else []),
        ]

        async def attempt(pipe: Pipeline) -> Begun:
            now = await self._now(pipe)
            equal = await self._read_by(pipe, self._name("k", new.key))
            standing = None
            if new.standing_key:
                standing = await self._read_by(pipe, self._name("s", new.standing_key))
            of_caller: int = await pipe.scard(self._of_caller(new))
            pending: int = await pipe.scard(self._name("pending"))
            result = begun(new, equal, standing, lambda: of_caller, lambda: pending, now)
            pipe.multi()  # type: ignore[no-untyped-call]
            if result.is_changed:
                self._write(pipe, result.held, now)
            return result

        async def in_turn() -> Begun:
            async with asyncio.timeout(self._seconds):
                await self._turn.acquire()
            try:
                return await self._transaction(watched, attempt)
            finally:
                self._turn.release()

        result = await _answered(in_turn)
        if result.is_new:
            await _answered(self._forget)
        return result

    async def change(self, approval_id: str, step: Step) -> tuple[HeldCall, HeldCall] | None:
        """See `ApprovalStore.change`."""

        async def attempt(pipe: Pipeline) -> tuple[HeldCall, HeldCall] | None:
            now = await self._now(pipe)
            before = await self._read(pipe, approval_id)
            after = step(before, now) if before is not None else None
            pipe.multi()  # type: ignore[no-untyped-call]
            if before is None or after is None:
                return None
            if after is not before:
                self._write(pipe, after, now)
            return before, after

        return await self._transaction([self._name("a", approval_id)], attempt)

    async def get(self, ids: Sequence[str]) -> dict[str, HeldCall]:
        """See `ApprovalStore.get`."""
        return {held.id: held for held in await _answered(lambda: self._load(ids))}

    async def find(self, selected: Filter, most: int) -> Sequence[HeldCall]:
        """See `ApprovalStore.find`."""

        async def look() -> list[HeldCall]:
            names = await self._pending_by_age()
            sources = [self._pages(names)] if selected.state in {"", State.PENDING} else []
            sources += [] if selected.state == State.PENDING else [self._newest(set(names))]
            fitting: list[HeldCall] = []
            for source in sources:
                async for page in source:
                    fitting += [held for held in page if selected.fits(held)]
                    if len(fitting) >= most:
                        break
            return sorted(fitting, key=lambda held: held.state is not State.PENDING)[:most]

        return await _answered(look)

    async def pending(self) -> int:
        """See `ApprovalStore.pending`."""
        count: int = await _answered(lambda: self._client.scard(self._name("pending")))
        return count

    async def due(self, most: int) -> Sequence[str]:
        """See `ApprovalStore.due`."""

        async def look() -> list[str]:
            now = await self._now()
            return _texts(
                await self._client.zrangebyscore(self._name("ends"), 0, now, start=0, num=most)
            )

        return await _answered(look)

    async def changed_since(self, since: int) -> Sequence[HeldCall]:
        """See `ApprovalStore.changed_since`."""

        async def look() -> list[HeldCall]:
            names = await self._client.zrangebyscore(self._name("changed"), f"({since}", "+inf")
            return [held async for page in self._pages(_texts(names)) for held in page]

        return await _answered(look)

    async def close(self) -> None:
        """See `ApprovalStore.close`."""
        await self._client.aclose(close_connection_pool=True)

    def _name(self, *parts: str) -> str:
        return self._prefix + ":".join(parts)

    def _of_caller(self, held: HeldCall) -> str:
        """The key of the caller's pending approvals; a digest, since a name may be of any length."""
        name = f"{held.caller.kind}:{held.caller.id}".encode()
        return self._name("p", hashlib.sha256(name).hexdigest())

    async def _now(self, pipe: Pipeline | None = None) -> int:
        """The time; a transaction asks on its own connection, `pipe`.

        When as many transactions as there are connections each wait for another one, none goes on.
        """
        if self._clock is not None:
            return self._clock()
        seconds, microseconds = await (self._client if pipe is None else pipe).time()
        return int(seconds) * life.SECOND + int(microseconds)

    async def _transaction(
        self, watched: Sequence[str], attempt: Callable[[Pipeline], Awaitable[T]]
    ) -> T:
        async def tries() -> T:
            for lost in range(_TRIES):
                if lost:
                    # Services that look again in step would lose to each other for ever.
                    await asyncio.sleep(random.uniform(0, min(lost, 10) * _PAUSE))  # noqa: S311
                async with self._client.pipeline(transaction=True) as pipe:
                    await pipe.watch(*watched)
                    result = await attempt(pipe)
                    try:
                        await pipe.execute()
                    except redis.exceptions.WatchError:
                        continue
                    return result
            raise StoreError("others change the same approval all the time")

        return await _answered(tries)

    async def _read_by(self, pipe: Pipeline, name: str) -> HeldCall | None:
        """The approval whose identifier is under `name`, watched from here on."""
        approval_id: bytes | None = await pipe.get(name)  # type: ignore[assignment]
        if approval_id is None:
            return None
        await pipe.watch(self._name("a", approval_id.decode()))
        return await self._read(pipe, approval_id.decode())

    async def _read(self, pipe: Pipeline, approval_id: str) -> HeldCall | None:
        data = await pipe.get(self._name("a", approval_id))
        return None if data is None else _decode(data)

    async def _load(self, ids: Sequence[str]) -> list[HeldCall]:
        if not ids:
            return []
        rows = await self._client.mget([self._name("a", each) for each in ids])
        return [_decode(row) for row in rows if row is not None]

    async def _pending_by_age(self) -> list[str]:
        """The identifiers of what is pending, the newest first."""
        names = _texts(await self._client.smembers(self._name("pending")))
        if not names:
            return []
        created = await self._client.zmscore(self._name("created"), names)
        by_name = {name: score or 0.0 for name, score in zip(names, created, strict=True)}
        return sorted(names, key=lambda name: (by_name[name], name), reverse=True)

    async def _pages(self, names: Sequence[str]) -> AsyncIterator[list[HeldCall]]:
        """The approvals of these names, a page at a time."""
        for first in range(0, len(names), _PAGE):
            yield await self._load(names[first : first + _PAGE])

    async def _newest(self, without: Collection[str]) -> AsyncIterator[list[HeldCall]]:
        """All approvals but these, a page at a time, the newest first."""
        for first in range(0, MAX_KEPT + 1, _PAGE):
            name, last = self._name("created"), first + _PAGE - 1
            names = _texts(await self._client.zrevrange(name, first, last))
            yield await self._load([each for each in names if each not in without])
            if len(names) < _PAGE:
                return

    def _write(self, pipe: Pipeline, held: HeldCall, now: int) -> None:
        kept = life.KEPT // _MILLISECOND if held.state not in life.OPEN else 0
        pipe.set(self._name("a", held.id), _encode(held), px=kept or None)
        pipe.zadd(self._name("created"), {held.id: held.created})
        pipe.zadd(self._name("changed"), {held.id: now})
        if held.state in life.OPEN or held.state is State.REFUSED:
            pipe.set(self._name("k", held.key), held.id, px=life.KEPT // _MILLISECOND)
        if held.is_standing and held.state is State.GRANTED:
            lasts = max((held.ends - now) // _MILLISECOND, 1)
            pipe.set(self._name("s", held.standing_key), held.id, px=lasts)
        mark = pipe.sadd if held.state is State.PENDING else pipe.srem
        mark(self._of_caller(held), held.id)
        mark(self._name("pending"), held.id)
        if held.state in life.OPEN:
            pipe.zadd(self._name("ends"), {held.id: held.ends})
        else:
            pipe.zrem(self._name("ends"), held.id)

    async def _forget(self) -> None:
        """Drop identifiers of approvals that are not kept any more."""
        now = await self._now()
        pipe = self._client.pipeline(transaction=False)
        for name in ("created", "changed"):
            pipe.zremrangebyscore(self._name(name), 0, now - 2 * life.KEPT)
            pipe.zremrangebyrank(self._name(name), 0, -MAX_KEPT - 1)
        await pipe.execute()


def _texts(names: Iterable[Any]) -> list[str]:
    return [name.decode() for name in names]


async def _answered(question: Callable[[], Awaitable[T]]) -> T:
    """The answer to `question`; every error of the server or the way to it is a `StoreError`."""
    try:
        return await question()
    except (redis.exceptions.RedisError, OSError, TimeoutError, msgspec.DecodeError) as error:
        raise StoreError(
            f"the store of approvals did not answer: {type(error).__name__}"
        ) from error
