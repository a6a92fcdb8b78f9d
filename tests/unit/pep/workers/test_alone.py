"""A proxy without other workers."""

from __future__ import annotations

import pytest

from pdp.api.model import Client, Principal
from pep.callers.session import LegacySession
from pep.config import Server
from pep.judge.server_requests import Holder
from pep.mcp.methods import LEGACY
from pep.workers.alone import Alone

SERVER = Server("s", command=("x",))


async def test_it_serves_everything_and_asks_nobody() -> None:
    """Also what several workers would leave to one of them."""
    alone = Alone()
    assert alone.elsewhere({}, SERVER, LEGACY, "abc") is None
    assert not await alone.tell_session(SERVER, "abc", LegacySession("ann", Client()))
    assert not await alone.ask_answer(Holder("s", "ann"), 1)
    await alone.tell_task("s", "t", Principal("ann", "jwt"))
    with pytest.raises(LookupError):
        await alone.forward(1, {}, None)
    await alone.close()
