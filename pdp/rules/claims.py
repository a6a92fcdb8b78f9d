"""The caller's claims as a record keeps them: those that rules read. Pure.

Without a claim that a rule has read, the decision could not be repeated; a claim that no rule reads is
needless personal data.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TypeAlias

import msgspec
from msgspec import Raw

# `None`: all, because a rule reads them as a whole, or because it is not known what rules read.
ClaimsRead: TypeAlias = frozenset[str] | None


@lru_cache(maxsize=256)
def kept(claims: bytes, read: ClaimsRead) -> tuple[bytes, bool]:
    """The members of `claims`, a JSON object, that rules read; and whether these are all."""
    if read is None:
        return claims, True
    members = msgspec.json.decode(claims, type=dict[str, Raw])
    of_use = {name: value for name, value in members.items() if name in read}
    is_whole = len(of_use) == len(members)
    return (claims if is_whole else msgspec.json.encode(of_use)), is_whole
