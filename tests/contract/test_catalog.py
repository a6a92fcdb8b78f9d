"""The catalogue as any gRPC client finds it: what is known of tools, and which have changed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.json_format import MessageToDict

from pdp.api.definition import digest
from pdp.api.v1 import decision_pb2_grpc, policy_pb2, policy_pb2_grpc, types_pb2
from tests.gateway import Gateway, gateway, question

NOBODY = "http://127.0.0.1:9/mcp"
DEFINITION = {"name": "read", "inputSchema": {"required": ["path"]}}
PINNED, LISTED = digest(DEFINITION), "sha256:" + "b" * 64
TOOLS: dict[str, Any] = {
    "read": {
        "category": "Read",
        "risk": "low",
        "confidence": 0.75,
        "marks": ["files", "secrets_out"],
        "digest": PINNED,
        "accepted": "2026-11-24T22:00:00Z",
        "definition": DEFINITION,
    },
    "ping": {},
}
LIST = types_pb2.PHASE_LIST


@pytest.fixture
async def tipstaff(tmp_path: Path) -> AsyncIterator[Gateway]:
    rules = {"default": "allow", "categories": {"Read": {"arguments": "declared"}}}
    one = Gateway(tmp_path, {"s": NOBODY, "t": NOBODY})
    one.catalogue("s", TOOLS)
    one.catalogue("t", {"drop": {"category": "Destructive"}})
    async with gateway(tmp_path, {"s": NOBODY, "t": NOBODY}, {"s": rules}) as running:
        yield running


@pytest.fixture
async def channel(tipstaff: Gateway) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(tipstaff.address) as one:
        yield one


async def rows(channel: grpc.aio.Channel, server: str = "") -> list[dict[str, Any]]:
    stub = policy_pb2_grpc.PolicyServiceStub(channel)
    reply = await stub.Catalog(policy_pb2.CatalogRequest(server=server))
    return [MessageToDict(one, preserving_proto_field_name=True) for one in reply.tools]


async def test_the_catalogue_tells_what_is_known_of_every_tool(channel: grpc.aio.Channel) -> None:
    """Or of those of one server; a server that nobody has registered has none."""
    read = {
        "server": "s",
        "tool": "read",
        "category": "Read",
        "risk": "low",
        "confidence": 0.75,
        "marks": ["files", "secrets_out"],
        "pinned": True,
        "digest": PINNED,
    }
    ping = {"server": "s", "tool": "ping"}
    drop = {"server": "t", "tool": "drop", "category": "Destructive"}
    assert await rows(channel) == [read, ping, drop]
    assert await rows(channel, "t") == [drop]
    assert await rows(channel, "u") == []


async def test_a_look_at_a_list_tells_the_service_that_a_tool_has_changed(
    channel: grpc.aio.Channel,
) -> None:
    """The entry is hidden, the next call denied, and the row says what was seen."""
    service = decision_pb2_grpc.DecisionServiceStub(channel)
    call = question("s", "read", "1", arguments_json=b'{"path":"/"}')
    assert (await service.Decide(call)).decision.effect == types_pb2.EFFECT_ALLOW
    same = question("s", "read", "2", phase=LIST, definition_digest=PINNED)
    assert not (await service.Decide(same)).decision.hidden
    other = question("s", "read", "3", phase=LIST, definition_digest=LISTED)
    decision = (await service.Decide(other)).decision
    assert (decision.hidden, decision.reason.code) == (True, "tool_changed")
    call = question("s", "read", "4", arguments_json=b'{"path":"/"}')
    decision = (await service.Decide(call)).decision
    assert (decision.hidden, decision.reason.code) == (False, "tool_changed")
    row, *others = await rows(channel)
    assert (row["changed"], row["digest"], row["seen_digest"]) == (True, PINNED, LISTED)
    assert not any("changed" in one or "seen_digest" in one for one in others)


async def test_arguments_are_checked_by_the_schema_that_was_accepted(
    channel: grpc.aio.Channel,
) -> None:
    """`declared` is the input schema in the catalogue's definition."""
    service = decision_pb2_grpc.DecisionServiceStub(channel)
    decision = (await service.Decide(question("s", "read", "1"))).decision
    assert decision.reason.code == "arguments_invalid"
    assert "path" in decision.reason.message
