"""The decision service as the proxy sees it, over real gRPC: what it says, and every way of saying nothing."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from msgspec import structs

from pdp.api.list_codec import ListEntry
from pdp.api.model import Call, Decision, Effect, LimitResult, Phase, Reason
from pep.judge import decision_client, service_calls
from pep.judge.decision_client import DecisionClient
from tests.calls import call
from tests.proxy_rig import ScriptedService, allow, deny, grpc_service

LIMIT = LimitResult(name="l", scope="session", max=5, window=60, cost=1, remaining=4, passed=True)
LISTED = structs.replace(call("r", target=""), phase=Phase.LIST)
HELD = structs.replace(LIMIT, algorithm="concurrency")


class Site:
    """A client, and the service that it asks."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.service = ScriptedService()
        self.client: DecisionClient

    async def decide(self, request_id: str = "r", **more: object) -> tuple[Effect, str]:
        decision = await self.client.decide(structs.replace(call(request_id), **more))
        return decision.effect, decision.reason.code


@contextlib.asynccontextmanager
async def client(folder: Path, timeout_ms: int = 2000, **more: str) -> AsyncIterator[Site]:
    """A client that is connected when its service is there."""
    site = Site(f"unix:{folder / 'pdp.sock'}")
    site.client = DecisionClient(site.address, timeout_ms, **more)  # type: ignore[arg-type]
    running = asyncio.ensure_future(site.client.run())
    try:
        yield site
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await site.client.close()


@contextlib.asynccontextmanager
async def connected(folder: Path, timeout_ms: int = 2000) -> AsyncIterator[Site]:
    async with client(folder, timeout_ms) as site, grpc_service(site.service, site.address):
        assert await site.client.wait_connected(5)
        yield site


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.005)


AWAY = (Effect.DENY, "pdp_unavailable")


async def test_a_decision_is_what_the_service_says_of_this_very_call(tmp_path: Path) -> None:
    """However many are asked at once."""
    async with connected(tmp_path) as site:
        site.service.script = lambda one: (
            allow(one.request_id) if one.target.endswith("even") else deny(one.request_id)
        )
        targets = [f"{number}-{'even' if number % 2 == 0 else 'odd'}" for number in range(300)]
        answers = await asyncio.gather(*(site.decide(name, target=name) for name in targets))
        assert [effect is Effect.ALLOW for effect, _ in answers] == [
            number % 2 == 0 for number in range(300)
        ]
        assert [one.target for one in site.service.calls] == targets
        assert max(site.service.batches) <= 128 < sum(site.service.batches)


@pytest.mark.parametrize(("waiting", "messages"), [(decision_client._MANY, 1), (1, 2)])
async def test_while_many_wait_the_calls_of_the_next_turns_go_along(
    tmp_path: Path, waiting: int, messages: int
) -> None:
    """While few wait, each goes at once."""
    async with connected(tmp_path) as site:
        site.service.script = lambda one: None
        asking = [asyncio.ensure_future(site.decide(f"{number}")) for number in range(waiting)]
        await until(lambda: len(site.service.calls) == waiting)
        sent = len(site.service.batches)
        for _ in range(2):
            asking.append(asyncio.ensure_future(site.decide("later")))
            await asyncio.sleep(0)
        await until(lambda: len(site.service.calls) == waiting + 2)
        assert len(site.service.batches) == sent + messages
        for each in asking:
            each.cancel()
        await asyncio.gather(*asking, return_exceptions=True)


async def test_of_a_list_the_hidden_entries_are_told(tmp_path: Path) -> None:
    """By their positions, from one question."""
    async with connected(tmp_path) as site:
        site.service.script = lambda one: deny(
            one.request_id, hidden=one.target.startswith("secret")
        )
        entries = [ListEntry("a"), ListEntry("secret"), ListEntry("b"), ListEntry("secret too")]
        assert await site.client.hidden_entries(LISTED, entries) == {1, 3}
        assert site.service.batches == [4]


async def test_without_a_service_nobody_can_tell_what_of_a_list_is_hidden(tmp_path: Path) -> None:
    """At once, and not that nothing is."""
    async with client(tmp_path, 60_000) as site, asyncio.timeout(1):
        assert await site.client.hidden_entries(LISTED, [ListEntry("a")]) is None


async def test_without_a_service_every_call_is_denied_at_once(tmp_path: Path) -> None:
    """Nobody waits for it to come back."""
    async with client(tmp_path, 60_000) as site:
        async with asyncio.timeout(1):
            assert await site.decide() == AWAY
        assert not site.client.is_connected
        assert not await site.client.wait_connected(0.01)


async def test_a_service_that_does_not_answer_in_time_is_away(tmp_path: Path) -> None:
    """An allow that comes later is given back."""
    async with connected(tmp_path, 100) as site:
        site.service.script = lambda one: None
        assert await site.decide() == AWAY
    late = asyncio.Event()

    class Late(ScriptedService):
        async def StreamDecide(self, request_iterator: object, context: object) -> None:
            inner = super().StreamDecide(request_iterator, _Delayed(context, late))
            await inner

    async with client(tmp_path, 100) as site:
        site.service = Late()
        site.service.script = lambda one: allow(one.request_id, limits=(LIMIT,))
        async with grpc_service(site.service, site.address):
            assert await site.client.wait_connected(5)
            assert await site.decide("late") == AWAY
            late.set()
            await until(lambda: site.service.refunds == ["late"])


class _Delayed:
    """A context that writes only when it is let."""

    def __init__(self, context: object, gate: asyncio.Event) -> None:
        self._context, self._gate = context, gate

    async def read(self) -> object:
        return await self._context.read()  # type: ignore[attr-defined]

    async def write(self, message: object) -> None:
        await self._gate.wait()
        await self._context.write(message)  # type: ignore[attr-defined]


async def test_a_call_that_is_dropped_while_it_waits_is_given_back(tmp_path: Path) -> None:
    """Its client has gone."""
    async with connected(tmp_path) as site:
        gate = asyncio.Event()

        def slowly(one: Call) -> Decision:
            gate.set()
            return allow(one.request_id, limits=(LIMIT,))

        site.service.script = slowly
        asking = asyncio.ensure_future(site.client.decide(call("dropped")))
        await gate.wait()
        asking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asking
        await until(lambda: site.service.refunds == ["dropped"])


async def test_a_stream_that_breaks_denies_what_waits_and_comes_back(tmp_path: Path) -> None:
    """By itself, when there is a service again."""
    async with client(tmp_path) as site:
        async with grpc_service(site.service, site.address):
            assert await site.client.wait_connected(5)
            site.service.script = lambda one: None
            asking = asyncio.ensure_future(site.decide())
            await until(lambda: len(site.service.calls) == 1)
        assert await asking == AWAY
        await until(lambda: not site.client.is_connected)
        site.service.script = lambda one: allow(one.request_id)
        async with grpc_service(site.service, site.address):
            assert await site.client.wait_connected(5)
            assert await site.decide() == (Effect.ALLOW, "allowed")


async def test_a_call_too_large_for_one_message_is_not_sent(tmp_path: Path) -> None:
    """It would end the stream for all."""
    async with connected(tmp_path) as site:
        large = b'{"x":"' + b"a" * decision_client.MAX_MESSAGE_BYTES + b'"}'
        assert await site.decide("large", arguments=large) == AWAY
        assert await site.decide("small") == (Effect.ALLOW, "allowed")
        assert [one.request_id for one in site.service.calls] == ["small"]


async def test_large_calls_go_in_batches_that_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of them is judged."""
    monkeypatch.setattr(decision_client, "MAX_MESSAGE_BYTES", 4_000_000)
    async with connected(tmp_path, 20_000) as site:
        large = b'{"x":"' + b"a" * 1_500_000 + b'"}'
        answers = await asyncio.gather(*(site.decide(name, arguments=large) for name in "abc"))
        assert answers == [(Effect.ALLOW, "allowed")] * 3
        assert max(site.service.batches) <= 2


async def test_what_became_of_a_call_is_told_only_when_it_took_something(tmp_path: Path) -> None:
    """The end only where a limit counts calls under way."""
    async with connected(tmp_path) as site:
        for name, limits in (("nothing", ()), ("counted", (LIMIT,)), ("held", (HELD,))):
            decision = allow(name, limits=limits)
            site.client.refund_soon(decision)
            site.client.finish_soon(decision)
        site.client.report_soon(call(), Reason("credential_missing", "x"))
        await until(lambda: bool(site.service.reports))
        await until(lambda: len(site.service.refunds) == 2)
        assert sorted(site.service.refunds) == ["counted", "held"]
        assert site.service.finished == ["held"]
        assert [code for _, code in site.service.reports] == ["credential_missing"]


async def test_the_state_of_the_policy_is_told_or_not_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service that hangs is not waited for."""
    monkeypatch.setattr(service_calls, "_STATUS_SECONDS", 0.05)
    async with connected(tmp_path) as site:
        status = await site.client.policy_status()
        assert status is not None
        assert status.ready
        site.service.status = None
        assert await site.client.policy_status() is None


async def test_a_service_that_decides_by_another_configuration_decides_nothing(
    tmp_path: Path,
) -> None:
    """It says by which, or it is not asked."""
    async with client(tmp_path, 100, configuration="/etc/a.toml") as site:
        async with grpc_service(site.service, site.address):
            assert not await site.client.wait_connected(0.5)
            assert await site.decide() == AWAY
        assert site.service.calls == []
