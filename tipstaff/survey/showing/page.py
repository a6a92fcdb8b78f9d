"""A survey as one HTML page that can be passed on: no scripts, nothing from outside. Pure.

Every text goes through `markup`, which escapes it. What would still get through, the page's own policy
forbids.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import metadata, resources

from tipstaff.survey.model import Risk, Sign
from tipstaff.survey.report import Report, SurveyedTool
from tipstaff.survey.scanned import Known, Scan
from tipstaff.survey.showing.markup import badge, plain, sign, strange
from tipstaff.survey.showing.page_tools import tools_of
from tipstaff.survey.showing.wording import about, count

_GENERATOR = '<meta name="generator" content="tipstaff scan">'
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_OVERVIEW_HEAD = (
    "<tr><th>server</th><th>tools</th><th>worst risk</th><th>signs</th><th>known to</th></tr>"
)
_HEAD = 1000
"""Characters at the beginning, among which a page says what it is."""


def page(scan: Scan, time: str) -> str:
    """The page; `time` is when it is made, for people."""
    title = (
        scan.reports[0].server if len(scan.reports) == 1 else count(len(scan.reports), "MCP server")
    )
    style = resources.files("tipstaff.survey.showing").joinpath("page.css").read_text("utf-8")
    body = "".join(
        [
            _top(scan, title, time),
            _overview(scan) if len(scan.reports) != 1 or scan.failed or scan.skipped else "",
            *(_server(server_report, place) for place, server_report in enumerate(scan.reports)),
            _foot(),
        ]
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
{_GENERATOR}
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>{plain(title)}: survey of tools</title>
<style>
{style}</style>
</head>
<body>
{body}</body>
</html>
"""


def is_page(text: str) -> bool:
    """Whether `text` is such a page."""
    return _GENERATOR in text[:_HEAD]


def _top(scan: Scan, title: str, time: str) -> str:
    tools = [tool for server_report in scan.reports for tool in server_report.tools]
    risks = [tool.classification.risk for tool in tools]
    signs = sum(len(server_report.warnings) for server_report in scan.reports)
    tiles = "".join(
        f'<li class="{risk}"><b>{risks.count(risk)}</b> {risk} risk</li>' for risk in reversed(Risk)
    )
    alarm = " alarm" if signs else ""
    word = "warning sign" if signs == 1 else "warning signs"
    return f"""<header>
<h1>What agents could do with {strange(title)}</h1>
<p class="soft">{count(len(tools), "tool")}, looked at {plain(time)}</p>
<ul class="tiles">{tiles}<li class="signs{alarm}"><b>{signs}</b> {word}</li></ul>
</header>
"""


def _overview(scan: Scan) -> str:
    """Every server in a row, also those of which there is no report."""
    rows = [
        _overview_row(scan, server_report, place)
        for place, server_report in enumerate(scan.reports)
    ]
    for word, missed in (("failed", scan.failed), ("skipped", scan.skipped)):
        rows += [
            f"<tr><th>{_names(server.known)}</th><td colspan=3><b>{word}</b>: {strange(server.reason)}</td>"
            f"<td>{_known(server.known)}</td></tr>"
            for server in missed
        ]
    return f"""<section class="server"><h2>Servers</h2>
<div class="wide"><table class="list servers"><thead>{_OVERVIEW_HEAD}</thead>
<tbody>{"".join(rows)}</tbody></table></div></section>
"""


def _overview_row(scan: Scan, server_report: Report, place: int) -> str:
    worst = badge(server_report.worst) if server_report.tools else ""
    link = f'<a href="#server-{place}">{strange(server_report.server)}</a>'
    return (
        f"<tr><th>{link}</th><td>{len(server_report.tools)}</td><td>{worst}</td>"
        f"<td>{len(server_report.warnings) or ''}</td><td>{_known(scan.known.get(server_report.server, ()))}</td></tr>"
    )


def _names(known: Sequence[Known]) -> str:
    return ", ".join(dict.fromkeys(strange(client.name or client.file) for client in known))


def _known(known: Sequence[Known]) -> str:
    """Who knows a server: clients, with the file of each."""
    return "<br>".join(
        f'{plain(client.client)} <span class="soft">{strange(client.file)}</span>'
        for client in known
    )


def _server(server_report: Report, place: int) -> str:
    warnings = "".join(_warning(tool, tool_sign) for tool, tool_sign in server_report.warnings)
    return f"""<section class="server" id="server-{place}">
<h2>{strange(server_report.server)}</h2>
<p class="soft">{strange(about(server_report))}</p>
{_matrix(server_report) if server_report.tools else ""}
{f"<h3>Warning signs</h3>{warnings}" if warnings else ""}
{tools_of(server_report) if server_report.tools else ""}
</section>
"""


def _matrix(server_report: Report) -> str:
    """How many tools of each category have which risk."""
    head = "".join(f"<th>{risk}</th>" for risk in reversed(Risk))
    rows = "".join(
        f"<tr><th>{category}</th>"
        + "".join(
            f'<td class="some {risk}">{risks[risk]}</td>' if risks[risk] else "<td>·</td>"
            for risk in reversed(Risk)
        )
        + "</tr>"
        for category, risks in server_report.counts().items()
    )
    return (
        f'<div class="wide"><table class="matrix"><thead><tr><th></th>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _warning(tool: SurveyedTool, tool_sign: Sign) -> str:
    return f'<div class="warning"><b>{strange(tool.name)}</b> {sign(tool_sign)}</div>'


def _foot() -> str:
    return (
        f"<footer><p>Made by tipstaff scan {metadata.version('tipstaff')}. It reads definitions and calls no "
        "tool: what a tool is found to be follows from what its server says of it, and no warning sign is "
        "no certificate. <code>tipstaff register</code> pins these definitions and writes rules.</p></footer>"
    )
