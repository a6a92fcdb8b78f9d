"""Judges the entries of a list: which of them the caller may see. Does no I/O of its own.

The entries are judged as calls are, slice by slice in the same batches, so that a long list delays others by no
more than a slice. Nothing is taken from limits, so that there is nothing to repeat or to refund, and a repeated
request is just judged again.
"""

from __future__ import annotations

from pdp.api.list_codec import calls_from_wire
from pdp.api.model import Decision
from pdp.api.reasons import FAULTS_OF_ONE_CALL, PASSING_FAULTS
from pdp.api.v1 import decision_pb2
from pdp.errors import ListNotJudged
from pdp.grpc.batching import Batcher

_SLICE = 64


class Lists:
    """Judges lists in the batches of calls."""

    def __init__(self, batcher: Batcher) -> None:
        """Judge by `batcher`."""
        self._batcher = batcher

    async def hidden(self, request: decision_pb2.FilterListRequest) -> list[int]:
        """The positions of the entries that the caller must not see.

        Raises `CodecError`, `Overloaded`, and `ListNotJudged` when an entry cannot be judged now.
        """
        hidden: list[int] = []
        start = 0
        for calls in calls_from_wire(request, _SLICE):
            judgements = await self._batcher.submit(calls)
            for position, judgement in enumerate(judgements, start):
                if not _is_shown(judgement.decision):
                    hidden.append(position)
            start += len(calls)
        return hidden


def _is_shown(decision: Decision) -> bool:
    """Whether a list may show the entry: not when it is hidden, nor when judging it alone has failed."""
    code = decision.reason.code
    if code in PASSING_FAULTS:
        raise ListNotJudged(f"an entry of the list cannot be judged: {code}")
    return not decision.hidden and code not in FAULTS_OF_ONE_CALL
