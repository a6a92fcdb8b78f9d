"""An approval as the message that people's programs get. Pure."""

from __future__ import annotations

from pdp.api.model import ApprovalState as State
from pdp.api.v1 import approvals_pb2, types_pb2
from pdp.approvals.approvals import Seen
from pdp.approvals.life import Answer
from pdp.approvals.terms import Hold
from tipstaff.common.masking import masked_credentials, masked_text

_STATES = {state: f"APPROVAL_STATE_{state.upper()}" for state in State}


def held_to_wire(seen: Seen) -> approvals_pb2.HeldCall:
    """Write an approval."""
    held = seen.held
    caller, subject = held.caller, held.subject
    return approvals_pb2.HeldCall(
        id=held.id,
        state=_STATES[held.state],
        digest=held.key,
        server=subject.server,
        method=subject.method,
        target=subject.target,
        arguments_json=subject.arguments.encode(),
        principal=types_pb2.Principal(id=masked_credentials(caller.id), kind=caller.kind),
        human=masked_credentials(caller.human),
        client=types_pb2.Client(
            name=masked_text(caller.client.name), version=masked_text(caller.client.version)
        ),
        category=subject.category,
        risk=subject.risk,
        confidence=subject.confidence,
        definition_digest=subject.definition,
        revision=held.revision,
        terms=[_terms(hold) for hold in held.holds],
        decision_id=held.decision_id,
        created_at_ms=held.created // 1000,
        ends_at_ms=held.ends // 1000,
        changed_at_ms=held.changed // 1000,
        answers=[_answer(answer) for answer in held.answers],
        waiting=seen.waiting,
        joined=held.joined,
        is_standing=held.is_standing,
        uses=held.uses,
        limits=[
            types_pb2.LimitResult(
                name=limit.name,
                scope=limit.scope,
                max=limit.max,
                window_seconds=limit.window,
                cost=limit.cost,
            )
            for limit in subject.limits
        ],
        used_by=masked_text(held.used_by),
    )


def _terms(hold: Hold) -> approvals_pb2.ApprovalTerms:
    terms, standing = hold.terms, hold.terms.standing
    return approvals_pb2.ApprovalTerms(
        rule=hold.rule,
        reason=types_pb2.Reason(code=hold.reason.code, message=masked_text(hold.reason.message)),
        approvers=terms.approvers,
        count=terms.count,
        not_self=terms.not_self,
        decide_within=terms.decide_within,
        use_within=terms.use_within,
        note=terms.note,
        standing_max=standing.max if standing else 0,
        standing_match=standing.match if standing and standing.match != "exact" else (),
    )


def _answer(answer: Answer) -> approvals_pb2.ApprovalAnswer:
    return approvals_pb2.ApprovalAnswer(
        by=answer.by,
        method=answer.method,
        at_ms=answer.at // 1000,
        is_grant=answer.is_grant,
        note=masked_text(answer.note),
        is_self=answer.is_self,
    )
