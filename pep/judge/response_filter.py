"""Judges a server's messages before the client sees them: requests, lists, and requests for input.

Everything else passes as it is, and most messages are not even parsed. Nothing is shown that could
not be judged. A long list is judged in slices and a large message is read in a thread, so that
neither holds up other exchanges.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from typing import ParamSpec, TypeVar

import structlog
from msgspec import structs

from pdp.api.list_codec import ListEntry
from pdp.api.model import Call, Reference
from pep.choices import DenialStyle
from pep.errors import DecisionAway
from pep.judge.enforce import Refuse
from pep.judge.parts import JudgeParts
from pep.judge.server_requests import Shown
from pep.judge.turn import Turn, settle_all
from pep.load.large_work import LARGE_BYTES
from pep.mcp.inspect import Created, Finding, Kind, Withdrawn, inspect, kept
from pep.mcp.jsonrpc import Request
from pep.mcp.message_bytes import check_text, may_matter
from pep.mcp.questions import Question

_SLICE = 1000

P = ParamSpec("P")
T = TypeVar("T")

log = structlog.get_logger("pep")


class ResponseFilter:
    """Filters the messages of one response, or of one stream of the server."""

    def __init__(
        self,
        parts: JudgeParts,
        call: Call,
        *,
        request: Request | None,
        denial: DenialStyle,
        answer_server: Callable[[bytes], None],
        shown: Shown | None = None,
    ) -> None:
        """The calls for the server's messages take caller, session, client and protocol from `call`.

        `request` is the message of that call, `None` on a stream that answers none. `answer_server` sends
        the server the refusal of its request. `shown` keeps the requests that the client may answer,
        `None` where it may answer none.
        """
        self._parts = parts
        self._call = call
        self._request = request
        self._denial = denial
        self._answer_server = answer_server
        self._shown = shown

    async def filter(self, message: bytes) -> bytes:
        """The message that the client may see: the same object, another message, or nothing.

        Raises `AnswerUnreadable` or `DecisionAway` when the message cannot be judged.
        """
        finding = await self._compute(len(message), _inspect, message)
        if isinstance(finding, Created):
            await self._learn_task(finding.task)
        if isinstance(finding, Withdrawn) and self._shown is not None:
            self._shown.withdraw(finding.id)
        if not isinstance(finding, Finding):
            return message
        if finding.kind is Kind.REQUEST:
            return await self._server_request(message, finding)
        if not finding.questions:
            return message
        if finding.kind is Kind.LIST:
            return await self._list(message, finding)
        return await self._input(message, finding)

    async def _learn_task(self, task: str) -> None:
        """Note whose the task is, before the client can ask for it anywhere."""
        server, principal = self._call.server, self._call.principal
        self._parts.tasks.learn(server, task, principal)
        await self._parts.workers.tell_task(server, task, principal)

    async def _list(self, message: bytes, finding: Finding) -> bytes:
        """The list without the entries hidden from this caller; judging a list takes from no limit."""
        questions = finding.questions
        if questions[0].method == "tasks/get":
            keep = [self._is_owner(question.target) for question in questions]
        else:
            keep = [True] * len(questions)
            for start in range(0, len(questions), _SLICE):
                for position in await self._hidden(questions[start : start + _SLICE]):
                    keep[start + position] = False
        ttl_ms = self._parts.list_ttl_ms
        return await self._compute(len(message), kept, message, finding, tuple(keep), ttl_ms)

    def _is_owner(self, task: str) -> bool:
        return self._parts.tasks.is_owner(self._call.server, task, self._call.principal)

    async def _input(self, message: bytes, finding: Finding) -> bytes:
        """Judge the requests in a message together: when one is refused, the call ends with that refusal.

        A refused notification ends no call, and is not shown.
        """
        request = self._request
        if request is None or request.id != finding.id:
            request = Request(b"", finding.id if finding.id is not None else "", "", {})
        refusal = await self._refusal(finding.questions, [request] * len(finding.questions))
        if refusal is None:
            return message
        count = len(finding.questions)
        log.info("server's questions refused", server=self._call.server, count=count)
        return b"" if finding.kind is Kind.NOTICE else refusal.body

    async def _server_request(self, message: bytes, finding: Finding) -> bytes:
        """Judge a request of the server; the client may answer it once it is about to be shown."""
        assert finding.id is not None  # noqa: S101 - a request has one
        requests = [Request(b"", finding.id, question.method, {}) for question in finding.questions]
        refusal = await self._refusal(finding.questions, requests)
        if refusal is not None:
            method = requests[0].method
            log.info("server's request refused", server=self._call.server, method=method)
            self._answer_server(refusal.body)
            return b""
        if self._shown is not None:
            self._shown.show(finding.id)
        return message

    async def _refusal(
        self, questions: Sequence[Question], requests: Sequence[Request]
    ) -> Refuse | None:
        """The refusal of the requests in one message, `None` when the client is shown them all."""
        turns = [Turn(self._parts.decisions, self._denial) for _ in questions]
        calls = map(self._question_call, questions)
        deciding = [
            turn.decide(call, request)
            for turn, call, request in zip(turns, calls, requests, strict=True)
        ]
        try:
            verdicts = await asyncio.gather(*deciding)
        except asyncio.CancelledError:
            for turn in turns:
                turn.never_sent()
            raise
        return settle_all(turns, verdicts)

    async def _hidden(self, questions: Sequence[Question]) -> Collection[int]:
        """The positions of entries that are hidden from this caller; raises `DecisionAway`."""
        call = self._question_call(structs.replace(questions[0], target="", definition=""))
        entries = [ListEntry(question.target, question.definition) for question in questions]
        hidden = await self._parts.decisions.hidden_entries(call, entries)
        if hidden is None:
            raise DecisionAway("The list cannot be judged now; try again later")
        return hidden

    def _question_call(self, question: Question) -> Call:
        """The call that is judged for a request or a list entry of the server."""
        return structs.replace(
            self._call,
            request_id=self._parts.new_id(),
            method=question.method,
            target=question.target,
            arguments=question.arguments,
            phase=question.phase,
            direction=question.direction,
            is_retry=False,
            reference=Reference.NONE,
            approval_id="",
            definition=question.definition,
        )

    async def _compute(
        self, size: int, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Do `work`; work on many bytes runs in a thread, in a slot of its caller."""
        if size <= LARGE_BYTES:
            return work(*args, **kwargs)
        return await self._parts.large.run(self._call.principal.id, work, *args, **kwargs)


def _inspect(message: bytes) -> Finding | Created | Withdrawn | None:
    """The part of `message` to be judged; raises `AnswerUnreadable`."""
    check_text(message)
    return inspect(message) if may_matter(message) else None
