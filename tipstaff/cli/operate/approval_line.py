"""One change of an approval as a line between those of decisions. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.text import Text

from tipstaff.cli.operate.held_call import STATE_STYLE
from tipstaff.cli.operate.log_line import caller
from tipstaff.common.visible_text import visible

TYPE = "tipstaff.approval"
_WIDE = 100
_STATE = 22


def line(record: Mapping[str, Any], width: int | None = None) -> Text:
    """The record on one line of at most `width` columns; raises `LookupError` or `TypeError` for what is none."""
    is_wide = width is None or width >= _WIDE
    when, state = record["timestamp"], record["state"]
    text = Text.assemble(
        (f"{when[:10] if is_wide else when[5:10]} {when[11:19]}{'Z' if is_wide else ''} ", "dim"),
        (f"{visible('approval ' + state):{_STATE}} ", f"bold {STATE_STYLE.get(state, 'white')}"),
        (caller(record["principal"], width) + " ", "cyan"),
        (visible(f"{record['server']} {record['target']}"), "bold"),
    )
    if answer := record.get("answer"):
        own = ", whose own agent it is" if record.get("self_confirmed") else ""
        note = f": {record['note']}" if record.get("note") else ""
        text.append(visible(f" {answer} by {record.get('by', '')}{own}{note}"))
    text.append(visible(f" {record['approval_id']}"), "dim")
    if width is not None:
        text.truncate(width, overflow="ellipsis")
    return text


def details(record: Mapping[str, Any]) -> Iterator[Text]:
    """The fields that the line has no room for, by name."""
    answer = f"{record.get('answer')} by {record.get('by')}, proven by {record.get('proven_by')}"
    rows = [
        ("approval", record["approval_id"]),
        ("answer", answer if record.get("answer") else ""),
        ("note", record.get("note", "")),
        ("for", record.get("human", "")),
        *(("rule", rule) for rule in record.get("rules", ())),
        ("stands", f"until {record['standing_until']}" if record.get("standing_until") else ""),
        ("used by", record.get("used_by", "")),
        ("decision", record.get("decision_id", "")),
        ("digest", record.get("digest", "")),
    ]
    for name, value in rows:
        if value:
            yield Text.assemble((f"    {name:9}", "dim"), visible(value))


def as_decision(record: Mapping[str, Any]) -> dict[str, Any]:
    """The record with the members by which records of decisions are chosen: the caller has a place of its own there."""
    return {**record, "principal": {"id": record.get("principal", "")}}
