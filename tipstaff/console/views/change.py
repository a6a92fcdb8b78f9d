"""What has changed of a tool since it was accepted, and the form that accepts it. Pure."""

from __future__ import annotations

from tipstaff.console.definitions import Change
from tipstaff.console.views.forms import Frame, hidden
from tipstaff.console.views.markup import Element, Part, tag
from tipstaff.console.views.servers import PATH as SERVERS
from tipstaff.console.views.shell import fields, shell

PATH = "/servers/change"
_KINDS = {"+": "line-new", "-": "line-old", "@": "line-place"}


def change(frame: Frame, listed: Change, error: str = "") -> bytes:
    """The page; `error` is why it was not accepted."""
    rows: list[tuple[str, Part]] = [
        ("Classified as, when it was accepted", listed.was or "not known"),
        ("Classified as, now", listed.now or "not known"),
        ("Definition", tag("code", listed.digest)),
    ]
    return shell(
        frame,
        f"{listed.server} {listed.tool}",
        tag("p", tag("a", "← Servers and tools", href=SERVERS)),
        tag("p", error, class_="error", role="alert") if error else None,
        tag("h1", f"{listed.server} {listed.tool}"),
        tag("p", "The server was asked just now. Until its definition is accepted, the tool cannot be called."),
        fields(rows),
        _signs(listed.signs),
        tag("h2", "What has changed"),
        tag("div", [_line(line) for line in listed.diff.splitlines()], class_="diff"),
        _form(frame, listed),
    )  # fmt: skip


def _signs(signs: tuple[str, ...]) -> Part:
    if not signs:
        return None
    return tag(
        "div",
        tag("p", "This definition has warning signs. Read them before anything else:"),
        tag("ul", [tag("li", sign) for sign in signs]),
        class_="error", role="alert",
    )  # fmt: skip


def _line(line: str) -> Element:
    return tag("code", line, class_=f"line {_KINDS.get(line[:1], '')}".strip())


def _form(frame: Frame, listed: Change) -> Part:
    if not frame.person.may_answer:
        return tag("p", "You may look, and not accept.")
    confirmation = tag(
        "label",
        f"Type the tool's name, {listed.tool}, to accept it in spite of the signs:",
        tag("input", name="confirm", autocomplete="off", required=True),
    )
    return tag(
        "form",
        hidden("token", frame.token),
        hidden("server", listed.server),
        hidden("tool", listed.tool),
        hidden("digest", listed.digest),
        confirmation if listed.signs else None,
        tag("button", "Accept this definition", type="submit", class_="grant", data_slow=True),
        method="post", action="/servers/accept", class_="single",
    )  # fmt: skip
