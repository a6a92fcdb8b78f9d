"""Converts the entries of a list to protobuf and back. Pure and total: a malformed message is a `CodecError`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct, structs

from pdp.api.bounds import MAX_LIST_ENTRIES, MAX_TARGET, CodecError, optional_text
from pdp.api.codec import call_from_wire, call_to_wire, check_digest
from pdp.api.model import Call, Phase
from pdp.api.v1 import decision_pb2


class ListEntry(Struct, frozen=True):
    """An entry of a server's list: its target, and the digest of a tool's definition, "" where it is not known."""

    target: str
    definition: str = ""


def list_to_wire(call: Call, entries: Sequence[ListEntry]) -> decision_pb2.FilterListRequest:
    """Write a list; `call` stands for each entry."""
    return decision_pb2.FilterListRequest(
        request=call_to_wire(call),
        entries=[
            decision_pb2.ListEntry(target=entry.target, definition_digest=entry.definition)
            for entry in entries
        ],
    )


def calls_from_wire(message: decision_pb2.FilterListRequest, size: int) -> Iterator[list[Call]]:
    """The calls that are judged for the entries, `size` at a time, in order; raises `CodecError`."""
    if len(message.entries) > MAX_LIST_ENTRIES:
        raise CodecError("entries", f"more than {MAX_LIST_ENTRIES}")
    if message.request.arguments_json not in {b"", b"{}"}:
        raise CodecError("request.arguments_json", "an entry of a list has none")
    call = call_from_wire(message.request)
    if call.phase is not Phase.LIST:
        raise CodecError("request.phase", "not PHASE_LIST")
    for start in range(0, len(message.entries), size):
        part = message.entries[start : start + size]
        yield [_call(call, start + offset, entry) for offset, entry in enumerate(part)]


def _call(call: Call, position: int, entry: decision_pb2.ListEntry) -> Call:
    optional_text("entries.target", entry.target, MAX_TARGET)
    check_digest("entries.definition_digest", entry.definition_digest)
    return structs.replace(
        call,
        request_id=f"{call.request_id}.{position}",
        target=entry.target,
        definition=entry.definition_digest,
    )
