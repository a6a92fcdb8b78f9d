"""Calls for tests."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

from pdp.api.model import Call, Client, Principal, Protocol, Session
from pdp.limits.budgets import Budget, Claim

_numbers = itertools.count()


def call(
    request_id: str = "r1",
    *,
    server: str = "files",
    method: str = "tools/call",
    target: str = "read",
    arguments: bytes = b"{}",
    principal: str = "anonymous:127.0.0.1",
    session: str = "s1",
) -> Call:
    """A modern tool call over HTTP."""
    return Call(
        request_id=request_id,
        server=server,
        method=method,
        target=target,
        arguments=arguments,
        principal=Principal(principal, "anonymous"),
        session=Session(session, "cooperative"),
        client=Client("test", "1"),
        protocol=Protocol("modern", "2026-07-28"),
        transport="http",
    )


def claims(wanted: Iterable[Iterable[Budget]]) -> list[Claim]:
    """Claims of as many requests, each with an id of its own."""
    return [Claim(f"claim-{next(_numbers)}", tuple(budgets)) for budgets in wanted]
