"""Messages for people hold no secret that this process was given, nor one by its form."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tipstaff.cli import known_secrets
from tipstaff.cli.known_secrets import hide, without_known, without_secrets

SECRET = "hunter2-of-the-house"


@pytest.fixture(autouse=True)
def known() -> Iterator[None]:
    """The process has been given the secret by its configuration."""
    hide([SECRET, "", "no"])
    yield
    known_secrets._known.clear()


def test_a_known_secret_is_masked_wherever_it_stands() -> None:
    """A short one would be found in ordinary words."""
    assert without_secrets(f"cannot use {SECRET}, no") == "cannot use [masked], no"
    assert without_known(f"x{SECRET}x") == "x[masked]x"


def test_of_two_secrets_the_longer_is_masked_first() -> None:
    """One may hold the other."""
    hide([f"{SECRET}-and-more"])
    assert without_known(f"{SECRET}-and-more") == "[masked]"


def test_a_message_for_people_keeps_its_words() -> None:
    """What stands behind the name of a key is an explanation there; a credential is not."""
    text = "servers.files.bearer: a secret stands in no configuration"
    assert without_secrets(text) == text
    assert SECRET not in without_secrets(f"url 'http://u:{SECRET}@h' is not a URL")
