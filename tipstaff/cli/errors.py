"""What can go wrong in the command line itself, as one tree.

    TipstaffError
    ├── OptionError           an option has a value that cannot be meant (whoever typed it)
    ├── ListingError          what should be a list of tools is none     (whoever wrote it)
    └── IntrospectionError    a server did not tell which tools it has   (the server's, or its address)

Each class has a stable `code`. A message says where, what came back and what to do, never a secret.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar


class TipstaffError(Exception):
    """The root: never raised itself."""

    code: ClassVar[str] = "tipstaff_failed"


class OptionError(TipstaffError):
    """An option or argument has a value that cannot be meant; the message says what can."""

    code = "option_invalid"


class ListingError(TipstaffError):
    """What should be a list of tools is none; the message says which part of it, and why."""

    code = "listing_invalid"


class IntrospectionError(TipstaffError):
    """A server did not tell which tools it has."""

    code = "introspection_failed"

    def __init__(self, attempt: str, outcome: str, advice: str, output: Sequence[str] = ()) -> None:
        """Take what was tried, what came of it, what to do, and the last lines of its output."""
        quoted = "".join(f"\n  | {line}" for line in output)
        end = f" The last it said:{quoted}\n" if quoted else " "
        super().__init__(f"{attempt}: {outcome}.{end}{advice}")
        self.attempt = attempt
        self.outcome = outcome
        self.advice = advice
