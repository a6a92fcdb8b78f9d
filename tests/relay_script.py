"""Plays a response through the relay's machine without sockets: what is read, and how messages are judged, is given."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from typing import Any, Generic, TypeVar

from msgspec import Struct

from pep.errors import Refusal
from pep.front.relay import Action, Begin, Compute, Filter, Last, Part, Read, Yield

T = TypeVar("T")


class Played(Struct, Generic[T]):
    """What the machine did, the yields to other exchanges and its own work left out."""

    actions: list[Action]
    yields: int
    result: T


def play(
    steps: Generator[Action, Any, T],
    chunks: Iterable[bytes] = (),
    judge: Callable[[bytes], bytes] = lambda message: message,
    *,
    seen: list[Action] | None = None,
) -> Played[T]:
    """Carry out all that the machine asks for; raises what it raises, with `seen` filled until then."""
    actions: list[Action] = [] if seen is None else seen
    body, yields = iter(chunks), 0
    try:
        action = next(steps)
        while True:
            if isinstance(action, Yield):
                yields += 1
            elif not isinstance(action, Compute):
                actions.append(action)
            try:
                reply = _reply(action, body, judge)
            except Refusal as fault:
                action = steps.throw(fault)
            else:
                action = steps.send(reply)
    except StopIteration as end:
        return Played(actions, yields, end.value)


def _reply(action: Action, body: Iterable[bytes], judge: Callable[[bytes], bytes]) -> Any:
    if isinstance(action, Read):
        return next(iter(body), None)
    if isinstance(action, Filter):
        return judge(action.message)
    if isinstance(action, Compute):
        return action.work()
    return None


def sent(actions: Iterable[Action]) -> tuple[int, dict[bytes, bytes], bytes, bool]:
    """What the client has got: status, header lines, body, and whether it looks whole."""
    status, lines, body, is_whole = 0, {}, b"", False
    for action in actions:
        if isinstance(action, Begin):
            status, lines = action.status, dict(action.lines)
        elif isinstance(action, Part | Last):
            body += action.data
            is_whole = isinstance(action, Last)
    return status, lines, body, is_whole
