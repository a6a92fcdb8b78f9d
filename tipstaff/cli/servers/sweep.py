"""Every server that the MCP clients on this machine know, asked for its tools. Edge.

No command is started, and nothing of this environment is sent where a project's file says, unless
somebody has agreed. A server that fails ends nothing for the others.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.text import Text

from pdp.errors import ConfigError
from pep.config import Server
from tipstaff.cli import console
from tipstaff.cli.clients import client_forms, user_file
from tipstaff.cli.clients.client_forms import Location
from tipstaff.cli.clients.client_references import Surroundings
from tipstaff.cli.clients.client_servers import Candidate, candidates, merged
from tipstaff.cli.clients.proxies import Proxies
from tipstaff.cli.errors import IntrospectionError
from tipstaff.common.visible_text import visible
from tipstaff.survey.asking import failures
from tipstaff.survey.asking.introspect import introspect
from tipstaff.survey.asking.listing import Listing
from tipstaff.survey.report import Report, report
from tipstaff.survey.scanned import Known, Missed, Scan
from tipstaff.survey.showing.wording import count

_AT_A_TIME = 4


def sweep(proxies: Proxies, seconds: float, *, yes: bool) -> Scan:
    """Look at all of them, each within `seconds`; raises `ConfigError` when no client knows any.

    `yes` agrees to everything beforehand.
    """
    found, unreadable = _read(_locations(), proxies)
    if not found and not unreadable:
        raise ConfigError(
            "no MCP client on this machine names a server: scan one with `tipstaff scan URL` or "
            "`tipstaff scan -- COMMAND…`"
        )
    refused = _refused([one for one in found if one.server], yes=yes)
    skipped = [
        Missed(one.known, one.source, refused.get(one.key, one.reason))
        for one in found
        if one.server is None or one.key in refused
    ]
    asked = [one for one in found if one.server and one.key not in refused]
    answers = asyncio.run(_ask_all([one.server for one in asked if one.server], seconds))
    listings = {name: one for name, one in answers.items() if isinstance(one, Listing)}
    of = {one.server.name: one for one in asked if one.server}
    failed = [
        Missed(of[name].known, of[name].source, one)
        for name, one in answers.items()
        if isinstance(one, str)
    ]
    return Scan(
        reports=tuple(_report(of[name], name, listings) for name in listings),
        known={name: of[name].known for name in listings},
        failed=(*unreadable, *failed),
        skipped=tuple(skipped),
    )


def _locations() -> list[Location]:
    """Every file that may name servers, each once."""
    places = client_forms.locations(Path.home(), Path.cwd(), sys.platform)
    if codex_home := os.environ.get("CODEX_HOME"):
        places.append(Location("codex", Path(codex_home).absolute() / "config.toml", "user"))
    return list({one.path: one for one in reversed(places)}.values())[::-1]


def _read(places: Sequence[Location], proxies: Proxies) -> tuple[list[Candidate], list[Missed]]:
    """What the files name, and the files that cannot be read."""
    around = Surroundings(os.environ, Path.home(), Path.cwd())
    found: list[Candidate] = []
    unreadable: list[Missed] = []
    for place in places:
        try:
            found += candidates(place, user_file.find(place.path).text, around, proxies)
        except ConfigError as error:
            who = Known(place.client, str(place.path), "")
            unreadable.append(Missed((who,), "", f"the file cannot be read: {error}"))
    return merged(found), unreadable


def _refused(wanted: Sequence[Candidate], *, yes: bool) -> dict[tuple[str, ...], str]:
    """Why some of them are not asked, by their keys: nobody has agreed to it."""
    commands = [one for one in wanted if one.server and one.server.command]
    giving = [one for one in wanted if one.gives_away]
    refused: dict[tuple[str, ...], str] = {}
    for asked_about, what, question in (
        (commands, "a command is started", f"start {_these(commands, 'command')}"),
        (
            giving,
            "what the project's file takes from this environment is sent",
            f"send {_these(giving, 'server')} what the project's file takes from this environment",
        ),
    ):
        if yes or not asked_about:
            continue
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            why = f"{what} only after somebody has agreed: say --yes"
        elif _agrees(question, asked_about):
            continue
        else:
            why = "you said no"
        refused |= dict.fromkeys((one.key for one in asked_about), why)
    return refused


def _agrees(question: str, asked_about: Sequence[Candidate]) -> bool:
    for one in asked_about:
        console.err.print(Text(f"  {visible(one.names)}:  {one.source}"))
    return console.err.input(f"{question}? \\[y/N] ").strip().lower() in {"y", "yes"}


def _these(listed: Sequence[Candidate], what: str) -> str:
    return f"this {what}" if len(listed) == 1 else f"these {count(len(listed), what)}"


async def _ask_all(servers: Sequence[Server], seconds: float) -> dict[str, Listing | str]:
    """What each lists, or why it cannot be told."""
    if not servers:
        return {}
    turns = asyncio.Semaphore(_AT_A_TIME)
    waiting = [one.name for one in servers]
    with console.err.status("") as status:

        async def ask(server: Server) -> Listing | str:
            async with turns:
                status.update(f"asking {', '.join(waiting)} …")
                answer = await _ask(server, seconds)
            waiting.remove(server.name)
            said = "failed" if isinstance(answer, str) else count(len(answer.tools), "tool")
            console.err.print(Text(f"{server.name}: {said}"))
            status.update(f"asking {', '.join(waiting) or 'nobody any more'} …")
            return answer

        answers = await asyncio.gather(*map(ask, servers))
    return {one.name: answer for one, answer in zip(servers, answers, strict=True)}


async def _ask(server: Server, seconds: float) -> Listing | str:
    try:
        return await introspect(server, seconds=seconds)
    except IntrospectionError as error:
        return f"{error.found}. {error.advice}"
    except Exception as error:  # noqa: BLE001 - whatever it is, the others are asked
        said = failures.masked(str(error), failures.secrets_of(server))
        return f"{type(error).__name__}: {failures.plain(said)}"


def _report(of: Candidate, name: str, listings: dict[str, Listing]) -> Report:
    others = {
        other: [str(tool["name"]) for tool in one.tools]
        for other, one in listings.items()
        if other != name
    }
    return report(name, of.source, listings[name], others)
