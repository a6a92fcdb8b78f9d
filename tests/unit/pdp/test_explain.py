"""What would be decided: the same as by the story itself, and nothing is charged, kept or written."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from msgspec import structs

from pdp import explain
from pdp.answer import BatchAnswer, Fault, Limit, PolicyAnswer
from pdp.api.model import Call, Effect, Reason
from pdp.decide import Parts, judge
from pdp.errors import Overloaded
from pdp.explain import Explained, Explainer
from pdp.ports import PolicyEngine
from pdp.tools.catalogue import Catalogues
from pdp.tools.changed_tools import Sightings
from tests.calls import call
from tests.fakes import DictStore, FakeEngine, ListJournal, SimulatedClock

LIMIT = Limit("files/read", "session", 2, 60, rule="servers.files.tools.read")
ALLOW = PolicyAnswer(
    Effect.ALLOW, Reason("allowed", "fine"), "servers.files.tools.read", limits=(LIMIT,)
)
OLD, NEW = "sha256:" + "0" * 64, "sha256:" + "1" * 64


class _Slow:
    """An engine that lets others go on meanwhile."""

    def __init__(self, engine: PolicyEngine) -> None:
        self._engine = engine

    async def ask(self, inputs: Sequence[bytes]) -> BatchAnswer:
        await asyncio.sleep(0)
        return await self._engine.ask(inputs)

    async def ask_each(self, inputs: Sequence[bytes]) -> list[BatchAnswer]:
        return [await self.ask([single]) for single in inputs]


class Bench:
    """A decision service over stand-ins, whose policy answers the same to every call."""

    def __init__(self, answer: PolicyAnswer | Fault = ALLOW) -> None:
        self.store, self.journal, self.drift = DictStore(), ListJournal(), Sightings()
        numbers = itertools.count(1)
        self.answer: Callable[[dict[str, Any]], PolicyAnswer | Fault] = lambda question: answer
        self.parts = Parts(
            engine=FakeEngine(self._answers),
            store=self.store,
            journal=self.journal,
            drift=self.drift,
            clock=SimulatedClock(),
            new_id=lambda: f"d{next(numbers)}",
            catalogues=Catalogues(),
            labels={},
            unexpected=lambda error: None,
        )
        pinned = {"category": "Read", "digest": OLD, "accepted": "2026-01-01T00:00:00Z"}
        self.parts.catalogues.add("rev", {"files": {"tools": {"read": pinned}}})
        self.parts.catalogues.put_in_force("rev")

    def _answers(self, questions: Sequence[dict[str, Any]]) -> BatchAnswer:
        return BatchAnswer(tuple(self.answer(question) for question in questions), "rev")

    async def explain(self, asked: Call) -> Explained:
        return await Explainer(self.parts, replicas=1).explain(asked)

    def kept(self) -> tuple[Any, ...]:
        """All that outlives a call."""
        return dict(self.store.state_by_key), list(self.journal.lines), self.drift.all()


async def test_it_says_what_would_be_decided_and_nothing_is_charged_or_recorded() -> None:
    """However often it is asked; the limits say what would be left."""
    bench = Bench()
    before = bench.kept()
    answers = [await bench.explain(call(str(number))) for number in range(5)]
    assert {answer.decision.effect for answer in answers} == {Effect.ALLOW}
    assert {answer.decision.limits[0].remaining for answer in answers} == {1}
    assert bench.kept() == before
    (judged,) = await judge([call("real")], bench.parts)
    assert judged.decision == structs.replace(answers[0].decision, decision_id="d1")


async def test_a_limit_that_is_used_up_refuses_what_is_only_tried() -> None:
    """What real calls have taken counts."""
    bench = Bench()
    await judge([call("a"), call("b")], bench.parts)
    before = bench.kept()
    tried = (await bench.explain(call("c"))).decision
    assert (tried.effect, tried.reason.code, tried.limits[0].remaining) == (
        Effect.DENY, "rate_limited", 0,
    )  # fmt: skip
    assert bench.kept() == before


async def test_it_is_no_decision_that_anybody_could_act_on() -> None:
    """It has no identifier, so that no enforcement point takes it for one."""
    assert (await Bench().explain(call())).decision.decision_id == ""


async def test_the_cause_of_a_fault_is_told_without_secrets() -> None:
    """For whoever writes the rule."""
    bench = Bench(Fault("policy_invalid_result", "conflict: token=abc"))
    explained = await bench.explain(call())
    assert explained.decision.reason.code == "policy_invalid_result"
    assert explained.fault == "conflict: token=[masked]"


async def test_a_definition_that_is_tried_closes_no_tool() -> None:
    """It is judged as changed, and the next real call is not."""
    bench = Bench()
    changed: list[bool] = []
    bench.answer = lambda question: changed.append(question["tool"]["changed"]) or ALLOW  # type: ignore[func-returns-value]
    await bench.explain(structs.replace(call(), definition=NEW))
    await judge([call("real")], bench.parts)
    assert changed == [True, False]


@pytest.mark.parametrize(
    ("does", "effect"), [("deny", Effect.DENY), ("local", Effect.ALLOW), ("allow", Effect.ALLOW)]
)
async def test_a_store_that_is_away_is_met_as_the_rule_of_the_limit_says(
    does: Any, effect: Effect
) -> None:
    """As for a real call."""
    limit = structs.replace(LIMIT, on_store_error=does)
    bench = Bench(structs.replace(ALLOW, limits=(limit,)))
    bench.store.broken = True
    for _ in range(3):
        assert (await bench.explain(call())).decision.effect is effect


async def test_only_so_many_wait_for_a_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trials are answered one by one, beside the calls; whoever comes too late is told so."""
    monkeypatch.setattr(explain, "MAX_WAITING", 2)
    bench = Bench()
    explainer = Explainer(
        structs.replace(bench.parts, engine=_Slow(bench.parts.engine)), replicas=1
    )
    asked = (explainer.explain(call(str(number))) for number in range(3))
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(answer) for answer in answers] == [Explained, Explained, Overloaded]
