"""Text for an HTML page, escaped. Pure; every text of a page comes through here.

What a server wrote is a stranger's: its hidden characters are made visible, and it is kept from turning
what stands beside it (`bdi`).
"""

from __future__ import annotations

import html
import re

from tipstaff.common.visible_text import visible
from tipstaff.survey.model import Risk, Sign

_CODE = re.compile(r"`([^`]*)`")


def plain(text: str) -> str:
    """A stranger's text for HTML, where no element may stand."""
    return html.escape(visible(text))


def strange(text: str) -> str:
    """A stranger's text for HTML, which must not turn what stands beside it."""
    return f"<bdi>{plain(text)}</bdi>"


def prose(text: str) -> str:
    """A sentence of ours; what stands between backticks is code."""
    return _CODE.sub(r"<code>\1</code>", plain(text))


def badge(risk: Risk) -> str:
    """A risk in its colour."""
    return f'<span class="badge risk {risk}">{risk}</span>'


def sign(text_sign: Sign) -> str:
    """What a sign is, and the text at its place."""
    kind = plain(text_sign.kind.replace("_", " "))
    return (
        f'<span class="badge sign">{kind}</span> <span class="place">at {strange(text_sign.place)}</span>'
        f"<p>{prose(text_sign.message)}</p><blockquote>{strange(text_sign.excerpt)}</blockquote>"
    )
