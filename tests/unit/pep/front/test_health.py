"""Whether the gateway is ready, what is told of it, and that a change is logged once."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import Struct
from structlog.testing import capture_logs

from pep.front.health import Health


class Status(Struct):
    ready: bool = True
    stale: bool = False


class Service:
    """A decision service with a script."""

    def __init__(self) -> None:
        self.is_connected = True
        self.status: Status | None = Status()
        self.health = Health(lambda: self.is_connected, self._status)

    async def _status(self) -> Status | None:
        return self.status

    async def logged(self) -> list[dict[str, Any]]:
        with capture_logs() as lines:
            await self.health.look()
        return [dict(line) for line in lines]


@pytest.mark.parametrize(
    ("is_connected", "status", "code"),
    [
        (False, Status(), "decision_service_unreachable"),
        (True, None, "decision_service_silent"),
        (True, Status(ready=False), "policy_engine_unavailable"),
        (True, Status(stale=True), "policy_stale"),
    ],
)
async def test_why_it_is_not_ready_is_told_and_logged_once_and_so_is_that_it_is_again(
    is_connected: bool, status: Status | None, code: str
) -> None:
    """The log is where one looks for the time."""
    service = Service()
    (line,) = await service.logged()
    assert line["event"].startswith("ready")
    assert service.health.answer() == (200, b'{"ready":true}')
    service.is_connected, service.status = is_connected, status
    (line,) = await service.logged()
    assert (line["log_level"], line["code"]) == ("warning", code)
    assert await service.logged() == []
    number, body = service.health.answer()
    assert (number, code in body.decode()) == (503, True)
    service.is_connected, service.status = True, Status()
    (line,) = await service.logged()
    assert line["log_level"] == "info"
    assert await service.logged() == []
