# METADATA
# title: Defaults
# description: What an element of a rule means where it is silent.
package mcp.lib.defaults

# METADATA
# description: A budget counts per agent session, exactly, one unit a call, and denies when its store is away.
limit := {"scope": "session", "algorithm": "sliding_log", "cost": 1, "on_store_error": "deny"}

# METADATA
# description: To begin a session is counted per principal; a crowd behind one address fits into this.
initialize := {"scope": "principal", "max": 300, "window": 60}
