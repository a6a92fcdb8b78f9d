"""What else the console asks one decision service: its records as they come, rules, catalogue, limits. Edge: gRPC."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import structlog

from pdp.api.v1 import (
    limits_pb2,
    limits_pb2_grpc,
    policy_pb2,
    policy_pb2_grpc,
    records_pb2,
    records_pb2_grpc,
)
from tipstaff.console.asking import SECONDS, answered
from tipstaff.console.history import History
from tipstaff.console.news import DECISIONS, Event, News

_PAUSE_SECONDS = 1.0

log = structlog.get_logger("tipstaff.console")


class Operations:
    """The decision service at its work."""

    def __init__(self, channel: grpc.aio.Channel, news: News) -> None:
        """Ask over `channel`, and tell `news` that there are new records."""
        self._policy = policy_pb2_grpc.PolicyServiceStub(channel)
        self._limits = limits_pb2_grpc.LimitServiceStub(channel)
        self._records = records_pb2_grpc.RecordServiceStub(channel)
        self._news = news
        self._run, self._number = "", 0
        self.history = History()

    async def status(self) -> Any:
        """The state of the rules; raises `ServiceError`."""
        return await answered(
            self._policy.GetStatus(policy_pb2.GetStatusRequest(), timeout=SECONDS)
        )

    async def catalogue(self, server: str = "") -> Any:
        """The tools that are known, of one server or of all; raises `ServiceError`."""
        request = policy_pb2.CatalogRequest(server=server)
        return (await answered(self._policy.Catalog(request, timeout=SECONDS))).tools

    async def marks(self, server: str, tool: str) -> tuple[str, ...]:
        """What else is known of a tool; raises `ServiceError`."""
        known = await self.catalogue(server)
        return next((tuple(each.marks) for each in known if each.tool == tool), ())

    async def counters(self) -> Any:
        """The counters in use; raises `ServiceError`."""
        request = limits_pb2.LimitServiceListRequest()
        return await answered(self._limits.List(request, timeout=SECONDS))

    async def reset(self, name: str, principal: str, session: str) -> int:
        """Empty the counters of one limit, of one owner where one is named; returns how many. Raises `ServiceError`."""
        meant = limits_pb2.CounterFilter(name=name, principal=principal, session=session)
        request = limits_pb2.LimitServiceResetRequest(filter=meant)
        return int((await answered(self._limits.Reset(request, timeout=SECONDS))).count)

    async def watch(self) -> None:
        """Take in records as they come, until cancelled."""
        while True:
            try:
                await self._follow()
            except grpc.aio.AioRpcError as error:
                log.info("no records", status=error.code().name)
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _follow(self) -> None:
        request = records_pb2.RecordServiceWatchRequest(run=self._run, number=self._number)
        async for message in self._records.Watch(request):
            # Another run of the service counts anew, and its first records are new to us.
            missed = message.missed if message.run == self._run or not self._run else 0
            self._run, self._number = message.run, message.number
            if message.lines:
                self.history.add(message.lines, missed)
                self._news.publish(Event(DECISIONS, str(self.history.seen)))
