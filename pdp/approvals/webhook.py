"""Tells a web server of the operator's that calls wait for people, and what becomes of them. Edge: HTTP.

Never in the way of a decision: it listens to the changes of approvals as anybody may, keeps a bounded number
of messages, and sends one after the other. A message that cannot be delivered is tried a few times and
then given up; of too many, the oldest are given up. What the receiver answers is not read. A redirect is not
followed, a proxy of the environment not used, and the address that was looked at is the one spoken to.
"""

from __future__ import annotations

import asyncio
import socket
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable

import aiohttp
import structlog
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from pdp.api.model import ApprovalState as State
from pdp.approvals import webhook_message, webhook_target
from pdp.approvals.approvals import Approvals
from pdp.approvals.life import HeldCall
from pdp.approvals.webhook_message import Message
from pdp.config import Webhook
from tipstaff.common.back_off import BackOff

MOST_WAITING = 1000
_MOST_KNOWN = 10_000
_SECONDS = 5.0
_TRIES = 5
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 15.0
_TRY_AGAIN = frozenset({408, 429})
_SERVER_FAULT = 500

log = structlog.get_logger("pdp.webhook")


class AddressRefusedError(OSError):
    """The host has an address that is not spoken to."""


class Sender:
    """Sends the messages of one webhook."""

    def __init__(
        self,
        webhook: Webhook,
        wall_ns: Callable[[], int],
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
        timeout: float = _SECONDS,
    ) -> None:
        """`wall_ns` is the time since the epoch, `pause` waits between tries, each of `timeout` seconds.

        Raises `ConfigError`.
        """
        self._target = webhook_target.target(webhook)
        self._key = webhook_message.key_of(webhook.secret)
        self._link = webhook.link
        self._wall_ns = wall_ns
        self._pause = pause
        self._timeout = timeout
        self._waiting: deque[Message] = deque()
        self._is_waiting = asyncio.Event()
        self._known: OrderedDict[str, State] = OrderedDict()

    async def run(self, approvals: Approvals) -> None:
        """Tell of every change from now on, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._listen(approvals))
            group.create_task(self._send_all())

    def note(self, held: HeldCall) -> None:
        """Keep a message about `held`, if it is in another state than it was told to be in."""
        if self._known.get(held.id) is held.state:
            return
        self._known[held.id] = held.state
        self._known.move_to_end(held.id)
        if len(self._known) > _MOST_KNOWN:
            self._known.popitem(last=False)
        if len(self._waiting) >= MOST_WAITING:
            dropped = self._waiting.popleft()
            log.warning("webhook message dropped: too many wait", approval=dropped.approval_id)
        self._waiting.append(webhook_message.message(held, self._link))
        self._is_waiting.set()

    async def send(self, session: aiohttp.ClientSession, sent: Message) -> None:
        """Send one message, with a few tries; raises nothing that its receiver could cause."""
        back_off = BackOff(_FIRST_PAUSE, _LONGEST_PAUSE)
        facts = {"approval": sent.approval_id, "state": sent.state, "host": self._target.host}
        for number in range(1, _TRIES + 1):
            outcome, may_help = await self._try(session, sent)
            if not outcome:
                return
            if not may_help or number == _TRIES:
                log.warning("webhook message given up", outcome=outcome, tries=number, **facts)
                return
            log.info("webhook message not delivered yet", outcome=outcome, tries=number, **facts)
            await self._pause(back_off.after(0))

    def session(self) -> aiohttp.ClientSession:
        """A session that goes to the target's own address and nowhere else."""
        resolver = _CheckedResolver(may_be_private=self._target.may_be_private)
        return aiohttp.ClientSession(
            # A connection for each message: a name is looked up, and its address looked at, each time.
            connector=aiohttp.TCPConnector(
                resolver=resolver, use_dns_cache=False, force_close=True, limit=1
            ),
            timeout=aiohttp.ClientTimeout(total=self._timeout),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
        )

    async def _listen(self, approvals: Approvals) -> None:
        while True:
            async with approvals.watching() as changes:
                async for seen in changes:
                    self.note(seen.held)
            log.warning("webhook: changes were missed, since there were too many")

    async def _send_all(self) -> None:
        async with self.session() as session:
            while True:
                await self._is_waiting.wait()
                while self._waiting:
                    await self._send_safely(session, self._waiting.popleft())
                self._is_waiting.clear()

    async def _send_safely(self, session: aiohttp.ClientSession, sent: Message) -> None:
        try:
            await self.send(session, sent)
        except Exception as error:  # noqa: BLE001 - a webhook must not end the decision service
            # Without the text: it may hold the URL, and the URL a key.
            log.error(
                "webhook message failed", approval=sent.approval_id, error=type(error).__name__
            )

    async def _try(self, session: aiohttp.ClientSession, sent: Message) -> tuple[str, bool]:
        """What went wrong, "" for nothing, and whether another try may help."""
        lines = webhook_message.headers(sent, self._key, self._wall_ns() // 1_000_000_000)
        try:
            async with session.post(
                self._target.url, data=sent.body, headers=lines, allow_redirects=False
            ) as answer:
                status = answer.status
                answer.close()  # unread: nothing in it matters, however much it is
        except AddressRefusedError:
            return "its address is private", False
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            if isinstance(error.__cause__, AddressRefusedError):
                return "its address is private", False
            return type(error).__name__, True
        if 200 <= status < 300:
            return "", False
        return f"status {status}", status >= _SERVER_FAULT or status in _TRY_AGAIN


class _CheckedResolver(AbstractResolver):
    """Resolves names to addresses that may be spoken to; the connection is made to the very addresses returned."""

    def __init__(self, *, may_be_private: bool) -> None:
        self._resolver = ThreadedResolver()
        self._may_be_private = may_be_private

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The addresses of `host`; raises `AddressRefusedError` when one of them is private."""
        results = await self._resolver.resolve(host, port, family)
        addresses = [result["host"] for result in results]
        if not webhook_target.allowed(addresses, may_be_private=self._may_be_private):
            raise AddressRefusedError("the host has a private address")
        return results

    async def close(self) -> None:
        """Nothing is held."""
        await self._resolver.close()
