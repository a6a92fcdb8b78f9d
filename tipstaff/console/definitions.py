"""The definitions of tools, as far as pages show and accept them. Pure: whoever starts the console asks the servers."""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct


class Change(Struct, frozen=True):
    """What a server lists now of a tool, against what was accepted; `digest` names what is listed now."""

    server: str
    tool: str
    digest: str
    diff: str
    was: str
    now: str
    signs: tuple[str, ...] = ()


class DefinitionError(Exception):
    """The server gave no answer, or lists something else by now."""


class Definitions(Protocol):
    """Asks servers for the definitions of their tools, and accepts them; what it does takes seconds."""

    def change(self, server: str, tool: str) -> Change:
        """What has changed of a tool; raises `DefinitionError`."""

    def accept(self, server: str, tool: str, digest: str) -> None:
        """Accept the definition of this digest, no other; raises `DefinitionError`."""
