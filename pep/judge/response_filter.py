"""Judges what a server says before its client sees it: requests, lists, and input it asks for.

Everything else passes as it is, and most messages are not even parsed. Nothing is shown that could
not be judged. A long list is asked about in slices and a large message is read in a thread, so that
neither holds up what others ask.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import ParamSpec, TypeVar

import structlog
from msgspec import Struct, field, structs

from pdp.api.model import Call, Decision, Effect, Reference
from pep.choices import DenialStyle
from pep.errors import DecisionAway
from pep.judge.enforce import Forward, Refuse, Verdict, enforce, is_fault, is_shown
from pep.judge.server_requests import Shown
from pep.judge.tasks import TaskBook
from pep.load.large_work import LARGE_BYTES, LargeWork
from pep.mcp.inspect import Created, Finding, Kind, Withdrawn, inspect, kept
from pep.mcp.jsonrpc import Request
from pep.mcp.message_bytes import check_text, may_matter
from pep.mcp.questions import Question
from pep.ports import Decisions

_SLICE = 64

P = ParamSpec("P")
T = TypeVar("T")

log = structlog.get_logger("pep")


class Bench(Struct, frozen=True):
    """What judges with: the same for every answer of a proxy."""

    decisions: Decisions
    tasks: TaskBook
    new_id: Callable[[], str]
    list_ttl_ms: int
    large: LargeWork = field(default_factory=LargeWork)


class Screen:
    """Stands between one server and one client for the length of one answer."""

    def __init__(
        self,
        bench: Bench,
        asked: Call,
        *,
        request: Request | None,
        denial: DenialStyle,
        answer_server: Callable[[bytes], None],
        shown: Shown | None = None,
    ) -> None:
        """Every question takes from `asked`, the client's call, who, where and how.

        `request` is its message, `None` on a stream that answers none. `answer_server` sends the
        server the refusal of a request. `shown` keeps the requests that the client may answer,
        `None` where it may answer none.
        """
        self._bench = bench
        self._asked = asked
        self._request = request
        self._denial = denial
        self._answer_server = answer_server
        self._shown = shown

    async def message(self, message: bytes) -> bytes:
        """What the client may see: the same object, another message, or nothing.

        Raises `AnswerUnreadable` or `DecisionAway` when that cannot be told.
        """
        found = await self._work(len(message), _look, message)
        if isinstance(found, Created):
            self._bench.tasks.learn(self._asked.server, found.task, self._asked.principal)
        if isinstance(found, Withdrawn) and self._shown is not None:
            self._shown.withdraw(found.id)
        if not isinstance(found, Finding) or not (found.questions or found.kind is Kind.REQUEST):
            return message
        if found.kind is Kind.LIST:
            return await self._list(message, found)
        if found.kind is Kind.REQUEST:
            return await self._server_request(message, found)
        return await self._input(message, found)

    async def _list(self, message: bytes, found: Finding) -> bytes:
        keep: list[bool] = []
        if found.questions[0].method == "tasks/get":
            keep = [self._is_owner(question.target) for question in found.questions]
        for start in range(len(keep), len(found.questions), _SLICE):
            decisions = await self._decide(found.questions[start : start + _SLICE])
            if any(map(is_fault, decisions)):
                raise DecisionAway("The list cannot be judged now; try again later")
            keep += map(is_shown, decisions)
        most_ttl_ms = self._bench.list_ttl_ms
        return await self._work(len(message), kept, message, found, tuple(keep), most_ttl_ms)

    def _is_owner(self, task: str) -> bool:
        return self._bench.tasks.is_owner(self._asked.server, task, self._asked.principal)

    async def _input(self, message: bytes, found: Finding) -> bytes:
        """A server that may not ask one of its questions may ask none: the call ends there.

        A notification ends nothing: it is not shown.
        """
        asked = self._request
        if asked is None or asked.id != found.id:
            asked = Request(b"", found.id if found.id is not None else "", "", {})
        decisions = await self._decide(found.questions)
        verdicts = [self._verdict(asked, decision) for decision in decisions]
        refusal = next((verdict for verdict in verdicts if isinstance(verdict, Refuse)), None)
        for decision in decisions:
            self._settle(decision, is_asked=refusal is None)
        if refusal is None:
            return message
        log.info("server's questions refused", server=self._asked.server, count=len(decisions))
        return b"" if found.kind is Kind.NOTICE else refusal.body

    async def _server_request(self, message: bytes, found: Finding) -> bytes:
        """What may be shown may be answered, from before the client has seen it."""
        assert found.id is not None  # noqa: S101 - a request has one
        decisions = await self._decide(found.questions)
        for decision, question in zip(decisions, found.questions, strict=True):
            asked = Request(b"", found.id, question.method, {})
            verdict = self._verdict(asked, decision)
            self._settle(decision, is_asked=isinstance(verdict, Forward))
            if isinstance(verdict, Refuse):
                log.info("server's request refused", server=self._asked.server, method=asked.method)
                self._answer_server(verdict.body)
                return b""
        if self._shown is not None:
            self._shown.show(found.id)
        return message

    async def _decide(self, questions: Sequence[Question]) -> list[Decision]:
        calls = [self._call(question) for question in questions]
        return await asyncio.gather(*map(self._bench.decisions.decide, calls))

    def _call(self, question: Question) -> Call:
        return structs.replace(
            self._asked,
            request_id=self._bench.new_id(),
            method=question.method,
            target=question.target,
            arguments=question.arguments,
            phase=question.phase,
            direction=question.direction,
            is_retry=False,
            reference=Reference.NONE,
            definition=question.definition,
        )

    async def _work(self, size: int, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What `work` gives; a large piece is done in a thread, in its caller's turn."""
        if size <= LARGE_BYTES:
            return work(*args, **kwargs)
        return await self._bench.large.run(self._asked.principal.id, work, *args, **kwargs)

    def _verdict(self, asked: Request, decision: Decision) -> Verdict:
        return enforce(asked, decision, era=self._asked.protocol.era, denial=self._denial)

    def _settle(self, decision: Decision, *, is_asked: bool) -> None:
        """What an allow took stays taken only for what the client is asked."""
        if is_asked:
            self._bench.decisions.finish_soon(decision)
        elif decision.effect is Effect.ALLOW:
            self._bench.decisions.refund_soon(decision)


def _look(message: bytes) -> Finding | Created | Withdrawn | None:
    """What is to be judged in `message`; raises `AnswerUnreadable`."""
    check_text(message)
    return inspect(message) if may_matter(message) else None
