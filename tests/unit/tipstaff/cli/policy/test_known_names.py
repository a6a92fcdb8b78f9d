"""Which names of a call are odd, and what may have been meant."""

from __future__ import annotations

import pytest

from tipstaff.cli.policy.known_names import odd

SERVERS = {"files", "bank"}
TOOLS = {"files": {"read_file", "write_file"}}


@pytest.mark.parametrize(
    ("server", "tool", "note"),
    [
        ("flies", "read_file", "there is no server flies; did you mean `files`?"),
        ("x", "", "there is no server x; known are: bank, files"),
        (
            "files",
            "raed_file",
            "files has no tool raed_file in its catalogue; did you mean `read_file`?",
        ),
    ],
)
def test_the_nearest_name_is_told(server: str, tool: str, note: str) -> None:
    """Of the server first: without it there are no tools to compare with."""
    assert list(odd(server, tool, SERVERS, TOOLS)) == [note]


@pytest.mark.parametrize(
    ("server", "tool"), [("files", "read_file"), ("files", ""), ("bank", "anything")]
)
def test_a_name_that_may_be_right_is_not_doubted(server: str, tool: str) -> None:
    """A server without a catalogue may have any tool."""
    assert list(odd(server, tool, SERVERS, TOOLS)) == []


def test_where_nothing_is_known_nothing_is_odd() -> None:
    """As with the address of another machine's service."""
    assert list(odd("x", "y", set(), {})) == []
