"""Names of prompts, and of tools where they may be any text: one spelling for what looks the same. Pure.

A server that trims a name, drops invisible characters, or composes letters would read another name than
the one that was judged.
"""

from __future__ import annotations

import unicodedata


def own_form(name: str) -> str:
    """The name without blanks at its ends, without invisible characters, and in Unicode's form NFC."""
    if not name.isprintable():
        name = "".join(filter(str.isprintable, name))
    return (name if name.isascii() else unicodedata.normalize("NFC", name)).strip()
