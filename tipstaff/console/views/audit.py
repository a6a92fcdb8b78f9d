"""What people did at this console, and answers that were given elsewhere. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tipstaff.console.action import Action
from tipstaff.console.history import ApprovalChange
from tipstaff.console.views.forms import Frame
from tipstaff.console.views.markup import Element, Part, tag
from tipstaff.console.views.shell import badge, shell, table

PATH = "/audit"
_HERE = frozenset({"console", "oidc"})


def audit(frame: Frame, actions: Sequence[Action], answers: Iterable[ApprovalChange]) -> bytes:
    """The page."""
    elsewhere = [answer for answer in answers if answer.proven_by not in _HERE]
    return shell(
        frame,
        "Audit",
        tag("h1", "Audit"),
        tag("h2", "At this console"),
        _actions(actions),
        tag("h2", "Answers that were given elsewhere"),
        _answers(elsewhere),
        path=PATH,
    )


def _actions(actions: Sequence[Action]) -> Part:
    if not actions:
        return tag("p", "Nobody has done anything here yet.")
    heads = ("When", "Who", "What", "To what", "Note", "Outcome")
    return table("Logins and answers, the newest first", heads, [_row(each) for each in actions])


def _row(action: Action) -> Element:
    times = f" ({action.times} times)" if action.times > 1 else ""
    outcome: Part = [badge("not taken", "bad"), f" {action.refused}{times}"] if action.refused else "done"  # fmt: skip
    return tag(
        "tr",
        tag("td", tag("time", action.timestamp, datetime=action.timestamp)),
        tag("td", action.person or "nobody knows"),
        tag("th", action.action, scope="row"),
        tag("td", _object(action.object)),
        tag("td", action.note),
        tag("td", outcome),
    )


def _object(name: str) -> Part:
    return tag("a", name, href=f"/a/{name}") if name.startswith("a-") else name


def _answers(answers: Sequence[ApprovalChange]) -> Part:
    if not answers:
        return tag("p", "None that is remembered.")
    rows = [
        tag(
            "tr",
            tag("td", tag("time", answer.timestamp, datetime=answer.timestamp)),
            tag("td", f"{answer.by} ({answer.proven_by})"),
            tag("th", answer.answer or answer.state, scope="row"),
            tag("td", _object(answer.approval_id)),
            tag("td", answer.note),
        )
        for answer in answers
    ]
    heads = ("When", "Who", "What", "To what", "Note")
    return table("The newest first", heads, rows)
