# METADATA
# title: Unknown server
# description: A server without rules is closed, whatever other rules permit.
# schemas:
#   - input: schema.input
package mcp.rules.servers.unknown

import data.mcp.lib.rules
import future.keywords.not

# METADATA
# description: No rules are loaded for the server.
# custom:
#   code: unknown_server
deny contains {"code": "unknown_server", "message": message, "rule": "mcp.rules.servers.unknown"} if {
	not rules.server
	message := concat("", ["no rules are loaded for the server ", object.get(input, "server", "")])
}
