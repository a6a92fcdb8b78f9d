"""The forms by which people answer. Pure.

Refuse comes first and Grant last, far apart; nothing is chosen beforehand, and a grant of a critical tool
wants its name.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from tipstaff.console.sessions import Person
from tipstaff.console.views.markup import Element, Part, tag
from tipstaff.console.views.words import PENDING, left, state

_OPEN = (PENDING, "granted")


class Frame(Struct, frozen=True):
    """Who looks, the token of their session's forms, and the time in milliseconds since the epoch."""

    person: Person
    token: str
    now_ms: int


def forms(frame: Frame, call: Any, note: str) -> Part:
    """What the person may do about `call`; `note` is what was written before."""
    word = state(call)
    if word not in _OPEN:
        return None
    if not frame.person.may_answer:
        return tag("p", "You may look, and not answer.")
    if word != PENDING:
        return tag(
            "div", _form(frame, call, "withdraw", "Take the grant back", note), class_="answers"
        )
    return tag(
        "div",
        _form(frame, call, "refuse", "Refuse", note),
        _form(frame, call, "grant", "Grant", note),
        class_="answers",
    )


def _form(frame: Frame, call: Any, what: str, label: str, note: str) -> Element:
    is_grant = what == "grant"
    return tag(
        "form",
        tag("h2", label),
        hidden("token", frame.token),
        hidden("digest", call.digest),
        tag("label", "Note", tag("textarea", note, name="note", rows="2", maxlength="2000")),
        _confirmation(call) if is_grant else None,
        _standing(call) if is_grant else None,
        tag("button", label, type="submit", class_=what, data_slow=is_grant or None),
        method="post",
        action=f"/a/{call.id}/{what}",
    )


def _confirmation(call: Any) -> Part:
    if call.risk != "critical":
        return None
    return tag(
        "label",
        f"This tool is of critical risk. Type its name, {call.target}:",
        tag("input", name="confirm", autocomplete="off", required=True),
    )


def _standing(call: Any) -> Part:
    longest = min((terms.standing_max for terms in call.terms), default=0)
    if not longest or call.risk == "critical":
        return None
    choices = [(0, "this call only")] + [
        (seconds, f"equal calls for {left(seconds * 1000)}")
        for seconds in (300, 3600, 8 * 3600, longest)
        if seconds <= longest
    ]
    options = [tag("option", text, value=str(seconds)) for seconds, text in dict(choices).items()]
    return tag("label", "The grant is for", tag("select", options, name="standing"))


def hidden(name: str, value: str) -> Element:
    """A field that people do not see."""
    return tag("input", type="hidden", name=name, value=value)
