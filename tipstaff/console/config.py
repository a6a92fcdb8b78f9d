"""The settings of the console. Pure."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from msgspec import Meta, Struct

from pdp.api.address import is_local
from pdp.api.private import Private

DEFAULT_PORT = 8701


class OpenId(Private, frozen=True, forbid_unknown_fields=True):
    """The section `[console.openid]`: login by an identity provider that speaks OpenID Connect."""

    SECRET = frozenset({"client_secret"})

    issuer: str = ""
    """The provider, by the name that its discovery document has: `https://…`. Empty: nobody logs in so."""
    client_id: str = ""
    """The name under which the console is registered there."""
    client_secret: str = ""
    """What it proves itself by: `env:NAME` or `file:PATH`. Empty for a public client."""
    claim: str = "sub"
    """The claim that names the person as in `[[approvals.people]]`; `email` counts once it is verified."""
    scope: str = "openid"
    """What is asked of the provider; `openid email` where people are named by their mail address."""

    def __post_init__(self) -> None:
        """Refuse settings that would let nobody in, or anybody; raises `ValueError`."""
        if not self.issuer:
            if self.client_id or self.client_secret:
                raise ValueError("client_id has no effect without issuer")
            return
        if not self.client_id:
            raise ValueError("issuer and client_id belong together")
        if "openid" not in self.scope.split():
            raise ValueError("scope must have openid in it")
        if not is_safe(self.issuer) or urlsplit(self.issuer).query:
            raise ValueError(
                "issuer must be an https URL: whoever can read or change it can log in"
            )


class ConsoleConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """The section `[console]`: the page where people watch and decide."""

    port: Annotated[int, Meta(ge=0, le=65535)] = 0
    """The port of 127.0.0.1 at which `tipstaff up` serves the console. 0: `up` does without it."""
    openid: OpenId = OpenId()
    """How people log in by an identity provider."""


def is_safe(url: str) -> bool:
    """Whether nobody else can read what is sent to a URL: https, or this machine."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or 443
    except ValueError:
        return False
    if not host or "@" in parts.netloc or parts.fragment:
        return False
    named = f"[{host}]" if ":" in host else host
    return parts.scheme == "https" or (parts.scheme == "http" and is_local(f"{named}:{port}"))
