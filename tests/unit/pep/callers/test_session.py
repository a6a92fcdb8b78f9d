"""Who calls and in which session: a caller can narrow what is counted for it, never widen it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdp.api.model import Client, Principal
from pep.callers.session import (
    MAX_KEY,
    LegacySession,
    SessionBook,
    anonymous,
    cooperative_key,
    identify,
    opaque,
)
from pep.errors import InvalidRequest, SessionNotFound

ANN, BOB = Principal("anonymous:1.1.1.1", "anonymous"), Principal("anonymous:2.2.2.2", "anonymous")
LEARNT = LegacySession(ANN.id, Client("c", "1"))


@pytest.mark.parametrize(
    ("peer", "wanted"),
    [("1.2.3.4", "anonymous:1.2.3.4"), ("::1", "anonymous:::1"), ("::ffff:1.2.3.4", "anonymous:1.2.3.4"),
     (None, "anonymous:local")],
)  # fmt: skip
def test_without_authentication_a_caller_is_its_address(peer: str | None, wanted: str) -> None:
    """An IPv4 address in IPv6 clothes is the same caller."""
    assert anonymous(peer) == Principal(wanted, "anonymous")


def test_the_session_that_the_server_gave_out_comes_first() -> None:
    """Before a key of the client, before the caller; its raw id stays here."""
    found = identify(ANN, "s", legacy_id="raw", legacy_session=LEARNT, key="k")
    assert found.kind == "legacy"
    assert "raw" not in found.id


def test_then_the_key_then_the_caller() -> None:
    """A legacy id that nobody gave out counts for nothing."""
    assert identify(ANN, "s", legacy_id="made up", key="k").kind == "cooperative"
    alone = identify(ANN, "s", legacy_id="made up", key="")
    assert (alone.kind, alone.id) == ("principal", ANN.id)


def test_the_same_id_of_another_server_or_caller_is_another_session() -> None:
    """Ids are only unique at the server that made them."""
    one = identify(ANN, "s", legacy_id="x", legacy_session=LEARNT, key="")
    assert one == identify(ANN, "s", legacy_id="x", legacy_session=LEARNT, key="other")
    assert one != identify(ANN, "t", legacy_id="x", legacy_session=LEARNT, key="")
    assert one != identify(BOB, "s", legacy_id="x", legacy_session=LEARNT, key="")


def test_the_header_wins_over_the_meta_key() -> None:
    """Absent both, there is no key."""
    meta = {"tipstaff/session": "m"}
    assert cooperative_key("h", meta) == "h"
    assert cooperative_key("", meta) == "m"
    assert cooperative_key("", {}) == ""


@pytest.mark.parametrize("key", ["x" * (MAX_KEY + 1), "a\nb", 7, None, ["a"], {}])
def test_what_cannot_be_a_key_is_refused(key: object) -> None:
    """Not silently taken for no key."""
    with pytest.raises(InvalidRequest):
        cooperative_key("", {"tipstaff/session": key})


def test_a_session_belongs_to_the_caller_it_was_given_to() -> None:
    """Another caller's is not to be told from one that does not exist."""
    book = SessionBook()
    book.learn("s", "x", LEARNT)
    assert book.find("s", "x", ANN) == LEARNT
    assert book.find("t", "x", BOB) is None
    with pytest.raises(SessionNotFound):
        book.find("s", "x", BOB)


def test_a_session_that_ended_is_forgotten() -> None:
    """Also one that was never known."""
    book = SessionBook()
    book.learn("s", "x", LEARNT)
    book.forget("s", "x")
    book.forget("s", "y")
    assert book.find("s", "x", BOB) is None


def test_the_book_is_bounded_and_forgets_the_least_used() -> None:
    """A client that opens sessions all day does not fill the memory."""
    book = SessionBook(capacity=2)
    for session in ("a", "b"):
        book.learn("s", session, LEARNT)
    book.find("s", "a", ANN)
    book.learn("s", "c", LEARNT)
    assert book.find("s", "b", ANN) is None
    assert book.find("s", "a", ANN) == LEARNT


@given(st.lists(st.text(), min_size=2, max_size=4), st.lists(st.text(), min_size=2, max_size=4))
def test_no_parts_can_be_read_as_other_parts(left: list[str], right: list[str]) -> None:
    """What a caller chooses cannot land on another's counter."""
    assert (opaque(*left) == opaque(*right)) == (left == right)
