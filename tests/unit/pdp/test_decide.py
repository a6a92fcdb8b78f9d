"""The story of a batch: every step that fails denies, costs nothing, and is on record."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest
from msgspec import structs

from pdp.api.model import Call, Effect, Phase, Reason, ShadowFinding
from pdp.catalogue import Catalogue
from pdp.decide import Judgement, Parts, give_back, judge
from pdp.drift import Sightings
from pdp.limits import Grant, Spent
from pdp.policy import BatchAnswer, Check, Fault, Limit, PolicyAnswer
from tests.calls import call
from tests.fakes import DictStore, FakeEngine, FixedClock, ListJournal

LIMIT = Limit("files/read", "session", 2, 60, rule="servers.files.tools.read")
ALLOW = PolicyAnswer(Effect.ALLOW, Reason("allowed", "fine"), "servers.files.tools.read")
LIMITED = msgspec.structs.replace(ALLOW, limits=(LIMIT,))
DENY = msgspec.structs.replace(LIMITED, effect=Effect.DENY, reason=Reason("no", "No."))
CHECKED = msgspec.structs.replace(
    LIMITED, checks=(Check("servers.files.tools.read", msgspec.Raw(b'{"required":["path"]}')),)
)


class Bench:
    """The story over stand-ins for its ports; the policy answers `answer` to every call."""

    def __init__(self, answer: PolicyAnswer | Fault = LIMITED) -> None:
        self.answer: Callable[[dict[str, Any]], PolicyAnswer | Fault] = lambda question: answer
        self.one_by_one = False
        self.engine = FakeEngine(self._answer)
        self.store, self.journal = DictStore(), ListJournal()
        numbers = itertools.count(1)
        self.parts = Parts(
            engine=self.engine,
            store=self.store,
            journal=self.journal,
            drift=Sightings(),
            clock=FixedClock(),
            new_id=lambda: f"d{next(numbers)}",
            catalogue=Catalogue(),
            labels={"site": "lab"},
        )

    def _answer(self, questions: Sequence[dict[str, Any]]) -> BatchAnswer:
        if self.one_by_one and len(questions) > 1:
            fault = Fault("policy_undefined", "conflict")
            return BatchAnswer((fault,) * len(questions), "", one_by_one=True)
        return BatchAnswer(tuple(self.answer(one) for one in questions), "rev")

    async def judge(self, *calls: Call) -> list[Judgement]:
        return await judge(calls, self.parts)

    async def effects(self, *calls: Call) -> list[tuple[str, str]]:
        found = await self.judge(*calls)
        return [(one.decision.effect.value, one.decision.reason.code) for one in found]


async def test_calls_of_a_batch_are_judged_by_one_question_in_order() -> None:
    """And each gets an identifier, a revision and a record of its own."""
    bench = Bench()
    found = await bench.judge(call("a"), call("b"), call("c"))
    assert len(bench.engine.asked) == 1
    assert [one["request_id"] for one in bench.engine.asked[0]] == ["a", "b", "c"]
    assert [one.decision.effect for one in found] == [Effect.ALLOW, Effect.ALLOW, Effect.DENY]
    assert [one.decision.reason.code for one in found] == ["allowed", "allowed", "rate_limited"]
    records = bench.journal.records()
    assert [one["decision_id"] for one in records] == ["d1", "d2", "d3"]
    assert [one["request_id"] for one in records] == ["a", "b", "c"]
    assert {one["labels"]["site"] for one in records} == {"lab"}


async def test_a_denied_call_takes_nothing() -> None:
    """Not even when its rule has a limit."""
    bench = Bench(DENY)
    assert await bench.effects(call()) == [("deny", "no")]
    assert bench.store.units() == 0


async def test_arguments_that_fail_the_check_take_nothing() -> None:
    """The check comes before the limits."""
    bench = Bench(CHECKED)
    bad, good = call("a"), call("b", arguments=b'{"path":"/"}')
    assert await bench.effects(bad, good) == [("deny", "arguments_invalid"), ("allow", "allowed")]
    assert bench.store.units() == 2  # one for the session, one for its principal


async def test_checks_and_limits_in_shadow_are_recorded_and_refuse_nothing() -> None:
    """The call takes what a limit has, and its record says what each would have said."""
    (check,) = CHECKED.checks
    watched = structs.replace(
        CHECKED,
        checks=(structs.replace(check, shadow=True),),
        limits=(structs.replace(LIMIT, max=1, shadow=True),),
        shadow=(ShadowFinding(Effect.HOLD, Reason("ask", "Ask."), "r"),),
    )
    bench = Bench(watched)
    bad, good = call("a"), call("b", arguments=b'{"path":"/"}')
    assert await bench.effects(bad, good) == [("allow", "allowed")] * 2
    first, second = bench.journal.records()
    assert [one["reason"]["code"] for one in first["shadow"]] == ["ask", "arguments_invalid"]
    assert first["shadow"][1]["rule"] == "servers.files.tools.read"
    assert [one["reason"]["code"] for one in second["shadow"]] == ["ask", "rate_limited"]
    assert {one["shadow"] for one in first["limits"]} == {True}
    bench.store.broken = True
    assert await bench.effects(good) == [("allow", "allowed")]


async def test_what_is_denied_is_held_against_no_check() -> None:
    """Neither is it allowed, nor is there more to record than its denial."""
    (check,) = CHECKED.checks
    bench = Bench(structs.replace(DENY, checks=(structs.replace(check, shadow=True),)))
    assert await bench.effects(call()) == [("deny", "no")]
    assert "shadow" not in bench.journal.records()[0]


async def test_a_check_that_is_enforced_denies_beside_one_in_shadow() -> None:
    """Both are told: one as the reason, the other as a finding."""
    (check,) = CHECKED.checks
    bench = Bench(
        structs.replace(CHECKED, checks=(structs.replace(check, rule="w", shadow=True), check))
    )
    assert await bench.effects(call()) == [("deny", "arguments_invalid")]
    (record,) = bench.journal.records()
    assert (record["rule"], record["shadow"][0]["rule"]) == ("servers.files.tools.read", "w")
    assert bench.store.units() == 0


async def test_a_fault_of_the_policy_is_a_denial_and_its_detail_is_for_operators() -> None:
    """The caller gets the code, the record the detail."""
    bench = Bench(Fault("policy_unavailable", "socket gone"))
    (found,) = await bench.judge(call())
    assert found.decision.reason.code == "policy_unavailable"
    assert "socket" not in found.decision.reason.message
    assert bench.journal.records()[0]["fault"] == "socket gone"
    assert bench.store.units() == 0


async def test_an_error_of_one_call_does_not_fail_its_neighbours() -> None:
    """The batch is asked again, each call alone."""
    bench = Bench()
    bench.one_by_one = True
    bench.answer = lambda question: (
        Fault("policy_undefined", "conflict") if question["request_id"] == "b" else ALLOW
    )
    assert await bench.effects(call("a"), call("b"), call("c")) == [
        ("allow", "allowed"),
        ("deny", "policy_undefined"),
        ("allow", "allowed"),
    ]
    assert [len(asked) for asked in bench.engine.asked] == [3, 1, 1, 1]


async def test_a_store_that_fails_denies_only_what_has_limits() -> None:
    """Absence of an answer is no answer; a call without limits does not need one."""
    bench = Bench()
    bench.store.broken = True
    bench.answer = lambda question: LIMITED if question["request_id"] == "a" else ALLOW
    assert await bench.effects(call("a"), call("b")) == [
        ("deny", "rate_limit_unavailable"),
        ("allow", "allowed"),
    ]


async def test_what_cannot_be_recorded_is_denied_and_costs_nothing() -> None:
    """The whole batch: a record that is half written is none."""
    bench = Bench()
    bench.journal.broken = True
    found = await bench.judge(call("a"), call("b"))
    assert {one.decision.reason.code for one in found} == {"journal_unavailable"}
    assert {one.grant for one in found} == {None}
    assert bench.store.units() == 0


async def test_the_grant_of_a_judgement_can_be_given_back() -> None:
    """It is what a refund returns."""
    bench = Bench()
    (found,) = await bench.judge(call())
    assert found.grant is not None
    assert bench.store.units() == 2
    assert await give_back([found.grant], bench.store)
    assert bench.store.units() == 0


async def test_giving_back_nothing_or_to_a_dead_store_is_no_refund() -> None:
    """The units stay taken, which is the safe side."""
    bench = Bench()
    assert not await give_back([], bench.store)
    bench.store.broken = True
    assert not await give_back([Grant("r", 1, "", (Spent("k", 1),))], bench.store)


@pytest.mark.parametrize("effect", [Effect.ALLOW, Effect.DENY, Effect.HOLD])
async def test_every_effect_is_recorded_with_its_rule_and_revision(effect: Effect) -> None:
    """A held call is recorded as what it is as long as nobody can approve: denied."""
    bench = Bench(msgspec.structs.replace(ALLOW, effect=effect))
    await bench.judge(call())
    (record,) = bench.journal.records()
    assert record["effect"] == ("allow" if effect is Effect.ALLOW else "deny")
    assert (record["rule"], record["revision"]) == ("servers.files.tools.read", "rev")


async def test_of_a_list_only_what_is_kept_from_the_caller_is_recorded() -> None:
    """The list itself is on record; its entries would be many lines that say nothing."""
    hidden = PolicyAnswer(Effect.DENY, Reason("hidden", "No."), "r", hidden=True)
    shown = PolicyAnswer(Effect.ALLOW, Reason("allowed", ""), "r")
    bench = Bench()
    bench.answer = lambda question: hidden if question["target"] == "b" else shown
    looks = [structs.replace(call(name, target=name), phase=Phase.LIST) for name in "abc"]
    found = await bench.judge(*looks)
    assert [one.decision.hidden for one in found] == [False, True, False]
    assert [(one["target"], one["phase"]) for one in bench.journal.records()] == [("b", "list")]


PINNED, LISTED = "sha256:" + "a" * 64, "sha256:" + "b" * 64


def pinned(bench: Bench, accepted: str = "", digest: str = PINNED) -> None:
    """Two tools in the catalogue, one of them pinned."""
    entry = {"digest": digest, "accepted": accepted}
    bench.parts.catalogue = Catalogue({"files": {"tools": {"read": entry, "write": {}}}})


def look(definition: str, target: str = "read") -> Call:
    """A look at an entry of a list."""
    return structs.replace(call(target=target), phase=Phase.LIST, definition=definition)


async def changed(bench: Bench, *calls: Call) -> list[bool]:
    """What the rules were told of the tool of each call."""
    await bench.judge(*calls)
    return [one["tool"]["changed"] for one in bench.engine.asked[-1]]


async def test_a_tool_that_is_listed_as_it_was_accepted_has_not_changed() -> None:
    """Nor has one of which no list was seen."""
    bench = Bench(ALLOW)
    pinned(bench)
    assert await changed(bench, call(), look(PINNED), look(""), call()) == [False] * 4
    assert [one["tool"]["pinned"] for one in bench.engine.asked[-1]] == [True] * 4


async def test_one_look_at_another_definition_changes_the_tool_for_every_call() -> None:
    """Those of the same batch too, and lists that show the old definition again."""
    bench = Bench(ALLOW)
    pinned(bench)
    assert await changed(bench, call(), look(LISTED)) == [True, True]
    assert await changed(bench, look(PINNED), call()) == [True, True]


@pytest.mark.parametrize(
    "other",
    [
        call(target="write"),
        look(LISTED, "write"),
        look(LISTED, "new"),
        call(server="other"),
        call(method="prompts/get"),
        call(method="resources/read"),
    ],
    ids=[
        "another tool",
        "one without a pin",
        "a new one",
        "another server",
        "a prompt",
        "a resource",
    ],
)
async def test_nothing_but_the_changed_tool_is_touched(other: Call) -> None:
    """Whatever is called the same."""
    bench = Bench(ALLOW)
    pinned(bench)
    assert await changed(bench, look(LISTED), other) == [True, False]
    assert await changed(bench, other) == [False]


@pytest.mark.parametrize(("digest", "accepted"), [(LISTED, ""), (PINNED, "2026-11-24T22:00:00Z")])
async def test_another_pin_opens_the_tool_again(digest: str, accepted: str) -> None:
    """The new definition accepted, or the old one once more; and it can change again."""
    bench = Bench(ALLOW)
    pinned(bench)
    assert await changed(bench, look(LISTED)) == [True]
    pinned(bench, accepted, digest)
    assert await changed(bench, call(), look(digest)) == [False, False]
    assert await changed(bench, look("sha256:" + "c" * 64), call()) == [True, True]


async def test_of_prompts_and_resources_the_catalogue_says_nothing() -> None:
    """It is a catalogue of tools."""
    bench = Bench(ALLOW)
    pinned(bench)
    await bench.judge(call(), call(method="prompts/get"))
    assert [one["tool"]["pinned"] for one in bench.engine.asked[-1]] == [True, False]


async def test_the_record_of_a_hidden_entry_says_what_was_listed() -> None:
    """Its digest, to look for in what the server said."""
    bench = Bench(structs.replace(DENY, hidden=True))
    pinned(bench)
    await bench.judge(look(LISTED), call())
    assert [one.get("definition") for one in bench.journal.records()] == [LISTED, None]
