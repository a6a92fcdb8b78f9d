"""A decision, its record, and the same question asked again of the real OPA: the same answer."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from pdp.answer import PolicyAnswer
from pdp.api.v1 import types_pb2
from pdp.policy.opa import OpaEngine
from pdp.records.replay import replay
from tests.gateway import Gateway, decisions, gateway, question

NOBODY = "http://127.0.0.1:9/mcp"
RULES = {"default": "allow", "tools": {"drop": {"action": "deny", "reason": "Never."}}}
TOOLS = {
    "drop": {},
    "read": {
        "category": "Read",
        "risk": "low",
        "confidence": 0.9,
        "marks": ["audited"],
        "definition": {"name": "read", "annotations": {"readOnlyHint": True}},
    },
}
# One rule for each member of the input that no other rule reads: each is told by its reason.
SITE = """package site.all

deny contains {"code": "claims", "message": m} if {
	"blocked" in input.principal.claims.roles
	m := sprintf("%v may not", [input.principal.id])
}

deny contains {"code": "claims", "message": "Elsewhere."} if input.principal.claims["x/y"] == 1.50

deny contains {"code": "facts", "message": m} if {
	input.arguments.facts
	m := sprintf("%v %v", [input.tool, input.annotations])
}

deny contains {"code": "time", "message": m} if {
	input.arguments.time
	m := sprintf("%v", [input.time])
}

deny contains {"code": "rest", "message": m} if {
	input.arguments.rest
	m := sprintf("%v %v %v %v %v %v %v", [
		input.client, input.protocol, input.transport, input.is_retry, input.request_id,
		input.session, input.direction,
	])
}
"""
PRINCIPAL = {"id": "alice", "kind": "jwt"}
CLAIMS = {"roles": ["blocked"], "email": "alice@example.org"}


@pytest.fixture
async def tipstaff(tmp_path: Path) -> AsyncIterator[Gateway]:
    site = tmp_path / "policy" / "site" / "all" / "all.rego"
    site.parent.mkdir(parents=True)
    site.write_text(SITE)
    listing = tmp_path / "policy" / "catalog" / "s" / "data.json"
    listing.parent.mkdir(parents=True)
    listing.write_text(json.dumps({"tools": TOOLS}))
    async with gateway(tmp_path, {"s": NOBODY}, {"s": RULES}) as one:
        yield one


def by(claims: dict[str, Any]) -> dict[str, Any]:
    principal = types_pb2.Principal(**PRINCIPAL, claims_json=json.dumps(claims).encode())
    return {"principal": principal}


ASKED: dict[str, tuple[str, dict[str, Any], str]] = {
    "allowed": ("read", {}, "allowed"),
    "denied": ("drop", {}, "denied_by_rule"),
    "claims": ("read", by(CLAIMS), "claims"),
    "odd claims": ("read", by({"x/y": 1.50}), "claims"),
    "other claims": ("read", by({"email": "alice@example.org"}), "allowed"),
    "facts": ("read", {"arguments_json": b'{ "facts" : true }'}, "facts"),
    "time": ("read", {"arguments_json": b'{"time":\n1.50}\n'}, "time"),
    "rest": (
        "read",
        {
            "arguments_json": b'{"rest":12345678901234567890123}',
            "client": types_pb2.Client(name="agent", version="1.2"),
            "protocol": types_pb2.Protocol(era="legacy", version="2025-06-18"),
            "transport": "http",
            "is_retry": True,
        },
        "rest",
    ),
}


async def test_a_recorded_question_has_the_same_answer_again(tipstaff: Gateway) -> None:
    """Whatever of it the rules read: the whole is there, and its digest says so."""
    answers = {}
    async with decisions(tipstaff.address) as service:
        for name, (target, more, code) in ASKED.items():
            reply = await service.Decide(question("s", target, name, **more))
            assert reply.decision.reason.code == code, name
            answers[name] = reply.decision
    journal = tipstaff.folder / "state" / "decisions.jsonl"
    engine = OpaEngine(tipstaff.folder / "state" / "run" / "opa" / "opa.sock", 5000, 1)
    try:
        for line in journal.read_bytes().splitlines():
            asked = replay(line)
            assert asked.is_exact
            batch = await engine.ask([asked.document])
            (answer,) = batch.answers
            assert isinstance(answer, PolicyAnswer)
            decision = answers.pop(json.loads(line)["request_id"])
            assert batch.revision == asked.revision == decision.revision
            assert (answer.rule, answer.reason.code, answer.reason.message) == (
                decision.rule,
                decision.reason.code,
                decision.reason.message,
            )
    finally:
        await engine.close()
    assert not answers


async def test_a_record_holds_the_claims_that_rules_read_and_no_others(tipstaff: Gateway) -> None:
    """The site reads the roles, and nobody the address."""
    async with decisions(tipstaff.address) as service:
        await service.Decide(question("s", "read", "1", **by(CLAIMS)))
    (record,) = tipstaff.records()
    assert record["principal"]["claims"] == {"roles": ["blocked"]}
    assert record["unread"] == ["/principal/claims"]
    assert "example.org" not in json.dumps(record)
