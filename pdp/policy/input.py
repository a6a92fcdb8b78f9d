"""The policy's `input` for a call: one JSON document per call. Pure.

The argument bytes are spliced in unchanged, except for line ends between tokens: a record is one line,
and the document must be rebuilt from it (`pdp.records.replay`). The codec has proven the arguments to be
strict JSON, so that they cannot change the document around them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import msgspec
from msgspec import Raw, Struct

from pdp.api import strict_json
from pdp.api.model import (
    Call,
    Client,
    Direction,
    Phase,
    Principal,
    Protocol,
    Reference,
    Session,
)
from pdp.rules.input_reads import InputReads
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
_members_of = msgspec.json.Decoder(dict[str, Raw]).decode
# The members of the input that are no documents of somebody else, in the order of `_Input`.
_MEMBERS: tuple[tuple[str, Callable[[Call, Tool], Any]], ...] = (
    ("server", lambda call, _: call.server),
    ("method", lambda call, _: call.method),
    ("phase", lambda call, _: call.phase),
    ("direction", lambda call, _: call.direction),
    ("target", lambda call, _: call.target),
    ("reference", lambda call, _: call.reference),
    ("annotations", lambda _, tool: tool.annotations),
    ("tool", lambda _, tool: tool.facts),
    ("session", lambda call, _: call.session),
    ("client", lambda call, _: call.client),
    ("protocol", lambda call, _: call.protocol),
    ("transport", lambda call, _: call.transport),
    ("request_id", lambda call, _: call.request_id),
    ("is_retry", lambda call, _: call.is_retry),
)


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


def projected(call: Call, tool: Tool, now_ns: int, reads: InputReads) -> bytes:
    """The part of `policy_input` that rules read; the answer to it is the answer to the whole."""
    if reads.members is None:
        return policy_input(call, tool, now_ns)
    members: dict[str, Any] = {}
    for name, take in _MEMBERS:
        if name in reads.members:
            members[name] = take(call, tool)
    if "arguments" in reads.members:
        members["arguments"] = _named(call.arguments, reads.arguments)
    if "principal" in reads.members:
        members["principal"] = _principal(call.principal, reads)
    if "time" in reads.members:
        members["time"] = now_ns
    return _encode(members)


def with_known_answer(document: bytes) -> bytes:
    """A projected `document`, with the note that its answer is known, unless the rules of the site have a part in it."""
    return document[:-1] + b',"answer_is_known":true}'


def _principal(principal: Principal, reads: InputReads) -> Any:
    whole: dict[str, Any] = {
        "id": principal.id,
        "kind": principal.kind,
        "claims": Raw(principal.claims),
    }
    if reads.of_principal is None:
        return whole
    part = {name: value for name, value in whole.items() if name in reads.of_principal}
    if "claims" in part:
        part["claims"] = _named(principal.claims, reads.claims)
    return part


def _named(document: bytes, names: frozenset[str] | None) -> Raw | dict[str, Raw]:
    """The members of `document`, a JSON object, with these names, in their order by name."""
    if names is None:
        return Raw(strict_json.on_one_line(document))
    members = _members_of(document)
    return {name: members[name] for name in sorted(names) if name in members}


def query(inputs: Iterable[bytes]) -> bytes:
    """The body of one batch query."""
    return b'{"input":{"calls":[' + b",".join(inputs) + b"]}}"
