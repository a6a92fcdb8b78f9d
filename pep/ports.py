"""The ports of an exchange, as small interfaces. No implementation is here."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from typing import Any, Protocol

from pdp.api.list_codec import ListEntry
from pdp.api.model import Approval, Call, Decision, Principal, Reason
from pep.callers.session import LegacySession
from pep.config import Server
from pep.judge.server_requests import Holder
from pep.mcp.headers import HeaderLines
from pep.mcp.jsonrpc import Id
from tipstaff.common.http_answer import LostError as LostError  # noqa: PLC0414 - also of a child's pipe
from tipstaff.common.http_answer import UnreadableError as UnreadableError  # noqa: PLC0414

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class NeverReachedError(Exception):
    """No connection was made: the server has not seen the request."""


class BusyError(NeverReachedError):
    """A server that is run here cannot take one more; the text is for the client."""


class NeverSentCancelledError(asyncio.CancelledError):
    """Cancelled before any of the request was sent: the server has not seen it."""


class Answer(Protocol):
    """An answer of an upstream that has begun."""

    @property
    def status(self) -> int:
        """The HTTP status."""

    @property
    def lines(self) -> tuple[tuple[bytes, bytes], ...]:
        """The header lines, raw and in order."""

    def chunks(self) -> AsyncIterator[bytes]:
        """The body's bytes as they arrive, still compressed if they were; raises `LostError`."""

    def close(self) -> None:
        """End the answer: a connection with unread bytes is closed at once, another is kept."""


class Upstreams(Protocol):
    """Forwards allowed messages."""

    async def send(
        self, method: str, server: Server, lines: HeaderLines, body: bytes | None, caller: str
    ) -> Answer:
        """Send, and wait for the answer's headers; raises `NeverReachedError` or `LostError`.

        Cancelled before any of it was sent, raises `NeverSentCancelledError`. `caller` is the principal's
                id, for servers that run once per caller.
        """


class Workers(Protocol):
    """The other proxies that serve the same port."""

    def elsewhere(
        self, scope: dict[str, Any], server: Server, era: str, session_id: str
    ) -> int | None:
        """The number of the worker that must serve a request; `None` when it is served here."""

    async def forward(self, worker: int, scope: dict[str, Any], body: bytes | None) -> Answer:
        """Have that worker serve it; raises `NeverReachedError` or `LostError`."""

    async def tell_session(self, server: Server, session_id: str, session: LegacySession) -> bool:
        """Tell of a session that a caller was given; returns whether another worker keeps it."""

    async def tell_task(self, server: str, task: str, principal: Principal) -> None:
        """Tell of a task that a caller was named."""

    async def ask_answer(self, holder: Holder, request_id: Id) -> bool:
        """Whether another worker has shown the client that request of a server, and this answers it."""

    async def close(self) -> None:
        """Close the ways to them."""


class DecisionLink(Protocol):
    """The way to the decision service, beside what is asked over it."""

    @property
    def is_connected(self) -> bool:
        """Whether decisions can be had."""

    async def wait_connected(self, seconds: float) -> bool:
        """Wait until they can, `seconds` at most; returns whether they can."""

    async def run(self) -> None:
        """Connect, and stay connected, until cancelled."""

    async def policy_status(self) -> Any:
        """The state of the policy; `None` when nobody tells in time."""

    async def close(self) -> None:
        """Finish what is under way, briefly."""


class Decisions(Protocol):
    """Gives decisions."""

    async def decide(self, call: Call) -> Decision:
        """The decision; a deny with the code `pdp_unavailable` when there is none."""

    async def hidden_entries(
        self, call: Call, entries: Sequence[ListEntry]
    ) -> Collection[int] | None:
        """The positions of the entries of a list that the caller must not see; `None` when nobody can tell.

        `call` stands for each entry, at most 10,000.
        """

    async def await_approval(self, approval_id: str, seconds: float) -> Approval | None:
        """The approval once it is no longer pending, or after `seconds`; `None` when nobody can tell."""

    def report_soon(self, call: Call, reason: Reason) -> None:
        """Have a refusal recorded that was made without a decision, without waiting."""

    def finish_soon(self, decision: Decision) -> None:
        """Report that the call of an allow has ended, without waiting."""

    def lost_soon(self, decision: Decision) -> None:
        """Report that the server's answer to an allowed call was lost, without waiting."""

    def refund_soon(self, decision: Decision) -> None:
        """Refund what a decision took from limits, without waiting."""
