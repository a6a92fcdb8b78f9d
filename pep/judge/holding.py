"""A call that waits for a person's approval, as a machine without I/O. Pure.

Theory. The client must hear something before it gives up: a comment of the event stream keeps proxies and
HTTP libraries patient, a progress notification those clients that asked for progress. When the approval is
no longer pending, the same call is judged anew, and only that judgement counts: a grant is found by the
call itself. A judgement that did not arrive is asked for again under the same request id, so that a grant
that it has used is not lost. When the time is over, the call is refused with the advice to make it again,
and the approval goes on waiting without it.

The machine is a generator: it yields the next `Action` and is sent its result, so that scripts without
sockets can test it. Times are in seconds of any clock that never goes back.
"""

from __future__ import annotations

import json
from collections.abc import Generator
from typing import Any

from msgspec import Struct

from pdp.api.model import Approval, ApprovalState, Decision, Effect
from pep.mcp.jsonrpc import Id

COMMENT_SECONDS = 15.0
PROGRESS_SECONDS = 10.0
PAUSE_SECONDS = 1.0
WITHOUT_EVENTS_SECONDS = 25.0
"""The longest wait of a client that takes no events: nothing keeps it patient."""
_LONGEST_MESSAGE = 200


class Plan(Struct, frozen=True):
    """How long the client waits and what it hears: comments if it takes events, progress under its token."""

    seconds: float
    takes_events: bool
    progress_token: Id | None = None


class Comment(Struct, frozen=True):
    """Send a comment in the event stream."""

    text: str


class Progress(Struct, frozen=True):
    """Send a notification, a JSON-RPC message."""

    message: bytes


class Wait(Struct, frozen=True):
    """Wait for the approval, `seconds` at most; the reply is `Waited`."""

    approval_id: str
    seconds: float


class Pause(Struct, frozen=True):
    """Wait without asking; the reply is `Waited`."""

    seconds: float


class Judge(Struct, frozen=True):
    """Have the call judged anew, under the same request id as before for a repeat; the reply is `Judged`."""

    approval_id: str
    is_repeat: bool


class Waited(Struct, frozen=True):
    """The approval after a wait, `None` when nobody could tell, and the time."""

    approval: Approval | None
    now: float


class Judged(Struct, frozen=True):
    """The new decision, and the time."""

    decision: Decision
    now: float


Action = Comment | Progress | Wait | Pause | Judge


def is_held(decision: Decision) -> bool:
    """Whether the call waits for people."""
    return (
        decision.effect is Effect.HOLD
        and decision.approval is not None
        and decision.approval.state is ApprovalState.PENDING
    )


def holding(decision: Decision, plan: Plan, now: float) -> Generator[Action, Any, Decision]:
    """Hold the call of `decision`; returns the decision to enforce, which still holds when the time is over."""
    signs = _Signs(plan, now)
    ends = now + _longest(decision, plan)
    while decision.approval is not None and is_held(decision):
        approval = decision.approval
        yield from signs.due(approval, now)
        if now >= ends:
            return decision
        wait = max(min(ends, signs.next_at) - now, 0.001)
        waited: Waited = yield Wait(approval.id, wait)
        now = waited.now
        if waited.approval is None:
            waited = yield Pause(min(PAUSE_SECONDS, max(ends - now, 0.001)))
            now = waited.now
        elif waited.approval.state is not ApprovalState.PENDING:
            decision, now = yield from _judged(decision, approval.id, signs, ends, now)
            if not is_held(decision):
                return decision
    return decision


def _longest(decision: Decision, plan: Plan) -> float:
    """Seconds for which the call is held: as planned, and no longer than its rules say."""
    by_rule = decision.approval.hold_ms if decision.approval else 0
    return min(plan.seconds, by_rule / 1000) if by_rule else plan.seconds


def _judged(
    held: Decision, approval_id: str, signs: _Signs, ends: float, now: float
) -> Generator[Action, Any, tuple[Decision, float]]:
    """The new decision; the old one when none arrived until the end."""
    is_repeat = False
    while True:
        judged: Judged = yield Judge(approval_id, is_repeat)
        now = judged.now
        if judged.decision.reason.code != "pdp_unavailable":
            return judged.decision, now
        if now >= ends or held.approval is None:
            return held, now
        yield from signs.due(held.approval, now)
        waited: Waited = yield Pause(min(PAUSE_SECONDS, ends - now))
        now, is_repeat = waited.now, True


class _Signs:
    """The signs of life that the client gets, and when the next is due."""

    def __init__(self, plan: Plan, now: float) -> None:
        self._plan = plan
        self._began = now
        self._comment_at = now if plan.takes_events else float("inf")
        self._progress_at = now if plan.progress_token is not None else float("inf")
        self._last_progress = -1

    @property
    def next_at(self) -> float:
        return min(self._comment_at, self._progress_at)

    def due(self, approval: Approval, now: float) -> Generator[Action, Any, None]:
        if now >= self._comment_at:
            self._comment_at = now + COMMENT_SECONDS
            yield Comment(f"held {approval.id}")
        if now >= self._progress_at:
            self._progress_at = now + PROGRESS_SECONDS
            yield Progress(self._progress(approval, int(now - self._began)))

    def _progress(self, approval: Approval, seconds: int) -> bytes:
        # `progress` must increase with each notification (MCP, basic/utilities/progress).
        self._last_progress = max(seconds, self._last_progress + 1)
        whose = f" ({', '.join(approval.approvers)})" if approval.approvers else ""
        text = f"Waiting for approval {approval.id}{whose}. {seconds} s"
        notification = {
            "jsonrpc": "2.0",
            "method": "notifications/progress",
            "params": {
                "progressToken": self._plan.progress_token,
                "progress": self._last_progress,
                "message": text[:_LONGEST_MESSAGE],
            },
        }
        return json.dumps(notification, ensure_ascii=False, separators=(",", ":")).encode()
