"""OAuth protected-resource metadata of a server, and challenges. Pure.

RFC 9728: the metadata of `https://host/NAME/mcp` stands at
`https://host/.well-known/oauth-protected-resource/NAME/mcp`, and a challenge names that place.
"""

from __future__ import annotations

import json
from urllib.parse import urlsplit

from pep.config import PepConfig, Server
from pep.errors import CredentialInvalid, CredentialMissing

_WELL_KNOWN = "/.well-known/oauth-protected-resource"


def path(server: Server) -> bytes:
    """The path of the metadata of `server` on this listener."""
    return f"{_WELL_KNOWN}/{server.name}/mcp".encode()


def document(config: PepConfig, server: Server) -> bytes | None:
    """The metadata; `None` for a server that no authorization server gives tokens for."""
    if "jwt" not in config.accepted(server):
        return None
    facts = {
        "resource": config.resource(server),
        "authorization_servers": [config.jwt.issuer],
        "bearer_methods_supported": ["header"],
        "resource_name": server.name,
    }
    return json.dumps(facts).encode()


def challenge(
    config: PepConfig, server: Server, fault: CredentialMissing | CredentialInvalid
) -> bytes:
    """The value of `WWW-Authenticate` (RFC 6750 section 3: no error code without a credential)."""
    parts = []
    if isinstance(fault, CredentialInvalid):
        parts += ['error="invalid_token"', f'error_description="{fault.message}"']
    if "jwt" in config.accepted(server):
        resource = urlsplit(config.resource(server))
        place = f"{resource.scheme}://{resource.netloc}{_WELL_KNOWN}{resource.path}"
        parts.append(f'resource_metadata="{place}"')
    return f"Bearer {', '.join(parts)}".strip().encode()
