"""Carries out the actions of `holding` for one call: waits, judges anew, keeps the client patient. Edge: asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from msgspec import Struct, structs

from pdp.api.model import Call, Decision
from pep.judge.holding import (
    Action,
    Comment,
    Judge,
    Judged,
    Pause,
    Plan,
    Progress,
    Wait,
    Waited,
    holding,
    is_held,
)
from pep.judge.rounds import Leg
from pep.load.room import Holding
from pep.mcp.jsonrpc import Id, Request
from pep.ports import Decisions

Tell = Callable[[str], Awaitable[None]]
Notify = Callable[[bytes], Awaitable[None]]


class Listener(Struct, frozen=True):
    """How the waiting client is kept patient: with comments of its event stream, and with notifications."""

    comment: Tell
    notify: Notify


class Outcome(Struct, frozen=True):
    """The decision to enforce; while it still holds, the state to make the call again with, "" without one."""

    decision: Decision
    next_state: str = ""


class Hold(Struct, frozen=True):
    """Everything that holding a call needs; `leg` where the call may go on over several requests."""

    decisions: Decisions
    new_id: Callable[[], str]
    plan: Plan
    listener: Listener
    places: Holding
    leg: Leg | None = None

    async def until_decided(self, call: Call, decision: Decision) -> Outcome:
        """Hold `call` until people have answered, or its time is over.

        Without a place for it the call is not held, and `decision` is the one to enforce.
        """
        with self.places.counted(call.principal.id) as has_place:
            if not has_place:
                return Outcome(decision)
            decision = await self._held(call, decision)
        return Outcome(decision, self._next_state(call, decision))

    def _next_state(self, call: Call, decision: Decision) -> str:
        if self.leg is None or decision.approval is None or not is_held(decision):
            return ""
        return self.leg.next_state(call, decision.approval.id)

    async def _held(self, call: Call, decision: Decision) -> Decision:
        loop = asyncio.get_running_loop()
        steps = holding(decision, self.plan, loop.time())
        request_id = ""
        try:
            action: Action = next(steps)
            while True:
                if isinstance(action, Judge):
                    request_id = request_id if action.is_repeat else self.new_id()
                    again = structs.replace(
                        call, request_id=request_id, approval_id=action.approval_id
                    )
                    reply: Any = Judged(await self.decisions.decide(again), loop.time())
                else:
                    reply = await self._carry_out(action)
                action = steps.send(reply)
        except StopIteration as end:
            result: Decision = end.value
            return result

    async def _carry_out(self, action: Action) -> Waited | None:
        now = asyncio.get_running_loop().time
        match action:
            case Comment(text):
                await self.listener.comment(text)
            case Progress(message):
                await self.listener.notify(message)
            case Wait(approval_id, seconds):
                approval = await self.decisions.await_approval(approval_id, seconds)
                return Waited(approval, now())
            case Pause(seconds):
                await asyncio.sleep(seconds)
                return Waited(None, now())
        return None


def progress_token(request: Request) -> Id | None:
    """The token under which the client wants to hear of progress; `None` when it wants to hear nothing."""
    meta = request.params.get("_meta")
    token = meta.get("progressToken") if isinstance(meta, dict) else None
    return token if isinstance(token, str | int) and not isinstance(token, bool) else None
