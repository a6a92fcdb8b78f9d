"""What each refusal is on the wire."""

from __future__ import annotations

import pytest

from pep.errors import Refusal
from pep.mcp.error_codes import WIRE
from tests.unit.pep.test_errors import leaves


def test_every_refusal_that_can_be_raised_has_a_wire_form() -> None:
    """A refusal without a row in the table could not be answered."""
    assert set(leaves(Refusal)) == set(WIRE)


@pytest.mark.parametrize("kind", list(WIRE))
def test_no_code_is_in_a_range_that_is_closed(kind: type[Refusal]) -> None:
    """-32000..-32019 must not be used; of the specification's own range only -32020 is defined."""
    code = WIRE[kind].code
    assert code > 0 or code < -32099 or code == -32020
    assert 200 <= WIRE[kind].status < 600
