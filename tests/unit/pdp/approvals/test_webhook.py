"""A webhook against real servers: kind ones, hostile ones, and none."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import hmac
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import structlog
from aiohttp import web
from msgspec import structs

from pdp.api.model import ApprovalState as State
from pdp.approvals import webhook as webhook_module
from pdp.approvals.approvals import Approvals, Seen
from pdp.approvals.life import HeldCall
from pdp.approvals.webhook import MOST_WAITING, Sender
from pdp.config import Webhook
from tests.held import held_call
from tests.webhook_receiver import Answer, Receiver

SECRET = "canary-secret-0123456789"
NOW = 1_790_000_000


class FakeApprovals:
    """Changes as a test makes them."""

    def __init__(self) -> None:
        self.changes: asyncio.Queue[HeldCall | None] = asyncio.Queue()
        self.watched = 0

    @contextlib.asynccontextmanager
    async def watching(self) -> AsyncIterator[AsyncIterator[Seen]]:
        self.watched += 1

        async def changes() -> AsyncIterator[Seen]:
            while (held := await self.changes.get()) is not None:
                yield Seen(held, 0)

        yield changes()


def settings(receiver: Receiver, **more: Any) -> Webhook:
    url = f"http://127.0.0.1:{receiver.port}/canary-path"
    return Webhook(**{"url": url, "secret": SECRET, "hosts": ("127.0.0.1",), **more})


def sender(config: Webhook, pauses: list[float] | None = None, timeout: float = 1.0) -> Sender:
    async def pause(seconds: float) -> None:
        (pauses if pauses is not None else []).append(seconds)

    return Sender(config, lambda: NOW * 10**9, pause, timeout)


@contextlib.asynccontextmanager
async def sending(config: Webhook, **more: Any) -> AsyncIterator[FakeApprovals]:
    """A webhook at work, and the approvals it listens to."""
    approvals = FakeApprovals()
    work = asyncio.ensure_future(sender(config, **more).run(approvals))  # type: ignore[arg-type]
    try:
        yield approvals
    finally:
        work.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await work


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():
            await asyncio.sleep(0.01)


async def test_every_new_state_is_told_once_and_signed() -> None:
    """Another caller that joins, or one yes of two, is no news."""
    held = held_call()
    joined = structs.replace(held, joined=2, version=1)
    granted = structs.replace(held, state=State.GRANTED, version=2)
    async with Receiver().running() as receiver, sending(settings(receiver)) as approvals:
        for change in (held, joined, granted, granted, held_call(number=2)):
            approvals.changes.put_nowait(change)
        await until(lambda: len(receiver.got) == 3)
    assert receiver.types() == ["approval.pending", "approval.granted", "approval.pending"]
    lines, body = receiver.got[0]
    signed = f"{lines['webhook-id']}.{lines['webhook-timestamp']}.".encode() + body
    digest = hmac.new(SECRET.encode(), signed, hashlib.sha256).digest()
    assert lines["webhook-signature"] == f"v1,{base64.b64encode(digest).decode()}"
    assert lines["webhook-timestamp"] == str(NOW)
    assert lines["content-type"] == "application/json"


async def send(config: Webhook, **more: Any) -> list[dict[str, Any]]:
    """Send one message: what the log says of it."""
    one = sender(config, **more)
    with structlog.testing.capture_logs() as logs:
        one.note(held_call())
        async with one.session() as session:
            await one.send(session, one._waiting.popleft())
    assert "canary" not in str(logs)
    return list(logs)


def status(number: int, **lines: str) -> Answer:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(status=number, headers=lines)

    return answer


async def test_a_fault_that_passes_is_waited_for() -> None:
    """Longer each time, with the same identifier."""
    pauses: list[float] = []
    async with Receiver().running() as receiver:
        receiver.answers = [status(500), status(429), status(408)]
        logs = await send(settings(receiver), pauses=pauses)
    assert pauses == [1.0, 2.0, 4.0]
    assert {lines["webhook-id"] for lines, _ in receiver.got} == {"a-1.pending"}
    assert len(receiver.got) == 4
    assert [entry["outcome"] for entry in logs] == ["status 500", "status 429", "status 408"]


async def test_a_fault_that_stays_ends_the_tries() -> None:
    """And is told."""
    async with Receiver().running() as receiver:
        receiver.answers = [status(503)] * 9
        logs = await send(settings(receiver))
    assert len(receiver.got) == 5
    assert (logs[-1]["event"], logs[-1]["tries"]) == ("webhook message given up", 5)


@pytest.mark.parametrize("number", [400, 401, 404, 410])
async def test_a_refusal_is_not_tried_again(number: int) -> None:
    """It would be refused again."""
    async with Receiver().running() as receiver:
        receiver.answers = [status(number)]
        logs = await send(settings(receiver))
    assert len(receiver.got) == 1
    assert logs[-1]["outcome"] == f"status {number}"


async def test_a_redirect_is_not_followed() -> None:
    """Wherever it leads."""
    async with Receiver().running() as receiver:
        place = f"http://127.0.0.1:{receiver.port}/elsewhere"
        receiver.answers = [status(307, Location=place)]
        logs = await send(settings(receiver))
    assert len(receiver.got) == 1
    assert logs[-1]["outcome"] == "status 307"


async def test_an_answer_without_an_end_takes_no_time() -> None:
    """Nothing in it is read, however much there is."""

    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        with contextlib.suppress(ConnectionError):
            while True:
                await response.write(b"x" * 65536)
        return response

    async with Receiver().running() as receiver:
        receiver.answers = [endless]
        async with asyncio.timeout(5):
            assert await send(settings(receiver)) == []


async def test_a_receiver_that_hangs_is_given_up_in_time() -> None:
    """And tried again."""

    async def hangs(_: web.Request) -> web.StreamResponse:
        await asyncio.sleep(60)
        return web.Response()

    async with Receiver().running() as receiver:
        receiver.answers = [hangs]
        logs = await send(settings(receiver), timeout=0.2)
    assert len(receiver.got) == 2
    assert logs[0]["outcome"] in {"TimeoutError", "ServerTimeoutError"}


async def test_nobody_there_is_told_and_given_up() -> None:
    """After the same number of tries."""
    async with Receiver().running() as receiver:
        pass
    logs = await send(settings(receiver))
    assert (len(logs), logs[-1]["event"]) == (5, "webhook message given up")


async def test_a_name_that_leads_to_a_private_address_is_not_spoken_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Though it is the configured one: whoever answers for the name has chosen the address."""
    looked_up: list[str] = []

    async def resolve(_: Any, host: str, port: int = 0, family: int = 0) -> list[Any]:
        looked_up.append(host)
        found = {"hostname": host, "host": "127.0.0.1", "port": port, "proto": 0, "flags": 0}
        return [{**found, "family": socket.AF_INET}]

    monkeypatch.setattr(webhook_module.ThreadedResolver, "resolve", resolve)
    async with Receiver().running() as receiver:
        url = f"https://hooks.example:{receiver.port}/canary"
        logs = await send(settings(receiver, url=url, hosts=("hooks.example",)))
    assert receiver.got == []
    assert looked_up == ["hooks.example"]
    assert logs[-1]["outcome"] == "its address is private"


async def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would see every message, and choose the address."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with Receiver().running() as receiver:
        assert await send(settings(receiver)) == []
    assert len(receiver.got) == 1


def test_of_too_many_messages_the_oldest_are_dropped() -> None:
    """What waits now matters more; each that is dropped is told."""
    one = sender(Webhook(url="https://hooks.example/x", secret=SECRET))
    with structlog.testing.capture_logs() as logs:
        for number in range(MOST_WAITING + 2):
            one.note(held_call(number=number))
    assert [entry["approval"] for entry in logs] == ["a-0", "a-1"]
    assert [sent.approval_id for sent in (one._waiting[0], one._waiting[-1])] == [
        "a-2", f"a-{MOST_WAITING + 1}",
    ]  # fmt: skip


async def test_missed_changes_end_nothing() -> None:
    """A reader that is too slow is told so, and listens again."""
    async with Receiver().running() as receiver, sending(settings(receiver)) as approvals:
        approvals.changes.put_nowait(None)
        approvals.changes.put_nowait(held_call())
        await until(lambda: len(receiver.got) == 1)
        assert approvals.watched == 2


async def test_a_fault_of_ours_ends_neither_the_webhook_nor_the_service(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is logged without its text, which may hold the URL."""
    whole = Sender._try
    faults = [ValueError("canary")]

    async def broken(self: Sender, session: Any, sent: Any) -> tuple[str, bool]:
        if faults:
            raise faults.pop()
        return await whole(self, session, sent)

    monkeypatch.setattr(Sender, "_try", broken)
    with structlog.testing.capture_logs() as logs:
        async with Receiver().running() as receiver, sending(settings(receiver)) as approvals:
            approvals.changes.put_nowait(held_call())
            approvals.changes.put_nowait(held_call(number=2))
            await until(lambda: len(receiver.got) == 1)
    assert [entry["event"] for entry in logs] == ["webhook message failed"]
    assert "canary" not in str(logs)


def test_it_listens_to_what_approvals_offer() -> None:
    """The fake of these tests has the same method."""
    assert callable(Approvals.watching)
