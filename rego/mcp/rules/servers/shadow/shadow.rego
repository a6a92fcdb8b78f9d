# METADATA
# title: Server in shadow
# description: >
#   With `shadow: true` nothing that is written about a server is enforced. What it says is marked as shadow
#   in `mcp.lib.findings`; here is what lets the calls pass, and what else there is to record.
# schemas:
#   - input: schema.input
package mcp.rules.servers.shadow

import data.mcp.lib.rules

# METADATA
# description: Every call is permitted. A denial that is none of the server's own rules still denies it.
# custom:
#   code: allowed
permit contains {"code": "allowed", "message": "the rules of this server are recorded, not enforced", "rule": path} if {
	rules.server.shadow == true
	input.method != ""
	path := concat(".", ["servers", input.server, "shadow"])
}

# METADATA
# description: >
#   The default would deny the call. Where it is enforced it says nothing, and is outweighed by any permit;
#   but what is not said cannot be recorded.
# custom:
#   code: no_permit
unpermitted contains {"code": "no_permit", "message": "no rule permits this call", "rule": rules.applicable.path} if {
	rules.applicable.is_default
	rules.applicable.rule.action == "deny"
}
