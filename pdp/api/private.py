"""Structures whose text form shows no secrets: they end up in tracebacks, in logs, in a debugger."""

from __future__ import annotations

from typing import Any, ClassVar

from msgspec import Struct

_MASK = "[masked]"


class Private(Struct, frozen=True):
    """A structure that masks the fields named in `SECRET` when it is shown."""

    SECRET: ClassVar[frozenset[str]] = frozenset()

    def __repr__(self) -> str:
        """The usual text form, with secret fields masked."""
        shown = (f"{name}={value!r}" for name, value in self.__rich_repr__())
        return f"{type(self).__name__}({', '.join(shown)})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """The same for `rich`, which does not use `repr`."""
        values = ((name, getattr(self, name)) for name in self.__struct_fields__)
        return [(name, _MASK if value and name in self.SECRET else value) for name, value in values]


class PrivateBytes(bytes):
    """Bytes that are a secret."""

    __slots__ = ()

    def __repr__(self) -> str:
        """The mask alone."""
        return f"b'{_MASK}'"

    __str__ = __repr__
