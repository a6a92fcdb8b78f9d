"""The values that the configuration of a server or of tokens may choose from. Pure, and light to load."""

from __future__ import annotations

from typing import Literal

ToolNames = Literal["strict", "any"]
"""Which tool names pass: those that MCP 2025-11-25 recommends, or any text."""

DenialStyle = Literal["result", "error"]
"""How a denied tool call is answered: as a tool result, or as a JSON-RPC error."""
