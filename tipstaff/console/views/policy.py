"""The rules that decide now, and why newer ones do not. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tipstaff.console.history import Revision
from tipstaff.console.views.decisions import clock
from tipstaff.console.views.forms import Frame
from tipstaff.console.views.markup import Part, tag
from tipstaff.console.views.shell import badge, fields, shell, table

PATH = "/policy"


def policy(frame: Frame, status: Any, revisions: Sequence[Revision]) -> bytes:
    """The page."""
    return shell(
        frame,
        "Policy",
        tag("h1", "Policy ", _state(status)),
        tag(
            "div",
            _error(status),
            fields(_facts(status)),
            tag("h2", "Revisions that have decided"),
            _revisions(revisions),
            id="live",
            data_every="5000",
        ),
        path=PATH,
    )


def _state(status: Any) -> Part:
    if not status.ready:
        return badge("judges nothing: every call is denied", "bad")
    if status.stale:
        return badge("older than the files", "bad")
    return badge("current", "state-granted")


def _error(status: Any) -> Part:
    if not status.last_error:
        return None
    return tag(
        "div",
        tag("p", "The newest files are not in force; calls are judged by the rules before them."),
        tag("pre", status.last_error),
        tag("p", "Mend the file: it is taken in by itself. ", tag("code", "tipstaff check"), " tells of it sooner."),
        class_="error", role="alert",
    )  # fmt: skip


def _facts(status: Any) -> list[tuple[str, Part]]:
    return [
        ("Revision in force", tag("code", status.revision) if status.revision else "none"),
        ("Confirmed by the engine", f"{status.age_seconds:.0f} s ago"),
        ("Calls are judged", "yes" if status.ready else "no"),
        ("Files are the same", "no" if status.stale else "yes"),
        ("Answers known from earlier calls", f"{status.known_answers} of {status.questions}"),
    ]


def _revisions(revisions: Sequence[Revision]) -> Part:
    if not revisions:
        return tag("p", "No decision has been made yet.")
    rows = [
        tag(
            "tr",
            tag("th", tag("code", revision.name), scope="row"),
            tag("td", tag("time", clock(revision.first), datetime=revision.first)),
            tag("td", tag("time", clock(revision.last), datetime=revision.last)),
            tag("td", str(revision.decisions)),
        )
        for revision in reversed(revisions)
    ]
    heads = ("Revision", "First decision", "Last decision", "Decisions")
    return table("Revisions, the newest first", heads, rows)
