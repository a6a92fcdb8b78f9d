"""The tools of one server on the page of a survey, each with all that is known of it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tipstaff.survey.classify.attacks import Applied
from tipstaff.survey.classify.schema import properties
from tipstaff.survey.model import Risk, Sign
from tipstaff.survey.report import Report, SurveyedTool, worst_first
from tipstaff.survey.showing.markup import badge, plain, prose, sign, strange
from tipstaff.survey.showing.wording import count, is_harmless, marks, why

_LONGEST_DESCRIPTION = 4000
_MOST_ARGUMENTS = 60
_HEAD = (
    '<div class="tools"><div class="head"><span></span><span>tool</span><span>category</span>'
    "<span>risk</span><span>sure</span></div>"
)
_GRAVE = {Risk.HIGH, Risk.CRITICAL}


def tools_of(server_report: Report) -> str:
    """Every tool of a server, the worst first, each to be opened."""
    warned = {tool.name for tool, _ in server_report.warnings}
    tools = worst_first(server_report.tools)
    harmless = [tool for tool in tools if is_harmless(tool) and tool.name not in warned]
    shown_first = [tool for tool in tools if not is_harmless(tool) or tool.name in warned]
    rest = ""
    if harmless:
        title = f"{count(len(harmless), 'Read')} of low risk"
        rest = (
            f'<details class="more"><summary>{title}</summary>{_each(harmless, warned)}</details>'
        )
    return f"<h3>Tools, the worst first</h3>{_HEAD}{_each(shown_first, warned)}{rest}</div>"


def _each(tools: Iterable[SurveyedTool], warned: set[str]) -> str:
    return "".join(_tool(tool, is_warned_of=tool.name in warned) for tool in tools)


def _tool(tool: SurveyedTool, *, is_warned_of: bool) -> str:
    classification = tool.classification
    grave = " grave" if classification.risk in _GRAVE else ""
    flag = ' <span class="badge sign">warning</span>' if is_warned_of else ""
    marked = f' <span class="marks">{plain(marks(tool))}</span>' if classification.marks else ""
    return f"""<details class="tool{grave}"><summary>
<span class="name">{strange(tool.name)}{flag}{marked}</span><span class="category">{classification.category}</span>
<span>{badge(classification.risk)}</span><span class="sure">{classification.confidence:.0%}</span>
<span class="why">{prose(why(tool))}</span></summary>
<div class="inside">{_signs(tool.signs)}{_description(tool)}{_evidence(tool)}{_attacks(tool.attacks)}</div>
</details>
"""


def _description(tool: SurveyedTool) -> str:
    """What the server says of it: its description, and what its arguments are called."""
    text = tool.definition.get("description")
    description = ""
    if isinstance(text, str) and text.strip():
        lines = text[:_LONGEST_DESCRIPTION].strip().split("\n")
        cut = "\n…" if len(text) > _LONGEST_DESCRIPTION else ""
        shown = "\n".join(strange(line) for line in lines)
        description = f"<h4>What its server says</h4><blockquote>{shown}{cut}</blockquote>"
    names = list(dict.fromkeys(name for name, _ in properties(tool.definition.get("inputSchema"))))
    listed = ", ".join(f"<code>{strange(name)}</code>" for name in names[:_MOST_ARGUMENTS])
    more = f" and {len(names) - _MOST_ARGUMENTS} more" if len(names) > _MOST_ARGUMENTS else ""
    return description + (f"<p>Arguments: {listed}{more}</p>" if names else "<p>No arguments.</p>")


def _evidence(tool: SurveyedTool) -> str:
    rows = "".join(
        f"<tr><td>{plain(evidence.field)}</td><td>{strange(evidence.words)}</td><td>{plain(evidence.says)}</td></tr>"
        for evidence in tool.classification.evidence
    )
    table = (
        f'<div class="wide"><table class="list"><thead><tr><th>where</th><th>the words</th><th>say</th></tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
        if rows
        else ""
    )
    return f"<h4>Why</h4><p>{prose(tool.classification.rationale)}</p>{table}"


def _attacks(attacks: Sequence[Applied]) -> str:
    shown = "".join(
        f'<div class="attack"><b>{prose(attack.name)}</b>'
        f'<p><span class="label">How it looks</span> {prose(attack.looks_like)}</p>'
        f'<p><span class="label">What stops it</span> {prose(attack.stops)}</p>'
        f'<p class="soft">{prose("; ".join(attack.references))}</p></div>'
        for attack in attacks
    )
    return f"<h4>What it is open to</h4>{shown}" if shown else ""


def _signs(signs: Sequence[Sign]) -> str:
    return f"<h4>Signs</h4>{''.join(map(sign, signs))}" if signs else ""
