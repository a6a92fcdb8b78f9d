"""The bounds of texts in messages, and the error of a message that is malformed. Pure."""

from __future__ import annotations

MAX_NAME = 128
MAX_TARGET = 8192
MAX_LIST_ENTRIES = 10_000


class CodecError(ValueError):
    """A malformed message. `field` names the offending field."""

    def __init__(self, field: str, description: str) -> None:
        """Keep what a `google.rpc.BadRequest` violation needs."""
        super().__init__(f"{field}: {description}")
        self.field = field
        self.description = description


def text(field: str, value: str, longest: int) -> str:
    """A text of a message that must not be empty; raises `CodecError`."""
    if not value:
        raise CodecError(field, "missing")
    return optional_text(field, value, longest)


def optional_text(field: str, value: str, longest: int) -> str:
    """A text of a message; raises `CodecError`."""
    if len(value) > longest:
        raise CodecError(field, f"longer than {longest} characters")
    return value
