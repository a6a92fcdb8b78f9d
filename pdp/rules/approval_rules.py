"""The terms of approvals as YAML writes them, validated before they are loaded. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from pdp.approvals.terms import Standing, Terms
from pdp.rules import rule_keys
from pdp.rules.yaml_lines import Path
from tipstaff.common.did_you_mean import nearest

_KEYS = tuple(rule_keys.APPROVAL_KEYS)
_NOTES = tuple(rule_keys.NOTES)
_STANDING_KEYS = tuple(rule_keys.STANDING_KEYS)


def faults(value: Any) -> Iterator[tuple[Path, str]]:
    """The place and reason of everything in `value` that is no part of terms."""
    yield from _faults(value, (), _KEYS, Terms)
    standing = value.get("standing") if isinstance(value, dict) else None
    if isinstance(standing, dict):
        yield from _faults(standing, ("standing",), _STANDING_KEYS, Standing)
        if "max" not in standing:
            yield ("standing",), "needs `max`, the longest time in seconds"


def _faults(
    value: Any, path: Path, known: tuple[str, ...], kind: type[Terms | Standing]
) -> Iterator[tuple[Path, str]]:
    if not isinstance(value, dict):
        yield path, "must be a mapping of keys to values"
        return
    types = {field.name: field.type for field in msgspec.structs.fields(kind)}
    for key, item in value.items():
        if key not in known:
            yield (*path, key), f"there is no key `{key}` here; {nearest(key, known)}"
        elif key == "note" and item not in _NOTES:
            yield (*path, key), f"must be one of {', '.join(_NOTES)}; {nearest(str(item), _NOTES)}"
        elif not (key == "standing" and isinstance(item, dict)):
            try:
                msgspec.convert(item, types[key])
            except msgspec.ValidationError as error:
                yield (*path, key), _sentence(item, error)


def _sentence(value: Any, error: msgspec.ValidationError) -> str:
    text = str(error).partition(" - at ")[0].partition(", got ")[0]
    return f"{text.replace('Expected ', 'must be ', 1)}, not {value!r}"
