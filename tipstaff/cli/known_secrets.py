"""Messages for people without secrets: those that this process was given, and what has the form of one.

The values that the configuration gave this process are looked for as they are; everything else by its
form (`pdp.records.masking`).
"""

from __future__ import annotations

from collections.abc import Iterable

from pdp.records.masking import MASK, masked_credentials

# Shorter ones would be found in ordinary words.
_SHORTEST_SECRET = 6

_known: list[str] = []


def hide(secrets: Iterable[str]) -> None:
    """Mask these wherever they stand, from now on."""
    _known.extend(secret for secret in secrets if len(secret) >= _SHORTEST_SECRET)
    _known.sort(key=len, reverse=True)  # one may hold another


def without_secrets(text: str) -> str:
    """A message for people, without known secrets and without what has the form of a credential."""
    return masked_credentials(without_known(text))


def without_known(text: str) -> str:
    """A text without the secrets that this process was given."""
    for secret in _known:
        text = text.replace(secret, MASK)
    return text
