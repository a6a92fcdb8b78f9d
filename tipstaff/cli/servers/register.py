"""`tipstaff register`: asks a server for its tools, and writes what a site needs to stand in front of it.

A catalogue in which each tool is pinned as it is listed now, starter rules with their tests, and the
server's section of the configuration. Registered again, what a person has decided stays: rules as they
are written, tools as they were accepted; new tools are added, and what has changed is shown.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from pdp.errors import ConfigError
from pdp.rules import server_rules
from pep.config import Server
from tipstaff import schemas
from tipstaff.cli import console
from tipstaff.cli.clients import user_file
from tipstaff.cli.clients.user_file import UserFile
from tipstaff.cli.configuration import config, config_text
from tipstaff.cli.configuration.secret import is_in_clear
from tipstaff.cli.servers import registry, sources
from tipstaff.cli.servers.registry import Site
from tipstaff.common.visible_text import visible
from tipstaff.survey import pins
from tipstaff.survey.classify import attacks
from tipstaff.survey.pins import Difference
from tipstaff.survey.poisoning.poisoned import hiding
from tipstaff.survey.report import Report, SurveyedTool, as_json, report
from tipstaff.survey.showing import table, wording
from tipstaff.survey.starter import merge, rule_tests
from tipstaff.survey.starter import rules as starter
from tipstaff.survey.starter.merge import Merged
from tipstaff.survey.starter.presets import Preset
from tipstaff.survey.starter.rules import Surveyed


class _Plan(Struct, frozen=True):
    """The files to be written, and the survey behind them; nothing is written yet."""

    files: Mapping[Path, str]
    files_read: Mapping[Path, UserFile]
    """The files as they were read."""
    difference: Difference
    merged: Merged | None
    """What became of rules that were there; `None` when they are written for the first time."""
    before: str
    """The text of the rules as they were."""
    accepted: Mapping[str, Any]
    """The tools of the catalogue as it was."""
    tests: str
    """The text of the tests of the rules as it was."""


def command(arguments: argparse.Namespace) -> int:
    """`tipstaff register`."""
    where = registry.site(arguments.config)
    server = _server(where, arguments)
    files = _files(where, server.name)
    listing = registry.ask(server, arguments.seconds)
    survey_report = report(
        server.name, sources.shown(server.url, server.command), listing, where.others(server.name)
    )
    plan = _plan(where, server, survey_report, Preset(arguments.preset), files)
    for path in plan.files:
        user_file.check_unchanged(plan.files_read[path])
    written = [
        path for path, text in plan.files.items() if registry.put(plan.files_read[path], text)
    ]
    if arguments.json:
        console.print_json(_answer(survey_report, plan, written))
    else:
        _tell(where, server, survey_report, plan, written, verbose=arguments.verbose)
    return 0


def _server(where: Site, arguments: argparse.Namespace) -> Server:
    """The server that the arguments name, as it is configured or will be; raises `ConfigError`."""
    known = where.server(arguments.name)
    if not arguments.place:
        return registry.registered(where, arguments.name)
    described = registry.described(arguments.name, arguments)
    for name, value in described.environment.items():
        if is_in_clear(name, value):
            raise ConfigError(
                f"--env {name}: a secret stands in no configuration: write --env {name}=env:{name}, "
                "or file:PATH"
            )
    if known is not None and registry.source(known) != registry.source(described):
        raise ConfigError(
            f"{where.path}: {known.name} is registered already, at {registry.source(known)}. Edit its "
            "section if it has moved, or register the other server under another name"
        )
    return known or described


def _files(where: Site, name: str) -> dict[Path, UserFile]:
    """The files that may be written, read before the server is asked; raises `ConfigError`."""
    paths = (where.catalogue_path(name), where.rules_path(name), where.tests_path(name))
    configuration = user_file.find(where.path)
    if configuration.text != ("" if where.is_new else where.text):
        raise ConfigError(f"{where.path} has changed meanwhile; nothing was written, try again")
    return {where.path: configuration, **{path: user_file.find(path) for path in paths}}


def _plan(
    where: Site,
    server: Server,
    survey_report: Report,
    preset: Preset,
    read: Mapping[Path, UserFile],
) -> _Plan:
    """Plan what is written, and prove that it loads; raises `ConfigError` or `PolicyTextError`."""
    name = server.name
    before = where.catalogue(name)
    accepted = before.get("tools", {})
    difference = pins.difference(accepted, survey_report, where.closed(name, accepted))
    old = read[where.rules_path(name)]
    surveyed = list(_surveyed(survey_report.tools))
    merged = None
    if old.status is None:
        text = starter.rules(name, surveyed, preset, schemas.yaml_line(schemas.DATA_YAML))
    else:
        new = [tool for tool in surveyed if tool.name in difference.new]
        merged = merge.merged(old.text, new, difference.gone, preset, name)
        text = merged.text
    # A tool that has gone stays in the catalogue while rules name it: without it they would not load.
    drop = set(difference.gone) - set(merged.standing if merged else ())
    catalogue = pins.catalogue(
        before, survey_report, difference.new, drop=drop, time=registry.now()
    )
    server_rules.validate(text, str(where.rules_path(name)), catalogue)
    files = {
        where.catalogue_path(name): pins.text(catalogue),
        where.rules_path(name): text,
        where.path: _configured(where, server),
    }
    tests = read[where.tests_path(name)]
    if tests.status is None and merged is None:
        files[where.tests_path(name)] = rule_tests.tests(name, surveyed, preset)
    return _Plan(files, read, difference, merged, old.text, accepted, tests.text)


def _surveyed(tools: Iterable[SurveyedTool]) -> Iterator[Surveyed]:
    """What every tool is open to need not stand beside each rule."""
    everywhere = {attack.key for attack in attacks.load() if attack.is_universal}
    for tool in tools:
        names = tuple(attack.name for attack in tool.attacks if attack.key not in everywhere)
        yield Surveyed(tool.name, tool.definition, tool.classification, names, tool.signs)


def _configured(where: Site, server: Server) -> str:
    """The configuration with a section for `server`; raises `ConfigError`."""
    if where.server(server.name) is not None:
        return where.text
    section = config_text.section(server)
    text = f"{where.text.rstrip()}\n\n{section}"
    try:
        config.parse(text, where.path)
    except ConfigError as error:
        raise ConfigError(
            f"{error}\nnothing was written. Put this into {where.path} by hand, and register again:\n\n{section}"
        ) from error
    return text


def _answer(survey_report: Report, plan: _Plan, written: Sequence[Path]) -> dict[str, Any]:
    merged = plan.merged
    return {
        **as_json(survey_report),
        "new": list(plan.difference.new),
        "changed": list(plan.difference.changed),
        "gone": list(plan.difference.gone),
        "written": [str(path) for path in written],
        "hidden": _hidden(survey_report, plan),
        "to_do": list(merged.snippets) if merged else [],
    }


def _hidden(survey_report: Report, plan: _Plan) -> list[str]:
    """The tools whose rules were written now, and hide them because of their signs; sorted."""
    ruled = set(plan.difference.new if plan.merged is None else plan.merged.added)
    return sorted(
        tool.name for tool in survey_report.tools if tool.name in ruled and hiding(tool.signs)
    )


def _tell(
    where: Site,
    server: Server,
    survey_report: Report,
    plan: _Plan,
    written: Sequence[Path],
    *,
    verbose: bool,
) -> None:
    """Print for people what the server is, what was written, and what comes next."""
    if plan.merged is None or verbose:
        table.show(survey_report, console.out, verbose=verbose)
    if plan.merged is not None:
        _tell_difference(survey_report, plan, plan.merged, verbose=verbose)
    for name in _hidden(survey_report, plan):
        console.tell(
            "sign", f"{visible(name)}: its rule hides it; look at its definition", "bold red"
        )
    for path in plan.files:
        console.tell("wrote" if path in written else "kept", str(path), "green")
    console.tell("next", "tipstaff up")
    console.tell("", f"tipstaff client-config {server.name} --client claude-code --write")
    console.tell("", f"any other client: {where.config.pep.resource(server)}")


def _tell_difference(survey_report: Report, plan: _Plan, merged: Merged, *, verbose: bool) -> None:
    """Print what has changed since the server was registered, and what to do about it."""
    if not plan.difference:
        console.tell("same", "every tool is as it was accepted", "green")
    for tool in survey_report.tools:
        if tool.name in plan.difference.changed:
            name = visible(tool.name)
            console.tell("changed", f"{name}: hidden and denied until it is accepted", "bold red")
            console.print_diff(pins.explained(plan.accepted[tool.name], tool))
            _tell_signs(tool)
            console.tell("", f"look at it, then: tipstaff accept {survey_report.server} {name}")
    for tool in survey_report.tools:
        if tool.name in plan.difference.new:
            rule = "with a rule of its own" if tool.name in merged.added else "with no new rule"
            console.tell("new", f"{visible(tool.name)}: pinned, {rule}", "bold yellow")
            _tell_signs(tool)
    if not verbose:
        _tell_of_known(survey_report, plan)
    for rule in merged.commented_out:
        console.tell("gone", f"{visible(rule)}: its rule is a comment now", "bold")
    for line in _by_hand(plan, merged):
        console.tell("by hand", line, "bold yellow")
    console.print_diff(merge.diff(plan.before, merged.text))


def _tell_signs(tool: SurveyedTool) -> None:
    for sign in tool.warnings:
        console.tell("warning", wording.warning(sign), "bold red")


def _tell_of_known(survey_report: Report, plan: _Plan) -> None:
    """Tools that are as they were accepted, and have signs: today's look may know more than that one."""
    names = [
        visible(tool.name)
        for tool in survey_report.tools
        if tool.warnings and tool.name not in {*plan.difference.new, *plan.difference.changed}
    ]
    if names:
        console.tell(
            "warning",
            f"accepted, with warning signs (-v shows them): {', '.join(names)}",
            "bold red",
        )


def _by_hand(plan: _Plan, merged: Merged) -> Iterator[str]:
    """What a person has to do, because no program can without risking what the person wrote."""
    if merged.why:
        yield f"the rules could not be edited: {merged.why}"
    for snippet in merged.snippets:
        yield f"put this under tools:\n{snippet}"
    for name in merged.standing:
        yield f"take out the rule of {visible(name)}, which has gone"
    for name in plan.difference.gone:
        if json.dumps(name, ensure_ascii=False) in plan.tests:
            yield f"rules_test.rego has a case of {visible(name)}, which has gone"
