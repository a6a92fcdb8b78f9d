"""The key of an approval: a digest of exactly what is approved. Pure.

Theory. A person approves one call: this caller, this tool as it is defined now, these arguments, held by
these rules on these terms. A call with the same key is the same call, and needs no second answer; any
other call has another key, and finds no grant. The revision of the policy is not part of it, since every
edit of any file would end all approvals; instead each call is judged anew before a grant counts, and the
rules that hold it are part of the key (ADR 16).

Arguments are compared as RFC 8785 writes them: members in the order of their UTF-16 code units, no white
space. Numbers keep the text that the client wrote, because two texts of one number may be two numbers to
the server; so a call is at worst asked about twice. Each part is preceded by its length, so that no two
lists of parts read alike.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from pdp.api.model import Call
from pdp.approvals.terms import Hold, standing_match, standing_max

_encode_terms = msgspec.json.Encoder(order="deterministic").encode
_MISSING = b"\x00missing"


class _Number(str):
    """A number by its text."""

    __slots__ = ()


def canonical(arguments: bytes) -> bytes:
    """The canonical text of strict JSON, numbers as they were written."""
    return _text(_loads(arguments)).encode("utf-8", "surrogatepass")


def key(call: Call, definition: str, holds: Sequence[Hold]) -> str:
    """The key of `call`, whose tool has the digest `definition` and which `holds` hold."""
    return _digest((*_parts(call, definition, holds), b"exact", canonical(call.arguments)))


def standing_key(call: Call, definition: str, holds: Sequence[Hold]) -> str:
    """The key that equal calls share under a standing grant; "" when the rules allow none."""
    if not standing_max(holds):
        return ""
    pointers = standing_match(holds)
    if not pointers:
        return _digest((*_parts(call, definition, holds), b"standing", canonical(call.arguments)))
    document = _loads(call.arguments)
    values = (_at(document, pointer) for pointer in sorted(pointers))
    return _digest((*_parts(call, definition, holds), b"standing", *values))


def _parts(call: Call, definition: str, holds: Sequence[Hold]) -> Iterable[bytes]:
    yield from (
        text.encode("utf-8", "surrogatepass")
        for text in (
            call.principal.kind,
            call.principal.id,
            call.server,
            call.method,
            call.target,
            call.reference,
            definition,
        )
    )
    for hold in sorted(holds, key=lambda hold: (hold.rule, _encode_terms(hold.terms))):
        yield hold.rule.encode("utf-8", "surrogatepass")
        yield _encode_terms(hold.terms)


def _digest(parts: Iterable[bytes]) -> str:
    digest = hashlib.sha256(b"tipstaff approval 1")
    for part in parts:
        digest.update(b"%d:" % len(part))
        digest.update(part)
    return "sha256:" + digest.hexdigest()


def _loads(arguments: bytes) -> Any:
    return json.loads(arguments, parse_int=_Number, parse_float=_Number)


def _text(value: Any) -> str:
    if isinstance(value, _Number):
        return str(value)
    if isinstance(value, dict):
        members = sorted(value.items(), key=lambda member: _utf16(member[0]))
        return "{" + ",".join(f"{_string(name)}:{_text(item)}" for name, item in members) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_text, value)) + "]"
    return _string(value) if isinstance(value, str) else json.dumps(value)


def _string(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _utf16(name: str) -> bytes:
    return name.encode("utf-16-be", "surrogatepass")


def _at(document: Any, pointer: str) -> bytes:
    """The canonical text of what `pointer` leads to; a text that is no JSON where there is nothing."""
    value = document
    for token in pointer.split("/")[1:]:
        name = token.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict) and name in value:
            value = value[name]
        elif (
            isinstance(value, list) and name.isascii() and name.isdigit() and int(name) < len(value)
        ):
            value = value[int(name)]
        else:
            return _MISSING
    return _text(value).encode("utf-8", "surrogatepass")
