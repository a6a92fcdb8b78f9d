"""What the console is made of."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from tipstaff.console.approvals import Approvals
from tipstaff.console.audit import Audit
from tipstaff.console.definitions import Definitions
from tipstaff.console.login.openid_login import OpenIdLogin
from tipstaff.console.news import News
from tipstaff.console.operations import Operations
from tipstaff.console.sessions import People, Sessions


class Parts(Struct, frozen=True):
    """Who may come in, where logins are, what is asked of the decision service, the clocks."""

    approvals: Approvals
    operations: Operations
    definitions: Definitions
    openid: OpenIdLogin | None
    news: News
    sessions: Sessions
    audit: Audit
    state: Path
    port: int
    people: People
    steady: Callable[[], float]
    wall: Callable[[], float]
