"""Reading JSON so that no second parser can read it differently. Does no I/O.

Refused, beyond what is not JSON at all: duplicate keys at any level (compared after unescaping),
NaN and infinities, numbers beyond the range of a double, text that is not UTF-8 or begins with a
BOM, lone surrogates, and nesting deeper than `MAX_DEPTH`. Python's json, msgspec and OPA all
silently keep the last of two equal keys; other parsers keep the first.

A document of too many values is refused too, before any parser runs: even a short document can hold
more values than fit into memory.

Theory: reading with a check at every object is slow in Python. Most documents are as programs write them, and
then there is a shorter proof: a fast parser reads the value, a writer writes it, and the bytes are the same. A
writer writes no key twice, no lone surrogate, nothing that is no number; so there is none. Any other document, be
it only spelled in another way, takes the long way.
"""

from __future__ import annotations

import json
import math
import sys
from collections import Counter
from typing import Any

import msgspec

MAX_DEPTH = 64
MAX_INTEGER_LENGTH = 308  # shorter ones always fit a double
MAX_VALUES = 100_000
UNBOUNDED = sys.maxsize  # for files that are the operator's own
_read = msgspec.json.Decoder().decode
_write = msgspec.json.Encoder().encode
_DIGITS = b"0123456789"
_AS_ZEROS = bytes.maketrans(_DIGITS, b"0" * len(_DIGITS))
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


class StrictJsonError(ValueError):
    """The bytes are not JSON that every parser reads alike; the message says why."""


def loads(data: bytes, max_values: int = MAX_VALUES) -> Any:
    """Parse `data`, or raise `StrictJsonError`.

    Keys are not counted as values, an empty list or object is counted twice.
    """
    if data.startswith(b"\xef\xbb\xbf"):
        raise StrictJsonError("a byte order mark")
    _check_structure(data, max_values)
    try:
        value = _read(data)
        if _is_written(value, data) and not _has_long_number(data):
            return value
    except (msgspec.MsgspecError, ValueError):
        pass  # the long way says what is wrong, if anything is
    return _loads_slowly(data)


def _is_written(value: Any, data: bytes) -> bool:
    """Whether `data` is how `value` is written, by the writers of browsers and SDKs or by those of Python."""
    written = _write(value)
    return written == data or (b'": ' in data and msgspec.json.format(written, indent=0) == data)


def _has_long_number(data: bytes) -> bool:
    """Whether there may be an integer beyond the range of a double, which a writer of Python's would write too."""
    step = MAX_INTEGER_LENGTH + 1  # one digit of every number that long is looked at
    looked_at = data[MAX_INTEGER_LENGTH::step]
    if looked_at == looked_at.translate(None, _DIGITS):
        return False
    return b"0" * step in data.translate(_AS_ZEROS)


def _loads_slowly(data: bytes) -> Any:
    try:
        text = data.decode("utf-8")
        value = _DECODER.decode(text)
    except StrictJsonError:
        raise
    except UnicodeDecodeError as error:
        raise StrictJsonError("not UTF-8") from error
    except (ValueError, RecursionError) as error:
        raise StrictJsonError(str(error)) from error
    if "\\u" in text or "\\U" in text:
        _check_surrogates(value)
    return value


def read_proven(data: bytes) -> Any:
    """The value of bytes that `loads` has read before: the same, in a tenth of the time."""
    return _read(data)


def on_one_line(data: bytes) -> bytes:
    """Strict JSON `data` without line ends, and without blanks around it: the same value."""
    if data[-1:] != b"}" or data[:1] != b"{":
        data = data.strip(b" \t\r\n")
    return without_line_ends(data)


def without_line_ends(data: bytes) -> bytes:
    """Strict JSON `data` with blanks for its line ends, which stand between tokens only."""
    if b"\n" in data or b"\r" in data:
        return data.replace(b"\n", b" ").replace(b"\r", b" ")
    return data


def _check_structure(data: bytes, max_values: int) -> None:
    """Refuse a document that nests too deep for a recursive parser, or holds too many values for any.

    An opening bracket or a comma stands before each value but the outermost. The first count includes
    those inside strings; the strings are removed only when that count is too high.
    """
    opening = _count(data, b"[", max_values) + _count(data, b"{", max_values)
    is_many = len(data) > max_values and opening + _count(data, b",", max_values) >= max_values
    if opening <= MAX_DEPTH and not is_many:
        return
    bare = _without_strings(data, max_values)
    opening = bare.count(b"[") + bare.count(b"{")
    if opening + bare.count(b",") >= max_values:
        raise StrictJsonError(f"more than {max_values} values")
    if opening > MAX_DEPTH:
        _check_depth(bare.translate(None, _NO_BRACKETS), opening)


def _count(data: bytes, sign: bytes, most: int) -> int:
    """How often `sign` comes, `most` at most; `bytes.count` looks at every byte by itself, a replacement jumps."""
    return len(data) - len(data.replace(sign, b"", most))


def _without_strings(data: bytes, max_values: int) -> bytes:
    """The text between strings. A backslash outside a string is not JSON, so removing it there is harmless."""
    if b"\\" in data:
        data = data.replace(rb"\\", b"").replace(rb"\"", b"")
    if data.count(b'"') > 4 * max_values:  # a key and a string for each value
        raise StrictJsonError(f"more than {max_values} values")
    return b"".join(data.split(b'"')[::2])


def _check_depth(brackets: bytes, opening: int) -> None:
    if len(brackets) > 2 * opening:
        raise StrictJsonError("more brackets close than open")
    depth = 0
    for byte in brackets:
        if byte in b"[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise StrictJsonError(f"nested deeper than {MAX_DEPTH}")
        else:
            depth -= 1


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        [(key, _)] = Counter(key for key, _ in pairs).most_common(1)
        raise StrictJsonError(f"duplicate key {key[:64]!r}")
    return result


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value) or (not value and _significand(text)):
        raise StrictJsonError("a number beyond the range of a double")
    return value


def _significand(text: str) -> str:
    """The digits that matter before the exponent: a parser of more range would not read zero."""
    return text.lower().partition("e")[0].strip("-.0")


def _int(text: str) -> int:
    if len(text) > MAX_INTEGER_LENGTH:
        _float(text)
    return int(text)


def _constant(text: str) -> Any:
    raise StrictJsonError(f"{text} is not JSON")


def _check_surrogates(value: Any) -> None:
    """Refuse lone surrogates: they cannot be written back as UTF-8."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise StrictJsonError("a lone surrogate") from error


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_float=_float, parse_int=_int, parse_constant=_constant
)
