"""`tipstaff check` and `tipstaff test`: checks the rule files, and runs the tests of the rules."""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec import structs
from rich.text import Text

from pdp.policy.bundle import PolicyText, check, library_folder, read_policy
from tipstaff.cli import console
from tipstaff.cli.configuration import config_checks
from tipstaff.cli.configuration.config import Config, load
from tipstaff.cli.configuration.config_shown import as_json, show
from tipstaff.cli.policy import opa_tests
from tipstaff.cli.run import running
from tipstaff.cli.run.services import opa_binary
from tipstaff.lint import site
from tipstaff.lint.caution import Caution


def check_command(arguments: argparse.Namespace) -> int:
    """`tipstaff check`."""
    config = load(arguments.config)
    settings = config_checks.warnings(config)
    opa = opa_binary(config, arguments.opa)
    text = _checked(config, opa)
    opa_tests.check_files(Path(config.pdp.policy.dir), opa)
    shadow = _in_shadow(text)
    warnings = [
        *(
            Caution(str(config.source), fault.line, f"{fault.key}: {fault.message}")
            for fault in settings
        ),
        *site.cautions(
            text, Path(config.pdp.policy.dir), config.pep, opa, config.pdp.approvals.people
        ),
    ]
    failed = int(arguments.strict and bool(warnings))
    if arguments.json:
        console.print_json(
            {
                "config": as_json(config),
                "revision": text.revision,
                "servers": list(text.servers),
                "shadow": shadow,
                "warnings": msgspec.to_builtins(warnings),
                "config_advice": running.outdated(config),
            }
        )
        return failed
    if arguments.verbose:
        console.out.print(show(config), markup=False)
    names = ", ".join(server.name for server in config.pep.servers) or "no server"
    _ok(f"{config.source.name}: {names} at {config.pep.listen} (-v shows every setting)")
    _ok(f"policy {text.revision}: rules for {', '.join(text.servers) or 'no server'}")
    if advice := running.outdated(config):
        console.warn(f"{config.source}: {advice}")
    for name in _without_rules(config, text):
        console.note(
            f"{name} has no rules, so every call to it is denied: "
            f"write {Path(config.pdp.policy.dir) / 'servers' / name / 'data.yaml'}"
        )
    for name in shadow:
        console.note(
            f"{name} is in shadow: its rules are recorded and none is enforced, "
            "until `shadow: true` is taken out of them"
        )
    _warn(warnings)
    return failed


def _ok(text: str) -> None:
    console.out.print(Text.assemble(("ok", "green"), f" {text}"))


def _warn(warnings: Sequence[Caution]) -> None:
    for warning in warnings:
        place = Path(warning.file)
        near = place.relative_to(Path.cwd()) if place.is_relative_to(Path.cwd()) else place
        console.warn(str(structs.replace(warning, file=str(near))))
    if warnings:
        count = "one warning" if len(warnings) == 1 else f"{len(warnings)} warnings"
        console.err.print(f"{count}: this loads, and is probably not what was meant")


def test_command(arguments: argparse.Namespace) -> int:
    """`tipstaff test`."""
    config = load(arguments.config)
    opa = opa_binary(config, arguments.opa)
    folder = Path(config.pdp.policy.dir)
    _checked(config, opa)
    opa_tests.check_files(folder, opa)
    results = opa_tests.run(folder, opa, arguments.run)
    if arguments.json:
        console.print_json(opa_tests.as_json(results))
    else:
        opa_tests.show(results, is_verbose=arguments.verbose)
    return 1 if results.failed or not results.outcomes else 0


def _checked(config: Config, opa: Path) -> PolicyText:
    library = library_folder()
    text = read_policy(Path(config.pdp.policy.dir), library)
    asyncio.run(check(text, opa=opa, library=library))
    return text


def _in_shadow(text: PolicyText) -> list[str]:
    """Remind of servers whose rules are in shadow, so that nothing is enforced."""
    rules = {name: json.loads(text.files[f"servers/{name}/data.json"]) for name in text.servers}
    return [name for name, written in rules.items() if written.get("shadow") is True]


def _without_rules(config: Config, text: PolicyText) -> list[str]:
    return [server.name for server in config.pep.servers if server.name not in text.servers]
