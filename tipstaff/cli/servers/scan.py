"""`tipstaff scan`: surveys servers and shows what their tools could do. Nothing is registered.

Edge. It looks at one server, at a saved list of tools without asking anybody, or at every server that
the MCP clients on this machine know. It writes one file at most: the page that is asked for.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from pdp.errors import ConfigError
from pep.config import Server
from tipstaff.cli import console
from tipstaff.cli.clients import user_file
from tipstaff.cli.clients.proxies import proxies_of
from tipstaff.cli.clients.user_file import UserFile
from tipstaff.cli.servers import registry, sources
from tipstaff.cli.servers.registry import Site
from tipstaff.cli.servers.sweep import sweep
from tipstaff.common.masking import MASK
from tipstaff.survey.asking.introspect import read_listing
from tipstaff.survey.model import RISKS, Category, Risk
from tipstaff.survey.report import Report, as_json, report
from tipstaff.survey.scanned import Scan, scan_as_json
from tipstaff.survey.showing import page, table

"""What `--fail-on` may be: a risk, or any warning sign."""


def command(arguments: argparse.Namespace) -> int:
    """`tipstaff scan`."""
    file = _page_file(arguments.html) if arguments.html else None
    is_one = bool(arguments.tools_list or arguments.place)
    scan = Scan((_single(arguments),)) if is_one else _all(arguments)
    if arguments.json:
        console.print_json(as_json(scan.reports[0]) if is_one else scan_as_json(scan))
    else:
        _tell(scan, arguments, is_one=is_one)
    if file is not None:
        user_file.replace(file, page.page(scan, _now()), keeps_copy=False)
        console.err.print(f"wrote  {file.path}", markup=False)
    return verdict(scan, arguments.fail_on)


def verdict(scan: Scan, fail_on: str | None) -> int:
    """The exit code: 1 if something is as bad as `fail_on`, 2 if that cannot be told, 0 otherwise.

    `fail_on` is a risk or `signs`; `None` fails on nothing. With it, a server that could not be looked
    at is no pass; without, it is enough that one could.
    """
    if any(_is_bad(survey_report, fail_on) for survey_report in scan.reports):
        return 1
    return 0 if scan.is_complete or (scan.reports and fail_on is None) else 2


def next_step(survey_report: Report, *, is_asked: bool) -> str:
    """The command that registers a server which was asked, or whose list was read from a file."""
    is_url = survey_report.source.startswith(("http://", "https://"))
    if not is_asked:
        place = "(URL | -- COMMAND…)"
    elif MASK in survey_report.source or "…" in survey_report.source:
        place = "URL" if is_url else "-- COMMAND…"
    else:
        place = survey_report.source if is_url else f"-- {survey_report.source}"
    return f"tipstaff register {survey_report.server} {place}"


def _now() -> str:
    """The current time, for people."""
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")


def _is_bad(survey_report: Report, fail_on: str | None) -> bool:
    if fail_on is None or not survey_report.tools:
        return False
    if fail_on not in RISKS:
        return bool(survey_report.warnings)
    return RISKS.index(survey_report.worst) >= RISKS.index(fail_on)


def _page_file(path: Path) -> UserFile:
    """Where the page goes, looked at before anything else is done; raises `ConfigError`."""
    file = user_file.find(path)
    if file.text and not page.is_page(file.text):
        raise ConfigError(
            f"{path} is there and is no page of `tipstaff scan`; it was left alone. Name another file"
        )
    return file


def _single(arguments: argparse.Namespace) -> Report:
    """One server, or a saved list."""
    if arguments.tools_list:
        _refuse(arguments, "a saved list is read and nobody asked", "place")
        path: Path = arguments.tools_list
        return report(sources.name_of(path.stem), str(path), read_listing(path))
    where = registry.site(arguments.config)
    server = _server(arguments, where)
    listing = registry.ask(server, arguments.seconds)
    name = server.name
    calls_itself = listing.server_info.get("name")
    if server not in where.config.pep.servers and isinstance(calls_itself, str) and calls_itself:
        name = sources.name_of(calls_itself)
    return report(name, sources.shown(server.url, server.command), listing, where.others(name))


def _all(arguments: argparse.Namespace) -> Scan:
    """Every server that clients know."""
    _refuse(arguments, "each client's file says what its servers are given")
    where = registry.site(arguments.config)
    proxies = proxies_of(where.config.pep, is_default=where.is_new)
    return sweep(proxies, arguments.seconds, yes=arguments.yes)


def _server(arguments: argparse.Namespace, where: Site) -> Server:
    """The server that the words after `scan` name; raises `ConfigError`."""
    url, words = registry.place(arguments.place)
    # argparse takes the -- away, which tells a command of one word from a server's name.
    if len(words) == 1 and "--" not in sys.argv:
        _refuse(arguments, f"what {words[0]} is given stands in {where.path}")
        advice = f"To start a command of that name: tipstaff scan -- {words[0]}"
        return registry.registered(where, words[0], advice)
    return registry.described(sources.place_name(url, words), arguments)


def _refuse(arguments: argparse.Namespace, why: str, *more: str) -> None:
    """Refuse options that would be without effect."""
    for name in ("bearer", "header", "env", *more):
        if getattr(arguments, name):
            shown = "a URL or command" if name == "place" else f"--{name}"
            raise ConfigError(f"{shown} is of no use here: {why}")


def _tell(scan: Scan, arguments: argparse.Namespace, *, is_one: bool) -> None:
    """Print the report for people."""
    only = {Category(name) for name in arguments.only}
    least = Risk(arguments.risk) if arguments.risk else None
    for survey_report in scan.reports:
        table.show(survey_report, console.out, verbose=arguments.verbose, only=only, least=least)
        console.out.print()
    if not is_one:
        table.show_summary(scan, console.out)
        console.out.print()
    for line in _next_steps(scan, arguments):
        console.out.print(line, markup=False)


def _next_steps(scan: Scan, arguments: argparse.Namespace) -> Iterator[str]:
    if len(scan.reports) > 1:
        yield "next:  tipstaff register NAME (URL | -- COMMAND…)   pins a server's tools, writes its rules"
        yield "       tipstaff client-config NAME --client CLIENT   points the client at the proxy"
    for survey_report in scan.reports if len(scan.reports) == 1 else ():
        if arguments.place == [survey_report.server]:
            yield f"next:  tipstaff register {survey_report.server}   shows what has changed since it was registered"
        else:
            yield f"next:  {next_step(survey_report, is_asked=not arguments.tools_list)}"
            yield "       pins these tools, and writes rules for each"
