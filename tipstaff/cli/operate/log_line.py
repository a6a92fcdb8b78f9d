"""One record as people read it: one line that fits the terminal, and all of it below on demand. Pure.

What matters stands first, and what is cut last: when, what, why, who, on what. Room that is left is
for the cause of a fault, for what a rule in shadow would have done, and for the arguments. Every text
of a caller is made visible, so that none moves the cursor or forges a line.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from rich.text import Text

from pdp.api import limit_text
from tipstaff.common.visible_text import visible

EFFECT_STYLE = {"allow": "green", "deny": "red", "hold": "yellow"}
_WIDE = 100
"""From so many columns on a line has the year, and more of the caller."""
_VERDICT = 22
_LEAST_TARGET = 28
_GAPS = 3
"""Columns between target and notes, and of the mark of what is cut."""
_UNCUT = 1_000
_PLAIN_ALLOW = "allowed"


def line(record: Mapping[str, Any], width: int | None = None) -> Text:
    """The record on one line of at most `width` columns; uncut when there is no width.

    Raises `LookupError`, `TypeError` or `AttributeError` for what is no record of a decision.
    """
    is_wide = width is None or width >= _WIDE
    when = record["timestamp"]
    text = Text.assemble(
        (f"{when[:10] if is_wide else when[5:10]} {when[11:19]}{'Z' if is_wide else ''} ", "dim"),
        _verdict(record, is_wide=is_wide),
        (caller(record["principal"]["id"], width) + " ", "cyan"),
    )
    notes = Text(" ").join(_notes(record, is_wide=is_wide))
    room = None if width is None else width - text.cell_len
    target = visible(_target(record, is_wide=is_wide))
    if room is not None and notes and len(target) > _LEAST_TARGET:
        target = _middle(target, max(_LEAST_TARGET, room - notes.cell_len - _GAPS))
    text.append(target, "bold")
    if notes:
        text.append(" ").append_text(notes)
    if record.get("arguments"):
        text.append(" " + visible(json.dumps(record["arguments"], ensure_ascii=False)[:_UNCUT]))
    if width is not None:
        text.truncate(width, overflow="ellipsis")
    return text


def cause(record: Mapping[str, Any], width: int | None) -> Iterator[Text]:
    """A line below that of a record which is too narrow to say what went wrong; faults are rare."""
    if record.get("fault") and width is not None and width < _WIDE:
        text = Text(visible(f"    cause: {record['fault']}"), "yellow")
        text.truncate(width, overflow="ellipsis")
        yield text


def details(record: Mapping[str, Any]) -> Iterator[Text]:
    """The fields that the line has no room for, by name."""
    session = record.get("session", {})
    rows = [
        ("reason", record["reason"].get("message", "")),
        ("cause", record.get("fault", "")),
        ("rule", record.get("rule", "")),
        ("session", _session(session)),
        *(("limit", _limit(limit, session)) for limit in record.get("limits", ())),
        *(("shadow", _shadow(finding, full=True)) for finding in record.get("shadow", ())),
        ("decision", record.get("decision_id", "")),
        ("took", f"{record['timings']['total_us'] / 1000:.1f} ms"),
    ]
    for name, value in rows:
        if value:
            yield Text.assemble((f"    {name:9}", "dim"), visible(value))


def caller(principal: str, width: int | None) -> str:
    """Who called; of a long name the middle is cut, because names differ at their ends."""
    name = visible(principal)
    least, most = (19, 32) if width is None or width >= _WIDE else (14, 19)
    return f"{name if width is None else _middle(name, most):{least}}"


def _verdict(record: Mapping[str, Any], *, is_wide: bool) -> Text:
    """The effect and its reason; a narrow line has what a shadow would do here, and nowhere else."""
    effect, code = record["effect"], record["reason"]["code"]
    words = effect if (effect, code) == ("allow", _PLAIN_ALLOW) else f"{effect} {code}"
    text = Text(visible(words), f"bold {EFFECT_STYLE.get(effect, 'white')}")
    if not is_wide and record.get("shadow"):
        strictest = max(record["shadow"], key=lambda finding: finding["effect"] == "deny")
        consequence = f" ({strictest['effect']} {strictest['reason']['code']})"
        text.append(visible(consequence), "magenta")
    return text.append(" " * (max(0, _VERDICT - text.cell_len) + 1))


def _target(record: Mapping[str, Any], *, is_wide: bool) -> str:
    """The server and what of it; the method, where it is not that of tools and a URI does not tell."""
    parts = [record["server"]]
    is_told = not is_wide and record["method"] == "resources/read"
    if record["method"] != "tools/call" and not is_told:
        parts.append(record["method"])
    if record.get("phase") == "list":
        parts.append("(list)")
    parts.append(record["target"])
    return " ".join(part for part in parts if part)


def _notes(record: Mapping[str, Any], *, is_wide: bool) -> Iterator[Text]:
    if not is_wide:
        return  # see `cause`, and `_verdict`
    if record.get("fault"):
        yield Text(visible(f"cause: {record['fault']}"), "yellow")
    for finding in record.get("shadow", ()):
        yield Text(visible(_shadow(finding)), "magenta")


def _shadow(finding: Mapping[str, Any], *, full: bool = False) -> str:
    """The effect that a rule in shadow would have had."""
    would = f"would {finding['effect']}: {finding['reason']['code']}"
    return f"{would}, {finding['reason']['message']}" if full else would


def _session(session: Mapping[str, Any]) -> str:
    kind = session.get("kind", "")
    return "none, counted as the caller" if kind == "principal" else f"{kind} {session['id']}"


def _limit(limit: Mapping[str, Any], session: Mapping[str, Any]) -> str:
    whose = limit_text.whose(limit["scope"], session.get("kind", ""))
    algorithm = limit.get("algorithm", "")
    allows = limit_text.allows(limit["name"], limit["max"], limit["window"], whose, algorithm)
    return f"{allows}, {limit['remaining']} left"


def _middle(text: str, most: int) -> str:
    if len(text) <= most:
        return text
    tail = (most - 1) // 3
    return f"{text[: most - 1 - tail]}…{text[len(text) - tail :]}"
