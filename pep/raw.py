"""JSON objects whose members keep their bytes: one is replaced, the others stay as they came. Pure.

For messages that a strict parse has accepted: equal keys would be lost here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

import msgspec
from msgspec import Raw

_decode = msgspec.json.Decoder(dict[str, Raw]).decode


def members(data: bytes | Raw) -> dict[str, bytes | Raw]:
    """The members of an object, in order; raises `msgspec.DecodeError` when it is none."""
    return dict(_decode(data))


def joined(parts: Mapping[str, bytes | Raw]) -> bytes:
    """An object with these members."""
    pairs = [json.dumps(key).encode() + b":" + bytes(value) for key, value in parts.items()]
    return b"{" + b",".join(pairs) + b"}"


def replaced(data: bytes | Raw, path: tuple[str, ...], value: bytes) -> bytes:
    """`data` with `value` at `path`; as it came when there is nothing."""
    try:
        parts = members(data)
    except msgspec.DecodeError:
        return bytes(data)
    key, *rest = path
    if key not in parts:
        return bytes(data)
    parts[key] = replaced(parts[key], tuple(rest), value) if rest else value
    return joined(parts)
