"""The tree of refusals."""

from __future__ import annotations

from collections.abc import Iterator

from pep import errors
from pep.errors import PepError


def leaves(kind: type[PepError]) -> Iterator[type[PepError]]:
    below = kind.__subclasses__()
    if not below:
        yield kind
    for one in below:
        yield from leaves(one)


def test_codes_are_stable_and_distinct() -> None:
    """Each class is told apart by its code in logs and metrics."""
    codes = [one.code for one in leaves(PepError)]
    assert len(codes) == len(set(codes))
    assert all(code.replace("_", "").islower() for code in codes)


def test_every_class_is_drawn_in_the_docstring() -> None:
    """The picture at the top of the module is complete."""
    for kind in leaves(PepError):
        assert kind.__name__ in (errors.__doc__ or "")


def test_a_refusal_keeps_its_message_and_data() -> None:
    """What the answer says travels with the exception."""
    fault = errors.ParseError("no", {"a": 1})
    assert (fault.message, fault.data, str(fault)) == ("no", {"a": 1}, "no")
