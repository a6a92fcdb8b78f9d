"""The errors of the decision service: one tree, each with a stable code."""

from __future__ import annotations

import re

import pytest

from pdp import errors
from pdp.api.reasons import REASONS
from pdp.errors import JournalError, PdpError, RequestError, StoreError

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type)]


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_is_of_the_tree_and_has_a_code_of_its_own(kind: type[PdpError]) -> None:
    """One `except` catches them all, and the code tells them apart."""
    assert issubclass(kind, PdpError)
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", kind.code)
    assert [one.code for one in KINDS].count(kind.code) == 1
    assert kind.__name__ in (errors.__doc__ or "")


def test_errors_that_become_denials_have_the_code_of_the_denial() -> None:
    """The log and the caller see the same word."""
    assert {StoreError.code, JournalError.code} <= REASONS.keys()


def test_a_request_error_names_the_field() -> None:
    """What a `google.rpc.BadRequest` violation needs."""
    error = RequestError("requests", "more than 128")
    assert (error.field, error.description) == ("requests", "more than 128")
    assert str(error) == "requests: more than 128"
