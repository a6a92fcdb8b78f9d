"""Rebuilds the policy's `input` from a record: the inverse of `pdp.records.record`. Pure.

The same revision gives the same answer to it. Parts that were masked, or too large to be kept, are
lost; the `input` then has the mask in their place, and `Replay.obstacle` names them.
"""

from __future__ import annotations

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from pdp.api.model import Call, Principal
from pdp.errors import RecordError
from pdp.policy.input import policy_input
from pdp.records.record import Record, digest_of
from pdp.records.shown import BESIDE_INPUT, NO_MEMBERS
from pdp.tools.catalogue import Tool

_decode = msgspec.json.Decoder(Record).decode


class Replay(Struct, frozen=True):
    """The `input` of a recorded call, as far as the record holds it.

    `masked` and `omitted` are pointers to the parts it lacks. `unread` means that the caller had claims
    which no rule of the `revision` reads: to other rules they may matter.
    """

    document: bytes
    revision: str
    masked: tuple[str, ...] = ()
    omitted: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()

    @property
    def is_exact(self) -> bool:
        """Whether the document equals the judged one, but for claims that no rule of its revision reads."""
        return not self.masked and not self.omitted

    @property
    def obstacle(self) -> str:
        """Why the document is not exact, or ""."""
        parts = [f"{pointer} was masked" for pointer in self.masked]
        parts += [f"{pointer} was too large to be kept" for pointer in self.omitted]
        return f"cannot be replayed exactly: {', '.join(parts)}" if parts else ""


def replay(line: bytes) -> Replay:
    """The `input` of the call recorded in `line`; raises `RecordError`."""
    try:
        record = _decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RecordError(f"not a record of a decision: {error}") from error
    if not record.time:
        raise RecordError("no policy was asked about this call")
    tool = Tool(record.tool, _or_empty(record.annotations), pin=record.pin)
    question = Replay(
        policy_input(_call(record), tool, record.time),
        record.revision,
        masked=tuple(path for path in record.masked if path not in BESIDE_INPUT),
        omitted=record.omitted,
        unread=record.unread,
    )
    if question.is_exact and record.input_digest != digest_of(question.document):
        raise RecordError("the record is not what was written: its question has another digest")
    return question


def _call(record: Record) -> Call:
    claims = bytes(_or_empty(record.principal.claims))
    return Call(
        request_id=record.request_id,
        server=record.server,
        method=record.method,
        target=record.target,
        reference=record.reference,
        arguments=bytes(record.arguments),
        principal=Principal(record.principal.id, record.principal.kind, claims),
        session=record.session,
        client=record.client,
        protocol=record.protocol,
        transport=record.transport,
        phase=record.phase,
        direction=record.direction,
        is_retry=record.is_retry,
        trace_id=record.trace_id,
        definition=record.definition,
    )


def _or_empty(document: Raw | UnsetType) -> Raw:
    return Raw(NO_MEMBERS) if document is UNSET else document
