"""A line of the audit file. Pure."""

from __future__ import annotations

from msgspec import Struct


class Action(Struct, frozen=True, omit_defaults=True):
    """One thing that somebody did, or tried; `object` is what it was done to, `refused` why it was not taken."""

    timestamp: str
    action: str
    person: str = ""
    object: str = ""
    note: str = ""
    refused: str = ""
    times: int = 1
