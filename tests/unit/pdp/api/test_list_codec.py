"""A list and its entries on the wire."""

from __future__ import annotations

import pytest
from msgspec import structs

from pdp.api.bounds import MAX_LIST_ENTRIES, CodecError
from pdp.api.list_codec import ListEntry, calls_from_wire, list_to_wire
from pdp.api.model import Phase
from tests.calls import call

LISTED = structs.replace(call("r", target=""), phase=Phase.LIST)


def test_entries_become_calls_in_their_order_and_so_many_at_a_time() -> None:
    """What is the same for all stands once in the message."""
    digest = "sha256:" + "0" * 64
    entries = [ListEntry("a", digest), ListEntry("b"), ListEntry("")]
    slices = list(calls_from_wire(list_to_wire(LISTED, entries), 2))
    assert slices == [
        [
            structs.replace(LISTED, request_id="r.0", target="a", definition=digest),
            structs.replace(LISTED, request_id="r.1", target="b"),
        ],
        [structs.replace(LISTED, request_id="r.2", target="")],
    ]


def test_a_list_may_be_empty() -> None:
    """Then nothing is judged."""
    assert list(calls_from_wire(list_to_wire(LISTED, []), 2)) == []


def test_a_list_is_bounded() -> None:
    """By its number, before anything of it is read."""
    message = list_to_wire(LISTED, [ListEntry("a")] * (MAX_LIST_ENTRIES + 1))
    with pytest.raises(CodecError, match="entries: more than"):
        next(calls_from_wire(message, 2))


def test_what_stands_for_the_entries_is_no_call() -> None:
    """A call would be judged many times over, with its arguments."""
    with pytest.raises(CodecError, match="phase"):
        next(calls_from_wire(list_to_wire(call(), [ListEntry("a")]), 2))
    with_arguments = structs.replace(LISTED, arguments=b'{"a":1}')
    with pytest.raises(CodecError, match="arguments_json"):
        next(calls_from_wire(list_to_wire(with_arguments, [ListEntry("a")]), 2))
