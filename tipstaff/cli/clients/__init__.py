"""What MCP clients are told, and where they keep it."""
