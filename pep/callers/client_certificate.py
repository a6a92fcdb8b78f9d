"""Which name in a client's certificate says who calls (mutual TLS). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def certificate_identity(certificate: Mapping[str, Any]) -> str:
    """The identity in a verified certificate: its first URI, else its first DNS name, else "".

    The common name is not used: RFC 6125 has retired it as an identity.
    """
    names = certificate.get("subjectAltName", ())
    for kind_of_name in ("URI", "DNS"):
        for kind, name in names:
            if kind == kind_of_name:
                return str(name)
    return ""
