"""Registers many real servers, one after another, and tells what the starter rules let pass.

    python -m bench.register_many [--servers FILE] [--only NAME…] [--keep FOLDER] [--list]

Each server of FILE is installed from its registry into a folder of its own, without its install
scripts, registered by `tipstaff register`, told of, and removed. For each: its five most dangerous
tools with what they were found to be and the rule that each was given, and all tools by what the rules
do with a call. `--keep` keeps catalogues and rules, so that one can read on. Ends with 1 when a server
could not be registered.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import yaml
from msgspec import Struct

ROOT = Path(__file__).parents[1]
SERVERS = Path(__file__).with_name("servers.toml")
TIPSTAFF = Path(sys.executable).with_name("tipstaff")
RISKS = ("low", "medium", "high", "critical")
CATEGORIES = ("Read", "Write", "Execute", "Destructive", "Financial")
MOST_DANGEROUS = 5
INSTALL_SECONDS, LIST_SECONDS = 300, 60


class Package(Struct, frozen=True, forbid_unknown_fields=True):
    """One server, how to get it, and how to start it. One of `npm` and `pypi` is its package."""

    name: str
    version: str
    npm: str = ""
    pypi: str = ""
    command: str = ""
    """What the package calls its program, where that is not the package's name, or its only one."""
    arguments: tuple[str, ...] = ()
    environment: Mapping[str, str] = {}
    seen: bool = False


class FailedError(Exception):
    """A server could not be installed or registered; says why."""


def main() -> int:
    """Register them, and tell of each; returns the exit code."""
    arguments = _parser().parse_args()
    packages = load(arguments.servers)
    if unknown := set(arguments.only) - {package.name for package in packages}:
        print(f"{arguments.servers} has no server {', '.join(sorted(unknown))}", file=sys.stderr)
        return 2
    chosen = [one for one in packages if not arguments.only or one.name in arguments.only]
    if arguments.list:
        print("\n".join(f"{one.name:20} {one.npm or one.pypi} {one.version}" for one in chosen))
        return 0
    failed: list[str] = []
    for package in chosen:
        with tempfile.TemporaryDirectory(prefix="tipstaff-register-") as folder:
            try:
                answer, rules = registered(package, Path(folder), arguments.keep)
            except (FailedError, subprocess.TimeoutExpired) as error:
                failed.append(package.name)
                print(f"\n== {package.name}: {error}", flush=True)
                continue
        print(f"\n{told(package, answer, rules)}", flush=True)
    print(
        f"\n{len(chosen) - len(failed)} servers registered; failed: {', '.join(failed) or 'none'}"
    )
    return 1 if failed else 0


def load(file: Path) -> tuple[Package, ...]:
    """The servers of a file; raises `msgspec.ValidationError` for an entry that is none."""
    entries = tomllib.loads(file.read_text("utf-8"))["server"]
    return msgspec.convert(entries, tuple[Package, ...])


def registered(
    package: Package, folder: Path, keep: Path | None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Install and register one server: what `register --json` says, and the rules that it wrote."""
    program = (_npm if package.npm else _pypi)(package, folder)
    home = folder / "home"
    home.mkdir()
    # What is started finds nobody's settings and credentials.
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8"}
    site = folder / "site"
    site.mkdir()
    environment |= {name: _placed(text, home) for name, text in package.environment.items()}
    options = [part for name in package.environment for part in ("--env", f"{name}=env:{name}")]
    command = [*program, *(_placed(one, home) for one in package.arguments)]
    answer = _run(
        [
            str(TIPSTAFF), "register", "--json", "--config", str(site / "tipstaff.toml"),
            "--seconds", str(LIST_SECONDS), *options, package.name, "--", *command,
        ],
        site, environment, 2 * LIST_SECONDS,
    )  # fmt: skip
    rules = site / "policy" / "servers" / package.name / "data.yaml"
    if keep is not None:
        shutil.copytree(site / "policy", keep, dirs_exist_ok=True)
    return json.loads(answer), yaml.safe_load(rules.read_text("utf-8"))


def told(package: Package, answer: Mapping[str, Any], rules: Mapping[str, Any]) -> str:
    """What a server can do at the worst, and what its rules do with each of its tools."""
    tools: Sequence[Mapping[str, Any]] = sorted(answer["tools"], key=_danger, reverse=True)
    source = f"{package.npm or package.pypi} {package.version}"
    lines = [f"== {package.name} ({source}{'' if package.seen else ', new'}): {len(tools)} tools"]
    for tool in tools[:MOST_DANGEROUS]:
        found = f"{tool['category']:11} {tool['risk']:8} {tool['confidence']:4.0%}"
        lines.append(f"   {tool['name'][:42]:42} {found}  {_rule(rules, tool['name'])}")
    by_rule: dict[str, list[str]] = defaultdict(list)
    for tool in reversed(tools):
        by_rule[_rule(rules, tool["name"])].append(tool["name"])
    lines += [f"   {rule}: {len(names)}: {', '.join(names)}" for rule, names in by_rule.items()]
    return "\n".join(lines)


def _rule(rules: Mapping[str, Any], tool: str) -> str:
    """What the rules do with a call of the tool, in a few words."""
    rule = (rules.get("tools") or {}).get(tool)
    if rule is None:
        return f"{rules.get('default', 'deny')} by default"
    budget = rule.get("rate_limit")
    limit = f", {budget['max']} in {budget['window']} s" if budget else ", no limit"
    action = rule.get("action", "allow")
    return f"{action}{'' if action in {'deny', 'hide'} else limit}"


def _danger(tool: Mapping[str, Any]) -> tuple[bool, int, int]:
    is_warned_of = any(sign["kind"] != "same_name" for sign in tool["signs"])
    return is_warned_of, RISKS.index(tool["risk"]), CATEGORIES.index(tool["category"])


def _npm(package: Package, folder: Path) -> list[str]:
    """Install a package for Node.js; returns how it is started."""
    wanted = f"{package.npm}@{package.version}"
    _run(
        ["npm", "install", "--prefix", str(folder), "--ignore-scripts", "--no-audit", "--no-fund",
         "--silent", wanted],
        folder, os.environ, INSTALL_SECONDS,
    )  # fmt: skip
    home = folder / "node_modules" / package.npm
    programs = json.loads((home / "package.json").read_text("utf-8")).get("bin", {})
    if isinstance(programs, str):
        programs = {package.npm: programs}
    name = package.command or package.npm.rpartition("/")[2]
    script = programs.get(name) or next(iter(programs.values()), None)
    if script is None:
        raise FailedError(f"{wanted} has no program")
    return ["node", str(home / script)]


def _pypi(package: Package, folder: Path) -> list[str]:
    """Install a package for Python; returns how it is started."""
    venv = folder / "venv"
    _run([sys.executable, "-m", "venv", str(venv)], folder, os.environ, INSTALL_SECONDS)
    wanted = f"{package.pypi}=={package.version}"
    _run(
        [str(venv / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check",
         "--only-binary", ":all:", wanted],
        folder, os.environ, INSTALL_SECONDS,
    )  # fmt: skip
    program = venv / "bin" / (package.command or package.pypi)
    if not program.exists():
        raise FailedError(f"{wanted} has no program {program.name}: name it as `command`")
    return [str(program)]


def _run(command: Sequence[str], folder: Path, environment: Mapping[str, str], seconds: int) -> str:
    """Run a program to its end; raises `FailedError` with its last lines where it fails."""
    done = subprocess.run(
        command, cwd=folder, env=dict(environment), stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=seconds, check=False,
    )  # fmt: skip
    if done.returncode:
        said = " ".join((done.stderr.strip() or done.stdout.strip()).split()[-60:])
        raise FailedError(f"`{' '.join(command[:3])} …` ended with {done.returncode}: {said}")
    return done.stdout


def _placed(text: str, folder: Path) -> str:
    return text.replace("{folder}", str(folder))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--servers", type=Path, default=SERVERS, help="what to register")
    parser.add_argument("--only", nargs="*", default=[], metavar="NAME", help="only these")
    parser.add_argument("--keep", type=Path, help="keep catalogues and rules in this folder")
    parser.add_argument("--list", action="store_true", help="name them, and do nothing")
    return parser


if __name__ == "__main__":
    sys.exit(main())
