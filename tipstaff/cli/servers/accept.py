"""`tipstaff accept`: takes the definition of a tool as it is now for the one that holds.

Shows first what has changed. Nothing but the catalogue's entries of the tools that are named is
touched; the decision service sees the new pin at once. A tool whose definition has warning signs is
asked about by itself, and no general yes is meant for it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct
from rich.text import Text

from pdp.errors import ConfigError
from tipstaff.cli import console
from tipstaff.cli.clients import user_file
from tipstaff.cli.clients.user_file import UserFile
from tipstaff.cli.servers import registry, sources
from tipstaff.cli.servers.registry import Site
from tipstaff.common.did_you_mean import nearest
from tipstaff.common.visible_text import visible
from tipstaff.survey import pins
from tipstaff.survey.pins import Difference
from tipstaff.survey.report import Report, SurveyedTool, report
from tipstaff.survey.showing import wording


class Compared(Struct, frozen=True):
    """The catalogue of a server, as it stands in its file, and what the server lists now."""

    file: UserFile
    before: Mapping[str, Any]
    now: Report
    difference: Difference


def compare(where: Site, name: str, seconds: float) -> Compared:
    """Ask a registered server for its tools; raises `ConfigError` or `TipstaffError`."""
    server = registry.registered(where, name)
    file = user_file.find(where.catalogue_path(server.name))
    before = where.catalogue(server.name)
    if not before:
        raise ConfigError(
            f"{server.name} has no catalogue: `tipstaff register {server.name}` first"
        )
    listing = registry.ask(server, seconds)
    now = report(
        server.name, sources.shown(server.url, server.command), listing, where.others(server.name)
    )
    closed = where.closed(server.name, before["tools"])
    return Compared(file, before, now, pins.difference(before["tools"], now, closed))


def command(arguments: argparse.Namespace) -> int:
    """`tipstaff accept`."""
    where = registry.site(arguments.config)
    compared = compare(where, arguments.name, arguments.seconds)
    before, now = compared.before, compared.now
    chosen = _chosen(compared.difference, before["tools"], now, arguments)
    if not chosen:
        console.out.print("nothing to accept: every tool is as it was accepted")
        return 0
    if not arguments.json:
        for tool in chosen:
            _show(before["tools"].get(tool.name, {}), tool)
    names = {tool.name for tool in _agreed(chosen, arguments)}
    left = sorted(tool.name for tool in chosen if tool.name not in names)
    if names:
        write(compared, names)
    if arguments.json:
        console.print_json({"server": now.server, "accepted": sorted(names), "left": left})
    elif names:
        console.tell("accepted", ", ".join(map(visible, sorted(names))), "green")
    _tell_left([tool for tool in chosen if tool.name in left], arguments, is_all=not names)
    return 1 if left else 0


def write(compared: Compared, names: Collection[str]) -> None:
    """Take the definitions of these tools, as they are listed now, into the catalogue's file; raises `ConfigError`."""
    changed = pins.catalogue(compared.before, compared.now, names, time=registry.now())
    registry.put(compared.file, pins.text(changed))


def _agreed(
    chosen: Sequence[SurveyedTool], arguments: argparse.Namespace
) -> Iterator[SurveyedTool]:
    """The tools that the person accepts: those without signs together, the others one by one."""
    plain = [tool for tool in chosen if not tool.warnings]
    warned = [tool for tool in chosen if tool.warnings]
    if plain and (arguments.yes or _is_confirmed(plain)):
        yield from plain
    for tool in warned:
        if arguments.despite_signs if arguments.yes else _is_confirmed([tool]):
            yield tool


def _tell_left(
    left: Sequence[SurveyedTool], arguments: argparse.Namespace, *, is_all: bool
) -> None:
    """Print which tools were not accepted, and why, unless the person declined them."""
    for tool in left if arguments.yes else ():
        console.err.print(_why_left(tool), markup=False)
    if is_all:
        console.err.print("nothing was written")


def _why_left(tool: SurveyedTool) -> str:
    kinds = ", ".join(dict.fromkeys(sign.kind.replace("_", " ") for sign in tool.warnings))
    return (
        f"{visible(tool.name)} was not accepted: its definition has warning signs ({kinds}), and --yes is "
        "not meant for those. Read it, and accept it without --yes, or with --yes --despite-signs"
    )


def _chosen(
    difference: Difference,
    accepted: Mapping[str, Any],
    now: Report,
    arguments: argparse.Namespace,
) -> list[SurveyedTool]:
    """The tools that are named, or all that have changed; raises `ConfigError`."""
    listed = {tool.name: tool for tool in now.tools}
    if arguments.all:
        return [listed[name] for name in (*difference.changed, *difference.new)]
    if not arguments.tools:
        raise ConfigError("name the tools to accept, or say --all for every one that has changed")
    for name in arguments.tools:
        if name not in listed:
            gone = " any more" if name in accepted else ""
            raise ConfigError(f"{now.server} does not list {name!r}{gone}; {nearest(name, listed)}")
    return [listed[name] for name in dict.fromkeys(arguments.tools)]


def _show(before: Mapping[str, Any], tool: SurveyedTool) -> None:
    """Print what would be accepted: the change, the tool's classification, and signs against it."""
    classification = tool.classification
    console.out.print(Text(visible(tool.name), "bold"))
    console.print_diff(pins.explained(before, tool))
    if before and (before.get("category"), before.get("risk")) != (
        classification.category,
        classification.risk,
    ):
        was = f"it was {before.get('category')}, {before.get('risk')} risk"
        console.tell(
            "", f"{was}; it is {classification.category}, {classification.risk} risk", "bold red"
        )
    for sign in tool.warnings:
        console.tell("warning", wording.warning(sign), "bold red")


def _is_confirmed(chosen: Sequence[SurveyedTool]) -> bool:
    if not sys.stdin.isatty():
        has_signs = any(tool.warnings for tool in chosen)
        yes = "--yes --despite-signs" if has_signs else "--yes"
        raise ConfigError(f"there is nobody to ask: say {yes} to accept without being asked")
    count = "this tool" if len(chosen) == 1 else f"these {len(chosen)} tools"
    if chosen[0].warnings:
        signs = wording.count(len(chosen[0].warnings), "warning sign")
        count = f"{visible(chosen[0].name)} in spite of its {signs}"
    return console.out.input(f"accept {count}? [y/N] ", markup=False).strip().lower() in {
        "y",
        "yes",
    }
