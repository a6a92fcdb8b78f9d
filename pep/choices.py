"""The values that the configuration of a server or of tokens may choose from. Pure, and light to load."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

ToolNames = Literal["strict", "any"]
"""Which tool names pass: those that MCP 2025-11-25 recommends, or any text."""

DenialStyle = Literal["result", "error"]
"""How a denied tool call is answered: as a tool result, or as a JSON-RPC error."""

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
