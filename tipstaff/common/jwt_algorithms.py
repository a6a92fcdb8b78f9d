"""The signature algorithms of JSON Web Tokens that are believed: those with a public key. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

JWT_ALGORITHMS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        **{f"{family}{size}": ("RSA", "") for family in ("RS", "PS") for size in (256, 384, 512)},
        "ES256": ("EC", "P-256"),
        "ES384": ("EC", "P-384"),
        "ES512": ("EC", "P-521"),
        "EdDSA": ("OKP", "Ed25519"),
    }
)
"""Key type and curve of each signature algorithm of a JWT (RFC 7518 section 3.1, RFC 8037)."""
