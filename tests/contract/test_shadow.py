"""A server in shadow against its twin, by the whole decision service: only the effect differs.

Each twin has the same rules, and is asked the same; what the one decides is what the other records.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import MessageToJson

from pdp.api.v1 import decision_pb2
from tests.gateway import Gateway, decisions, gateway, question

NOBODY = "http://127.0.0.1:9/mcp"
ONCE = {"rate_limit": {"max": 1, "window": 3600}}
CHECKED: dict[str, Any] = {"arguments": {"required": ["name"]}}
RULES: list[dict[str, Any]] = [
    {},
    ONCE,
    CHECKED,
    {"arguments": "declared"},
    {**ONCE, **CHECKED},
    {"rate_limit": {"max": 1, "window": 3600, "algorithm": "gcra", "scope": "server"}},
    {"action": "deny"},
    {"action": "deny", "reason": "Not here."},
    {"action": "hide"},
    {"action": "require_approval", "reason": "Ask."},
    {"action": "require_approval", **CHECKED, **ONCE},
]
READ = {"method": "resources/read", "target": "file:///srv/a"}
PLACES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "tool": ("tools", "read", {}),
    "resource": ("resources", "file:///srv/a", READ),
    "beginning": ("resources", "file:///srv/*", READ),
    "doubtful": ("resources", "file:///srv/*", {**READ, "target": "file:///srv/../a"}),
    "prompt": ("prompts", "greet", {"method": "prompts/get", "target": "greet"}),
    "listing": ("methods", "tools/list", {"method": "tools/list", "target": ""}),
    "beginning to call": ("methods", "initialize", {"method": "initialize", "target": ""}),
}
DEFAULTS = [{"default": word} for word in ("allow", "deny", "hide", "require_approval")]


def texts() -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """The rules of a server, and the call that they are about."""
    for (section, name, asked), rule in itertools.product(PLACES.values(), RULES):
        is_bare = section in {"tools", "prompts"}
        if "arguments" in rule and not is_bare:
            continue  # such rules are refused: nothing has arguments there
        if rule.get("arguments") == "declared" and section != "tools":
            continue
        if section == "methods" and rule.get("action") == "hide":
            continue
        yield {"default": "deny", section: {name: rule}}, asked
    for default in ({}, *DEFAULTS):
        yield {**default, "tools": {"other": {}}}, {}
        yield {**default, "initialize": {"max": 1, "window": 3600}}, PLACES["listing"][2]
        yield {**default, "initialize": {"max": 1, "window": 3600}}, {"method": "initialize"}
    yield {"default": "allow", "limits": [{"name": "all", "max": 1, "window": 3600}]}, {}


TWINS = list(texts())


@pytest.fixture
async def tipstaff(tmp_path: Path) -> AsyncIterator[Gateway]:
    rules = {
        name: text
        for number, (one, _) in enumerate(TWINS)
        for name, text in (
            (f"enforced{number}", one),
            (f"shadowed{number}", {**one, "shadow": True}),
            (f"declined{number}", {**one, "shadow": False}),
        )
    }
    async with gateway(tmp_path, {"s": NOBODY}, rules) as one:
        yield one


async def decided(tipstaff: Gateway, kind: str) -> list[list[dict[str, Any]]]:
    """Of each text the decisions on two calls, one after the other, without what is always new."""
    found: list[list[dict[str, Any]]] = [[] for _ in TWINS]
    async with decisions(tipstaff.address) as service:
        for turn in range(2):
            requests = []
            for number, (_, call) in enumerate(TWINS):
                server = f"{kind}{number}"
                one = question(server, call.get("target", "read"), f"{server}-{turn}")
                one.method = call.get("method", one.method)
                requests.append(one)
            batch = decision_pb2.BatchDecideRequest(requests=requests)
            reply = await service.BatchDecide(batch, timeout=30)
            for number, judged in enumerate(reply.responses):
                found[number].append(plain(judged.decision, f"{kind}{number}"))
    return found


def plain(decision: Any, server: str) -> dict[str, Any]:
    """The decision as JSON, of a server without a name of its own, at no time of its own."""
    told: dict[str, Any] = json.loads(MessageToJson(decision).replace(server, "twin"))
    told.pop("approval", None)
    for one in (told, *told.get("limits", ())):
        one.pop("decisionId", None)
        one.pop("retryAfterMs", None)
    return told


def finding(decision: dict[str, Any]) -> tuple[str, str, str]:
    """What a denial says, as a finding says it. Of what nothing permits the default is the rule."""
    reason, rule = decision["reason"], decision["rule"]
    return reason["code"], reason["message"], rule.replace("mcp.main", "servers.twin.default")


async def test_a_twin_in_shadow_lets_pass_and_records_what_the_other_denies(
    tipstaff: Gateway,
) -> None:
    """Whatever the rule, wherever it stands; and `shadow: false` is as if it were not there."""
    enforced = await decided(tipstaff, "enforced")
    assert await decided(tipstaff, "declined") == enforced
    shadowed = await decided(tipstaff, "shadowed")
    codes = set()
    for (text, call), *pair in zip(TWINS, enforced, shadowed, strict=True):
        for one, other in zip(*pair, strict=True):
            note = (text, call, one, other)
            assert other["effect"] == "EFFECT_ALLOW", note
            assert other["rule"] == "servers.twin.shadow", note
            told = {
                (found["reason"]["code"], found["reason"]["message"], found["rule"])
                for found in other.get("shadow", ())
            }
            assert all(limit["shadow"] for limit in other.get("limits", ())), note
            if one["effect"] == "EFFECT_ALLOW":
                assert not told, note
                assert len(one.get("limits", ())) == len(other.get("limits", ())), note
            else:
                codes.add(one["reason"]["code"])
                assert finding(one) in told, note
    assert codes == {
        "denied_by_rule", "hidden", "approval_required", "no_permit", "uri_ambiguous",
        "arguments_invalid", "rate_limited",
    }  # fmt: skip
