"""A warning about a rule that loads and probably does not do what its author wanted. Pure."""

from __future__ import annotations

from msgspec import Struct


class Caution(Struct, frozen=True, order=True):
    """The place of a warning (a line from 1), and a sentence with the fault and what to do."""

    file: str
    line: int
    message: str

    def __str__(self) -> str:
        """The warning as it is shown, its place first."""
        return f"{self.file}:{self.line}: {self.message}"
