"""A server that cannot be started is told from one that ends."""

from __future__ import annotations

import pytest

from pep.ports import NeverReachedError
from pep.upstreams import child


@pytest.mark.parametrize(
    ("program", "told"),
    [
        (
            "no-such-program",
            "there is no program no-such-program: is it installed, and on the PATH?",
        ),
        ("/no/such/program", "there is no program /no/such/program"),
        (__file__, f"{__file__} cannot be run: is it the right file, and executable?"),
    ],
)
async def test_a_program_that_is_not_there_is_never_reached(program: str, told: str) -> None:
    """So that nothing has been sent, and the log says why."""
    with pytest.raises(NeverReachedError) as caught:
        await child.start("s", [program], {"PATH": "/usr/bin:/bin"}, keep_stderr=False)
    assert str(caught.value).startswith(told)
