"""The story of a batch of calls: ask the policy, check, take budgets, fold, record, answer.

Every step is a pure function or a port; this module only puts them in order. A step that fails
turns the calls it concerns into denials with a code of their own, and nothing it took is kept.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from msgspec import Struct, structs

from pdp import checks, record
from pdp.api.model import Call, Decision, Effect, Phase, Reason
from pdp.catalogue import UNKNOWN, Catalogue, Tool
from pdp.checks import CheckFailure
from pdp.drift import Sighting
from pdp.errors import JournalError, StoreError
from pdp.facts import policy_input
from pdp.fold import fold, refusal, refuse_with
from pdp.limits import Claim, Grant, Taken, budgets
from pdp.policy import BatchAnswer, Fault, PolicyAnswer
from pdp.ports import Clock, Drift, Journal, PolicyEngine, StateStore
from pdp.shown import Question

ENFORCEMENT_RULE = "pep"
_TOOL_METHOD = "tools/call"


class Parts(Struct, kw_only=True):
    """What a judgement is made with. `catalogue` is replaced when the policy is."""

    engine: PolicyEngine
    store: StateStore
    journal: Journal
    drift: Drift
    clock: Clock
    new_id: Callable[[], str]
    catalogue: Catalogue
    labels: dict[str, str]
    principal_factor: int = 10


class Judgement(Struct, frozen=True):
    """A decision, and what it took from the limits."""

    decision: Decision
    grant: Grant | None = None


class _Judged(Struct):
    """One call on its way through the story."""

    call: Call
    answer: PolicyAnswer | Fault
    revision: str
    failure: CheckFailure | None = None
    taken: Taken | None = None


async def judge(calls: Sequence[Call], parts: Parts) -> list[Judgement]:
    """Judge `calls`, in order; what is to be recorded is, before this returns."""
    started = parts.clock.now_ns()
    tools = _tools(calls, parts)
    inputs = [policy_input(call, tool, started) for call, tool in zip(calls, tools, strict=True)]
    judged = _pair(calls, await _ask(parts.engine, inputs))
    answered = parts.clock.now_ns()
    for one, tool in zip(judged, tools, strict=True):
        _check(one, tool)
    await _take_budgets(judged, parts)
    judgements = [_fold(one, parts.new_id()) for one in judged]
    finished = parts.clock.now_ns()
    timings = record.Timings((answered - started) // 1000, (finished - started) // 1000)
    lines = [
        record.line(
            one.call,
            judgement.decision,
            now_ns=started,
            labels=parts.labels,
            timings=timings,
            fault=one.answer.detail if isinstance(one.answer, Fault) else "",
            question=Question(document, tool, parts.catalogue.claims_read),
        )
        for one, judgement, document, tool in zip(judged, judgements, inputs, tools, strict=True)
        if _is_worth_a_line(one.call, judgement.decision)
    ]
    return await _recorded(judgements, lines, parts)


def report(call: Call, reason: Reason, parts: Parts) -> str:
    """Record a refusal that was made without a decision; the record's id. Raises `JournalError`."""
    decision = Decision(
        decision_id=parts.new_id(), effect=Effect.DENY, reason=reason, rule=ENFORCEMENT_RULE
    )
    nothing = record.Timings(0, 0)
    now = parts.clock.now_ns()
    parts.journal.write(
        [record.line(call, decision, now_ns=now, labels=parts.labels, timings=nothing)]
    )
    return decision.decision_id


def _tools(calls: Sequence[Call], parts: Parts) -> list[Tool]:
    """The tool of each call. What a list shows of them is noted first, so that it holds for all."""
    tools = [
        parts.catalogue.tool(call.server, call.target) if call.method == _TOOL_METHOD else UNKNOWN
        for call in calls
    ]
    sightings = [
        Sighting(call.server, call.target, tool.pin, call.definition)
        for call, tool in zip(calls, tools, strict=True)
        if call.definition and tool.pin is not None and call.definition != tool.pin.digest
    ]
    if sightings:
        parts.drift.note(sightings)
    return [
        tool.as_changed()
        if tool.pin is not None and parts.drift.seen(call.server, call.target, tool.pin)
        else tool
        for call, tool in zip(calls, tools, strict=True)
    ]


async def _ask(engine: PolicyEngine, inputs: Sequence[bytes]) -> list[BatchAnswer]:
    """One query for all; when one call failed it, each call alone, so that a slow one delays none."""
    answer = await engine.ask(inputs)
    if not answer.one_by_one:
        return [answer]
    return await engine.ask_each(inputs)


def _pair(calls: Sequence[Call], answers: Sequence[BatchAnswer]) -> list[_Judged]:
    flat = [(answer, batch.revision) for batch in answers for answer in batch.answers]
    return [
        _Judged(call, answer, revision)
        for call, (answer, revision) in zip(calls, flat, strict=True)
    ]


def _check(one: _Judged, tool: Tool) -> None:
    """Ask the checks of a call that the policy does not deny; those in shadow are only noted."""
    answer = one.answer
    if isinstance(answer, Fault) or answer.effect is Effect.DENY or not answer.checks:
        return
    question = (answer.checks, one.call.arguments, lambda: tool.input_schema)
    one.failure = checks.run(*question)
    noted = checks.watch(*question)
    if noted:
        one.answer = structs.replace(answer, shadow=answer.shadow + noted)


async def _take_budgets(judged: Sequence[_Judged], parts: Parts) -> None:
    """Ask the limits of every call that nothing has refused yet, in one step of the store."""
    asking, claims = [], []
    for one in judged:
        if isinstance(one.answer, Fault) or refusal(one.answer, one.failure) is not None:
            continue
        if one.answer.limits:
            asking.append(one)
            wanted = budgets(one.answer.limits, one.call, parts.principal_factor)
            claims.append(Claim(one.call.request_id, wanted))
    if not asking:
        return
    try:
        results = await parts.store.take(claims, parts.clock.now_ns() // 1000)
    except StoreError:
        return  # limits that were not asked refuse the call: see `fold`
    for one, taken in zip(asking, results, strict=True):
        one.taken = taken


def _is_worth_a_line(call: Call, decision: Decision) -> bool:
    """Every call; of the entries of a list, which is on record itself, those kept from the caller."""
    return call.phase is Phase.CALL or decision.hidden


def _fold(one: _Judged, decision_id: str) -> Judgement:
    decision = fold(decision_id, one.revision, one.answer, one.failure, one.taken)
    return Judgement(decision, one.taken.grant if one.taken else None)


async def _recorded(
    judgements: list[Judgement], lines: Sequence[bytes], parts: Parts
) -> list[Judgement]:
    """The judgements once they are on record; denials, and nothing taken, when they cannot be."""
    try:
        parts.journal.write(lines)
    except JournalError:
        await give_back([one.grant for one in judgements if one.grant], parts.store)
        return [Judgement(refuse_with(one.decision, "journal_unavailable")) for one in judgements]
    return judgements


async def give_back(grants: Sequence[Grant], store: StateStore) -> bool:
    """Return budgets; a store that fails keeps them, which is the safe side."""
    return await _returned(grants, store.give_back)


async def release(grants: Sequence[Grant], store: StateStore) -> bool:
    """Return the leases of calls that have ended; with a store that fails, they lapse."""
    return await _returned([one.leases for one in grants if one.leases], store.release)


async def _returned(
    grants: Sequence[Grant], way: Callable[[Sequence[Grant]], Awaitable[None]]
) -> bool:
    if not grants:
        return False
    try:
        await way(grants)
    except StoreError:
        return False
    return True
