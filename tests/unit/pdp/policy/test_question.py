"""The question to the policy: an answer counts only with the catalogue of the revision that gave it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from msgspec import structs

from pdp.answer import BatchAnswer, Fault, PolicyAnswer, Silence
from pdp.api.model import Effect, Reason
from pdp.policy.input import projected
from pdp.policy.known_answers import KnownAnswers
from pdp.policy.question import Answered, Question
from pdp.rules.input_reads import EVERYTHING, InputReads, input_reads
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

    def __init__(self, *answering: str, reads: InputReads = EVERYTHING) -> None:
        self.catalogues = Catalogues()
        for revision, category in (("one", "Read"), ("two", "Write"), ("three", "Execute")):
            self.catalogues.add(revision, catalogue(category), reads)
        self.catalogues.put_in_force("one")
        self._answering = list(answering)
        self.engine = FakeEngine(self._answer)
        self.errors: list[Exception] = []
        self.known = KnownAnswers(100)

    def _answer(self, questions: Sequence[dict[str, Any]]) -> BatchAnswer:
        revision = self._answering.pop(0)
        return BatchAnswer((ALLOW,) * len(questions), revision)

    async def ask(self, *names: str, target: str = call().target) -> list[Answered]:
        cases = [Answered(call(name, target=target)) for name in names]
        question = Question(
            self.engine, Sightings(), self.catalogues, self.errors.append, self.known
        )
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


TARGETS = input_reads([("target",), ("tool", "category")])


async def test_a_call_in_which_rules_read_the_same_is_not_asked_about_again() -> None:
    """Its answer is the earlier one, of the same revision; what differs is asked."""
    site = Site("one", "one", reads=TARGETS)
    await site.ask("a")
    cases = await site.ask("b")
    assert [(case.answer, case.revision, case.is_known) for case in cases] == [(ALLOW, "one", True)]
    assert cases[0].document
    await site.ask("c", target="other")
    assert (site.known.questions, site.known.hits) == (3, 1)
    assert [asked[0]["target"] for asked in site.engine.asked] == [call("a").target, "other"]


async def test_what_differs_from_call_to_call_is_asked_every_time() -> None:
    """A rule that reads the name of the request, say."""
    site = Site("one", "one", reads=input_reads([("target",), ("request_id",)]))
    assert [case.is_known for _ in range(2) for case in await site.ask("a")] == [False, False]


async def test_answers_of_another_revision_are_not_known() -> None:
    """Neither after the revision has come into force, nor from the time before."""
    site = Site("one", "two", "two", reads=TARGETS)
    await site.ask("a")
    site.catalogues.put_in_force("two")
    ((first,), (second,)) = [await site.ask("a") for _ in range(2)]
    assert (first.is_known, first.revision) == (False, "two")
    assert (second.is_known, second.revision) == (True, "two")


async def test_after_all_is_forgotten_the_engine_is_asked_again() -> None:
    """It has died, say."""
    site = Site("one", "one", reads=TARGETS)
    await site.ask("a")
    site.known.forget()
    (case,) = await site.ask("a")
    assert not case.is_known


WITH_SITE = input_reads([("target",)], [("arguments", "n")])
SILENT = structs.replace(ALLOW, site_is_silent=True)
LOUD = PolicyAnswer(Effect.DENY, Reason("closed", ""), "site.a")


class WithSite:
    """Rules of a site that deny where the argument `n` is missing, and are silent otherwise."""

    def __init__(self) -> None:
        self.site = Site(*["one"] * 20, reads=WITH_SITE)
        self.site.engine = FakeEngine(self._answer)

    def _answer(self, questions: Sequence[dict[str, Any]]) -> BatchAnswer:
        answers = [self._judge(asked) for asked in questions]
        return BatchAnswer(tuple(answers), "one")

    def _judge(self, asked: dict[str, Any]) -> PolicyAnswer | Silence:
        if "n" not in asked["arguments"]:
            return LOUD
        return Silence() if asked.get("answer_is_known") else SILENT

    async def ask(self, arguments: bytes) -> PolicyAnswer | Fault | None:
        case = Answered(call(arguments=arguments))
        site = self.site
        question = Question(
            site.engine, Sightings(), site.catalogues, site.errors.append, site.known
        )
        await question.ask([case], NOW)
        return case.answer


async def test_while_the_site_is_silent_only_that_is_asked() -> None:
    """The answer of the YAML rules is known from a call with other arguments."""
    rules = WithSite()
    assert [await rules.ask(b'{"n":%d}' % number) for number in (1, 2, 2)] == [SILENT] * 3
    assert [asked[0].get("answer_is_known") for asked in rules.site.engine.asked] == [None, True]


@pytest.mark.parametrize("order", [(b"{}", b'{"n":1}'), (b'{"n":1}', b"{}")])
async def test_what_the_site_says_of_a_call_is_never_the_answer_of_the_yaml_rules(
    order: tuple[bytes, bytes],
) -> None:
    """Though the call without the argument reads like what the YAML rules read of any call."""
    rules = WithSite()
    for _ in range(2):
        for arguments in order:
            assert await rules.ask(arguments) == (LOUD if arguments == b"{}" else SILENT)


async def test_silence_about_a_call_whose_answer_is_not_known_denies() -> None:
    """It is not what was asked."""
    site = Site(reads=WITH_SITE)
    site.engine = FakeEngine(lambda asked: BatchAnswer((Silence(),) * len(asked), "one"))
    (case,) = await site.ask("a")
    assert isinstance(case.answer, Fault)
    assert case.answer.code == "policy_invalid_result"


async def test_a_known_answer_of_another_revision_than_the_one_that_is_silent_does_not_count() -> (
    None
):
    """The rules have been edited meanwhile, with the same catalogue: the call is asked about as a whole."""
    site = Site("one", "five", "five", reads=WITH_SITE)
    site.catalogues.add("four", catalogue("Execute"), WITH_SITE)
    site.catalogues.put_in_force("four")
    site.catalogues.add("five", catalogue("Execute"), WITH_SITE)
    site.known.put("four", _yaml_question(site, "a"), SILENT)
    edited = structs.replace(SILENT, rule="edited")
    answers = {True: Silence(), False: edited}
    site.engine = FakeEngine(
        lambda asked: BatchAnswer((answers["answer_is_known" in asked[0]],), "five")
    )
    (case,) = await site.ask("a")
    assert (case.answer, case.revision) == (edited, "five")
    assert ["answer_is_known" in asked[0] for asked in site.engine.asked] == [True, False]


def _yaml_question(site: Site, name: str) -> bytes:
    """What the YAML rules read of a call, as it is remembered."""
    tool = site.catalogues.in_force.tool("files", "read")
    reads = WITH_SITE.of_yaml
    assert reads is not None
    return b"yaml " + projected(call(name), tool, NOW, reads)
