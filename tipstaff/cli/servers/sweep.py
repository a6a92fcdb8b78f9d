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
from tipstaff.common.masking import without
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
    all_candidates, unreadable = _read(_locations(), proxies)
    if not all_candidates and not unreadable:
        raise ConfigError(
            "no MCP client on this machine names a server: scan one with `tipstaff scan URL` or "
            "`tipstaff scan -- COMMAND…`"
        )
    refused = _refused([candidate for candidate in all_candidates if candidate.server], yes=yes)
    skipped = [
        Missed(candidate.known, candidate.source, refused.get(candidate.key, candidate.reason))
        for candidate in all_candidates
        if candidate.server is None or candidate.key in refused
    ]
    reachable = [
        candidate
        for candidate in all_candidates
        if candidate.server and candidate.key not in refused
    ]
    answers = asyncio.run(
        _ask_all([candidate.server for candidate in reachable if candidate.server], seconds)
    )
    listings = {name: answer for name, answer in answers.items() if isinstance(answer, Listing)}
    of = {candidate.server.name: candidate for candidate in reachable if candidate.server}
    failed = [
        Missed(of[name].known, of[name].source, answer)
        for name, answer in answers.items()
        if isinstance(answer, str)
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
    return list({place.path: place for place in reversed(places)}.values())[::-1]


def _read(places: Sequence[Location], proxies: Proxies) -> tuple[list[Candidate], list[Missed]]:
    """What the files name, and the files that cannot be read."""
    around = Surroundings(os.environ, Path.home(), Path.cwd())
    all_candidates: list[Candidate] = []
    unreadable: list[Missed] = []
    for place in places:
        try:
            all_candidates += candidates(place, user_file.find(place.path).text, around, proxies)
        except ConfigError as error:
            who = Known(place.client, str(place.path), "")
            unreadable.append(Missed((who,), "", f"the file cannot be read: {error}"))
    return merged(all_candidates), unreadable


def _refused(servers: Sequence[Candidate], *, yes: bool) -> dict[tuple[str, ...], str]:
    """Why some of them are not asked, by their keys: nobody has agreed to it."""
    commands = [candidate for candidate in servers if candidate.server and candidate.server.command]
    giving = [candidate for candidate in servers if candidate.gives_away]
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
        refused |= dict.fromkeys((candidate.key for candidate in asked_about), why)
    return refused


def _agrees(question: str, asked_about: Sequence[Candidate]) -> bool:
    for candidate in asked_about:
        console.err.print(Text(f"  {visible(candidate.names)}:  {candidate.source}"))
    return console.err.input(f"{question}? \\[y/N] ").strip().lower() in {"y", "yes"}


def _these(listed: Sequence[Candidate], what: str) -> str:
    return f"this {what}" if len(listed) == 1 else f"these {count(len(listed), what)}"


async def _ask_all(servers: Sequence[Server], seconds: float) -> dict[str, Listing | str]:
    """What each lists, or why it cannot be told."""
    if not servers:
        return {}
    turns = asyncio.Semaphore(_AT_A_TIME)
    waiting = [server.name for server in servers]
    with console.err.status("") as status:

        async def ask(server: Server) -> Listing | str:
            async with turns:
                status.update(f"asking {', '.join(waiting)} …")
                answer = await _ask(server, seconds)
            waiting.remove(server.name)
            outcome = "failed" if isinstance(answer, str) else count(len(answer.tools), "tool")
            console.err.print(Text(f"{server.name}: {outcome}"))
            status.update(f"asking {', '.join(waiting) or 'nobody any more'} …")
            return answer

        answers = await asyncio.gather(*map(ask, servers))
    return {server.name: answer for server, answer in zip(servers, answers, strict=True)}


async def _ask(server: Server, seconds: float) -> Listing | str:
    try:
        return await introspect(server, seconds=seconds)
    except IntrospectionError as error:
        return f"{error.outcome}. {error.advice}"
    except Exception as error:  # noqa: BLE001 - whatever it is, the others are asked
        message = without(str(error), failures.secrets_of(server))
        return f"{type(error).__name__}: {failures.plain(message)}"


def _report(of: Candidate, name: str, listings: dict[str, Listing]) -> Report:
    others = {
        other: [str(tool["name"]) for tool in listing.tools]
        for other, listing in listings.items()
        if other != name
    }
    return report(name, of.source, listings[name], others)
