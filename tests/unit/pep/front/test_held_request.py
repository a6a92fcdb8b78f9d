"""How a request is held: by its server, its caller, what the client takes, and its size."""

from __future__ import annotations

from typing import Any

import pytest

from pep.config import PepConfig, Server
from pep.front.client_answer import ClientAnswer
from pep.front.held_answer import HeldAnswer
from pep.front.held_request import hold_of, uncoded, undigested
from pep.judge.hold import Hold
from pep.judge.holding import Plan
from pep.judge.rounds import Leg, Rounds
from pep.load.room import Holding, Unread
from pep.mcp.jsonrpc import Request
from tests.exchange_rig import Service

SERVER = Server("s", url="http://127.0.0.1:9/mcp")
PATIENT = Server("t", url="http://127.0.0.1:9/mcp", hold_seconds=240)
BOTH = [(b"accept", b"application/json, TEXT/event-stream")]
LEG = Leg(Rounds(b"k" * 32, lambda: 0.0), 2)
REQUEST = Request(b"", 1, "tools/call", {"_meta": {"progressToken": "p"}})


async def nowhere(message: dict[str, Any]) -> None:
    raise AssertionError(message)


def held(server: Server, caller: str = "ann", lines: Any = BOTH) -> Hold | None:
    config = PepConfig(servers=(SERVER, PATIENT), hold_seconds_of={"hasty": 5, "never": 0})
    return hold_of(
        config,
        server,
        caller,
        decisions=Service(),
        new_id=str,
        places=Holding(4),
        client=HeldAnswer(ClientAnswer(nowhere, Unread(1))),
        request=REQUEST,
        lines=lines,
        leg=LEG,
    )


@pytest.mark.parametrize(
    ("server", "caller", "seconds"),
    [(SERVER, "ann", 45), (PATIENT, "ann", 240), (SERVER, "hasty", 5), (PATIENT, "hasty", 5)],
)
def test_the_caller_s_time_comes_before_the_server_s(
    server: Server, caller: str, seconds: int
) -> None:
    """And that of the server before everybody's."""
    hold = held(server, caller)
    assert hold is not None
    assert hold.plan == Plan(seconds, takes_events=True, progress_token="p")


def test_a_caller_that_does_not_wait_is_not_held() -> None:
    """Where it is known to give up."""
    assert held(SERVER, "never") is None


@pytest.mark.parametrize("lines", [[], [(b"accept", b"application/json")]])
def test_who_takes_no_events_waits_shortly_and_in_silence(lines: Any) -> None:
    """Nothing could be sent to it before the answer."""
    hold = held(SERVER, lines=lines)
    assert hold is not None
    assert hold.plan == Plan(25, takes_events=False)


def test_a_held_call_asks_for_an_answer_without_a_coding() -> None:
    """Compressed bytes cannot become part of an event."""
    lines = [(b"accept-encoding", b"gzip"), (b"a", b"b"), (b"accept-encoding", b"br")]
    assert uncoded(lines) == [(b"a", b"b"), (b"accept-encoding", b"identity")]


def test_digests_of_a_body_that_was_changed_do_not_go_on() -> None:
    """The server would find them wrong."""
    lines = [(b"content-digest", b"sha-256=:x:"), (b"a", b"b"), (b"digest", b"y")]
    assert undigested(lines) == [(b"a", b"b")]
