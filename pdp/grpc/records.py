"""The newest records over gRPC: for people who watch decisions as they are made."""

from __future__ import annotations

import asyncio

from pdp.api.v1 import records_pb2, records_pb2_grpc
from pdp.errors import Overloaded
from pdp.grpc.status import Context, abort
from pdp.records.newest import NewestRecords

_PAUSE_SECONDS = 0.1
_MOST_WATCHERS = 16


class RecordService(records_pb2_grpc.RecordServiceServicer):
    """Sends records to those who watch."""

    def __init__(self, records: NewestRecords, run: str) -> None:
        """`run` names this run of the service: numbers of records begin anew with it."""
        self._records = records
        self._run = run
        self._watchers = 0

    async def Watch(  # noqa: N802 - the name is the contract's
        self, request: records_pb2.RecordServiceWatchRequest, context: Context
    ) -> None:
        """Send what is remembered after the number that the watcher has seen, then what comes."""
        if self._watchers >= _MOST_WATCHERS:
            await abort(context, Overloaded(f"{_MOST_WATCHERS} watch already"))
        self._watchers += 1
        try:
            await self._send(request.number if request.run == self._run else 0, context)
        finally:
            self._watchers -= 1

    async def _send(self, number: int, context: Context) -> None:
        await context.write(records_pb2.RecordServiceWatchResponse(run=self._run, number=number))
        while True:
            await self._records.wait(number)
            part = self._records.after(number)
            number = part.number
            await context.write(
                records_pb2.RecordServiceWatchResponse(
                    lines=part.lines, run=self._run, number=number, missed=part.missed
                )
            )
            await asyncio.sleep(_PAUSE_SECONDS)
