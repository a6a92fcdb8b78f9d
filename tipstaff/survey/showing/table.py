"""A survey for people at a terminal: what a server can do, the worst first. Plain where no colour is.

Nothing is decided here. What a server wrote is shown with its hidden characters made visible, on lines
that it cannot break.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tipstaff.common.visible_text import visible
from tipstaff.survey.classify.attacks import Applied
from tipstaff.survey.model import Category, Risk
from tipstaff.survey.report import Report, SurveyedTool, worst_first
from tipstaff.survey.scanned import BEHIND_TIPSTAFF, Known, Missed, Scan
from tipstaff.survey.showing.wording import about, count, first_sentence, is_harmless, marks, why

WIDTH = 100
"""Columns, at most."""

_CATEGORY_STYLE: Mapping[Category, str] = {
    Category.READ: "green",
    Category.WRITE: "cyan",
    Category.EXECUTE: "yellow",
    Category.DESTRUCTIVE: "red",
    Category.FINANCIAL: "magenta",
}
_RISK_STYLE: Mapping[Risk, str] = {
    Risk.LOW: "green",
    Risk.MEDIUM: "yellow",
    Risk.HIGH: "bold dark_orange",
    Risk.CRITICAL: "bold red",
}
_RISKS = tuple(Risk)
# Of so many tools it is told what they are open to.
_WORST = 5
# Of so many attacks the name is told.
_TOLD = 3
_LONGEST_NAME, _SHORTEST_NAME = 40, 12
# What stands in a row beside the name, and room for a mark or two.
_CELLS, _MARKS = 32, 22


def show(
    report: Report,
    console: Console,
    *,
    verbose: bool = False,
    only: Collection[Category] = (),
    least: Risk | None = None,
) -> None:
    """The report of one server: `only` these categories, and `least` this risk, where they are given.

    `verbose` shows every tool, with all that is known of it.
    """
    page = _Page(console)
    page.put(heading(report))
    if not report.tools:
        return
    page.put_table(_matrix(report))
    page.put(Text())
    _show_warnings(page, report)
    warned = {tool.name for tool, _ in report.warnings}
    chosen = [tool for tool in worst_first(report.tools) if _is_chosen(tool, only, least)]
    is_all = verbose or only or least
    harmless = [
        tool for tool in chosen if not is_all and is_harmless(tool) and tool.name not in warned
    ]
    in_passing = {tool.name for tool in harmless}
    _show_tools(
        page, [tool for tool in chosen if tool.name not in in_passing], warned, verbose=verbose
    )
    if harmless:
        page.put_line(_summed_up(harmless))
    if len(chosen) < len(report.tools):
        page.put(Text(f"  {count(len(report.tools) - len(chosen), 'other tool')}", "dim"))


def show_summary(scan: Scan, console: Console) -> None:
    """Every server of a scan in a line or two, also those of which there is no report."""
    page = _Page(console)
    page.put(Text("what the MCP clients on this machine know", "bold underline"))
    for server_report in scan.reports:
        warnings = len(server_report.warnings)
        signs = f", {count(warnings, 'warning sign')}" if warnings else ""
        worst = (
            (f"{server_report.worst} risk", _RISK_STYLE[server_report.worst])
            if server_report.tools
            else ""
        )
        tools = f"  {count(len(server_report.tools), 'tool')}  "
        page.put(
            Text.assemble(
                (visible(server_report.server), "bold"), tools, worst, (signs, "bold red")
            )
        )
        _show_known(page, scan.known.get(server_report.server, ()))
    for missed in (*scan.failed, *scan.skipped):
        is_covered = missed.reason == BEHIND_TIPSTAFF
        word = "" if is_covered else "failed: " if missed in scan.failed else "skipped: "
        reason = (f"  {word}{visible(missed.reason)}", "green" if is_covered else "yellow")
        page.put(Text.assemble((_names(missed), "bold"), reason))
        _show_known(page, missed.known)


def show_diff(text: str, console: Console) -> None:
    """A unified diff in colours, its lines as long as they are."""
    styles = {"+++": "bold", "---": "bold", "@@": "cyan", "+": "green", "-": "red"}
    for line in text.splitlines():
        style = next((styles[start] for start in styles if line.startswith(start)), "")
        console.print(Text(f"  {line}", style))


def heading(report: Report) -> Text:
    """What the server is, in a line."""
    return Text.assemble((visible(report.server), "bold"), f" — {about(report)}")


class _Page:
    """Prints what fits: no line is wider than the terminal, or than `WIDTH`."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self.width = min(console.width, WIDTH) if console.is_terminal else WIDTH

    def put(self, text: Text, indent: int = 0) -> None:
        """A paragraph, folded at blanks, below what it belongs to."""
        for line in text.wrap(self._console, self.width - indent):
            line.rstrip()
            self._console.print(Text(" " * indent).append_text(line))

    def below(self, text: str, style: str = "dim", indent: int = 4) -> None:
        """A paragraph that belongs to what stands above it."""
        self.put(Text(text, style), indent)

    def put_line(self, text: Text) -> None:
        """On one line, its end cut."""
        text.truncate(self.width, overflow="ellipsis")
        text.rstrip()
        self._console.print(text)

    def put_table(self, table: Table) -> None:
        """A table, which is narrow enough anywhere."""
        self._console.print(table, soft_wrap=False)


def _matrix(report: Report) -> Table:
    """How many tools of each category have which risk."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("")
    for risk in reversed(Risk):
        table.add_column(risk.value, justify="right")
    for category, risks in report.counts().items():
        cells = [
            Text(str(risks[risk]), _RISK_STYLE[risk]) if risks[risk] else Text("·", "dim")
            for risk in reversed(Risk)
        ]
        table.add_row(Text(f"  {category}", _CATEGORY_STYLE[category] if risks else "dim"), *cells)
    return table


def _show_warnings(page: _Page, report: Report) -> None:
    """Each sign, its place, and the text there."""
    for tool, sign in report.warnings:
        kind = sign.kind.replace("_", " ")
        name, place = (visible(tool.name), "bold"), (f"  at {visible(sign.place)}", "dim")
        page.put(Text.assemble(("! ", "bold red"), name, (f"  {kind}", "red"), place))
        page.below(visible(sign.message))
        page.below(f"“{visible(sign.excerpt)}”", "red")
    if report.warnings:
        page.put(Text())


def _show_tools(
    page: _Page, tools: Collection[SurveyedTool], warned: Collection[str], *, verbose: bool
) -> None:
    longest = max((len(visible(tool.name)) for tool in tools), default=0)
    width = min(longest, _LONGEST_NAME, max(page.width - _CELLS - _MARKS, _SHORTEST_NAME))
    if tools:
        page.put_line(Text(f"  {'tool':{width}}  category     risk      sure  marks", "dim"))
    for place, tool in enumerate(tools):
        flag = ("! ", "bold red") if tool.name in warned else "  "
        page.put_line(Text.assemble(flag, _row(tool, width)))
        if verbose:
            _show_all_of(page, tool)
            continue
        page.put_line(Text(f"    {why(tool)}", "dim"))
        if place < _WORST and tool.attacks:
            _show_attacks(page, tool.attacks)


def _show_attacks(page: _Page, attacks: Sequence[Applied]) -> None:
    """The heaviest, and what stops the first of them."""
    names = ", ".join(attack.name for attack in attacks[:_TOLD])
    more = f" and {len(attacks) - _TOLD} more" if len(attacks) > _TOLD else ""
    page.below(f"open to: {names}{more}", "")
    page.below(f"stopped by: {first_sentence(attacks[0].stops)}", "")


def _row(tool: SurveyedTool, name_width: int) -> Text:
    classification = tool.classification
    name = Text(visible(tool.name), "bold")
    name.truncate(name_width, overflow="ellipsis", pad=True)
    category = (f"  {classification.category:11}", _CATEGORY_STYLE[classification.category])
    risk = (f"  {classification.risk:8}", _RISK_STYLE[classification.risk])
    return Text.assemble(
        name, category, risk, (f"  {classification.confidence:4.0%}", "dim"), f"  {marks(tool)}"
    )


def _show_all_of(page: _Page, tool: SurveyedTool) -> None:
    """All that is known of a tool: why, what said so, its attacks, its signs."""
    page.below(visible(tool.classification.rationale))
    for evidence in tool.classification.evidence:
        page.below(
            f"{evidence.field}: “{visible(evidence.words)}” says {visible(evidence.says)}", indent=6
        )
    for attack in tool.attacks:
        page.below(f"open to: {attack.name}", "")
        for text in (attack.looks_like, attack.stops, "; ".join(attack.references)):
            page.below(text, indent=6)
    for sign in tool.signs:
        kind, place = sign.kind.replace("_", " "), visible(sign.place)
        page.below(f"{kind} at {place}: {visible(sign.message)}", "red")


def _summed_up(tools: Collection[SurveyedTool]) -> Text:
    names = ", ".join(visible(tool.name) for tool in tools)
    return Text.assemble(
        "  ", (f"and {count(len(tools), 'Read')} of low risk: ", "green"), (names, "dim")
    )


def _show_known(page: _Page, known: Collection[Known]) -> None:
    for client in known:
        place = f"{client.file}, for {client.project}" if client.project else client.file
        name = f" as {client.name}" if client.name else ""
        page.below(visible(f"{client.client}{name} in {place}"))


def _names(missed: Missed) -> str:
    named = dict.fromkeys(client.name or client.file for client in missed.known)
    return visible(", ".join(named))


def _is_chosen(tool: SurveyedTool, only: Collection[Category], least: Risk | None) -> bool:
    classification = tool.classification
    is_bad_enough = least is None or _RISKS.index(classification.risk) >= _RISKS.index(least)
    return is_bad_enough and (not only or classification.category in only)
