"""How one request of a client may be held while people are asked, by the configuration and by what the client takes. Pure."""

from __future__ import annotations

from collections.abc import Callable

from pep.config import PepConfig, Server
from pep.front.held_answer import HeldAnswer
from pep.judge.hold import Hold, Listener, progress_token
from pep.judge.holding import WITHOUT_EVENTS_SECONDS, Plan
from pep.judge.rounds import Leg
from pep.load.room import Holding
from pep.mcp.headers import HeaderLines
from pep.mcp.jsonrpc import Request
from pep.ports import Decisions

_DIGESTS = frozenset({b"content-digest", b"repr-digest", b"digest", b"content-md5"})


def hold_of(
    config: PepConfig,
    server: Server,
    caller: str,
    *,
    decisions: Decisions,
    new_id: Callable[[], str],
    client: HeldAnswer,
    places: Holding,
    request: Request,
    lines: HeaderLines,
    leg: Leg,
) -> Hold | None:
    """How the request is held; `None` when it is not. `lines` are its header lines.

    `leg` says which of the requests of its call it is.
    """
    seconds = float(config.held_for(server, caller))
    if not seconds:
        return None
    takes_events = any(
        b"text/event-stream" in value.lower() for name, value in lines if name == b"accept"
    )
    if not takes_events:
        plan = Plan(min(seconds, WITHOUT_EVENTS_SECONDS), takes_events=False)
    else:
        plan = Plan(seconds, takes_events=True, progress_token=progress_token(request))
    return Hold(decisions, new_id, plan, Listener(client.comment, client.notify), places, leg)


def uncoded(lines: HeaderLines) -> HeaderLines:
    """The header lines with the demand for an answer that is not compressed, so that it can go on as an event."""
    kept = [line for line in lines if line[0] != b"accept-encoding"]
    return [*kept, (b"accept-encoding", b"identity")]


def undigested(lines: HeaderLines) -> HeaderLines:
    """The header lines without digests of the body (RFC 9530), from which something has been taken out."""
    return [line for line in lines if line[0] not in _DIGESTS]
