"""The limits in Redis or Valkey, for several decision services over one store.

One script takes a whole batch, by the server's clock: two services never see half of a step, and
their own clocks do not matter. Answers come within a deadline or not at all; nothing is retried,
because the next call would pay for it. After several failures in a row the store is left alone for a
moment, so that not every call waits for the deadline.

A script that was sent and not answered may still run, when a server that hung goes on. Its calls have
been refused by then, so what it takes is given back as soon as the server answers again.

One primary, with replicas if wanted, not a cluster: the keys of a claim would lie on several shards.
Replication is asynchronous, so a failover may forget the newest grants.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import redis.asyncio
import redis.exceptions
import structlog
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from pdp.errors import ConfigError, StoreError
from pdp.limits.algorithms import Units, burst, emission
from pdp.limits.breaker import PAUSE_SECONDS, Breaker
from pdp.limits.budgets import (
    Budget,
    Claim,
    Grant,
    Spent,
    Taken,
    fingerprint,
    limit_result,
    spending,
)
from pdp.limits.counters import algorithm_of
from tipstaff.common.lifelong import heard

_CONNECTIONS = 16
_GRANT_LIFE_MS = 60_000
# The prefix of a request's key. A counter's key begins with a length, so that the two never collide.
_REQUEST = "request:"
_MAX_DOUBTFUL = 10_000
# The errors of a server that can serve no request now; other errors concern one request.
_OF_THE_SERVER = (
    redis.exceptions.OutOfMemoryError,
    redis.exceptions.ReadOnlyError,
    redis.exceptions.NoPermissionError,
)
_WORDS_OF_THE_SERVER = ("BUSY", "MISCONF", "MASTERDOWN", "NOREPLICAS", "CLUSTERDOWN")
_STEP = Path(__file__).with_name("step.lua").read_text(encoding="utf-8")
_REFUND = Path(__file__).with_name("refund.lua").read_text(encoding="utf-8")

log = structlog.get_logger("pdp.redis_store")


class RedisStore:
    """Keeps the state on a server that several decision services share."""

    def __init__(self, url: str, timeout_ms: int, prefix: str = "tipstaff:") -> None:
        """Connect on first use. `url` is `redis://`, `rediss://` or `unix://`; raises `ConfigError`."""
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
            raise ConfigError(
                "limits.url is not the URL of a Redis: redis://HOST:PORT/DB, rediss://… or unix:///PATH"
            ) from error
        self._client = redis.asyncio.Redis(connection_pool=pool)
        self._step = self._client.register_script(_STEP)
        self._refund = self._client.register_script(_REFUND)
        self._prefix = prefix
        self._breaker = Breaker(time.monotonic)
        self._doubtful: OrderedDict[str, Claim] = OrderedDict()
        self._settling: asyncio.Task[None] | None = None

    async def take(self, claims: Sequence[Claim], now: int) -> list[Taken | None]:
        """See `StateStore.take`; `now` is not used, the server's clock is."""
        del now
        return await self.take_at(claims, 0)

    async def take_at(self, claims: Sequence[Claim], now: int) -> list[Taken | None]:
        """Take at `now` in microseconds; 0 means the store's own clock.

        A script may fail at one claim, for example at a key that another program has written. Then each
        claim is taken alone; those that the script has already granted are not taken twice.
        """
        try:
            return await self._take(claims, now)
        except _RefusedError:
            if len(claims) == 1:
                self._doubt(claims)
                raise
        return [await self._take_alone(claim, now) for claim in claims]

    async def _take(self, claims: Sequence[Claim], now: int) -> list[Taken | None]:
        keys, arguments = self._question(claims, now)
        try:
            _, *answers = await self._ask(self._step, keys, arguments)
            return [_taken(claim, answer) for claim, answer in zip(claims, answers, strict=True)]
        except _UnansweredError:
            self._doubt(claims)
            raise
        except (ValueError, TypeError) as error:
            self._doubt(claims)
            raise StoreError(f"the store's answer is none: {error!r}") from error

    async def _take_alone(self, claim: Claim, now: int) -> Taken | None:
        try:
            (taken,) = await self.take_at([claim], now)
        except StoreError as error:
            log.error("limits cannot be asked", request_id=claim.request_id, error=str(error))
            return None
        return taken

    async def give_back(self, grants: Sequence[Grant]) -> None:
        """See `StateStore.give_back`."""
        for grant in grants:
            await self._return("refund", grant.request_id, grant.spent, grant.at)

    async def release(self, grants: Sequence[Grant]) -> None:
        """See `StateStore.release`."""
        for grant in grants:
            await self._return("release", grant.request_id, grant.spent, grant.at)

    async def state(self, keys: Sequence[str] | None = None) -> Mapping[str, Units]:
        """See `StateStore.state`. Walks over all keys, without holding the server up."""
        with _unanswered():
            if keys is None:
                names = self._client.scan_iter(f"{self._prefix}*", count=1000)
                everything = [name.decode().removeprefix(self._prefix) async for name in names]
                keys = [key for key in everything if not key.startswith(_REQUEST)]
            return {key: await self._units(key) for key in keys}

    async def forget(self, keys: Sequence[str]) -> None:
        """See `StateStore.forget`."""
        with _unanswered():
            for key in keys:
                await self._client.delete(self._prefix + key)

    async def _units(self, key: str) -> Units:
        if algorithm_of(key) == "gcra":
            arrival = await self._client.get(self._prefix + key)
            return () if arrival is None else (int(arrival),)
        members: Any = await self._client.zrange(self._prefix + key, 0, -1, withscores=True)
        return tuple(int(at) for _, at in members)

    async def reach(self) -> bool:
        """Whether the store answers."""
        try:
            await self._client.ping()
        except (redis.exceptions.RedisError, OSError) as error:
            log.warning("the store of the limits does not answer", error=str(error))
            return False
        return True

    async def close(self) -> None:
        """Close the connections."""
        if self._settling is not None:
            self._settling.cancel()
            await asyncio.gather(self._settling, return_exceptions=True)
        await self._client.aclose(close_connection_pool=True)

    async def _ask(self, script: Any, keys: Sequence[str], arguments: Sequence[Any]) -> Any:
        if self._breaker.is_open():
            raise StoreError("the store has failed repeatedly and is left alone for a moment")
        try:
            with _unanswered():
                answer = await script(keys=keys, args=arguments)
        except _RefusedError:
            raise
        except _UnansweredError:
            self._breaker.failed()
            raise
        self._breaker.worked()
        return answer

    def _doubt(self, claims: Sequence[Claim]) -> None:
        """Remember claims that may have been taken without an answer, up to a bound; beyond it they stay taken."""
        for claim in claims:
            self._doubtful[claim.request_id] = claim
        while len(self._doubtful) > _MAX_DOUBTFUL:
            self._doubtful.popitem(last=False)
        if self._settling is None or self._settling.done():
            self._settling = heard("budgets given back", asyncio.ensure_future(self._settle()))

    async def _settle(self) -> None:
        while self._doubtful:
            await asyncio.sleep(PAUSE_SECONDS)
            for request_id, claim in list(self._doubtful.items()):
                try:
                    await self._return("void", request_id, map(spending, claim.budgets))
                except _RefusedError as error:
                    log.error("budgets stay taken", request_id=request_id, error=str(error))
                except StoreError:
                    break
                self._doubtful.pop(request_id, None)

    async def _return(
        self, script_name: str, request_id: str, spendings: Iterable[Spent], at: int = 0
    ) -> None:
        keys = [self._request_key(request_id)]
        arguments: list[str | int] = [script_name, _GRANT_LIFE_MS, at]
        for spent in spendings:
            keys.append(self._prefix + spent.key)
            arguments += [spent.cost, spent.emission]
        await self._ask(self._refund, keys, arguments)

    def _question(self, claims: Sequence[Claim], now: int) -> tuple[list[str], list[str | int]]:
        """Keys and arguments of the script, as its head describes them."""
        places: dict[str, int] = {}

        def place(key: str) -> int:
            return places.setdefault(key, len(places) + 1)

        arguments: list[str | int] = [now, _GRANT_LIFE_MS, len(claims)]
        for claim in claims:
            arguments += [
                place(self._request_key(claim.request_id)),
                fingerprint(claim),
                len(claim.budgets),
            ]
            for budget in claim.budgets:
                arguments += [place(self._prefix + budget.key), *_described(budget)]
        return list(places), arguments

    def _request_key(self, request_id: str) -> str:
        return f"{self._prefix}{_REQUEST}{request_id}"


class _UnansweredError(StoreError):
    """The store did not answer; whether the script ran is not known."""


class _RefusedError(StoreError):
    """The store answered with an error that concerns this request only."""


@contextlib.contextmanager
def _unanswered() -> Iterator[None]:
    """Turn errors of the client library into `_UnansweredError` or `_RefusedError`."""
    try:
        yield
    except redis.exceptions.ResponseError as error:
        if isinstance(error, _OF_THE_SERVER) or str(error).startswith(_WORDS_OF_THE_SERVER):
            raise _UnansweredError(f"the store did not answer: {error!r}") from error
        raise _RefusedError(f"the store refused: {error}") from error
    except (redis.exceptions.RedisError, OSError, TimeoutError) as error:
        raise _UnansweredError(f"the store did not answer: {error!r}") from error


def _described(budget: Budget) -> tuple[str | int, ...]:
    limit = budget.limit
    numbers = (limit.window * 1_000_000, limit.max, limit.cost, emission(limit), burst(limit))
    return (limit.algorithm, *numbers, int(limit.shadow))


def _taken(claim: Claim, answer: Any) -> Taken | None:
    at, judged = answer
    results, spent = [], []
    pairs = list(zip(claim.budgets, judged, strict=True))
    for budget, (passed, remaining, retry_after_ms) in pairs:
        results.append(limit_result(budget.limit, bool(passed), remaining, retry_after_ms))
        if passed:
            spent.append(spending(budget))
    if not at:
        refused = any(not passed and not budget.limit.shadow for budget, (passed, *_) in pairs)
        return Taken(tuple(results), None) if refused else None  # voided: no grant
    return Taken(tuple(results), Grant(claim.request_id, at, fingerprint(claim), tuple(spent)))
