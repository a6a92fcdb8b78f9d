"""The steps of judging a batch of calls: query the policy, check, take budgets, fold, record, answer.

Every step is a pure function or a port; this module only puts them in order. A step that fails
turns the calls it concerns into denials with a code of their own, and nothing it took is kept. An
unforeseen error denies the call it was raised for, and never the rest of its batch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct, field, structs

from pdp.answer import Fault
from pdp.api.model import Call, Client, Decision, Effect, Phase, Principal, Reason
from pdp.errors import JournalError, StoreError
from pdp.fold import fold, refusal, refuse_with
from pdp.holding import ApprovalBook, Asking, Holdable
from pdp.limits.budgets import Claim, Grant, Taken, budgets
from pdp.limits.returns import give_back
from pdp.policy.known_answers import KnownAnswers
from pdp.policy.question import INTERNAL_ERROR, OnError, Question
from pdp.ports import Clock, Drift, Journal, PolicyEngine, StateStore
from pdp.records import record
from pdp.records.shown import PolicyInput
from pdp.rules import checks
from pdp.tools.catalogue import Catalogues

ENFORCEMENT_RULE = "pep"


class Parts(Struct, kw_only=True):
    """The ports and settings that calls are judged with; without `approvals` nobody is asked about held calls.

    `unexpected` gets errors that no port may raise.
    """

    engine: PolicyEngine
    store: StateStore
    journal: Journal
    drift: Drift
    clock: Clock
    new_id: Callable[[], str]
    catalogues: Catalogues
    labels: dict[str, str]
    unexpected: OnError
    approvals: ApprovalBook | None = None
    principal_factor: int = 10
    known: KnownAnswers = field(default_factory=lambda: KnownAnswers(0))


class Judgement(Struct, frozen=True):
    """A decision, and what it took from the limits."""

    decision: Decision
    grant: Grant | None = None


class _Case(Holdable):
    """One call on its way through the steps."""

    failure: checks.CheckFailure | None = None
    taken: Taken | None = None


class _Times(Struct):
    """When the batch began, by both clocks, and when the policy answered."""

    wall: int = 0
    started: int = 0
    answered: int = 0

    def until(self, finished: int) -> record.Timings:
        """The timings of the batch."""
        answered = self.answered or finished
        return record.Timings((answered - self.started) // 1000, (finished - self.started) // 1000)


async def judge(calls: Sequence[Call], parts: Parts) -> list[Judgement]:
    """Judge `calls`, in order; their records are written before this returns."""
    cases = [_Case(call) for call in calls]
    times = _Times()
    try:
        await _decide(cases, parts, times)
    except Exception as error:  # noqa: BLE001 - not the fault of one call, so all are denied
        for case in cases:
            _fail(case, error, parts)
    decisions = [_folded(case, parts) for case in cases]
    return await _recorded(cases, decisions, parts, times)


def report(call: Call, reason: Reason, parts: Parts) -> str:
    """Record a refusal made without a decision; returns the record's id. Raises `JournalError`."""
    decision = Decision(
        decision_id=parts.new_id(), effect=Effect.DENY, reason=reason, rule=ENFORCEMENT_RULE
    )
    now, nothing = parts.clock.wall_ns(), record.Timings(0, 0)
    line = record.line(call, decision, now_ns=now, labels=parts.labels, timings=nothing)
    parts.journal.write([line])
    return decision.decision_id


async def _decide(cases: Sequence[_Case], parts: Parts, times: _Times) -> None:
    times.wall, times.started = parts.clock.wall_ns(), parts.clock.steady_ns()
    question = Question(parts.engine, parts.drift, parts.catalogues, parts.unexpected, parts.known)
    await question.ask(cases, times.wall)
    times.answered = parts.clock.steady_ns()
    for case in cases:
        try:
            _check(case)
        except Exception as error:  # noqa: BLE001 - of this call alone
            _fail(case, error, parts)
    if parts.approvals is None:
        await _take_budgets(cases, parts)
        return
    asking = Asking(parts.approvals, parts.new_id, parts.unexpected)
    await asking.find([case for case in cases if case.failure is None])
    await _take_budgets(cases, parts)
    await asking.use([case for case in cases if case.held is not None and _has_budgets(case)])
    await asking.contradict(cases)


def _has_budgets(case: _Case) -> bool:
    """Whether the call has all that it takes from limits; see `fold`."""
    if case.taken is not None:
        return case.taken.grant is not None
    return all(limit.shadow for limit in case.limits)


def _check(case: _Case) -> None:
    """Run the argument checks of a call that the policy does not deny; failures in shadow are only noted."""
    answer = case.answer
    if answer is None or isinstance(answer, Fault):
        return
    if answer.effect is Effect.DENY or not answer.checks:
        return
    question = (answer.checks, case.call.arguments, lambda: case.tool.input_schema)
    case.failure = checks.run(*question)
    noted = checks.watch(*question)
    if noted:
        case.answer = structs.replace(answer, shadow=answer.shadow + noted)


async def _take_budgets(cases: Sequence[_Case], parts: Parts) -> None:
    """Take the budgets of every call that is not refused yet, in one step of the store."""
    asking, claims = [], []
    for case in cases:
        try:
            claim = _claim(case, parts.principal_factor)
        except Exception as error:  # noqa: BLE001 - of this call alone
            _fail(case, error, parts)
            continue
        if claim is not None:
            asking.append(case)
            claims.append(claim)
    if asking:
        await _take(asking, claims, parts)


def _claim(case: _Case, principal_factor: int) -> Claim | None:
    answer = case.answer
    if answer is None or isinstance(answer, Fault) or not answer.limits:
        return None
    if refusal(answer, case.failure, case.outcome) is not None:
        return None
    return Claim(case.call.request_id, budgets(answer.limits, case.call, principal_factor))


async def _take(cases: Sequence[_Case], claims: Sequence[Claim], parts: Parts) -> None:
    """Take all claims in one step; after an error that no store may raise, take each claim by itself.

    A store answers a repeated request with its first grant, so that nothing is taken twice.
    """
    try:
        results = await parts.store.take(claims, parts.clock.steady_ns() // 1000)
        for case, taken in zip(cases, results, strict=True):
            case.taken = taken
    except StoreError:
        return  # limits without a result refuse the call: see `fold`
    except Exception as error:  # noqa: BLE001 - it may be the fault of one claim
        if len(cases) == 1:
            _fail(cases[0], error, parts)
            return
        parts.unexpected(error)
        for case, claim in zip(cases, claims, strict=True):
            await _take([case], [claim], parts)


def _folded(case: _Case, parts: Parts) -> Decision:
    """The decision on a call; one that cannot be folded is denied."""
    try:
        decision_id = case.decision_id or parts.new_id()
    except Exception as error:  # noqa: BLE001 - the call's own id stands in, as at the proxy
        decision_id = case.call.request_id
        _fail(case, error, parts)
    try:
        return _fold(case, decision_id)
    except Exception as error:  # noqa: BLE001 - of this call alone
        _fail(case, error, parts)
        return _fold(case, decision_id)


def _fold(case: _Case, decision_id: str) -> Decision:
    answer = case.answer or Fault("policy_undefined", "the policy was not asked")
    stages = (case.revision, answer, case.failure, case.taken)
    return fold(decision_id, *stages, case.call.session.kind, case.outcome)


def _fail(case: _Case, error: Exception, parts: Parts) -> None:
    """Deny a call because a step has raised `error` for it."""
    case.fail(error)
    parts.unexpected(error)


async def _recorded(
    cases: Sequence[_Case], decisions: Sequence[Decision], parts: Parts, times: _Times
) -> list[Judgement]:
    """Write the records and return the judgements; when that fails, denials that take nothing."""
    try:
        timings = times.until(parts.clock.steady_ns())
        lines = [
            _line(case, decision, parts, times.wall, timings)
            for case, decision in zip(cases, decisions, strict=True)
        ]
        parts.journal.write([line for _, line in lines if line])
        decisions = [decision for decision, _ in lines]
    except Exception as error:  # noqa: BLE001 - no record, no call
        if not isinstance(error, JournalError):
            parts.unexpected(error)
        decisions = [refuse_with(decision, "journal_unavailable") for decision in decisions]
    judgements, vain = [], []
    for case, decision in zip(cases, decisions, strict=True):
        grant = case.taken.grant if case.taken else None
        if grant is not None and decision.effect is not Effect.ALLOW:
            vain.append(grant)
            grant = None
        judgements.append(Judgement(decision, grant))
    if vain:
        await give_back(vain, parts.store)
    return judgements


def _line(
    case: _Case, decision: Decision, parts: Parts, now_ns: int, timings: record.Timings
) -> tuple[Decision, bytes]:
    """The decision and its record; a call that cannot be recorded is denied, and recorded bare."""
    try:
        is_worth_it = _is_worth_a_line(case, decision)
        line = _record(case, case.call, decision, parts, now_ns, timings) if is_worth_it else b""
    except Exception as error:  # noqa: BLE001 - of this call alone
        _fail(case, error, parts)
    else:
        return decision, line
    decision = _fold(case, decision.decision_id)
    try:
        return decision, _record(case, _bare(case.call), decision, parts, now_ns, timings)
    except Exception as error:  # noqa: BLE001
        parts.unexpected(error)
        return refuse_with(decision, "journal_unavailable"), b""


def _record(
    case: _Case,
    call: Call,
    decision: Decision,
    parts: Parts,
    now_ns: int,
    timings: record.Timings,
) -> bytes:
    """The record of a call; that of a bare call does not hold the policy's input."""
    question = None
    if call is case.call and case.document:
        question = PolicyInput(case.document, case.tool, case.reads.claims, case.is_known)
    return record.line(
        call,
        decision,
        now_ns=now_ns,
        labels=parts.labels,
        timings=timings,
        fault=case.answer.detail if isinstance(case.answer, Fault) else "",
        question=question,
    )


def _bare(call: Call) -> Call:
    """The call without the texts that its caller may have written at length."""
    return structs.replace(
        call,
        arguments=b"{}",
        principal=Principal(call.principal.id, call.principal.kind),
        client=Client(),
        trace_id="",
    )


def _is_worth_a_line(case: _Case, decision: Decision) -> bool:
    """Whether the decision is recorded: each call is, and each entry of a list that the caller does not see."""
    if case.call.phase is Phase.CALL or decision.hidden:
        return True
    return isinstance(case.answer, Fault) and case.answer.code == INTERNAL_ERROR
