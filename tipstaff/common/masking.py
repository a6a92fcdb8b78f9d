"""Secrets taken out of texts and values before they are written or shown. Pure.

A member whose key names a secret is masked whole; text that has the form of a known credential is
masked where it stands, and so is a secret that is known. Most texts hold neither, and one scan of their
bytes proves it. In doubt more is masked: a record, a log or an error must not become a leak.

Every pattern takes time linear in the text, because callers choose the text: what may be followed
by something it needs is bounded in length, and what is not bounded needs nothing after it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from typing import Any

from tipstaff.common.word_scan import WordScan

MASK = "[masked]"
SHORTEST_SECRET = 6
"""The length of the shortest secret that is looked for as it is: a shorter one is found in ordinary words."""

_KEYS = (
    r"pass(?:w(?:or)?d|phrase|code)|pwd|secret|token|jwt|bearer|authorization|cookie|credential"
    r"|signature|session[-_ .]?id"
    r"|(?:api|access|account|private|signing|encryption|master|shared)[-_ .]?key"
    r"|(?<![a-z])(?:pass|pin|otp|cvv|auth)(?![a-z])"
    r"|(?-i:(?<=[a-z])(?:Pass|Pin|Otp|Cvv|Auth)(?![a-z]))"
)
_VALUES = (
    r"(?<![A-Za-z])eyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*){0,4}"
    r"|(?<![A-Za-z0-9])(?:sk|pk|rk)[-_][A-Za-z0-9_-]{16,}|gh[pousr]_[A-Za-z0-9]{16,}"
    r"|github_pat_[A-Za-z0-9_]{16,}|glpat-[A-Za-z0-9_-]{16,}|pypi-[A-Za-z0-9_-]{16,}"
    r"|(?<![A-Za-z0-9])(?:npm|hf)_[A-Za-z0-9]{16,}|ya29\.[A-Za-z0-9_-]{16,}"
    r"|(?<![A-Za-z0-9])(?:AKIA|ASIA)[A-Z0-9]{12,}|(?:xox[a-z]|xapp)-[A-Za-z0-9-]{8,}"
    r"|AIza[A-Za-z0-9_-]{20,}"
    r"|-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----[\s\S]*?"
    r"(?:-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----|\Z)"
    r"|(?<![A-Za-z0-9])(?i:bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}"
    r"|://[^/\s\"]{1,512}@"
)
_SECRET_KEY = re.compile(_KEYS, re.IGNORECASE | re.ASCII)
_SECRET_VALUE = re.compile(_VALUES, re.ASCII)
_SECRET_WORD = re.compile(rf"[\w.-]{{0,64}}?(?:{_KEYS})[\w.-]{{0,64}}:?", re.IGNORECASE | re.ASCII)
# In a query string, an assignment, a header or a command the secret stands behind its key, in one
# and the same text.
_KEY_END = r"[\w.\[\]-]{0,64}[\"'`\\\]]{0,8}\s{0,8}(?:=>|[=:>]{1,3})\s{0,8}"
# A value in quotes ends with them; a list or an object, of which this is no parser, with the text. No
# possessive repeat of a group: before CPython 3.11.5 it keeps what its last, failing round has read (gh-106052).
_QUOTED = (
    r"\\{0,7}(?:"
    + "|".join(
        rf"{quote}[^{quote}\\]*+(?:\\[\s\S][^{quote}\\]*+)*(?:{quote}|\\?\Z)" for quote in "\"'`"
    )
    + ")"
)
_VALUE = rf"(?:{_QUOTED}|(?!{re.escape(MASK)})[\[{{][\s\S]*|[^\s&;]+)"
_HEADER = re.compile(
    rf"((?:authorization|cookie){_KEY_END})(?:{_QUOTED}|[^\r\n]+)", re.IGNORECASE | re.ASCII
)
_ASSIGNED = re.compile(
    rf"((?:{_KEYS}){_KEY_END}|(?<=-)(?:{_KEYS})[\w.-]{{0,64}}\s{{1,8}}){_VALUE}",
    re.IGNORECASE | re.ASCII,
)
# What every match above contains, in lower case; they are all looked for in one pass. A backslash
# may spell a key in another way.
_HINTS = (
    *"\\ pass pwd secret token jwt bearer auth cookie credential signature session key".split(),
    *"pin otp cvv eyj sk- sk_ pk- pk_ rk- rk_ ghp_ gho_ ghu_ ghs_ ghr_ github_pat_".split(),
    *"glpat- pypi- npm_ hf_ ya29. akia asia xox xapp- aiza -----begin basic ://".split(),
)
hints = WordScan([hint.encode() for hint in _HINTS])
"""What in bytes, made lower case, needs a closer look; when it finds nothing, they hold no secret."""
# Members that name what the member `value` beside them holds.
_NAMING = ("name", "key", "header")


def may_hold_secret(text: str) -> bool:
    """Whether `text` needs a closer look; false is a proof that it does not."""
    return hints.finds_in(text.lower().encode(errors="surrogatepass"))


def without(text: str, secrets: Iterable[str]) -> str:
    """`text` with `secrets` masked wherever they stand, the longest first, since one may hold another."""
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, MASK)
    return text


def spellings(secrets: Iterable[str]) -> set[str]:
    """All spellings in which `secrets` may appear in a text; none is empty.

    A key of several lines comes back line by line, and JSON writes line ends and quotes in its own way.
    """
    whole = {secret for secret in secrets if secret}
    lines = {line for secret in whole for line in secret.splitlines()}
    return (
        whole
        | {line for line in lines if len(line) >= SHORTEST_SECRET}
        | {json.dumps(secret)[1:-1] for secret in whole}
        | {json.dumps(secret, ensure_ascii=False)[1:-1] for secret in whole}
    )


def masked_credentials(text: str) -> str:
    """`text` with known forms of credentials masked; what merely stands behind a key stays."""
    return _SECRET_VALUE.sub(MASK, text)


def masked_text(text: str) -> str:
    """`text` with everything masked that has the form of a credential."""
    if not may_hold_secret(text):
        return text
    text = masked_credentials(text)
    text = _HEADER.sub(rf"\1{MASK}", text)
    return _ASSIGNED.sub(rf"\1{MASK}", text)


def masked(value: Any, text: Callable[[str], str] = masked_text) -> Any:
    """A copy of a JSON value with its secrets masked; `text` masks what stands in strings."""
    if isinstance(value, dict):
        named = any(_is_secret_word(value.get(member)) for member in _NAMING)
        return {
            masked_text(key): MASK if _hides(key, item, named=named) else masked(item, text)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [
            MASK if _is_secret_word(before) and isinstance(item, str) else masked(item, text)
            for before, item in zip([None, *value], value, strict=False)
        ]
    return text(value) if isinstance(value, str) else value


def _is_secret_word(item: Any) -> bool:
    """Whether `item` is a name, as in a list of pairs or a command, of a secret that follows it."""
    return isinstance(item, str) and _SECRET_WORD.fullmatch(item) is not None


def _hides(key: str, item: Any, *, named: bool) -> bool:
    """Whether to mask the value of `key` whole; a boolean or null is no secret."""
    is_secret = _SECRET_KEY.search(key) or (named and key.lower() == "value")
    return bool(is_secret) and item is not None and not isinstance(item, bool)
