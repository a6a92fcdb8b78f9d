"""Approvals as the decision service tells of them, for tests of those who show them."""

from __future__ import annotations

from typing import Any

from pdp.api.v1 import approvals_pb2, types_pb2

NOW_MS = 1_790_000_000_000


def held_call(approval_id: str = "a-0199f0c3a1b2aa", state: str = "pending", **more: Any) -> Any:
    """An approval of a payment, with whatever `more` says in place of the usual."""
    fields: dict[str, Any] = {
        "id": approval_id,
        "state": f"APPROVAL_STATE_{state.upper()}",
        "digest": "sha256:" + "ab" * 32,
        "server": "bank",
        "method": "tools/call",
        "target": "pay",
        "arguments_json": b'{"to": "ana", "amount": 1.00}',
        "principal": types_pb2.Principal(id="token:ci", kind="token"),
        "human": "bo",
        "client": types_pb2.Client(name="claude-code", version="2.1"),
        "category": "payments",
        "risk": "high",
        "confidence": 0.8,
        "decision_id": "0199f0c3a1b2",
        "created_at_ms": NOW_MS - 180_000,
        "changed_at_ms": NOW_MS - 180_000,
        "ends_at_ms": NOW_MS + 720_000,
        "joined": 1,
        "terms": [term()],
        **more,
    }
    return approvals_pb2.HeldCall(**fields)


def term(**more: Any) -> Any:
    """The terms of one rule."""
    fields: dict[str, Any] = {
        "rule": "servers.bank.tools.pay",
        "reason": types_pb2.Reason(code="approval_required", message="Ask finance."),
        "approvers": ["finance"],
        "count": 2,
        "not_self": True,
        "decide_within": 900,
        "use_within": 600,
        "note": "optional",
        **more,
    }
    return approvals_pb2.ApprovalTerms(**fields)


def answer(by: str = "bo", *, is_grant: bool = True, **more: Any) -> Any:
    """One person's answer."""
    return approvals_pb2.ApprovalAnswer(
        by=by, method="cli", at_ms=NOW_MS - 60_000, is_grant=is_grant, **more
    )
