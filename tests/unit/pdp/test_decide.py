"""The story of a batch: every step that fails denies, costs nothing, and is on record."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
import pytest
from msgspec import structs

from pdp import decide
from pdp.answer import BatchAnswer, Check, Fault, Limit, PolicyAnswer
from pdp.api.model import Call, Effect, Phase, Reason, ShadowFinding
from pdp.decide import Judgement, Parts, give_back, judge
from pdp.errors import JournalError
from pdp.limits.budgets import Grant, Spent
from pdp.policy import question
from pdp.records import record
from pdp.rules import checks
from pdp.tools.catalogue import Catalogues
from pdp.tools.changed_tools import Sightings
from tests.calls import call
from tests.fakes import DictStore, FakeEngine, ListJournal, SimulatedClock

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
        self.clock, numbers = SimulatedClock(), itertools.count(1)
        self.errors: list[Exception] = []
        self.parts = Parts(
            engine=self.engine,
            store=self.store,
            journal=self.journal,
            drift=Sightings(),
            clock=self.clock,
            new_id=lambda: f"d{next(numbers)}",
            catalogues=Catalogues(),
            labels={"site": "lab"},
            unexpected=self.errors.append,
        )
        self.revision = "rev"
        self.activate("rev")

    def activate(self, revision: str, servers: Mapping[str, Any] | None = None) -> None:
        """Policy and catalogue of `revision` take effect together."""
        self.parts.catalogues.add(revision, servers or {})
        self.parts.catalogues.put_in_force(revision)
        self.revision = revision

    def _answer(self, questions: Sequence[dict[str, Any]]) -> BatchAnswer:
        if self.one_by_one and len(questions) > 1:
            fault = Fault("policy_undefined", "conflict")
            return BatchAnswer((fault,) * len(questions), "", one_by_one=True)
        return BatchAnswer(tuple(self.answer(one) for one in questions), self.revision)

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
    """Whatever was decided."""
    bench = Bench(msgspec.structs.replace(ALLOW, effect=effect))
    await bench.judge(call())
    (record,) = bench.journal.records()
    assert record["effect"] == effect
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
    servers = {"files": {"tools": {"read": entry, "write": {}}}}
    bench.activate(f"{digest}{accepted}", servers)


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


class Boom(Exception):
    """What no step may raise, and one does."""


def _raises_for_b(real: Callable[..., Any], is_b: Callable[..., bool]) -> Callable[..., Any]:
    def step(*arguments: Any, **more: Any) -> Any:
        if is_b(*arguments):
            raise Boom("unforeseen")
        return real(*arguments, **more)

    return step


def _asks_for_b(inputs: Sequence[bytes]) -> bool:
    return any(b'"request_id":"b"' in one for one in inputs)


B = call("b", target="b", session="b", arguments=b'{"b":1}')
# What raises when it has to do with the call "b": where it stands, its name, how it knows the call.
STEPS: dict[str, tuple[Any, str, Callable[..., bool]]] = {
    "the input": (question, "policy_input", lambda one, tool, now: one.request_id == "b"),
    "a check": (checks, "run", lambda rules, arguments, declared: arguments == B.arguments),
    "the budgets": (decide, "budgets", lambda limits, one, factor: one.request_id == "b"),
    "the fold": (
        decide,
        "fold",
        lambda number, revision, answer, *rest: "b" in getattr(answer, "rule", ""),
    ),
    "the record": (record, "line", lambda one, decision: one.arguments == B.arguments),
    "the engine": ("engine", "ask", _asks_for_b),
    "the store": (
        "store",
        "take",
        lambda claims, now: any(one.request_id == "b" for one in claims),
    ),
    "the changed tools": ("drift", "seen", lambda server, tool, pin: tool == "b"),
}
ACCEPTED = {"files": {"tools": {name: {"digest": "sha256:" + "a" * 64} for name in "abc"}}}


def three_calls(bench: Bench) -> list[Call]:
    """Calls of sessions of their own, each with a check and a limit."""
    (check,) = CHECKED.checks
    checked = structs.replace(CHECKED, checks=(structs.replace(check, schema=msgspec.Raw(b"{}")),))
    bench.answer = lambda asked: structs.replace(checked, rule=asked["target"])
    bench.activate("accepted", ACCEPTED)
    return [call("a", target="a", session="a"), B, call("c", target="c", session="c")]


@pytest.mark.parametrize("step", STEPS)
async def test_a_call_that_raises_is_denied_and_recorded_alone(
    step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever raises: its neighbours are judged, it keeps nothing, and the operator is told."""
    bench = Bench()
    calls = three_calls(bench)
    place, name, is_b = STEPS[step]
    if isinstance(place, str):
        place = getattr(bench.parts, place)
    monkeypatch.setattr(place, name, _raises_for_b(getattr(place, name), is_b))
    effects = await bench.effects(*calls)
    assert effects == [("allow", "allowed"), ("deny", "internal_error"), ("allow", "allowed")]
    records = bench.journal.records()
    assert [one["request_id"] for one in records] == ["a", "b", "c"]
    assert [one["effect"] for one in records] == ["allow", "deny", "allow"]
    assert records[1]["reason"]["code"] == "internal_error"
    assert "Boom: unforeseen" in records[1]["fault"]
    assert bench.store.units() == 4
    assert all(isinstance(one, Boom) for one in bench.errors)
    assert bench.errors


async def test_a_call_that_cannot_even_be_recorded_bare_is_denied_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing is answered that is not on record; the others are."""
    bench = Bench()
    calls = three_calls(bench)
    is_b = lambda one, decision: one.request_id == "b"  # noqa: E731
    monkeypatch.setattr(record, "line", _raises_for_b(record.line, is_b))
    assert [code for _, code in await bench.effects(*calls)] == [
        "allowed",
        "journal_unavailable",
        "allowed",
    ]
    assert [one["request_id"] for one in bench.journal.records()] == ["a", "c"]
    assert bench.store.units() == 4


async def test_a_list_entry_that_raises_is_kept_from_the_caller_and_on_record(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The entries beside it need no line."""
    bench = Bench(ALLOW)
    _, name, is_b = STEPS["the input"]
    monkeypatch.setattr(question, name, _raises_for_b(question.policy_input, is_b))
    looks = [structs.replace(call(one, target=one), phase=Phase.LIST) for one in "abc"]
    assert [code for _, code in await bench.effects(*looks)] == [
        "allowed",
        "internal_error",
        "allowed",
    ]
    assert [one["request_id"] for one in bench.journal.records()] == ["b"]


async def test_a_sighting_that_cannot_be_noted_closes_its_tool_for_the_batch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The call beside the look too, which would be judged as if nothing had been seen."""
    bench = Bench()
    calls = three_calls(bench)
    monkeypatch.setattr(bench.parts.drift, "note", _raises_for_b(lambda one: one, lambda one: True))
    codes = [code for _, code in await bench.effects(*calls, look(LISTED, "b"))]
    assert codes == ["allowed", "internal_error", "allowed", "internal_error"]


@pytest.mark.parametrize("port", ["wall_ns", "steady_ns"])
async def test_without_a_clock_no_call_is_allowed(
    port: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor does anything come out as an exception."""
    bench = Bench()
    monkeypatch.setattr(bench.clock, port, _raises_for_b(lambda: 0, lambda: True))
    codes = {code for _, code in await bench.effects(call("a"), call("b"))}
    assert codes <= {"internal_error", "journal_unavailable"}
    assert bench.store.units() == 0


async def test_a_call_without_an_identifier_is_denied_under_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What it had taken goes back."""
    bench = Bench()
    bench.parts.new_id = _raises_for_b(str, lambda: True)
    (judgement,) = await bench.judge(call("a"))
    assert judgement.decision.decision_id == "a"
    assert judgement.decision.reason.code == "internal_error"
    assert bench.store.units() == 0


@pytest.mark.parametrize("error", [JournalError("full"), Boom("unforeseen")])
async def test_whatever_the_journal_raises_nothing_is_allowed_nor_kept(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The operator hears of what no journal may raise."""
    bench = Bench()

    def write(lines: Sequence[bytes]) -> None:
        raise error

    monkeypatch.setattr(bench.journal, "write", write)
    assert set(await bench.effects(call("a"), call("b"))) == {("deny", "journal_unavailable")}
    assert bench.store.units() == 0
    assert bench.errors == ([error] if isinstance(error, Boom) else [])


async def test_a_budget_that_cannot_be_given_back_keeps_no_other_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each grant goes by itself, whatever the store raises."""
    bench = Bench()
    judgements = await bench.judge(call("a", session="a"), call("b", session="b"))
    grants = [one.grant for one in judgements if one.grant]
    real = bench.store.give_back
    is_a = lambda given: any(one.request_id == "a" for one in given)  # noqa: E731
    monkeypatch.setattr(bench.store, "give_back", _raises_for_b(real, is_a))
    assert not await give_back(grants, bench.store)
    assert bench.store.units() == 2


async def test_rules_see_the_wall_clock_and_limits_the_steady_one() -> None:
    """A clock that is set shows in the time of the record, and neither refills nor locks out."""
    bench = Bench()
    begun = bench.clock.wall
    for _ in range(2):
        assert await bench.effects(call()) == [("allow", "allowed")]
    for hours in (3, -5):
        bench.clock.set_wall(hours * 3600)
        (judgement,) = await bench.judge(call())
        assert judgement.decision.reason.code == "rate_limited"
        assert 0 < judgement.decision.retry_after_ms <= 60_000
        assert bench.engine.asked[-1][0]["time"] == bench.clock.wall
    assert bench.clock.wall == begun - 2 * 3600 * 10**9
    times = [one["timestamp"][:19] for one in bench.journal.records()]
    assert times[0] == times[1] == "2026-09-21T14:13:20"
    assert times[2:] == ["2026-09-21T17:13:20", "2026-09-21T12:13:20"]
    assert all(one["timings"]["total_us"] == 0 for one in bench.journal.records())


async def test_a_window_ends_while_the_machine_sleeps() -> None:
    """After it, the caller has its budget back, and rules see the time that it is."""
    bench = Bench()
    for _ in range(2):
        await bench.judge(call())
    bench.clock.pass_by(8 * 3600)
    assert await bench.effects(call()) == [("allow", "allowed")]
    assert bench.engine.asked[-1][0]["time"] == bench.clock.wall
