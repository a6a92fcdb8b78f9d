"""The pages that lead in. Pure."""

from __future__ import annotations

from tipstaff.console.views.markup import page, tag


def login(error: str = "", *, has_provider: bool = False) -> bytes:
    """How to get in. The script sends what stands behind `#` in the address, which no server gets to see."""
    return page(
        "Log in",
        tag(
            "main",
            tag("h1", "Tipstaff"),
            tag("p", error, class_="error", role="alert") if error else None,
            tag("p", tag("a", "Log in with your identity provider", href="/login/openid"))
            if has_provider
            else None,
            tag("p", "Run this where Tipstaff runs, and open the address that it prints:"),
            tag("pre", "tipstaff console login"),
            tag(
                "form",
                tag("input", type="hidden", name="secret", value="", id="secret"),
                tag("button", "Log in", type="submit", id="enter", hidden=True),
                method="post",
                action="/login",
                id="login",
            ),
            tag("p", "An address works once, for ten minutes."),
        ),
        head=tag("script", src="/static/console.js", defer=True),
    )


def again(path: str) -> bytes:
    """A page that opens `path` once more: the first visit from another site comes without our cookie."""
    target = f"{path}{'&' if '?' in path else '?'}again=1"
    return page(
        "One moment",
        tag("main", tag("p", tag("a", "Go on", href=target))),
        head=tag("meta", http_equiv="refresh", content=f"0;url={target}"),
    )
