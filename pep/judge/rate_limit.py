"""Budgets as HTTP header lines (draft-ietf-httpapi-ratelimit-headers-10). Pure.

`RateLimit-Policy` says what a limit allows, `RateLimit` what is left of it, each limit by its name;
so that a client can slow down before it is refused. Shadow limits refuse nothing and are left out.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import quote

from pdp.api.model import LimitResult
from pep.mcp.headers import HeaderLines

_SAFE = "".join(map(chr, range(0x20, 0x7F))).translate(str.maketrans("", "", '"\\%'))


def lines(limits: Iterable[LimitResult]) -> HeaderLines:
    """The two header lines; none for a call that no limit counts."""
    shown = [limit for limit in limits if not limit.shadow]
    if not shown:
        return []
    return [
        (b"ratelimit-policy", ", ".join(map(_policy, shown)).encode()),
        (b"ratelimit", ", ".join(map(_left, shown)).encode()),
    ]


def _policy(limit: LimitResult) -> str:
    if limit.algorithm == "concurrency":
        return f'{_shown(limit.name)};q={limit.max};qu="concurrent-requests"'
    return f"{_shown(limit.name)};q={limit.max};w={limit.window}"


def _left(limit: LimitResult) -> str:
    """What is left of one limit; `t`, when there is room again, is given for a limit that refused."""
    wait = f";t={-(-limit.retry_after_ms // 1000)}" if limit.retry_after_ms > 0 else ""
    return f"{_shown(limit.name)};r={limit.remaining}{wait}"


@lru_cache(maxsize=1024)
def _shown(name: str) -> str:
    """A name as a structured-field string (RFC 8941): ASCII, with all else percent-encoded."""
    return f'"{quote(name, safe=_SAFE)}"'
