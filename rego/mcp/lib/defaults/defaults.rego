# METADATA
# title: Defaults
# description: The values of the fields that a rule leaves out.
package mcp.lib.defaults

# METADATA
# description: A budget counts per agent session, exactly, one unit a call, and denies when its store does not answer.
limit := {"scope": "session", "algorithm": "sliding_log", "cost": 1, "on_store_error": "deny"}

# METADATA
# description: The beginning of a session counts per principal; many users behind one address fit into this.
initialize := {"scope": "principal", "max": 300, "window": 60}
