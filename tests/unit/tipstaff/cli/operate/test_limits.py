"""What limits have counted, as people read it."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from pdp.api.v1 import limits_pb2
from tipstaff.cli.operate.limits import _table, whose


@pytest.mark.parametrize(
    ("scope", "subject", "told"),
    [
        ("session", ["jwt:a", "principal", "jwt:a"], ("caller", "jwt:a")),
        ("session", ["jwt:a", "cooperative", "s1"], ("session", "jwt:a cooperative s1")),
        ("principal", ["jwt:a"], ("caller", "jwt:a")),
        ("tool", ["bank", "pay"], ("tool", "bank pay")),
        ("global", [], ("global", "")),
    ],
)
def test_a_caller_without_a_session_is_counted_as_the_caller_it_is(
    scope: str, subject: list[str], told: tuple[str, str]
) -> None:
    """And not as a session that it never named."""
    assert whose(scope, subject) == told


@pytest.mark.parametrize("width", [80, 120])
def test_no_name_that_can_be_asked_for_is_cut(width: int) -> None:
    """A narrow terminal has it on several lines."""
    subject = ["jwt:auth0|5f7c8ec7c33c6c004bbafe82", "legacy", "0123456789abcdef" * 2]
    counter = limits_pb2.Counter(
        name="files/send_invoice_to_customer_by_email_and_post", scope="session", subject=subject,
        algorithm="sliding_log", used=3, free_in_ms=3_520_000,
    )  # fmt: skip
    printed = io.StringIO()
    Console(file=printed, width=width).print(_table([counter]))
    assert all(len(line) <= width for line in printed.getvalue().splitlines())
    assert "…" not in printed.getvalue()
    for text in (counter.name, *subject):
        assert text[-4:] in printed.getvalue()
