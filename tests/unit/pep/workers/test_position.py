"""Which worker serves a request."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from pep.config import Server
from pep.mcp.methods import LEGACY, MODERN
from pep.workers.position import Position

HTTP, STDIO = Server("h", url="http://127.0.0.1:9/mcp"), Server("s", command=("x",))


def workers(count: int) -> list[Position]:
    return [Position(number, count, Path("/run"), "k") for number in range(count)]


@pytest.mark.parametrize(
    ("server", "era", "session"),
    [(HTTP, LEGACY, "abc"), (STDIO, LEGACY, ""), (STDIO, LEGACY, "abc"), (STDIO, MODERN, "")],
)
def test_all_workers_agree_who_serves_what_one_must_keep(
    server: Server, era: str, session: str
) -> None:
    """A legacy session, and a server that is run here."""
    assert len({worker.serves(server, era, session) for worker in workers(5)}) == 1


@pytest.mark.parametrize(("era", "session"), [(MODERN, ""), (MODERN, "abc"), (LEGACY, "")])
def test_what_nobody_must_keep_is_served_where_it_came_in(era: str, session: str) -> None:
    """A modern client has no session, whatever it sends."""
    assert [worker.serves(HTTP, era, session) for worker in workers(5)] == [0, 1, 2, 3, 4]


def test_all_that_a_server_run_here_is_asked_goes_to_one_worker() -> None:
    """Its processes, and how many of them there may be, are in one place."""
    (worker,) = {workers(5)[0].serves(STDIO, era, s) for era in (LEGACY, MODERN) for s in ("", "a")}
    assert worker in range(5)


def test_sessions_are_spread_over_the_workers() -> None:
    """Each gets its share."""
    count = Counter(workers(4)[0].serves(HTTP, LEGACY, f"{n:032x}") for n in range(4000))
    assert set(count) == {0, 1, 2, 3}
    assert min(count.values()) > 800


def test_a_worker_knows_the_others_by_their_sockets() -> None:
    """Not itself."""
    worker = workers(3)[1]
    assert worker.others() == (0, 2)
    assert worker.socket_of(2) == Path("/run/worker-2.sock")
