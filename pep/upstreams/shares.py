"""Chooses the process that makes room when a server's processes are all in use. Pure.

A caller's new session ends an idle process of the same caller, before another caller's. A process of
another caller is ended only when that caller holds more than a fair share, and the newcomer less; and
no caller may hold all processes, so that opening session after session does not lock the others out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from msgspec import Struct


class ChildKey(Struct, frozen=True):
    """The owner of a child: a caller in the modern era, a caller's session in the legacy era."""

    era: str
    server: str
    caller: str
    session: str = ""


class Held(Struct, frozen=True):
    """A child that runs: idle when nobody waits for an answer, heard when a client listens to its stream."""

    key: ChildKey
    used_at: float
    is_idle: bool
    is_heard: bool = False


class NoRoomError(Exception):
    """All processes are in use; the text says whose."""


def share_of_one(most: int) -> int:
    """How many of `most` processes one caller may have: three quarters, rounded up."""
    return -(-3 * most // 4)


def leaving(held: Sequence[Held], newcomer: ChildKey, most: int) -> ChildKey | None:
    """The child to end so that the newcomer's fits, `None` when there is room; raises `NoRoomError`.

    `held` are the children of one server, including those that have not quite ended.
    """
    counts = Counter(child.key.caller for child in held)
    own = counts[newcomer.caller]
    if len(held) < most and own < share_of_one(most):
        return None
    idle = [child for child in held if child.is_idle]
    if own_idle := [child for child in idle if child.key.caller == newcomer.caller]:
        return _longest_unused(own_idle)
    if own >= share_of_one(most):
        raise NoRoomError(f"all {own} processes that one caller may have are in use")
    fair = most // len(counts.keys() | {newcomer.caller})
    if own < max(fair, 1):
        greedy = [child for child in idle if counts[child.key.caller] > fair]
        richest = max((counts[child.key.caller] for child in greedy), default=0)
        if others := [child for child in greedy if counts[child.key.caller] == richest]:
            return _longest_unused(others)
    raise NoRoomError(f"all {most} processes are in use")


def _longest_unused(children: list[Held]) -> ChildKey:
    return min(children, key=lambda child: (child.is_heard, child.used_at)).key
