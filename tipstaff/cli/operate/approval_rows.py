"""Several approvals as people and programs read them: a table, a line for a change, JSON. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from rich.table import Table
from rich.text import Text

from tipstaff.cli.operate.durations import words
from tipstaff.cli.operate.held_call import STATE_STYLE, state_of
from tipstaff.common.visible_text import exact

_SHORTEST = 6
_HAS_END = frozenset({"pending", "granted"})


def table(calls: Sequence[Any], now_ms: int) -> Table:
    """A row for each approval; names are folded and never cut.

    The bold part of an identifier is as much of it as is needed to name the approval among these.
    """
    rows = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("approval", "state", "ends in", "risk", "tool", "caller"):
        rows.add_column(heading, overflow="fold", no_wrap=heading not in {"tool", "caller"})
    starts = unique_starts([call.id for call in calls])
    for call, start in zip(calls, starts, strict=True):
        state = state_of(call)
        name = Text.assemble((exact(call.id[:start]), "bold"), (exact(call.id[start:]), "dim"))
        rows.add_row(
            name,
            Text(state, STATE_STYLE.get(state, "")),
            _left(call, now_ms),
            exact(call.risk) or "-",
            Text(_subject(call)),
            Text(exact(call.principal.id)),
        )
    return rows


def change_line(call: Any) -> Text:
    """A change on one line: when, what it is now, which, who calls what."""
    state = state_of(call)
    when = datetime.fromtimestamp(call.changed_at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    text = Text.assemble(
        (f"{when} ", "dim"),
        (f"{state:10}", STATE_STYLE.get(state, "")),
        f"{exact(call.id)} ",
        (f"{exact(call.principal.id)} ", "cyan"),
        (_subject(call), "bold"),
    )
    if call.answers:
        last = call.answers[-1]
        note = f': "{exact(last.note)}"' if last.note else ""
        text.append(f" ({'yes' if last.is_grant else 'no'} by {exact(last.by)}{note})")
    return text


def as_plain(message: Any) -> dict[str, Any]:
    """A message as values of JSON: the state as a word, the arguments as the text that they are."""
    plain: dict[str, Any] = {}
    for field in message.DESCRIPTOR.fields:
        value = getattr(message, field.name)
        if field.name == "state":
            plain[field.name] = state_of(message)
        elif isinstance(value, bytes):
            plain[field.name] = value.decode("utf-8", "replace")
        elif hasattr(value, "DESCRIPTOR"):
            plain[field.name] = as_plain(value)
        elif isinstance(value, str | int | float):
            plain[field.name] = value
        else:
            plain[field.name] = [_plain_item(item) for item in value]
    return plain


def unique_starts(ids: Iterable[str]) -> list[int]:
    """For each identifier the length of the start that no other one has."""
    every = list(ids)
    order = sorted(set(every))
    lengths = {}
    for number, name in enumerate(order):
        near = (*order[max(number - 1, 0) : number], *order[number + 1 : number + 2])
        shared = max((_shared(name, other) for other in near), default=0)
        lengths[name] = min(max(shared + 1, _SHORTEST), len(name))
    return [lengths[name] for name in every]


def _shared(name: str, other: str) -> int:
    pairs = enumerate(zip(name, other, strict=False))
    differs = next((place for place, (left, right) in pairs if left != right), None)
    return min(len(name), len(other)) if differs is None else differs


def _plain_item(item: Any) -> Any:
    """An item of a list; of a limit only what is known before the call is made."""
    if not hasattr(item, "DESCRIPTOR"):
        return item
    known = {field.name for field, _ in item.ListFields()}
    is_limit = item.DESCRIPTOR.name == "LimitResult"
    return {name: value for name, value in as_plain(item).items() if not is_limit or name in known}


def _left(call: Any, now_ms: int) -> str:
    has_end = state_of(call) in _HAS_END and call.ends_at_ms
    return words((call.ends_at_ms - now_ms) / 1000) if has_end else "-"


def _subject(call: Any) -> str:
    method = [] if call.method == "tools/call" else [call.method]
    return " ".join(exact(part) for part in (call.server, *method, call.target))
