"""The tree of refusals and the table of how each looks on the wire."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pep import errors
from pep.errors import WIRE, PepError, Refusal


def leaves(kind: type[PepError]) -> Iterator[type[PepError]]:
    below = kind.__subclasses__()
    if not below:
        yield kind
    for one in below:
        yield from leaves(one)


def test_every_refusal_that_can_be_raised_has_a_wire_form() -> None:
    """A refusal without a row in the table could not be answered."""
    assert set(leaves(Refusal)) == set(WIRE)


def test_codes_are_stable_and_distinct() -> None:
    """Each class is told apart by its code in logs and metrics."""
    codes = [one.code for one in leaves(PepError)]
    assert len(codes) == len(set(codes))
    assert all(code.replace("_", "").islower() for code in codes)


@pytest.mark.parametrize("kind", list(WIRE))
def test_no_code_is_in_a_range_that_is_closed(kind: type[Refusal]) -> None:
    """-32000..-32019 must not be used; of the specification's own range only -32020 is defined."""
    code = WIRE[kind].code
    assert code > 0 or code < -32099 or code == -32020
    assert 200 <= WIRE[kind].status < 600


def test_every_class_is_drawn_in_the_docstring() -> None:
    """The picture at the top of the module is complete."""
    for kind in leaves(PepError):
        assert kind.__name__ in (errors.__doc__ or "")


def test_a_refusal_keeps_its_message_and_data() -> None:
    """What the answer says travels with the exception."""
    fault = errors.ParseError("no", {"a": 1})
    assert (fault.message, fault.data, str(fault)) == ("no", {"a": 1}, "no")
