"""Replaces one member of a JSON object; the other members keep their bytes. Pure.

For messages that a strict parse has accepted: equal keys would be lost here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

import msgspec
from msgspec import Raw

_decode = msgspec.json.Decoder(dict[str, Raw]).decode
_KEY = re.compile(rb'\s*,?\s*"[^"\\]*+(?:\\.[^"\\]*+)*"\s*:\s*', re.DOTALL)
_END = re.compile(rb"\s*\}\s*")


def members(data: bytes | Raw) -> dict[str, bytes | Raw]:
    """The members of an object, in order; raises `msgspec.DecodeError` for other JSON."""
    return dict(_decode(data))


def joined(parts: Mapping[str, bytes | Raw]) -> bytes:
    """An object with these members."""
    pairs = [json.dumps(key).encode() + b":" + bytes(value) for key, value in parts.items()]
    return b"{" + b",".join(pairs) + b"}"


def replaced(data: bytes | Raw, path: tuple[str, ...], value: bytes) -> bytes:
    """`data` with `value` at `path`; unchanged when there is no member at `path`."""
    try:
        parts = members(data)
    except msgspec.DecodeError:
        return bytes(data)
    key, *rest = path
    if key not in parts:
        return bytes(data)
    parts[key] = replaced(parts[key], tuple(rest), value) if rest else value
    return joined(parts)


def distinct_members(data: bytes) -> dict[str, bytes | Raw]:
    """The members of an object; raises `ValueError`, too, for a key that stands there twice.

    Other functions here keep the last of two equal keys, and other parsers keep the first.
    """
    by_key = members(data)
    if sum(map(len, by_key)) + sum(map(len, by_key.values())) + 4 * len(by_key) + 1 == len(data):
        return by_key  # quotes, colons and commas are all that stands beside keys and values
    at = data.index(b"{") + 1
    for value in by_key.values():
        key = _KEY.match(data, at)
        if key is None or not data.startswith(bytes(value), key.end()):
            raise ValueError("a key stands twice")
        at = key.end() + len(value)
    if _END.fullmatch(data, at) is None:
        raise ValueError("a key stands twice")
    return by_key
