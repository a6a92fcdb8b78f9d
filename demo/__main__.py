"""`python -m demo`: plays the story, shows what came of it, and exits 1 if any of it is wrong."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import sys
import time
from pathlib import Path

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from demo.caller import LEGACY, MODERN
from demo.parts import CHECKOUT, PartFailed, Stage, running, way_in
from demo.story import Fact, Row, brokers, generations

SCENES = (
    ("Amazon MQ, by a client of the legacy era", brokers, LEGACY),
    ("Amazon MQ, by a client of the modern era", brokers, MODERN),
    ("Bedrock AgentCore, and the rules change meanwhile", generations, MODERN),
)
_STYLE = {"allow": "green", "deny": "red", "hold": "yellow"}

console = Console(highlight=False, soft_wrap=True)


def main() -> int:
    """Run the demo; returns the exit code."""
    parser = argparse.ArgumentParser(prog="demo", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="leave everything running until Ctrl-C")
    parser.add_argument("--folder", type=Path, default=CHECKOUT / ".demo", help="where it all lies")
    arguments = parser.parse_args()
    began = time.perf_counter()
    console.print("Starting AWS (moto), two real MCP servers, OPA and Tipstaff …")
    try:
        with running(arguments.folder.resolve(), with_console=arguments.keep) as stage:
            told = asyncio.run(_play(stage))
            wrong = [one for one in told if not one.is_right]
            _show(told, time.perf_counter() - began)
            _say_where(stage, keep=arguments.keep)
            if arguments.keep:
                _wait_for_the_person()
    except PartFailed as failure:
        console.print(str(failure), style="red", markup=False)
        return 1
    return 1 if wrong else 0


async def _play(stage: Stage) -> list[Row | Fact]:
    told: list[Row | Fact] = []
    for title, scene, era in SCENES:
        console.print(f"\n[bold]{title}[/]")
        try:
            async for one in scene(stage, era):
                told.append(one)
                _tell(one)
        except Exception as error:  # noqa: BLE001 - whatever it was, the story is not as it must be
            told.append(broken := Fact(f"the scene broke off: {error!r}", is_right=False))
            _tell(broken)
    return told


def _tell(one: Row | Fact) -> None:
    mark = "[green]✓[/]" if one.is_right else "[bold red]✗[/]"
    if isinstance(one, Fact):
        console.print(f"  {mark} {one.note}")
        return
    last = one.outcomes[-1]
    times = f" x{len(one.outcomes)}" if len(one.outcomes) > 1 else ""
    console.print(f"  {mark} [bold]{last.tool}[/]{times}: {one.note}")
    if last.effect != "allow" or not one.is_right:
        console.print(f"      {last.text}", style=_STYLE[last.effect], markup=False)


def _show(told: list[Row | Fact], seconds: float) -> None:
    table = Table(title="What came of every call", title_justify="left", box=SIMPLE)
    for column in ("", "era", "tool", "effect", "code", "rule"):
        table.add_column(column, no_wrap=True)
    for column in ("reached", "ms"):
        table.add_column(column, justify="right", no_wrap=True)
    for row in (one for one in told if isinstance(one, Row)):
        last, count = row.outcomes[-1], len(row.outcomes)
        reached = sum(one.reached for one in row.outcomes)
        milliseconds = sum(one.milliseconds for one in row.outcomes) / count
        table.add_row(
            "[green]✓[/]" if row.is_right else "[bold red]✗[/]",
            "legacy" if row.era == LEGACY else "modern",
            f"{last.tool} x{count}" if count > 1 else last.tool,
            f"[{_STYLE[last.effect]}]{last.effect}[/]",
            last.code,
            last.rule,
            f"{reached} of {count}",
            f"{milliseconds:.1f}",
        )
    console.print()
    Console(highlight=False, width=max(console.width, 150)).print(table)
    wrong = sum(not one.is_right for one in told)
    verdict = f"[bold red]{wrong} wrong[/]" if wrong else "[green]all as it must be[/]"
    console.print(f"{len(told)} checks, {verdict}, in {seconds:.1f} s")


def _say_where(stage: Stage, *, keep: bool) -> None:
    config = stage.config
    console.print(f"Records: {stage.records}", markup=False)
    console.print(f"  read them with: tipstaff log --config {config}", markup=False)
    if keep:
        console.print("Everything is running. Point an MCP client at:", markup=False)
        for server in ("amazon_mq", "agentcore"):
            console.print(f"  {stage.url(server)}", markup=False)
        console.print(
            f"See what waits for a person: tipstaff approvals list --config {config}", markup=False
        )
        console.print(f"  or in a browser, once, within ten minutes: {way_in(stage)}", markup=False)
        console.print(
            f"Edit {stage.rules('amazon_mq')} and call again. Ctrl-C ends it.", markup=False
        )
    else:
        console.print("To keep the gateway running afterwards: make demo KEEP=1", markup=False)


def _wait_for_the_person() -> None:
    sys.stdout.flush()
    with contextlib.suppress(KeyboardInterrupt):
        signal.pause()


if __name__ == "__main__":
    sys.exit(main())
