"""Secrets taken out of values before they are written. Pure.

A member whose key names a secret is masked whole; text that has the form of a known credential is
masked where it stands. Most arguments hold neither, and one scan of their bytes proves it, so that
they are written as they came.
"""

from __future__ import annotations

import json
import re
from typing import Any

MASK = "[masked]"
MAX_RECORDED = 16 * 1024

_KEYS = (
    r"passw(?:or)?d|passphrase|secret|token|api[-_ ]?key|access[-_ ]?key|private[-_ ]?key"
    r"|authorization|cookie|credential|signature|session[-_ ]?id|\bpwd\b|\bpin\b|\botp\b|bearer"
)
_VALUES = (
    r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}(?:\.[A-Za-z0-9_-]*)?"
    r"|\b(?:sk|pk|rk)[-_][A-Za-z0-9_-]{16,}|gh[pousr]_[A-Za-z0-9]{16,}|github_pat_[A-Za-z0-9_]{16,}"
    r"|\b(?:AKIA|ASIA)[A-Z0-9]{12,}|xox[abprs]-[A-Za-z0-9-]{8,}|AIza[A-Za-z0-9_-]{20,}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----(?:.|\n)*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
    r"|\b(?i:bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}|://[^/\s:@\"]{1,256}:[^/\s@\"]{1,256}@"
)
_SECRET_KEY = re.compile(_KEYS, re.IGNORECASE)
_SECRET_VALUE = re.compile(_VALUES)
# In a query string or an assignment the secret stands behind its key, in one and the same text.
_ASSIGNED = re.compile(
    rf"((?:{_KEYS})[\w.-]{{0,64}}\s{{0,8}}[=:]\s{{0,8}})[^\s&;,]+", re.IGNORECASE
)
# What every match above contains, in lower case: looking for these is ten times as fast.
_HINTS = (
    *"passw passphrase secret token authorization cookie credential signature pwd pin otp".split(),
    *"bearer eyj sk- sk_ pk- pk_ rk- rk_ ghp_ gho_ ghu_ ghs_ ghr_ github_pat_ akia asia".split(),
    *"xox aiza -----begin basic ://".split(),
    *(
        f"{left}{joint}{right}"
        for left, right in (
            ("api", "key"),
            ("access", "key"),
            ("private", "key"),
            ("session", "id"),
        )
        for joint in ("", "-", "_", " ")
    ),
)
# A backslash may spell a key in another way; a line end would break the record in two.
_BYTE_HINTS = (b"\\", b"\n", b"\r", *(hint.encode() for hint in _HINTS))


def may_hold_secret(text: str) -> bool:
    """Whether `text` needs a closer look; false is a proof that it does not."""
    lowered = text.lower()
    return any(hint in lowered for hint in _HINTS)


def masked_json(data: bytes) -> bytes:
    """Strict JSON `data` with its secrets masked, on one line, bounded in size."""
    if len(data) > MAX_RECORDED:
        return json.dumps({"[omitted]": f"{len(data)} bytes"}).encode()
    lowered = data.lower()
    if not any(hint in lowered for hint in _BYTE_HINTS):
        return data
    value = masked(json.loads(data))
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def masked(value: Any) -> Any:
    """A copy of a JSON value with its secrets masked."""
    if isinstance(value, dict):
        return {
            masked_text(key): MASK if _SECRET_KEY.search(key) and _holds(item) else masked(item)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [masked(item) for item in value]
    return masked_text(value) if isinstance(value, str) else value


def masked_text(text: str) -> str:
    """`text` with everything masked that has the form of a credential."""
    if not may_hold_secret(text):
        return text
    return _ASSIGNED.sub(rf"\1{MASK}", _SECRET_VALUE.sub(MASK, text))


def _holds(item: Any) -> bool:
    """Whether there is anything to hide: a flag or nothing at all is not a secret."""
    return item is not None and not isinstance(item, bool)
