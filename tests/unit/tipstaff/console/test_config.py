"""The settings of the console: what would let nobody in, or anybody, is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from pdp.errors import ConfigError
from tipstaff.cli.configuration.config import parse
from tipstaff.console.config import OpenId, is_safe

PEOPLE = '[[approvals.people]]\nid = "ana"\n'
OPENID = '[console.openid]\nissuer = "https://id.example"\nclient_id = "tipstaff"\n'
SECRET = 'client_secret = "file:secret"\n'


def test_a_provider_needs_people_who_may_come_in() -> None:
    """Or everybody whom it knows could answer."""
    with pytest.raises(ConfigError, match=r"tipstaff.toml:2: console.openid.issuer: everybody"):
        parse(OPENID, Path("tipstaff.toml"))
    config = parse(PEOPLE + OPENID + SECRET, Path("/etc/tipstaff/tipstaff.toml"))
    assert config.console.openid.client_secret == "file:/etc/tipstaff/secret"
    assert config.console.port == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('issuer = "http://id.example"\nclient_id = "c"', "https URL"),
        ('issuer = "https://u@id.example"\nclient_id = "c"', "https URL"),
        ('issuer = "https://id.example/?x=1"\nclient_id = "c"', "https URL"),
        ('issuer = "https://id.example"', "belong together"),
        ('client_id = "c"', "without issuer"),
        ('issuer = "https://id.example"\nclient_id = "c"\nscope = "email"', "openid in it"),
        ('issuers = "https://id.example"', "issuer"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(text: str, message: str) -> None:
    """With the section, and what to do."""
    with pytest.raises(ConfigError, match=message):
        parse(f"{PEOPLE}[console.openid]\n{text}\n", Path("tipstaff.toml"))


@pytest.mark.parametrize(
    ("url", "safe"),
    [
        ("https://id.example/a", True),
        ("http://127.0.0.1:9/a", True),
        ("http://localhost/a", True),
        ("http://[::1]:9", True),
        ("http://127.0.0.1.example", False),
        ("ftp://127.0.0.1", False),
        ("https://", False),
        ("https://id.example:x", False),
        ("https://id.example#x", False),
    ],
)
def test_only_what_nobody_else_can_read_is_safe(url: str, safe: bool) -> None:
    """Https, or this machine."""
    assert is_safe(url) is safe


def test_the_secret_is_in_no_text_form() -> None:
    """As it is in tracebacks."""
    assert "planted" not in repr(OpenId("https://h", "c", "planted"))
