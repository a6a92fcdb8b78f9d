"""What is wrong with a value of a setting, in words: which values there are, and the nearest. Pure.

The types of the settings say what is right. A wrong value is quoted only where it is chosen among some,
or is a number: others may be secrets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from msgspec import Struct, inspect

from tipstaff.common.did_you_mean import nearest

Fault: TypeAlias = tuple[tuple[str, ...], str]
"""The path of the key within its section, and what is wrong with it."""


def unknown_key(key: str, known: Iterable[str], elsewhere: Sequence[str] = ()) -> str:
    """What is said of a key that is none; `elsewhere` is where one of that name stands."""
    if elsewhere:
        return f"there is no such key here; it stands {' or '.join(elsewhere)}"
    return f"there is no such key; {nearest(key, known)}"


def faults_of(kind: type[Struct], section: Mapping[str, Any]) -> Iterator[Fault]:
    """Every value that is not of the type of its field, and every key that is none."""
    return _of_struct(inspect.type_info(kind), section)


def key_in(message: str, section: Mapping[str, Any]) -> str:
    """The key of the section that a message is about, as far as its words tell."""
    words = message.replace("=", " ").replace(":", " ").replace(",", " ").split()
    return next((word for word in words if word in section and word != "name"), "")


def _of_struct(kind: Any, value: Any) -> Iterator[Fault]:
    if not isinstance(value, Mapping):
        yield (), "must be a section, or a table: {KEY = VALUE}"
        return
    fields = {field.name: field.type for field in kind.fields}
    for key, item in value.items():
        if key not in fields:
            yield (key,), unknown_key(key, fields)
            continue
        for path, message in _of(fields[key], item):
            yield (key, *path), message


def _of(kind: Any, value: Any) -> Iterator[Fault]:
    check = _CHECKS.get(type(kind))
    return check(kind, value) if check else iter(())


def _of_text(_: Any, value: Any) -> Iterator[Fault]:
    if not isinstance(value, str):
        yield (), 'must be a text in quotes: "…"'


def _of_choice(kind: Any, value: Any) -> Iterator[Fault]:
    if value not in kind.values:
        listed = ", ".join(f"`{choice}`" for choice in sorted(kind.values))
        hint = nearest(value, kind.values) if isinstance(value, str) else ""
        yield (), f"{value!r} is none of {listed}{f'; {hint}' if hint.startswith('did') else ''}"


def _of_bool(_: Any, value: Any) -> Iterator[Fault]:
    if not isinstance(value, bool):
        yield (), "must be true or false, without quotes"


def _of_number(kind: Any, value: Any) -> Iterator[Fault]:
    is_whole = isinstance(kind, inspect.IntType)
    allowed = int if is_whole else int | float
    bounds: tuple[tuple[Any, str, Callable[[Any], bool]], ...] = (
        (kind.ge, "at least", lambda bound: value >= bound),
        (kind.gt, "above", lambda bound: value > bound),
        (kind.le, "at most", lambda bound: value <= bound),
    )
    shown_bounds = [(bound, words, holds) for bound, words, holds in bounds if bound is not None]
    is_number = isinstance(value, allowed) and not isinstance(value, bool)
    if is_number and all(holds(bound) for bound, _, holds in shown_bounds):
        return
    range_ = " and ".join(f"{words} {bound}" for bound, words, _ in shown_bounds)
    number = "a whole number" if is_whole else "a number"
    shown = f", not {value}" if is_number else ", without quotes" if isinstance(value, str) else ""
    yield (), f"must be {number}{f', {range_}' if range_ else ''}{shown}"


def _of_list(kind: Any, value: Any) -> Iterator[Fault]:
    if not isinstance(value, list | tuple):
        yield (), 'must be a list: ["…"]'
        return
    for item in value:
        yield from _of(kind.item_type, item)


def _of_table(kind: Any, value: Any) -> Iterator[Fault]:
    if not isinstance(value, Mapping):
        yield (), 'must be a table: {NAME = "…"}'
        return
    for key, item in value.items():
        for path, message in _of(kind.value_type, item):
            yield (key, *path), message


_CHECKS: Mapping[type, Callable[[Any, Any], Iterator[Fault]]] = {
    inspect.StructType: _of_struct,
    inspect.StrType: _of_text,
    inspect.LiteralType: _of_choice,
    inspect.BoolType: _of_bool,
    inspect.IntType: _of_number,
    inspect.FloatType: _of_number,
    inspect.VarTupleType: _of_list,
    inspect.DictType: _of_table,
}
