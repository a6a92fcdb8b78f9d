"""Why the policy gave no usable answer stands in the log, and that it does again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from structlog.testing import capture_logs

from pdp.answer import BatchAnswer, Fault, PolicyAnswer
from pdp.api.model import Effect, Reason
from pdp.policy.fault_log import LoggedEngine
from tests.fakes import FakeEngine

GOOD = PolicyAnswer(Effect.ALLOW, Reason("allowed", ""), "rule")
BAD = Fault("policy_invalid_result", "limits[0].max: Expected `int`, got `str`")
AWAY = Fault("policy_unavailable", "OPA cannot be reached")


def asked(target: str) -> bytes:
    return json.dumps({"server": "s", "method": "tools/call", "target": target}).encode()


class _Engine(FakeEngine):
    is_ready = True

    async def ready(self) -> bool:
        return self.is_ready


class Asking:
    """An engine whose answers are `answers`, and what is logged of them."""

    def __init__(self) -> None:
        self.answer = BatchAnswer((GOOD,), "r1")
        self.inner = _Engine(lambda _: self.answer)
        self.engine = LoggedEngine(self.inner)

    async def told(self, answer: BatchAnswer, *targets: str) -> list[dict[str, Any]]:
        self.answer = answer
        with capture_logs() as lines:
            assert await self.engine.ask([asked(target) for target in targets]) is answer
        return [dict(line) for line in lines]


def faults(*answers: PolicyAnswer | Fault, revision: str = "r1") -> BatchAnswer:
    return BatchAnswer(answers, revision)


async def test_an_unusable_answer_is_told_with_its_call_and_its_cause_once_a_revision() -> None:
    """Of the calls beside it nothing is told."""
    asking = Asking()
    (line,) = await asking.told(faults(GOOD, BAD), "read", "drop")
    assert (line["server"], line["target"], line["code"]) == ("s", "drop", BAD.code)
    assert (line["error"], line["log_level"]) == (BAD.detail, "error")
    assert await asking.told(faults(BAD), "drop") == []
    assert len(await asking.told(faults(BAD), "read")) == 1
    assert len(await asking.told(faults(BAD, revision="r2"), "drop")) == 1


async def test_an_engine_that_is_away_is_told_once_and_so_is_that_it_is_back() -> None:
    """By a call or by its health, whichever notices first."""
    asking = Asking()
    for _ in range(2):
        (line,) = await asking.told(faults(AWAY, AWAY), "a", "b")
        assert (line["log_level"], line["error"]) == ("error", AWAY.detail)
        assert await asking.told(faults(AWAY), "c") == []
        asking.inner.is_ready = False
        with capture_logs() as lines:
            assert not await asking.engine.ready()
        assert lines == []
        (line,) = await asking.told(faults(GOOD), "a")
        assert (line["log_level"], line["event"]) == ("info", "the policy engine answers again")
    with capture_logs() as lines:
        for asking.inner.is_ready in (False, False, True, True):
            assert await asking.engine.ready() is asking.inner.is_ready
    assert [line["log_level"] for line in lines] == ["error", "info"]


async def test_an_answer_that_is_asked_for_again_call_by_call_is_not_told() -> None:
    """Only what comes of that."""
    asking = Asking()
    again = BatchAnswer((BAD, BAD), "r1", one_by_one=True)
    assert await asking.told(again, "a", "b") == []
    asking.answer = faults(BAD)
    with capture_logs() as lines:
        answers: Sequence[BatchAnswer] = await asking.engine.ask_each([asked("a"), asked("b")])
    assert [answer.answers for answer in answers] == [(BAD,), (BAD,)]
    assert [line["target"] for line in lines] == ["a", "b"]


async def test_a_fault_of_a_call_that_cannot_be_read_is_told_all_the_same() -> None:
    """Without the call."""
    asking = Asking()
    asking.answer = faults(BAD)
    engine = LoggedEngine(_Deaf(asking.answer))
    with capture_logs() as lines:
        await engine.ask([b"\xff"])
    assert [(line["target"], line["code"]) for line in lines] == [("", BAD.code)]


class _Deaf:
    def __init__(self, answer: BatchAnswer) -> None:
        self._answer = answer

    async def ask(self, inputs: Sequence[bytes]) -> BatchAnswer:
        return self._answer

    async def ask_each(self, inputs: Sequence[bytes]) -> list[BatchAnswer]:
        return [self._answer]

    async def ready(self) -> bool:
        return True
