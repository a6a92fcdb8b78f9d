"""Addresses: which of them other machines can reach."""

from __future__ import annotations

import pytest

from pdp.api.address import host_of, is_local


@pytest.mark.parametrize(
    "address", ["unix:/run/x.sock", "127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "localhost:1"]
)
def test_a_socket_and_loopback_are_local(address: str) -> None:
    """Whoever asks there is on this machine."""
    assert is_local(address)


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0:1", "[::]:1", "10.0.0.1:1", "[2001:db8::1]:1", "gate.example:1",
        "localhost.example:1", "127.0.0.1.example:1", ":1", "",
    ],
)  # fmt: skip
def test_everything_else_may_be_reached_from_elsewhere(address: str) -> None:
    """Names too: what they resolve to is not known here."""
    assert not is_local(address)


def test_a_host_is_told_without_its_brackets() -> None:
    """As a certificate names it."""
    assert host_of("[::1]:80") == "::1"
    assert host_of("gate.example:80") == "gate.example"
    assert host_of("unix:/x") == ""
