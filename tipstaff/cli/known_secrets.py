"""Messages for people without secrets: those that this process was given, and what has the form of one.

The values that the configuration gave this process are looked for as they are; everything else by its
form (`tipstaff.common.masking`).
"""

from __future__ import annotations

from collections.abc import Iterable

from tipstaff.common.masking import SHORTEST_SECRET, masked_credentials, spellings, without

_known: list[str] = []


def hide(secrets: Iterable[str]) -> None:
    """Mask these wherever they stand, from now on."""
    long = (secret for secret in secrets if len(secret) >= SHORTEST_SECRET)
    _known[:] = {*_known, *spellings(long)}


def without_secrets(text: str) -> str:
    """A message for people, without known secrets and without what has the form of a credential."""
    return masked_credentials(without_known(text))


def without_known(text: str) -> str:
    """A text without the secrets that this process was given."""
    return without(text, _known)
