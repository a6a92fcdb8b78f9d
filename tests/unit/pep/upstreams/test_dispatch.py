"""Which way a request goes, and what is told of servers that are away and come back."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from structlog.testing import capture_logs

from pep.config import Server
from pep.ports import BusyError, NeverReachedError
from pep.upstreams.dispatch import Dispatch

OVER_HTTP, OVER_STDIO = Server("h", "http://x/mcp"), Server("c", command=("x",))


class Way:
    """Answers with its name, or raises its fault."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.fault: Exception | None = None

    async def send(self, *_: Any) -> Any:
        if self.fault is not None:
            raise self.fault
        return self.name


async def told(dispatch: Any, server: Server) -> list[str]:
    with capture_logs() as lines, contextlib.suppress(NeverReachedError):
        await dispatch.send("POST", server, [], b"", "ann")
    return [f"{line['event']}: {line['server']}" for line in lines]


async def test_a_server_with_a_command_goes_over_the_bridge() -> None:
    """Any other over HTTP."""
    dispatch: Any = Dispatch(Way("http"), Way("stdio"))  # type: ignore[arg-type]
    assert await dispatch.send("POST", OVER_HTTP, [], b"", "ann") == "http"
    assert await dispatch.send("POST", OVER_STDIO, [], b"", "ann") == "stdio"


@pytest.mark.parametrize("server", [OVER_HTTP, OVER_STDIO], ids=["http", "stdio"])
async def test_that_a_server_is_reached_again_is_told_once(server: Server) -> None:
    """After it was away; one that was only busy was there all the time."""
    ways = Way("http"), Way("stdio")
    dispatch = Dispatch(*ways)  # type: ignore[arg-type]
    assert await told(dispatch, server) == []
    for fault, lines in ((BusyError("x"), []), (NeverReachedError("x"), [f"upstream reached again: {server.name}"])):  # fmt: skip
        for way in ways:
            way.fault = fault
        assert await told(dispatch, server) == []
        for way in ways:
            way.fault = None
        assert await told(dispatch, server) == lines
        assert await told(dispatch, server) == []
