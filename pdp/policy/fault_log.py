"""Logs the faults of a policy engine, with their cause, and that they have ended.

A call without a usable answer is denied with a bland code; its cause is for operators and authors of rules
only. The same fault of the same tool is logged once per revision. Edge: the log.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Protocol

import msgspec
import structlog
from msgspec import Struct

from pdp.answer import BatchAnswer, Fault
from pdp.ports import PolicyEngine

_MOST_LOGGED = 1000
_AWAY = "policy_unavailable"

log = structlog.get_logger("pdp.policy")


class _Question(Struct):
    """The fields of a call that are logged."""

    server: str = ""
    method: str = ""
    target: str = ""


class ReadyEngine(PolicyEngine, Protocol):
    """An engine with a readiness check."""

    async def ready(self) -> bool:
        """Whether it answers and has a policy."""
        ...


class LoggedEngine:
    """The policy engine of `pdp.ports`, with a log."""

    def __init__(self, engine: ReadyEngine) -> None:
        """Query `engine`."""
        self._engine = engine
        self._logged: OrderedDict[tuple[str, ...], None] = OrderedDict()
        self._is_away = False

    async def ask(self, inputs: Sequence[bytes]) -> BatchAnswer:
        """See `PolicyEngine.ask`."""
        answer = await self._engine.ask(inputs)
        # A batch that is queried again call by call has no final answers yet.
        if not (answer.one_by_one and len(inputs) > 1):
            self._note(inputs, answer)
        return answer

    async def ask_each(self, inputs: Sequence[bytes]) -> list[BatchAnswer]:
        """See `PolicyEngine.ask_each`."""
        answers = await self._engine.ask_each(inputs)
        for document, answer in zip(inputs, answers, strict=True):
            self._note([document], answer)
        return answers

    async def ready(self) -> bool:
        """Whether it answers and has a policy."""
        is_ready = await self._engine.ready()
        if is_ready:
            self._note_back()
        else:
            self._note_away("it does not answer, or has no active policy")
        return is_ready

    def _note(self, inputs: Sequence[bytes], answer: BatchAnswer) -> None:
        for document, each in zip(inputs, answer.answers, strict=False):
            if not isinstance(each, Fault):
                self._note_back()
            elif each.code == _AWAY:
                self._note_away(each.detail)
            else:
                self._note_fault(document, each, answer.revision)

    def _note_away(self, detail: str) -> None:
        if not self._is_away:
            log.error("no answer of the policy engine; calls are denied", error=detail)
        self._is_away = True

    def _note_back(self) -> None:
        if self._is_away:
            log.info("the policy engine answers again")
        self._is_away = False

    def _note_fault(self, document: bytes, fault: Fault, revision: str) -> None:
        question = _question(document)
        key = (revision, question.server, question.target, fault.code, fault.detail)
        if key in self._logged:
            return
        self._logged[key] = None
        if len(self._logged) > _MOST_LOGGED:
            self._logged.popitem(last=False)
        log.error(
            "no usable answer of the rules; the call is denied",
            server=question.server,
            method=question.method,
            target=question.target,
            code=fault.code,
            error=fault.detail,
            revision=revision,
        )


def _question(document: bytes) -> _Question:
    """The server, method and target of an `input`; empty when it cannot be read."""
    try:
        return msgspec.json.decode(document, type=_Question)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _Question()
