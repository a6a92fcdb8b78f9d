"""Errors of the command line, and how they are shown."""

from __future__ import annotations

import pytest

from tipstaff.__main__ import main
from tipstaff.cli import errors
from tipstaff.cli.errors import IntrospectionError, TipstaffError
from tipstaff.cli.servers import init


def test_every_error_has_a_code_of_its_own() -> None:
    """Programs tell errors apart by it."""
    found = [
        one
        for one in vars(errors).values()
        if isinstance(one, type) and issubclass(one, TipstaffError)
    ]
    assert len(found) > 2
    assert len({one.code for one in found}) == len(found)


def test_an_introspection_error_says_what_was_tried_found_and_to_be_done() -> None:
    """With the last lines that were said, where there are some."""
    assert str(IntrospectionError("cannot", "it broke", "Mend it.")) == "cannot: it broke. Mend it."
    said = str(IntrospectionError("cannot", "it broke", "Mend it.", ["one", "two"]))
    assert said == "cannot: it broke. The last it said:\n  | one\n  | two\nMend it."


def test_an_error_ends_a_command_with_its_message_and_no_trace(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The exit code is that of bad input."""

    def fail(_: object) -> int:
        raise IntrospectionError("cannot", "it [broke]", "Mend it.")

    monkeypatch.setattr(init, "command", fail)
    assert main(["init"]) == 2
    assert capsys.readouterr().err == "error: cannot: it [broke]. Mend it.\n"
