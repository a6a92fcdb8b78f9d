"""Three decision services over one Valkey admit exactly what the limits say, whatever dies or hangs.

Every client notes when it asked, when it was answered and what; what the clients saw, what the
services recorded and what the store holds at the end must tell one story.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from msgspec import Struct

from pdp.api.v1 import decision_pb2, decision_pb2_grpc, types_pb2
from pdp.limits.counters import read
from pdp.limits.redis import RedisStore
from tests import redis_server
from tests.gateway import Gateway, eventually
from tipstaff.common.die_with_parent import bound_to_this_process

PER_SESSION, PER_PRINCIPAL, IN_ALL = 20, 50, 100
CLIENTS, PRINCIPALS, SESSIONS = 32, 3, 4
WINDOW = 3600
RULES = {
    "tools": {
        "spend": {
            "rate_limit": [
                {"max": PER_SESSION, "window": WINDOW},
                {"max": PER_PRINCIPAL, "window": WINDOW, "scope": "principal"},
                {"max": IN_ALL, "window": WINDOW, "scope": "global"},
            ]
        }
    }
}


class Seen(Struct):
    """What one client saw of one attempt."""

    began: float
    ended: float
    principal: str
    session: str
    code: str


class Service(Gateway):
    """One decision service alone, that can be killed and started again."""

    def __init__(self, folder: Path, store: str) -> None:
        folder.mkdir()
        super().__init__(folder, {}, f'[limits]\nstore = "redis"\nurl = "{store}"')
        self.rules("bank", RULES)

    async def start(self) -> None:
        log = (self.folder / "log").open("ab")
        self.process = await asyncio.create_subprocess_exec(
            *bound_to_this_process(
                [sys.executable, "-m", "tipstaff", "pdp", "--config", str(self.config)]
            ),
            stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
        log.close()
        await eventually(self._serves, 60)

    async def stop(self) -> int:
        assert self.process is not None
        with contextlib.suppress(ProcessLookupError):
            self.process.terminate()
        return await self.process.wait()

    def end_at_once(self) -> None:
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGKILL)

    async def _serves(self) -> bool:
        return bool(await self.revision())


class Crowd:
    """The clients: each asks one service after another, and asks again what was not answered."""

    def __init__(self, services: list[Service]) -> None:
        self.seen: list[Seen] = []
        self._channels = [grpc.aio.insecure_channel(one.address) for one in services]
        self._numbers = itertools.count()

    async def attempt(self, client: int) -> str:
        """One call until it has an answer; the answer's code."""
        number = next(self._numbers)
        principal = f"p{client % PRINCIPALS}"
        session = f"s{(client // PRINCIPALS) % SESSIONS}"
        request = decision_pb2.DecideRequest(
            request_id=f"call-{number}", server="bank", method="tools/call", target="spend",
            principal=types_pb2.Principal(id=principal, kind="token"),
            session=types_pb2.Session(id=session, kind="cooperative"),
        )  # fmt: skip
        clock = asyncio.get_running_loop().time
        began = clock()
        for channel in itertools.islice(itertools.cycle(self._channels), client, client + 600):
            stub = decision_pb2_grpc.DecisionServiceStub(channel)
            try:
                reply = await stub.Decide(request, timeout=3)
            except grpc.aio.AioRpcError:
                await asyncio.sleep(0.02)
                continue
            code = str(reply.decision.reason.code)
            self.seen.append(Seen(began, clock(), principal, session, code))
            return code
        raise AssertionError("never answered")

    async def rush(self, times: int) -> None:
        """Every client, so many calls each, all at once."""

        async def one(client: int) -> None:
            for _ in range(times):
                await self.attempt(client)

        await asyncio.gather(*map(one, range(CLIENTS)))

    def admitted(self, *fields: str) -> Counter[Any]:
        return Counter(
            tuple(getattr(one, field) for field in fields)
            for one in self.seen
            if one.code == "allowed"
        )

    async def close(self) -> None:
        for channel in self._channels:
            await channel.close()


@pytest.fixture
async def valkey(tmp_path: Path) -> AsyncIterator[redis_server.Server]:
    with redis_server.running("valkey", tmp_path) as server:
        yield server


@pytest.fixture
async def services(tmp_path: Path, valkey: redis_server.Server) -> AsyncIterator[list[Service]]:
    found = [Service(tmp_path / str(number), valkey.url) for number in range(3)]
    try:
        for one in found:
            await one.start()
        yield found
    finally:
        for one in found:
            if one.process is not None:
                await one.stop()


@pytest.mark.timeout(240)
async def test_exactly_the_allowed_number_is_admitted_though_one_is_killed_and_the_store_hangs(
    services: list[Service], valkey: redis_server.Server
) -> None:
    """Twenty per session, fifty per principal, a hundred in all; three times as many want to."""
    crowd = Crowd(services)
    storm = asyncio.gather(crowd.rush(1))
    await asyncio.sleep(0.02)
    services[1].end_at_once()
    await storm
    assert 0 < sum(crowd.admitted().values()) <= CLIENTS
    storm = asyncio.gather(crowd.rush(4))
    await asyncio.sleep(0.03)
    valkey.process.send_signal(signal.SIGSTOP)
    await asyncio.sleep(0.5)
    valkey.process.send_signal(signal.SIGCONT)
    await storm
    assert services[1].process is not None
    await services[1].process.wait()
    await services[1].start()
    await asyncio.sleep(2.5)  # what was taken for nobody has been given back by now
    await crowd.rush(8)
    await crowd.close()

    assert sum(crowd.admitted().values()) == IN_ALL
    assert max(crowd.admitted("principal").values()) <= PER_PRINCIPAL
    assert max(crowd.admitted("principal", "session").values()) <= PER_SESSION
    assert {one.code for one in crowd.seen} <= {"allowed", "rate_limited", "rate_limit_unavailable"}
    assert any(one.code == "rate_limit_unavailable" for one in crowd.seen)
    recorded = [record for one in services for record in one.judged()]
    allowed = {one["request_id"] for one in recorded if one["effect"] == "allow"}
    assert len(allowed) == IN_ALL
    assert no_denial_was_early(crowd.seen)
    assert await held(valkey) == expected(crowd)


async def held(server: redis_server.Server) -> Counter[Any]:
    """What the store counts at the end, by whose it is."""
    store = RedisStore(server.url, 1000)
    now = time.time_ns() // 1000
    counters = [read(key, units, now) for key, units in (await store.state()).items()]
    await store.close()
    return Counter(
        {(one.name, one.scope, one.subject): one.used for one in counters if one is not None}
    )


def expected(crowd: Crowd) -> Counter[Any]:
    """What the clients say it must count."""
    found: Counter[Any] = Counter({("bank/spend#2", "global", ()): IN_ALL})
    for (principal,), count in crowd.admitted("principal").items():
        found["bank/spend#1", "principal", (principal,)] = count
        found["bank/spend (caller total)", "principal", (principal,)] = count
    for (principal, session), count in crowd.admitted("principal", "session").items():
        found["bank/spend", "session", (principal, "cooperative", session)] = count
    return found


def no_denial_was_early(seen: list[Seen]) -> bool:
    """Whoever was refused for a limit had a limit that others could have used up by then."""
    for one in seen:
        if one.code != "rate_limited":
            continue
        asked = [other for other in seen if other.code != "rate_limited"]
        before = [other for other in asked if other.began <= one.ended]
        mine = [other for other in before if other.principal == one.principal]
        ours = [other for other in mine if other.session == one.session]
        full = len(before) >= IN_ALL, len(mine) >= PER_PRINCIPAL, len(ours) >= PER_SESSION
        if not any(full):
            return False
    return True
