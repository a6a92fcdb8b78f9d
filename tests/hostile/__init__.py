"""A hostile server and a hostile caller against a gateway that ten honest callers use.

`python -m tests.hostile --seconds 300` (`make hostile`) runs them and reports. What must hold: every
honest call is answered, the slowest hundredth within a second, no process of the gateway grows or
dies, nothing hidden is shown, and nothing denied is done.

    arena       the gateway, the honest server and its callers, and what is measured
    server      the hostile server over HTTP: every request is answered by another attack
    child       the hostile server over stdio
    caller      the hostile callers: one attack after the other
"""

# What a caller may never see: the description of a hidden tool, and a question that policy denies.
HIDDEN = "CANARY-HIDDEN"
ASKED = "CANARY-ASKED"
# What a server may never get: the denied tool, and what only denied resources are called.
DENIED_TOOL = "delete_all"
HIDDEN_TOOL = "hidden_tool"
SECRET = "secret"
META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/clientInfo": {"name": "arena", "version": "1"},
}
TOOLS = [
    {"name": "echo", "inputSchema": {"type": "object"}},
    {"name": HIDDEN_TOOL, "description": HIDDEN, "inputSchema": {"type": "object"}},
    {"name": DENIED_TOOL, "inputSchema": {"type": "object"}},
]
