"""A held call that goes on over several requests (`input_required`, MCP 2026-07-28, basic/patterns/mrtr). Pure.

Theory. When a call has been held for its time, a client of the modern era can be told to make it again by
itself, without its model. The answer asks for nothing and has a state, which the client sends back with the
same call. The state is only a hint: it names the approval that was waited for and counts the rounds, so that
they end. It is no grant, and whoever loses it may make the call without it.

The client could have made up the state, or taken that of another call or caller. So it is signed together with
the call; one that does not belong to the call is refused, since else the count could be begun anew. Proxies
that share their key (`[pep] rounds_key`) take each other's states; else the key is this process' own: after a
restart, or at another proxy, a state is refused, and its client makes the call from the beginning. State and answers are the proxy's and not the server's, so they are taken out
before the call is judged: what is judged and goes on is the call as it was made at first.

Times are in whole seconds since the epoch, since several machines must agree about them.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

from msgspec import Struct

from pdp.api import strict_json
from pdp.api.model import Call
from pep.errors import InvalidParams
from pep.mcp.json_splice import joined, members
from pep.mcp.jsonrpc import Message, Request
from pep.mcp.methods import MODERN

METHODS = frozenset({"tools/call", "prompts/get", "resources/read"})
"""The methods whose answer may be `input_required`."""
STATE_SECONDS = 600
"""How long a client may take to make the call again."""
_OWN = "tipstaff."
_VERSION = 1
_LONGEST_STATE = 1024


class Round(Struct, frozen=True):
    """What a state says: the approval that was waited for, and how many answers have been `input_required`."""

    approval_id: str = ""
    number: int = 0


class Rounds:
    """Signs states and reads them. The key is in no text of it."""

    __slots__ = ("_key", "_wall")

    def __init__(self, key: bytes, wall: Callable[[], float]) -> None:
        """`key` is random and secret, of at least 32 bytes; `wall` tells the time."""
        self._key = key
        self._wall = wall

    def state(self, call: Call, this: Round) -> str:
        """The state of `call` after `this` round."""
        facts = {
            "v": _VERSION,
            "a": this.approval_id,
            "n": this.number,
            "exp": int(self._wall()) + STATE_SECONDS,
        }
        payload = _base64(json.dumps(facts, separators=(",", ":")).encode())
        return f"{_OWN}{payload}.{self._mac(payload, call)}"

    def read(self, state: str, call: Call) -> Round:
        """The round that `state` says; raises `InvalidParams` if it was not given for `call`, or too long ago."""
        payload, _, mac = state.removeprefix(_OWN).partition(".")
        is_ours = len(state) <= _LONGEST_STATE and state.isascii()
        if not is_ours or not hmac.compare_digest(mac, self._mac(payload, call)):
            raise InvalidParams("requestState was not given for this call: make it again without")
        facts = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        if self._wall() > facts["exp"]:
            raise InvalidParams("requestState is too old: make the call again without")
        return Round(facts["a"], facts["n"])

    def _mac(self, payload: str, call: Call) -> str:
        parts = [payload, call.principal.id, call.server, call.method, call.target]
        digest = hmac.new(self._key, digestmod=hashlib.sha256)
        for part in [*(part.encode() for part in parts), _canonical(call.arguments)]:
            digest.update(b"%d:" % len(part) + part)
        return _base64(digest.digest())


class Leg(Struct, frozen=True):
    """One request of a call that may go on over `most` more requests; `last` is the round before it."""

    rounds: Rounds
    most: int
    last: Round = Round()

    def next_state(self, call: Call, approval_id: str) -> str:
        """The state with which the client is to make `call` again; "" when this was the last time.

        A call that belongs to an exchange of the server's own ends here: its state must not be lost.
        """
        is_possible = call.protocol.era == MODERN and call.method in METHODS and not call.is_retry
        if not is_possible or self.last.number >= self.most:
            return ""
        return self.rounds.state(call, Round(approval_id, self.last.number + 1))


def own_state(message: Message, era: str) -> str:
    """The state that a proxy has given for the request; "" when it has none, or one of the server's."""
    if era != MODERN or not isinstance(message, Request) or message.method not in METHODS:
        return ""
    state: Any = message.params.get("requestState")
    return state if isinstance(state, str) and state.startswith(_OWN) else ""


def without_state(message: Request) -> bytes:
    """The request as it was made at first; raises `InvalidParams` for answers to what was not asked."""
    if message.params.get("inputResponses"):
        raise InvalidParams("inputResponses answer nothing that was asked")
    envelope = members(message.body)
    params = members(envelope["params"])
    kept = {
        name: value
        for name, value in params.items()
        if name not in {"requestState", "inputResponses"}
    }
    return joined({**envelope, "params": joined(kept)})


def _canonical(arguments: bytes) -> bytes:
    """The arguments in one form: clients may write them anew for each request."""
    return json.dumps(strict_json.loads(arguments), sort_keys=True).encode()


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
