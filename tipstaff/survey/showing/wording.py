"""How findings are put for people, wherever they read them: which come first, and in which words. Pure.

What a server wrote comes out on one line, its hidden characters made visible; it is not yet escaped for
any page.
"""

from __future__ import annotations

from tipstaff.common.visible_text import visible
from tipstaff.survey.model import Category, Mark, Risk, Sign
from tipstaff.survey.report import Report, SurveyedTool

_LONGEST_INFO = 60


def about(report: Report) -> str:
    """How many tools, which protocol, what the server calls itself, and where it was asked."""
    listing = report.listing
    info = [listing.server_info.get(key) for key in ("name", "version")]
    calls_itself = " ".join(
        visible(text, _LONGEST_INFO) for text in info if isinstance(text, str) and text
    )
    protocol = f"{listing.era} {visible(listing.version, _LONGEST_INFO)}".strip()
    parts = [
        count(len(report.tools), "tool"),
        protocol,
        calls_itself,
        f"at {visible(report.source)}",
    ]
    return ", ".join(part for part in parts if part)


def is_harmless(tool: SurveyedTool) -> bool:
    """Whether it may be told in passing: a Read of low risk."""
    classification = tool.classification
    return classification.category is Category.READ and classification.risk is Risk.LOW


def marks(tool: SurveyedTool) -> str:
    """Its marks in words; that a call may be made twice, which is no danger, comes last."""
    in_order = sorted(tool.classification.marks, key=lambda mark: mark is Mark.IDEMPOTENT)
    return ", ".join(mark.replace("_", " ") for mark in in_order)


def why(tool: SurveyedTool) -> str:
    """The rationale, what is bad about the tool first: the end is cut."""
    classification = tool.classification
    because, _, bad = visible(classification.rationale).rpartition(f" Risk {classification.risk}: ")
    because = because.removeprefix(f"{classification.category}: ")
    return " ".join(
        f"{sentence[0].upper()}{sentence[1:]}" for sentence in (bad, because) if sentence
    )


def warning(sign: Sign) -> str:
    """A sign in a line: what it is, where, why it matters, and the text there."""
    kind, place = sign.kind.replace("_", " "), visible(sign.place)
    return f"{kind} at {place}: {visible(sign.message)} “{visible(sign.excerpt)}”"


def first_sentence(text: str) -> str:
    """Up to the first full stop that does not stand between backticks."""
    parts = text.split("`")
    for place in range(0, len(parts), 2):
        before, stop, _ = parts[place].partition(". ")
        if stop:
            return "`".join((*parts[:place], before)) + "."
    return text


def count(number: int, what: str) -> str:
    """So many of them."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
