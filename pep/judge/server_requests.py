"""The requests of servers that their clients were shown and have not answered yet. Pure.

A client's answer goes on only to a request that this very session was shown: a request that policy
refused is not kept here, so no client can answer it. Bounded per session, per caller and in all: a full
bound drops the oldest requests of the session or caller that reached it.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict

from msgspec import Struct, field

from pep.mcp.jsonrpc import Id

MOST_OF_SESSION = 256
MOST_OF_CALLER = 4096
MOST = 65_536
_LONGEST_ID = 128

_Key = Id | bytes


class Holder(Struct, frozen=True):
    """The client that requests are shown to; `session` is the legacy session's id, empty without one."""

    server: str
    principal: str
    session: str = ""


class _Session(Struct):
    """The requests of one session, oldest first; those that are answered are `False`."""

    is_open: OrderedDict[_Key, bool] = field(default_factory=OrderedDict)


class _Caller(Struct):
    """The sessions of one caller at one server, the least recently used first."""

    sessions: OrderedDict[str, _Session] = field(default_factory=OrderedDict)
    count: int = 0


class ServerRequests:
    """The book of all sessions."""

    def __init__(self, of_session: int = MOST_OF_SESSION, of_caller: int = MOST_OF_CALLER, most: int = MOST) -> None:  # fmt: skip
        """Remember at most so many requests."""
        self._of_session = of_session
        self._of_caller = of_caller
        self._most = most
        self._callers: OrderedDict[tuple[str, str], _Caller] = OrderedDict()
        self._count = 0

    def show(self, holder: Holder, request_id: Id, *, is_resumed: bool = False) -> None:
        """Note that the client is shown the request, perhaps not for the first time.

        On a resumed stream (`is_resumed`) a request that is answered stays answered. Elsewhere the
        same id means a new request, of a server that uses its ids again.
        """
        caller = self._callers.setdefault((holder.server, holder.principal), _Caller())
        session = caller.sessions.setdefault(holder.session, _Session())
        self._callers.move_to_end((holder.server, holder.principal))
        caller.sessions.move_to_end(holder.session)
        key = _key(request_id)
        if key in session.is_open:
            session.is_open[key] = session.is_open[key] or not is_resumed
            return
        session.is_open[key] = True
        caller.count += 1
        self._count += 1
        self._keep_to_bounds(caller, session)

    def withdraw(self, holder: Holder, request_id: Id) -> None:
        """Forget a request that the server has cancelled."""
        session = self._session(holder)
        if session is not None and session.is_open.pop(_key(request_id), None) is not None:
            self._callers[holder.server, holder.principal].count -= 1
            self._count -= 1

    def answer(self, holder: Holder, request_id: Id) -> bool:
        """Take an answer: whether the client was shown the request, and has not answered it."""
        session, key = self._session(holder), _key(request_id)
        if session is None or not session.is_open.get(key):
            return False
        session.is_open[key] = False
        return True

    def reopen(self, holder: Holder, request_id: Id) -> None:
        """Let the client answer again, as its answer did not reach the server."""
        session, key = self._session(holder), _key(request_id)
        if session is not None and key in session.is_open:
            session.is_open[key] = True

    def forget(self, holder: Holder) -> None:
        """Forget the requests of a session that has ended."""
        caller = self._callers.get((holder.server, holder.principal))
        if caller is not None and holder.session in caller.sessions:
            self._drop(caller, holder.session)
            if not caller.sessions:
                del self._callers[holder.server, holder.principal]

    def __len__(self) -> int:
        """How many requests are remembered."""
        return self._count

    def _session(self, holder: Holder) -> _Session | None:
        caller = self._callers.get((holder.server, holder.principal))
        return None if caller is None else caller.sessions.get(holder.session)

    def _keep_to_bounds(self, caller: _Caller, session: _Session) -> None:
        if len(session.is_open) > self._of_session:
            answered = (key for key, is_open in session.is_open.items() if not is_open)
            del session.is_open[next(answered, next(iter(session.is_open)))]
            caller.count -= 1
            self._count -= 1
        while caller.count > self._of_caller and len(caller.sessions) > 1:
            self._drop(caller, next(iter(caller.sessions)))
        while self._count > self._most and len(self._callers) > 1:
            _, oldest = self._callers.popitem(last=False)
            self._count -= oldest.count

    def _drop(self, caller: _Caller, session_id: str) -> None:
        size = len(caller.sessions.pop(session_id).is_open)
        caller.count -= size
        self._count -= size


class Shown:
    """The book as one stream of a client sees it."""

    def __init__(self, book: ServerRequests, holder: Holder, *, is_resumed: bool = False) -> None:
        """`is_resumed` when the client has come back for what it may have seen already."""
        self._book = book
        self._holder = holder
        self._is_resumed = is_resumed

    def show(self, request_id: Id) -> None:
        """Note that the client is shown the request."""
        self._book.show(self._holder, request_id, is_resumed=self._is_resumed)

    def withdraw(self, request_id: Id) -> None:
        """Forget a request that the server has cancelled."""
        self._book.withdraw(self._holder, request_id)


def _key(request_id: Id) -> _Key:
    """The id itself, or its digest when it is long; 1 and "1" are two, and no id is bytes."""
    if isinstance(request_id, str):
        is_short, kind = len(request_id) <= _LONGEST_ID, b"text "
    else:
        is_short, kind = request_id.bit_length() <= _LONGEST_ID, b"number "
    return request_id if is_short else hashlib.sha256(kind + str(request_id).encode()).digest()
