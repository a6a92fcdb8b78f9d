"""Carries out the actions of `relay` for one response: reads the upstream, filters, writes to the client. Edge."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from typing import Any, TypeVar

import structlog
from msgspec import Struct

from pep.errors import Refusal
from pep.front.relay import Action, Begin, Compute, Filter, Last, Part, Read, Warn, relay
from pep.load.aside import aside
from pep.mcp.headers import HeaderLines
from pep.mcp.jsonrpc import Id
from pep.ports import Answer

log = structlog.get_logger("pep")

T = TypeVar("T")
FilterMessage = Callable[[bytes], Awaitable[bytes]]


class Client(Struct, frozen=True):
    """Where the response goes: `begin` sends status and header lines, `part` bytes, `last` the last.

    `request_id` is the id of the client's request, `None` when it waits for no message.
    """

    begin: Callable[[int, HeaderLines], Awaitable[None]]
    part: Callable[[bytes], Awaitable[None]]
    last: Callable[[bytes], Awaitable[None]]
    request_id: Id | None


async def hand_on(
    answer: Answer, filter_message: FilterMessage, client: Client, added_lines: HeaderLines
) -> None:
    """Hand the upstream's response on to the client; see `relay` for the errors.

    Raises `LostError`, too, when the upstream breaks the response off.
    """
    steps = relay(answer.status, answer.lines, added_lines, client.request_id)
    await carry_out(steps, answer.chunks(), filter_message, client)


async def carry_out(
    steps: Generator[Action, Any, T],
    chunks: AsyncIterator[bytes],
    filter_message: FilterMessage,
    client: Client,
) -> T:
    """Carry out one action after the other; returns the machine's result."""
    try:
        action = next(steps)
        while True:
            try:
                reply = await _reply(action, chunks, filter_message, client)
            except Refusal as fault:
                action = steps.throw(fault)
            else:
                action = steps.send(reply)
    except StopIteration as end:
        result: T = end.value
        return result


async def _reply(
    action: Action, chunks: AsyncIterator[bytes], filter_message: FilterMessage, client: Client
) -> Any:
    """Carry out one action; returns the reply for the machine."""
    match action:
        case Read():
            return await anext(chunks, None)
        case Part(data):
            await client.part(data)
        case Filter(message):
            return await filter_message(message)
        case Begin(status, lines):
            await client.begin(status, lines)
        case Last(data):
            await client.last(data)
        case Compute(size, work):
            return await aside(size, work)
        case Warn(event, fields):
            log.warning(event, **fields)
        case _:
            await asyncio.sleep(0)
    return None
