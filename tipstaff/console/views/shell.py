"""What every page has around its content: the names of the pages, who looks, the way out. Pure."""

from __future__ import annotations

from types import MappingProxyType

from tipstaff.console.views.forms import Frame, hidden
from tipstaff.console.views.markup import Element, Part, page, tag

PAGES = MappingProxyType(
    {
        "/": "Approvals",
        "/decisions": "Decisions",
        "/servers": "Servers and tools",
        "/limits": "Limits",
        "/policy": "Policy",
        "/audit": "Audit",
    }
)
_KEYS = (
    "Keys: g then a, d, s, l, p or u opens Approvals, Decisions, Servers, Limits, Policy or Audit"
)


def shell(frame: Frame, title: str, *parts: Part, path: str = "", live: str = "") -> bytes:
    """A page for somebody who is logged in; `path` is its own, `live` a word for what it shows."""
    role = "may answer" if frame.person.may_answer else "may look"
    links = [
        tag("a", name, href=target, aria_current="page" if target == path else None)
        for target, name in PAGES.items()
    ]
    return page(
        title,
        tag("a", "Skip to content", href="#content", class_="skip"),
        tag(
            "header",
            tag("nav", links, aria_label="Pages"),
            tag(
                "form",
                tag("span", f"{frame.person.id}, {role} "),
                hidden("token", frame.token),
                tag("button", "Log out", type="submit"),
                method="post",
                action="/logout",
            ),
        ),
        tag("main", *parts, id="content", data_live=live),
        tag("footer", tag("p", _KEYS + ".")),
        head=tag("script", src="/static/console.js", defer=True),
    )


def failure(frame: Frame | None, title: str, text: str) -> bytes:
    """What went wrong, and what to do."""
    body = (
        tag("h1", title),
        tag("p", text, role="alert"),
        tag("p", tag("a", "Approvals", href="/")),
    )
    return page(title, tag("main", *body)) if frame is None else shell(frame, title, *body)


def table(
    caption: str, heads: tuple[str, ...], rows: list[Element], *, body_id: str | None = None
) -> Element:
    """A table that scrolls by itself where it is wider than the page."""
    return tag(
        "div",
        tag(
            "table",
            tag("caption", caption),
            tag("thead", tag("tr", [tag("th", head, scope="col") for head in heads])),
            tag("tbody", rows, id=body_id),
        ),
        class_="wide", tabindex="0", role="region", aria_label=caption,
    )  # fmt: skip


def fields(rows: list[tuple[str, Part]]) -> Element:
    """Names with their values."""
    return tag("dl", [(tag("dt", name), tag("dd", value)) for name, value in rows])


def badge(word: str, name: str = "") -> Element:
    """A short word in a frame."""
    return tag("span", word, class_=f"badge {name}".strip())
