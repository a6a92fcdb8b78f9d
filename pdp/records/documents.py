"""JSON documents of a call as a record may hold them: on one line, bounded in size, masked. Pure.

Pointers name what was masked, so that a mask is told apart from a text that reads like one. A
document in which a scan of its bytes finds no hint of a secret is written as it came.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from msgspec import Struct

from pdp.api import strict_json
from tipstaff.common.masking import hints, masked, masked_text, may_hold_secret

MAX_RECORDED = 16 * 1024
_MAX_POINTERS = 4096  # characters, in all of one document


class Masked(Struct, frozen=True):
    """A JSON document as it may be written: on one line, bounded in size, its secrets masked.

    `pointers` lead to what was masked (RFC 6901), so that a mask is told apart from a text that reads
    like one. With no pointers, and not `is_omitted`, the document is unchanged, byte for byte but for
    line ends (`strict_json.on_one_line`).
    """

    data: bytes
    pointers: tuple[str, ...] = ()
    is_omitted: bool = False


def masked_json(data: bytes) -> bytes:
    """Strict JSON `data` with its secrets masked, on one line, bounded in size."""
    return masked_document(data).data


def masked_document(data: bytes, longest: int = MAX_RECORDED) -> Masked:
    """Strict JSON `data` with its secrets masked; a document of more than `longest` bytes is left out."""
    if len(data) > longest:
        return Masked(json.dumps({"[omitted]": f"{len(data)} bytes"}).encode(), is_omitted=True)
    data = strict_json.on_one_line(data)
    if not hints.finds_in(data.lower()):
        return Masked(data)
    value = json.loads(data)
    hidden = masked(value, _masked_inner)
    pointers = _bounded(_differences(value, hidden))
    if not pointers:
        return Masked(data)
    written = json.dumps(hidden, ensure_ascii=False, separators=(",", ":")).encode()
    return Masked(written, pointers)


def _masked_inner(text: str) -> str:
    """`text`, masked as a JSON document when it is one; a document nested in that is masked as text."""
    if text.lstrip()[:1] in ("{", "[") and may_hold_secret(text):
        try:
            value = strict_json.loads(text.encode())
        except strict_json.StrictJsonError:
            return masked_text(text)
        hidden = masked(value)
        return text if hidden == value else json.dumps(hidden)
    return masked_text(text)


def _bounded(pointers: Iterable[str]) -> tuple[str, ...]:
    """The pointers; one to the whole document when they would be longer than a record should be."""
    kept, room = [], _MAX_POINTERS
    for pointer in pointers:
        kept.append(pointer)
        room -= len(pointer) + 1
        if room < 0:
            return ("",)
    return tuple(kept)


def _differences(before: Any, after: Any) -> Iterator[str]:
    """Pointers to what masking has changed; to the object above when names in it have become one."""
    if isinstance(before, dict) and isinstance(after, dict) and len(before) == len(after):
        for (name, item), (shown, masked_item) in zip(before.items(), after.items(), strict=True):
            pointer = "/" + shown.replace("~", "~0").replace("/", "~1")
            if name != shown:
                yield pointer
            else:
                yield from (pointer + rest for rest in _differences(item, masked_item))
    elif isinstance(before, list) and isinstance(after, list):
        for index, (item, masked_item) in enumerate(zip(before, after, strict=True)):
            yield from (f"/{index}{rest}" for rest in _differences(item, masked_item))
    elif before != after:
        yield ""
