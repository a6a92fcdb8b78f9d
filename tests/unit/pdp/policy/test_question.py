"""The question to the policy: an answer counts only with the catalogue of the revision that gave it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pdp.answer import BatchAnswer, Fault, PolicyAnswer
from pdp.api.model import Effect, Reason
from pdp.policy.question import Answered, Question
from pdp.tools.catalogue import Catalogues
from pdp.tools.changed_tools import Sightings
from tests.calls import call
from tests.fakes import FakeEngine

ALLOW = PolicyAnswer(Effect.ALLOW, Reason("allowed", ""), "r")
NOW = 1_790_000_000_000_000_000


def catalogue(category: str) -> dict[str, Any]:
    """A catalogue whose one tool is of this category."""
    return {"files": {"tools": {"read": {"category": category}}}}


class Site:
    """Revisions one after the other, and an engine that is at one of them at each question."""

    def __init__(self, *answering: str) -> None:
        self.catalogues = Catalogues()
        for revision, category in (("one", "Read"), ("two", "Write"), ("three", "Execute")):
            self.catalogues.add(revision, catalogue(category))
        self.catalogues.put_in_force("one")
        self._answering = list(answering)
        self.engine = FakeEngine(self._answer)
        self.errors: list[Exception] = []

    def _answer(self, questions: Sequence[dict[str, Any]]) -> BatchAnswer:
        revision = self._answering.pop(0)
        return BatchAnswer((ALLOW,) * len(questions), revision)

    async def ask(self, *names: str) -> list[Answered]:
        cases = [Answered(call(name)) for name in names]
        question = Question(self.engine, Sightings(), self.catalogues, self.errors.append)
        await question.ask(cases, NOW)
        return cases

    def categories(self) -> list[list[str]]:
        """What the rules were told of the tool, question by question."""
        return [[one["tool"]["category"] for one in asked] for asked in self.engine.asked]


async def test_an_answer_of_the_revision_in_force_is_taken_as_it_is() -> None:
    """One question for the whole batch."""
    site = Site("one")
    cases = await site.ask("a", "b")
    assert [(case.answer, case.revision) for case in cases] == [(ALLOW, "one")] * 2
    assert site.categories() == [["Read", "Read"]]


async def test_an_answer_of_a_successor_is_asked_for_again_with_its_own_catalogue() -> None:
    """So that no rule judges by the facts of another revision; nor does what follows."""
    site = Site("two", "two")
    cases = await site.ask("a", "b")
    assert site.categories() == [["Read", "Read"], ["Write", "Write"]]
    assert {case.revision for case in cases} == {"two"}
    assert {case.tool.facts.category for case in cases} == {"Write"}


async def test_a_policy_that_changes_with_every_answer_denies() -> None:
    """After a bounded number of questions."""
    site = Site("two", "three", "two", "three", "two")
    (case,) = await site.ask("a")
    assert isinstance(case.answer, Fault)
    assert case.answer.code == "policy_unavailable"
    assert len(site.engine.asked) == 3


async def test_an_answer_of_a_revision_without_a_catalogue_denies() -> None:
    """Also one that names no revision at all."""
    for revision in ("four", ""):
        (case,) = await Site(revision).ask("a")
        assert isinstance(case.answer, Fault)
        assert case.answer.code == "policy_unavailable"
        assert repr(revision) in case.answer.detail


async def test_revisions_with_one_catalogue_need_one_question() -> None:
    """As after an edit of the rules alone."""
    site = Site("five")
    site.catalogues.add("four", catalogue("Execute"))
    site.catalogues.put_in_force("four")
    site.catalogues.add("five", catalogue("Execute"))
    (case,) = await site.ask("a")
    assert (case.answer, case.revision) == (ALLOW, "five")
    assert len(site.engine.asked) == 1


async def test_a_revision_that_comes_back_needs_one_question() -> None:
    """An edit that was taken back before OPA knew of it changes nothing."""
    site = Site("one")
    site.catalogues.add("one", catalogue("Read"))
    (case,) = await site.ask("a")
    assert case.answer == ALLOW
    assert len(site.engine.asked) == 1


async def test_a_fault_of_the_engine_has_no_revision_and_needs_none() -> None:
    """It is asked once, and its code stays."""
    site = Site()
    site.engine = FakeEngine(lambda asked: BatchAnswer((Fault("policy_error", "x"),) * len(asked)))
    (case,) = await site.ask("a")
    assert case.answer == Fault("policy_error", "x")
    assert len(site.engine.asked) == 1


async def test_too_few_answers_are_no_answers() -> None:
    """Nobody could say whose is missing: each call is asked alone, and denied when that is no better."""
    site = Site()
    site.engine = FakeEngine(lambda asked: BatchAnswer((), "one", one_by_one=len(asked) == 1))
    cases = await site.ask("a", "b")
    assert [case.answer.code for case in cases if isinstance(case.answer, Fault)] == [
        "internal_error"
    ] * 2
    assert [len(asked) for asked in site.engine.asked] == [2, 1, 1]
    assert len(site.errors) == 3


def test_the_catalogue_of_the_revision_in_force_is_never_forgotten() -> None:
    """However often files are saved before OPA activates any of them."""
    catalogues = Site().catalogues
    for number in range(50):
        catalogues.add(f"r{number}", catalogue("Read"))
    assert catalogues.of("one") is catalogues.in_force
    assert catalogues.of("r49") is not None
    assert catalogues.of("r1") is None
