"""The life of one judged request: its decision, its end, and the report to the decision service. Pure.

Theory. An allow may have taken from limits, and a limit of concurrency counts the call from its decision
to its end. So every allow has exactly one of three ends, which is reported once to the decision service:
the request went on and its call has ended (*finish*), or its answer was lost, so that nobody knows what it
did (*lost*), or it never went on (*refund*). A refused request took nothing. A held request is undecided
while it waits. A decision that arrives when its caller has gone is refunded by `decision_client`, where
alone it is seen.

`LIFE` holds every transition; a turn is decided once, so a missing transition is a fault of this program.
The HTTP exchange, the stdio connection or the filter of responses drives a turn with events, in any order
and number: an event after the end changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType

from pdp.api.model import Call, Decision, Effect
from pep.choices import DenialStyle
from pep.judge import rate_limit
from pep.judge.enforce import Forward, Refuse, Verdict, ask_again, enforce
from pep.judge.hold import Hold
from pep.judge.holding import is_held
from pep.mcp.headers import HeaderLines
from pep.mcp.jsonrpc import Request
from pep.ports import Decisions


class State(StrEnum):
    """The state of a request."""

    UNDECIDED = "undecided"
    UNDER_WAY = "under way"
    OVER = "over"


class Event(StrEnum):
    """An event in the life of a request."""

    ALLOWED = "allowed"
    REFUSED = "refused"
    UNMET = "allowed, with an obligation that cannot be met here"
    NEVER_SENT = "never sent"
    ENDED = "ended"
    LOST = "its answer was lost"


class Report(StrEnum):
    """The report on an allow to the decision service."""

    NOTHING = "nothing"
    REFUND = "refund"
    FINISH = "finish"
    LOST = "lost"


LIFE: Mapping[tuple[State, Event], tuple[State, Report]] = MappingProxyType(
    {
        (State.UNDECIDED, Event.ALLOWED): (State.UNDER_WAY, Report.NOTHING),
        (State.UNDECIDED, Event.REFUSED): (State.OVER, Report.NOTHING),
        (State.UNDECIDED, Event.UNMET): (State.OVER, Report.REFUND),
        (State.UNDECIDED, Event.NEVER_SENT): (State.OVER, Report.NOTHING),
        (State.UNDECIDED, Event.ENDED): (State.OVER, Report.NOTHING),
        (State.UNDECIDED, Event.LOST): (State.OVER, Report.NOTHING),
        (State.UNDER_WAY, Event.NEVER_SENT): (State.OVER, Report.REFUND),
        (State.UNDER_WAY, Event.ENDED): (State.OVER, Report.FINISH),
        (State.UNDER_WAY, Event.LOST): (State.OVER, Report.LOST),
        # The request is gone by the time its allow arrives.
        (State.OVER, Event.ALLOWED): (State.OVER, Report.REFUND),
        (State.OVER, Event.UNMET): (State.OVER, Report.REFUND),
        (State.OVER, Event.REFUSED): (State.OVER, Report.NOTHING),
        (State.OVER, Event.NEVER_SENT): (State.OVER, Report.NOTHING),
        (State.OVER, Event.ENDED): (State.OVER, Report.NOTHING),
        (State.OVER, Event.LOST): (State.OVER, Report.NOTHING),
    }
)


class Turn:
    """One request on its way through the proxy."""

    __slots__ = ("_decision", "_decisions", "_denial", "_state")

    def __init__(self, decisions: Decisions, denial: DenialStyle) -> None:
        """`denial` says how a refused tool call is shown to the client."""
        self._decisions = decisions
        self._denial = denial
        self._state = State.UNDECIDED
        self._decision: Decision | None = None

    @property
    def is_under_way(self) -> bool:
        """Whether the request was allowed, may be sent or has been, and has not ended."""
        return self._state is State.UNDER_WAY

    @property
    def budget_lines(self) -> HeaderLines:
        """Header lines that tell the client what is left of its limits, while the call is under way."""
        if self._decision is None or not self.is_under_way:
            return []
        return rate_limit.lines(self._decision.limits)

    async def decide(self, call: Call, request: Request, hold: Hold | None = None) -> Verdict:
        """Get the decision on `call`; returns the verdict on its message, `request`.

        A call that waits for people is held as `hold` says, and refused at once without it. When its time is
        over, its client may be asked to make it again, which is a refusal as well.
        """
        decision = await self._decisions.decide(call)
        if hold is not None and is_held(decision):
            outcome = await hold.until_decided(call, decision)
            verdict = self.enforce(outcome.decision, request, era=call.protocol.era)
            return ask_again(request.id, outcome.next_state) if outcome.next_state else verdict
        return self.enforce(decision, request, era=call.protocol.era)

    def enforce(self, decision: Decision, request: Request, *, era: str) -> Verdict:
        """Enforce `decision` on `request`, which is under way from here on if it may go on."""
        verdict = enforce(request, decision, era=era, denial=self._denial)
        self._decision = decision
        if isinstance(verdict, Forward):
            self._happens(Event.ALLOWED)
        else:
            self._happens(Event.UNMET if decision.effect is Effect.ALLOW else Event.REFUSED)
        return verdict

    def never_sent(self) -> None:
        """Refund what the decision took, as the receiver has not seen the request."""
        self._happens(Event.NEVER_SENT)

    def end(self) -> None:
        """End the call: it was answered, or nobody waits for its answer any more."""
        self._happens(Event.ENDED)

    def lost(self) -> None:
        """End the call, whose answer was lost after it had been sent."""
        self._happens(Event.LOST)

    def _happens(self, event: Event) -> None:
        self._state, report = LIFE[self._state, event]
        if report is Report.NOTHING or self._decision is None:
            return
        if report is Report.REFUND:
            self._decisions.refund_soon(self._decision)
        elif report is Report.LOST:
            self._decisions.lost_soon(self._decision)
        else:
            self._decisions.finish_soon(self._decision)


def settle_all(turns: Sequence[Turn], verdicts: Iterable[Verdict]) -> Refuse | None:
    """End turns whose messages go on together or not at all; the first refusal, `None` when all may go on.

    The requests in one message of a server are such turns: the client is shown all of them or none.
    """
    refusal = next((verdict for verdict in verdicts if isinstance(verdict, Refuse)), None)
    for turn in turns:
        if refusal is None:
            turn.end()
        else:
            turn.never_sent()
    return refusal
