"""What a client is told of a server that has not answered."""

from __future__ import annotations

import pytest

from pep.errors import AnswerUnreadable, Refusal, ServerBusy, UpstreamAway
from pep.ports import BusyError, LostError, NeverReachedError, UnreadableError
from pep.upstreams.faults import refusal_of


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (NeverReachedError("refused"), UpstreamAway, "cannot be reached"),
        (BusyError("4 processes"), ServerBusy, "is busy: 4 processes"),
        (LostError("reset"), UpstreamAway, "ended the connection"),
        (UnreadableError("no HTTP"), AnswerUnreadable, "cannot be read"),
    ],
)
def test_each_failure_has_its_refusal_which_names_the_server(
    error: NeverReachedError | LostError, kind: type[Refusal], words: str
) -> None:
    """What the operating system or the server said is for the log."""
    refusal = refusal_of(error, "files")
    assert type(refusal) is kind
    assert words in str(refusal)
    assert "'files'" in str(refusal)
    assert ("4 processes" in str(refusal)) == (kind is ServerBusy)
