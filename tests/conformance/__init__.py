"""The MCP conformance suite, run against a server directly and through Tipstaff."""
