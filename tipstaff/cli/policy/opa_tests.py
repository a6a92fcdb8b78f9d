"""The tests of the policy, run by OPA: those of the site and, beside them, the library's own.

All of them are run, because rules of the site may change what the library says; whose each is, its
package says. What a failing test wanted and got is OPA's own account of it, from a second run of those
that failed.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from msgspec import Struct
from rich.text import Text

from pdp.errors import PolicyTextError, SidecarError
from pdp.policy.bundle import library_folder
from tipstaff.cli import console

_LIBRARY = "data.mcp."
_DURATION = re.compile(r"(?<=: FAIL) \([0-9.]+[a-zµ]+\)$")
_RULER = re.compile(r"^-{20,}$", re.MULTILINE)
_IGNORED = ("--ignore", "*.md")
# OPA's own bound of 5 s is for a fast machine that does nothing else.
_TIMEOUT = ("--timeout", "60s")


class Outcome(Struct, frozen=True):
    """The outcome of one test; `cases` are its failed cases."""

    package: str
    name: str
    place: str
    is_passed: bool
    is_skipped: bool = False
    cases: tuple[str, ...] = ()

    @property
    def is_failed(self) -> bool:
        """Whether the test ran and failed."""
        return not (self.is_passed or self.is_skipped)

    @property
    def is_own(self) -> bool:
        """Whether the test belongs to the site."""
        return not f"{self.package}.".startswith(_LIBRARY)


class Results(Struct, frozen=True):
    """The outcomes of all tests; `account` says what failed tests expected and got."""

    outcomes: tuple[Outcome, ...]
    account: str = ""

    @property
    def failed(self) -> tuple[Outcome, ...]:
        """The failed tests."""
        return tuple(outcome for outcome in self.outcomes if outcome.is_failed)


def check_files(folder: Path, opa: Path) -> None:
    """Read the files of tests in `folder` with OPA; raises `PolicyTextError` or `SidecarError`."""
    result = _opa(opa, "check", *_IGNORED, *_paths(folder))
    if result.returncode != 0:
        raise PolicyTextError(result.stderr.strip() or result.stdout.strip())


def run(folder: Path, opa: Path, pattern: str | None) -> Results:
    """Run the tests whose names match; raises `PolicyTextError` or `SidecarError`."""
    result = _test(folder, opa, "--format", "json", *(("--run", pattern) if pattern else ()))
    try:
        results = Results(tuple(read_outcomes(result.stdout)))
    except ValueError as error:
        raise PolicyTextError(result.stderr.strip() or "opa test said nothing") from error
    if not results.failed:
        return results
    names = "|".join(re.escape(f"{test.package}.{test.name}") for test in results.failed)
    pretty = _test(folder, opa, "--var-values", "--run", f"^({names})$").stdout
    return Results(results.outcomes, account_of(pretty))


def read_outcomes(report: str) -> list[Outcome]:
    """The outcomes in the output of `opa test --format json`; raises `ValueError`."""
    return [_outcome(entry) for entry in json.loads(report) or ()]


def summary(outcomes: Iterable[Outcome], whose: str) -> str:
    """How many of some tests passed, failed and were skipped."""
    counts = (
        f"{number} {word}" for number, word in _counts(outcomes) if number or word == "passed"
    )
    return f"{whose:8} {', '.join(counts)}"


def account_of(pretty: str) -> str:
    """The part of `opa test` that says what failing tests wanted and got."""
    parts = _RULER.split(pretty)
    is_there = len(parts) > 2 and parts[1].strip() == "FAILURES"
    if not is_there:
        return ""
    lines = (_DURATION.sub("", line.rstrip()) for line in parts[2].strip("\n").splitlines())
    return "\n".join(line.removeprefix("data.") for line in lines)


def _test(folder: Path, opa: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return _opa(opa, "test", *_paths(folder), *_IGNORED, *_TIMEOUT, *options)


def _paths(folder: Path) -> tuple[str, str]:
    """Where the tests are; those of the site as seen from here, for they are shown."""
    here = Path.cwd()
    seen = folder.relative_to(here) if folder.is_relative_to(here) else folder
    return str(library_folder() / "mcp"), str(seen)


def _opa(opa: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(opa), *arguments]
    try:
        return subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603 - our own opa
    except OSError as error:
        raise SidecarError(f"cannot run {opa}: {error.strerror}") from error


def _outcome(entry: dict[str, Any]) -> Outcome:
    location = entry.get("location", {})
    results = entry.get("sub_results") or {}
    return Outcome(
        package=entry["package"],
        name=entry["name"],
        place=f"{location.get('file', '')}:{location.get('row', 0)}",
        is_passed=not (entry.get("fail") or entry.get("error") or entry.get("skip")),
        is_skipped=bool(entry.get("skip")),
        cases=tuple(name for name, result in results.items() if result.get("fail")),
    )


def as_json(results: Results) -> dict[str, Any]:
    """The results for programs."""

    def count(*, is_own: bool) -> dict[str, int]:
        counts = _counts(outcome for outcome in results.outcomes if outcome.is_own == is_own)
        return {word: number for number, word in counts}

    return {
        "own": count(is_own=True),
        "library": count(is_own=False),
        "failures": [
            {"test": f"{test.package}.{test.name}", "place": test.place, "cases": list(test.cases)}
            for test in results.failed
        ],
        "account": results.account,
    }


def show(results: Results, *, is_verbose: bool) -> None:
    """Print the results for people: what failed and why, then how many of whose."""
    outcomes = results.outcomes
    if is_verbose:
        for outcome in sorted(outcomes, key=lambda outcome: (outcome.is_own, outcome.package)):
            console.out.print(Text.assemble(_word(outcome), f" {outcome.package}.{outcome.name}"))
    for line in _lines(results.account):
        console.out.print(Text(line))
    for outcome in results.failed:
        console.out.print(Text.assemble(_word(outcome), f" {outcome.place} {outcome.name}"))
    own = [outcome for outcome in outcomes if outcome.is_own]
    library = [outcome for outcome in outcomes if not outcome.is_own]
    for some, whose in ((library, "library"), (own, "yours")):
        style = "red" if any(outcome.is_failed for outcome in some) else "green"
        console.out.print(Text(summary(some, whose), style if some else "dim"))
    if not outcomes:
        console.err.print("no test has such a name", markup=False)


def _counts(outcomes: Iterable[Outcome]) -> tuple[tuple[int, str], ...]:
    listed = list(outcomes)
    return (
        (sum(outcome.is_passed for outcome in listed), "passed"),
        (sum(outcome.is_failed for outcome in listed), "failed"),
        (sum(outcome.is_skipped for outcome in listed), "skipped"),
    )


def _word(outcome: Outcome) -> tuple[str, str]:
    if outcome.is_skipped:
        return "SKIP", "yellow"
    return ("PASS", "green") if outcome.is_passed else ("FAIL", "bold red")


def _lines(account: str) -> Iterator[str]:
    """The account, indented; what a variable holds may be long, and is cut to the terminal."""
    room = console.columns()
    for line in account.expandtabs(2).splitlines():
        yield line if room is None or len(line) <= room else f"{line[: room - 1]}…"
