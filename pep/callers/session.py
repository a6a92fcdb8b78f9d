"""The caller and the agent session of a request, as far as HTTP without authentication can tell.

The session is the first that exists of: the legacy session that this upstream gave to this caller,
a cooperative key the client sends, the caller itself. A caller can mint keys, so a key only ever
narrows what is counted under the caller; it never widens it. `SessionBook` remembers, bounded, which
session was given to whom; it holds no clock and does no I/O.

A session the book does not know is passed on uncounted by itself: after a restart of the proxy the
upstream still knows its sessions. A session the book knows to be another caller's is refused.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from typing import Any

from msgspec import Struct

from pdp.api.model import Client, Principal, Session
from pep.errors import InvalidRequest, SessionNotFound

MAX_KEY = 128
META_KEY = "tipstaff/session"
_MAPPED_IPV4 = "::ffff:"


# Server, session, and the id with its type: 1 and "1" are two ids.
Exchanged = tuple[str, str, type, str | int]


class LegacySession(Struct, frozen=True):
    """What is known from an answer to `initialize`: the session's caller, and its client's claims."""

    principal: str
    client: Client


class SessionBook:
    """The sessions that upstreams gave out, the least recently used forgotten first."""

    def __init__(self, capacity: int = 20_000) -> None:
        """Remember at most `capacity` sessions."""
        self._capacity = capacity
        self._sessions: OrderedDict[tuple[str, str], LegacySession] = OrderedDict()
        self._under_way: set[Exchanged] = set()

    def begin(self, request: Exchanged) -> None:
        """Note that a request of a legacy session goes on; raises `InvalidRequest` when its id is in use."""
        if request in self._under_way:
            raise InvalidRequest("a request with this id is under way in this session")
        self._under_way.add(request)

    def end(self, request: Exchanged) -> None:
        """Note that the request has been answered."""
        self._under_way.discard(request)

    def learn(self, server: str, session: str, legacy_session: LegacySession) -> None:
        """Bind a session to the caller that it was given to."""
        self._sessions[server, session] = legacy_session
        self._sessions.move_to_end((server, session))
        if len(self._sessions) > self._capacity:
            self._sessions.popitem(last=False)

    def forget(self, server: str, session: str) -> None:
        """Forget a session that has ended."""
        self._sessions.pop((server, session), None)

    def find(self, server: str, session: str, principal: Principal) -> LegacySession | None:
        """What is known of the session; raises `SessionNotFound` when it is another caller's."""
        legacy_session = self._sessions.get((server, session))
        if legacy_session is None:
            return None
        if legacy_session.principal != principal.id:
            raise SessionNotFound("Session not found")
        self._sessions.move_to_end((server, session))
        return legacy_session


def anonymous(peer: str | None) -> Principal:
    """The caller that has not authenticated, by the address it connects from."""
    address = (peer or "local").removeprefix(_MAPPED_IPV4)
    return Principal(id=f"anonymous:{address}", kind="anonymous")


def unauthenticated(peer: tuple[str, int] | None) -> Principal:
    """The principal in the record of a refused request; never that of a judged call."""
    return Principal(f"unauthenticated:{peer[0] if peer else 'local'}", "unauthenticated")


def cooperative_key(header: str, meta: dict[str, Any]) -> str:
    """The key the client sends, or ""; raises `InvalidRequest` when it cannot be one.

    The header `Tipstaff-Session` wins over `_meta["tipstaff/session"]`.
    """
    key = header or meta.get(META_KEY, "")
    if not isinstance(key, str) or len(key) > MAX_KEY or not key.isprintable():
        raise InvalidRequest(f"a session key is at most {MAX_KEY} printable characters")
    return key


def identify(
    principal: Principal,
    server: str,
    *,
    legacy_id: str = "",
    legacy_session: LegacySession | None = None,
    key: str,
) -> Session:
    """The session that limits count by. The raw legacy id, a credential of the upstream, is not passed on."""
    if legacy_session is not None:
        return Session(id=opaque(server, principal.id, legacy_id), kind="legacy")
    if key:
        return Session(id=key, kind="cooperative")
    return Session(id=principal.id, kind="principal")


def opaque(*parts: str) -> str:
    """A key that reveals none of its parts and cannot be forged from other parts."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode()
        digest.update(len(data).to_bytes(4, "big") + data)
    return digest.hexdigest()[:32]
