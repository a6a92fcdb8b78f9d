"""What the arguments of all commands have in common.

Options stand before, between and after the other arguments. Whatever follows `--` is the command of a
server, word for word: which of two programs an option behind it is for, nobody can tell.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

from tipstaff.common.did_you_mean import nearest

Command: TypeAlias = str | Callable[[argparse.Namespace], int]
"""What runs a command; one in a module of its own by name, `module:function`, loaded when it is run."""
Commands: TypeAlias = "argparse._SubParsersAction[CommandParser]"  # noqa: SLF001
# Options that hardly any server has: behind `--` they are likely to be meant for us.
_OURS_ONLY = frozenset({"--preset", "--agent", "--bearer", "--update", "--tools-list", "--fail-on"})


class CommandParser(argparse.ArgumentParser):
    """An argument parser whose errors look like those of every other part of the command line."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        """Like its base; see `add_command` for a parser of words that start a server."""
        super().__init__(*arguments, **settings)
        self._command_name = ""

    def add_command(self, name: str, metavar: str, help_: str) -> None:
        """Add a last argument of any number of words, to which everything behind `--` belongs."""
        self.add_argument(name, nargs="*", default=[], metavar=metavar, help=help_)
        self._command_name = name

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Like its base, with options at any place."""
        words = list(sys.argv[1:] if args is None else args)
        if self._subparsers is not None:
            return super().parse_known_args(self._command_first(words), namespace)
        end = words.index("--") if "--" in words else len(words)
        own, rest = self._options_first(words[:end]), words[end + 1 :]
        if not self._command_name:
            words = [*own, *(["--", *rest] if rest else [])]
            parsed, unknown = super().parse_known_args(words, namespace)
            if unknown and unknown[0].startswith("-"):
                known = [name for name in self._option_string_actions if name.startswith("--")]
                self.error(f"there is no option {unknown[0]!r} here; {nearest(unknown[0], known)}")
            return parsed, unknown
        parsed, unknown = super().parse_known_args(own, namespace)
        setattr(parsed, self._command_name, [*getattr(parsed, self._command_name), *rest])
        if unknown and not rest:
            self.error(f"{' '.join(unknown)}: no such option; put -- before a server's command")
        from tipstaff.cli import console

        for word in sorted(_OURS_ONLY & set(rest) & set(self._option_string_actions)):
            console.warn(f"{word} stands behind --, so the server gets it; put it before --")
        return parsed, unknown

    def error(self, message: str) -> NoReturn:
        """Print the error and the usage, and exit with 2."""
        from tipstaff.cli import console

        code = console.fail(message)
        console.err.print(self.format_usage().rstrip(), markup=False)
        raise SystemExit(code)

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """Refuse a value that is not among the choices, naming the nearest."""
        choices = [] if action.choices is None else [str(choice) for choice in action.choices]
        if choices and value not in choices:
            what = "command" if isinstance(action.choices, dict) else "choice"
            raise argparse.ArgumentError(
                action, f"there is no {what} {str(value)!r}; {nearest(str(value), choices)}"
            )

    def _options_first(self, words: Sequence[str]) -> list[str]:
        """The words with every option, and its value, before all others."""
        options: list[str] = []
        others: list[str] = []
        rest = iter(words)
        for word in rest:
            if not word.startswith("-") or word == "-":
                others.append(word)
                continue
            options.append(word)
            if self._takes_a_value(word):
                options += [value for value in [next(rest, None)] if value is not None]
        return [*options, *others]

    def _takes_a_value(self, word: str) -> bool:
        """Whether the next word is the value of the option, written whole or abbreviated."""
        known = self._option_string_actions
        names = [word] if word in known else [name for name in known if name.startswith(word)]
        is_long = word.startswith("--") or word in known
        return is_long and any(known[name].nargs is None for name in names)

    def _command_first(self, words: Sequence[str]) -> list[str]:
        """The words with the command before the options that were put before it."""
        commands = {name for action in self._actions for name in _commands_of(action)}
        place = next((i for i, word in enumerate(words) if word in commands), 0)
        has_own = any(word in self._option_string_actions for word in words[:place])
        return (
            list(words)
            if has_own
            else [*words[place : place + 1], *words[:place], *words[place + 1 :]]
        )


def _commands_of(action: argparse.Action) -> Sequence[str]:
    return list(action.choices) if isinstance(action.choices, dict) else ()


def add(commands: Commands, name: str, command: Command, help_: str) -> CommandParser:
    """A command's own parser; `help_` begins in lower case and has no full stop."""
    parser = commands.add_parser(name, help=help_, description=help_[0].upper() + help_[1:] + ".")
    parser.set_defaults(command=command)
    return parser


def add_group(commands: Commands, name: str, help_: str) -> Commands:
    """A command that is only the name of several; without one of them it shows its help."""
    parser = commands.add_parser(name, help=help_)
    parser.set_defaults(command=shows_help(parser))
    return parser.add_subparsers(title="commands", metavar="COMMAND")


def shows_help(parser: argparse.ArgumentParser) -> Command:
    """The command that runs when none is named: prints the help to stderr and exits with 2, as git and uv do."""

    def show(_: argparse.Namespace) -> int:
        parser.print_help(sys.stderr)
        return 2

    return show


def add_config(parser: argparse.ArgumentParser) -> None:
    """Add `--config` and `--opa`."""
    parser.add_argument(
        "-c",
        "--config",
        type=Path,
        default=Path("tipstaff.toml"),
        metavar="FILE",
        help="the configuration (default: tipstaff.toml)",
    )
    parser.add_argument("--opa", metavar="PATH", help="the opa binary (default: $TIPSTAFF_OPA)")


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add `--json`."""
    parser.add_argument("--json", action="store_true", help="print JSON for programs")
