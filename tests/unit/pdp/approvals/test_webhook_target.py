"""A webhook goes where the operator has said, and to no machine that only the service can reach."""

from __future__ import annotations

import pytest

from pdp.approvals.webhook_target import allowed, is_public, target
from pdp.config import Webhook
from pdp.errors import ConfigError


@pytest.mark.parametrize(
    ("url", "hosts", "may_be_private"),
    [
        ("https://hooks.example/x", (), False),
        ("https://hooks.example/x", ("other.example", "HOOKS.example."), False),
        ("https://93.184.216.34/x", (), False),
        ("http://93.184.216.34/x", ("93.184.216.34",), True),
        ("http://127.0.0.1:9000/x", ("127.0.0.1",), True),
        ("http://localhost:9000/x", ("localhost",), True),
        ("http://[::1]:9000/x", ("::1",), True),
        ("https://10.0.0.7/x", ("10.0.0.7",), True),
    ],
)
def test_a_target_is_public_or_an_address_that_is_written_out(
    url: str, hosts: tuple[str, ...], may_be_private: bool
) -> None:
    """A name in `hosts` does not open a private network: whoever answers for it could."""
    goal = target(Webhook(url=url, hosts=hosts))
    assert (goal.url, goal.may_be_private) == (url, may_be_private)


@pytest.mark.parametrize(
    ("url", "hosts", "says"),
    [
        ("ftp://hooks.example/x", (), "must be https"),
        ("hooks.example/x", (), "must be https"),
        ("https:///x", (), "must be https"),
        ("https://hooks.example:99999/x", (), "not a URL"),
        ("https://[::1/x", (), "not a URL"),
        ("https://user:canary@hooks.example/x", (), "no place for a user"),
        ("https://hooks.example/x#canary", (), "a fragment"),
        ("https://hooks.example/x", ("other.example",), "does not name the host of the url, hooks.example"),
        ("http://hooks.example/x", (), "http is only for"),
        ("http://hooks.example/x", ("hooks.example",), "http is only for"),
        ("https://127.0.0.1/canary", (), r"write hosts = \['127.0.0.1'\]"),
        ("https://localhost/x", (), "on this machine"),
        ("https://169.254.169.254/latest/meta-data", (), "private network"),
        ("https://[::ffff:169.254.169.254]/x", (), "private network"),
        ("https://[fe80::1]/x", (), "private network"),
    ],
)  # fmt: skip
def test_any_other_target_is_refused_at_the_start(
    url: str, hosts: tuple[str, ...], says: str
) -> None:
    """The message holds no part of the URL but its host."""
    with pytest.raises(ConfigError, match=says) as caught:
        target(Webhook(url=url, hosts=hosts))
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0",
        "100.64.0.1", "224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1%eth0", "fc00::1",
        "::ffff:10.0.0.1", "2002:7f00:1::", "64:ff9b::7f00:1", "ff02::1", "no address", "",
    ],
)  # fmt: skip
def test_an_address_that_only_we_can_reach_is_not_public(address: str) -> None:
    """In every form in which one can be written."""
    assert not is_public(address)
    assert allowed([address], may_be_private=False) == []
    assert allowed([address], may_be_private=True) == [address]


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:4700::1111", "64:ff9b::5db8:d822"])
def test_an_address_of_the_internet_is_public(address: str) -> None:
    """Of either family."""
    assert is_public(address)
    assert allowed([address], may_be_private=False) == [address]


def test_one_private_address_among_several_refuses_them_all() -> None:
    """Which of them would be taken is for nobody else to choose."""
    assert allowed(["93.184.216.34", "10.0.0.1"], may_be_private=False) == []


def test_a_target_shows_no_url() -> None:
    """It may hold a key."""
    webhook = Webhook(url="https://hooks.example/canary", secret="canary-canary-canary")
    assert "canary" not in repr(webhook)
    assert "canary" not in repr(target(webhook))
