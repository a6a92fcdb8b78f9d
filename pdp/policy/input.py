"""The policy's `input` for a call: one JSON document per call. Pure.

The argument bytes are spliced in unchanged, except for line ends between tokens: a record is one line,
and the document must be rebuilt from it (`pdp.records.replay`). The codec has proven the arguments to be
strict JSON, so that they cannot change the document around them.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from msgspec import Raw, Struct

from pdp.api import strict_json
from pdp.api.model import Call, Client, Direction, Phase, Protocol, Reference, Session
from pdp.tools.catalogue import Facts, Tool


class _Principal(Struct):
    id: str
    kind: str
    claims: Raw


class _Input(Struct):
    server: str
    method: str
    phase: Phase
    direction: Direction
    target: str
    reference: Reference
    arguments: Raw
    annotations: Raw
    tool: Facts
    principal: _Principal
    session: Session
    client: Client
    protocol: Protocol
    transport: str
    time: int
    request_id: str
    is_retry: bool


_encode = msgspec.json.Encoder().encode


def policy_input(call: Call, tool: Tool, now_ns: int) -> bytes:
    """The `input` document of one call; `now_ns` is nanoseconds since the epoch."""
    return _encode(
        _Input(
            server=call.server,
            method=call.method,
            phase=call.phase,
            direction=call.direction,
            target=call.target,
            reference=call.reference,
            arguments=Raw(strict_json.on_one_line(call.arguments)),
            annotations=tool.annotations,
            tool=tool.facts,
            principal=_Principal(
                call.principal.id,
                call.principal.kind,
                Raw(strict_json.on_one_line(call.principal.claims)),
            ),
            session=call.session,
            client=call.client,
            protocol=call.protocol,
            transport=call.transport,
            time=now_ns,
            request_id=call.request_id,
            is_retry=call.is_retry,
        )
    )


def query(inputs: Iterable[bytes]) -> bytes:
    """The body of one batch query."""
    return b'{"input":{"calls":[' + b",".join(inputs) + b"]}}"
