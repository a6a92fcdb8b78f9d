"""A warning: rules that load, and do not do what whoever wrote them wanted. Pure."""

from __future__ import annotations

from msgspec import Struct


class Caution(Struct, frozen=True, order=True):
    """Where it is (a line from 1), and what is wrong and to do, in a sentence."""

    file: str
    line: int
    message: str

    def __str__(self) -> str:
        """As it is shown: place first."""
        return f"{self.file}:{self.line}: {self.message}"
