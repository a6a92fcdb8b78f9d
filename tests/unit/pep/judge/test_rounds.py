"""A held call over several requests: whose state is believed, how often there is another, and what is taken out."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec import structs

from pdp.api.model import Call, Client, Principal, Protocol, Session
from pep.errors import InvalidParams
from pep.judge.rounds import STATE_SECONDS, Leg, Round, Rounds, own_state, without_state
from pep.mcp.jsonrpc import Request, parse
from pep.mcp.methods import LEGACY, MODERN


class Wall:
    """The time, as it is told."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


WALL = Wall()
ROUNDS = Rounds(b"k" * 32, WALL)
FIRST = Round("a-1", 1)
CALL = Call(
    request_id="r",
    server="s",
    method="tools/call",
    target="pay",
    arguments=b'{"to":"bo","n":1}',
    principal=Principal("token:ci", "token"),
    session=Session("token:ci", "principal"),
    client=Client(),
    protocol=Protocol(MODERN, "2026-07-28"),
    transport="http",
)


def changed(**more: Any) -> Call:
    return structs.replace(CALL, **more)


def test_a_state_says_what_was_waited_for_and_which_round_it_was() -> None:
    """To the very call that it was given for, as long as it is young."""
    wall = Wall()
    rounds = Rounds(b"k" * 32, wall)
    wall.now = 100.5
    state = rounds.state(CALL, FIRST)
    wall.now = 100.5 + STATE_SECONDS - 1
    assert rounds.read(state, CALL) == FIRST
    wall.now = 102 + STATE_SECONDS
    with pytest.raises(InvalidParams, match="too old"):
        rounds.read(state, CALL)


def test_a_proxy_with_the_same_key_knows_the_state() -> None:
    """So that a client may come back to another one."""
    state = Rounds(b"k" * 32, WALL).state(CALL, FIRST)
    assert ROUNDS.read(state, CALL) == FIRST


@pytest.mark.parametrize(
    "other",
    [
        changed(principal=Principal("token:eve", "token")),
        changed(server="t"),
        changed(method="prompts/get"),
        changed(target="steal"),
        changed(arguments=b'{"to":"eve","n":1}'),
        changed(target="pa", arguments=b'y{"to":"bo","n":1}'[1:]),
    ],
)
def test_a_state_is_for_one_call_of_one_caller(other: Call) -> None:
    """With another it would name an approval, and a count, that are not its own."""
    with pytest.raises(InvalidParams, match="not given for this call"):
        ROUNDS.read(ROUNDS.state(CALL, FIRST), other)


def test_the_call_may_be_written_anew() -> None:
    """Its id, its order of members and its blanks are the client's affair."""
    again = changed(request_id="q", arguments=b'{ "n": 1, "to": "bo" }')
    assert ROUNDS.read(ROUNDS.state(CALL, FIRST), again) == FIRST


def test_every_changed_character_is_noticed() -> None:
    """Also one by which the count would begin anew, and one that only lengthens it."""
    state = ROUNDS.state(CALL, FIRST)
    start = len("tipstaff.")
    spoilt = [
        state[:at] + chr(ord(state[at]) ^ 1) + state[at + 1 :] for at in range(start, len(state))
    ]
    spoilt += [
        state[:-1],
        state + "A",
        state + "=",
        state + ".x",
        "tipstaff.",
        "tipstaff..",
        state + "é",
    ]
    spoilt += ["tipstaff." + "A" * 100_000, Rounds(b"x" * 32, WALL).state(CALL, FIRST)]
    for text in spoilt:
        with pytest.raises(InvalidParams):
            ROUNDS.read(text, CALL)


def test_so_many_rounds_there_are() -> None:
    """The count is in the state, so nobody needs to remember it."""
    last, answers = Round(), []
    while state := Leg(ROUNDS, 3, last).next_state(CALL, "a-1"):
        last = ROUNDS.read(state, CALL)
        answers.append(last)
    assert answers == [Round("a-1", 1), Round("a-1", 2), Round("a-1", 3)]


@pytest.mark.parametrize(
    ("call", "most"),
    [
        (CALL, 0),
        (changed(protocol=Protocol(LEGACY, "2025-11-25")), 9),
        (changed(method="completion/complete"), 9),
        (changed(is_retry=True), 9),
    ],
)
def test_some_calls_have_no_round(call: Call, most: int) -> None:
    """By configuration, by era, by method; and one that answers a question of the server, whose state it has."""
    assert Leg(ROUNDS, most).next_state(call, "a-1") == ""


def request(method: str = "tools/call", **params: Any) -> Request:
    message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {"name": "t", **params}}
    read = parse(json.dumps(message).encode())
    assert isinstance(read, Request)
    return read


def test_the_server_s_own_state_is_not_the_proxy_s() -> None:
    """It goes on to the server as it came."""
    assert own_state(request(requestState="tipstaff.x"), MODERN) == "tipstaff.x"
    assert own_state(request(requestState="x"), MODERN) == ""
    assert own_state(request(), MODERN) == ""
    assert own_state(request(requestState="tipstaff.x"), LEGACY) == ""
    assert own_state(request("completion/complete", requestState="tipstaff.x"), MODERN) == ""
    note = parse(b'{"jsonrpc":"2.0","method":"tools/call","params":{"requestState":"tipstaff.x"}}')
    assert own_state(note, MODERN) == ""


def test_the_call_is_as_it_was_at_first() -> None:
    """Everything else keeps its bytes, also a member of its arguments that has the same name."""
    body = (
        b'{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"request\\u0053tate":"tipstaff.x",'
        b'"name":"t","arguments":{ "n": 1.50, "requestState":"mine" },"inputResponses":{}}}'
    )
    read = parse(body)
    assert isinstance(read, Request)
    assert own_state(read, MODERN) == "tipstaff.x"
    assert without_state(read) == (
        b'{"jsonrpc":"2.0","id":7,"method":"tools/call",'
        b'"params":{"name":"t","arguments":{ "n": 1.50, "requestState":"mine" }}}'
    )


def test_nothing_was_asked_so_nothing_is_answered() -> None:
    """Answers would never reach whoever they are for."""
    message = request(requestState="tipstaff.x", inputResponses={"q": {"action": "accept"}})
    with pytest.raises(InvalidParams, match="nothing that was asked"):
        without_state(message)
