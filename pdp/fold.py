"""The fold: policy answer, argument checks and limits become one decision. Pure.

A held call is held while its approval is pending, and goes on to the limits once it is granted.

Deny overrides: the first stage that refuses decides, and later stages do not run, so that a
denied call costs nothing. Only an explicit allow that passes every stage is an allow.
"""

from __future__ import annotations

from msgspec import structs

from pdp.answer import Fault, PolicyAnswer
from pdp.api import limit_text
from pdp.api.model import Decision, Effect, LimitResult, Reason, ShadowFinding
from pdp.api.reasons import REASONS
from pdp.approvals.outcome import Outcome
from pdp.limits.budgets import CALLER_TOTAL, Taken
from pdp.rules.checks import CheckFailure

_NOBODY_ASKED = Outcome()
_APPROVED = Reason("approved", REASONS["approved"])


def refusal(
    answer: PolicyAnswer | Fault, failure: CheckFailure | None, outcome: Outcome = _NOBODY_ASKED
) -> Reason | None:
    """The reason to refuse or hold the call before any limit is judged; `None` when limits decide."""
    if isinstance(answer, Fault):
        return Reason(answer.code, REASONS[answer.code])
    if answer.effect is Effect.DENY:
        return answer.reason
    if failure is not None:
        return Reason(failure.code, failure.message)
    return outcome.reason(answer.reason.message) if answer.effect is Effect.HOLD else None


def fold(
    decision_id: str,
    revision: str,
    answer: PolicyAnswer | Fault,
    failure: CheckFailure | None,
    taken: Taken | None,
    session_kind: str = "",
    outcome: Outcome = _NOBODY_ASKED,
) -> Decision:
    """The decision. `taken` is the limits' result, `None` when there were none or their store failed.

    `session_kind` is the kind of the call's session: a message names by it whose a session limit is.
    """
    reason = refusal(answer, failure, outcome)
    if isinstance(answer, Fault):
        return _deny(decision_id, revision, reason or Reason(answer.code, ""))
    if reason is not None:
        return _refused(_deny(decision_id, revision, reason), answer, failure, outcome)
    if taken is not None and taken.grant is None:
        return structs.replace(
            _deny(decision_id, revision, _limit_reason(taken, session_kind)),
            rule=_limit_rule(answer, taken.failed[0]),
            limits=taken.results,
            retry_after_ms=taken.retry_after_ms,
            approval=outcome.approval,
            shadow=answer.shadow + _shadow_limits(answer, taken, session_kind),
        )
    allowed = Decision(
        decision_id=decision_id,
        effect=Effect.ALLOW,
        reason=answer.reason if answer.effect is Effect.ALLOW else _APPROVED,
        rule=answer.rule,
        revision=revision,
        limits=taken.results if taken else (),
        obligations=answer.obligations,
        approval=outcome.approval,
        shadow=answer.shadow + (_shadow_limits(answer, taken, session_kind) if taken else ()),
    )
    if taken is None and not all(limit.shadow for limit in answer.limits):
        return refuse_with(allowed, "rate_limit_unavailable")
    return allowed


def _refused(
    decision: Decision, answer: PolicyAnswer, failure: CheckFailure | None, outcome: Outcome
) -> Decision:
    """The denial with what the rules add to it; a hold while people are asked."""
    is_checked = failure is not None and answer.effect is not Effect.DENY
    return structs.replace(
        decision,
        effect=outcome.effect if answer.effect is Effect.HOLD and not is_checked else Effect.DENY,
        rule=failure.rule if failure and is_checked else answer.rule,
        approval=outcome.approval,
        hidden=answer.hidden,
        shadow=answer.shadow,
        appearance=answer.appearance,
    )


def refuse_with(decision: Decision, code: str) -> Decision:
    """`decision` turned into a denial, because an edge failed."""
    reason = Reason(code, REASONS[code])
    denial = _deny(decision.decision_id, decision.revision, reason)
    return structs.replace(denial, rule=decision.rule, shadow=decision.shadow)


def _deny(decision_id: str, revision: str, reason: Reason) -> Decision:
    return Decision(decision_id=decision_id, effect=Effect.DENY, reason=reason, revision=revision)


def _limit_reason(taken: Taken, session_kind: str) -> Reason:
    """A reason that names every limit that failed, because a caller that waited for one would be refused by the next."""
    sentences = "; ".join(_sentence(result, session_kind) for result in taken.failed)
    never = ", and this call costs more than that" if taken.retry_after_ms == -1 else ""
    return Reason("rate_limited", f"rate limit reached: {sentences}{never}")


def _sentence(result: LimitResult, session_kind: str) -> str:
    whose = limit_text.whose(result.scope, session_kind)
    return limit_text.allows(result.name, result.max, result.window, whose, result.algorithm)


def _limit_rule(answer: PolicyAnswer, failed: LimitResult) -> str:
    """The rule that set the limit, or the limit whose companion it is."""
    names = (failed.name, failed.name.removesuffix(CALLER_TOTAL))
    rules = (limit.rule for limit in answer.limits if limit.name in names)
    return next(rules, "") or answer.rule


def _shadow_limits(
    answer: PolicyAnswer, taken: Taken, session_kind: str
) -> tuple[ShadowFinding, ...]:
    """Findings of the shadow limits that would have refused the call."""
    return tuple(
        ShadowFinding(
            Effect.DENY,
            Reason("rate_limited", f"rate limit reached: {_sentence(result, session_kind)}"),
            _limit_rule(answer, result),
        )
        for result in taken.results
        if result.shadow and not result.passed
    )
