"""The catalogue of a server, `catalog/<server>/data.json`: made from reports, compared with them. Pure.

What was accepted stays as it was, digest, time and all, until somebody accepts it anew; so the file
changes only where somebody has decided something. The decision service reads it (`pdp.tools.catalogue`).
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Collection, Iterator, Mapping
from typing import Any, TypeAlias

from msgspec import Struct

from pdp.api.definition import MEMBERS
from tipstaff.common.visible_text import visible
from tipstaff.survey.report import Report, SurveyedTool, tool_as_json

Entries: TypeAlias = Mapping[str, Mapping[str, Any]]
"""The tools of a catalogue by name."""


class Difference(Struct, frozen=True):
    """What has become of a server since its tools were accepted; names are tools', sorted."""

    new: tuple[str, ...]
    changed: tuple[str, ...]
    gone: tuple[str, ...]

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self.new or self.changed or self.gone)


def difference(accepted: Entries, now: Report, closed: Collection[str] = ()) -> Difference:
    """Compare what was accepted with what is listed now.

    `closed` are tools that were seen to differ before: they count as changed, also when the server
    lists them as they were accepted, until somebody accepts them again.
    """
    listed = {tool.name: tool.digest for tool in now.tools}
    both = listed.keys() & accepted.keys()
    differ = {name for name in both if listed[name] != accepted[name].get("digest")}
    return Difference(
        new=tuple(sorted(listed.keys() - accepted.keys())),
        changed=tuple(sorted(differ | both & set(closed))),
        gone=tuple(sorted(accepted.keys() - listed.keys())),
    )


def catalogue(
    before: Mapping[str, Any],
    now: Report,
    accept: Collection[str],
    *,
    drop: Collection[str] = (),
    time: str,
) -> dict[str, Any]:
    """The catalogue `before` with the tools named in `accept` as they are now, those of `drop` left out.

    `time` is when that was decided (RFC 3339).
    """
    tools: dict[str, Any] = {
        name: entry for name, entry in before.get("tools", {}).items() if name not in drop
    }
    tools |= {tool.name: _entry(tool, time) for tool in now.tools if tool.name in accept}
    listing = now.listing
    about = {
        "source": now.source,
        "info": listing.server_info,
        "instructions": listing.instructions,
        "protocol": {"era": listing.era, "version": listing.version},
    }
    return {"server": about, "tools": dict(sorted(tools.items()))}


def text(value: Mapping[str, Any]) -> str:
    """A catalogue as it stands in its file: readable, and in an order that a diff can follow."""
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"


def explained(before: Mapping[str, Any], now: SurveyedTool) -> str:
    """How a definition differs from the one that was accepted, for people: a diff, line by line.

    Hidden characters are made visible, and what does not count for the digest is left out.
    """
    old, new = (
        list(_lines(definition)) for definition in (before.get("definition", {}), now.definition)
    )
    lines = list(difflib.unified_diff(old, new, "accepted", "listed now", n=2, lineterm=""))
    return "\n".join(lines) or "listed now as it was accepted; it was seen to differ in between"


def _entry(tool: SurveyedTool, time: str) -> dict[str, Any]:
    known = tool_as_json(tool)
    del known["name"]
    attacks = [attack["key"] for attack in known["attacks"]]
    return {**known, "attacks": attacks, "accepted": time, "definition": tool.definition}


def _lines(definition: Mapping[str, Any]) -> Iterator[str]:
    """Every member that counts, one value a line, long texts at their own line ends."""
    for member in MEMBERS:
        if member in definition:
            yield from _value(member, definition[member])


def _value(path: str, value: Any) -> Iterator[str]:
    if isinstance(value, dict) and value:
        for name in sorted(value):
            yield from _value(f"{path}.{visible(name)}", value[name])
    elif isinstance(value, str) and "\n" in value:
        yield from (f"{path} | {visible(line)}" for line in value.split("\n"))
    else:
        plain = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        yield f"{path} = {visible(plain)}"
