# METADATA
# title: Server in shadow
# description: >
#   With `shadow: true` no YAML rule of a server is enforced. `mcp.lib.findings` marks what these rules
#   contribute as shadow; the rules here let the calls pass, and record the default.
# schemas:
#   - input: schema.input
package mcp.rules.servers.shadow

import data.mcp.lib.rules

# METADATA
# description: Every call is permitted. A denial from elsewhere than the server's own rules still denies it.
# custom:
#   code: allowed
permit contains {"code": "allowed", "message": "the rules of this server are recorded, not enforced", "rule": path} if {
	rules.server.shadow == true
	input.method != ""
	path := concat(".", ["servers", input.server, "shadow"])
}

# METADATA
# description: >
#   The default would deny the call. An enforced default contributes no element, and any permit outweighs
#   it; in shadow it needs an element, so that it can be recorded.
# custom:
#   code: no_permit
unpermitted contains {"code": "no_permit", "message": "no rule permits this call", "rule": rules.applicable.path} if {
	rules.applicable.is_default
	rules.applicable.rule.action == "deny"
}
