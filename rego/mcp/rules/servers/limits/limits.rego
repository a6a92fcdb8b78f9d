# METADATA
# title: Limits of a server
# description: Budgets that every call to the server takes, beside those of its own rule.
# schemas:
#   - input: schema.input
#   - data.servers: schema.data.servers
# custom:
#   code: rate_limited
package mcp.rules.servers.limits

import data.mcp.lib.defaults
import data.mcp.lib.rules

# METADATA
# description: Each budget under the server's name, so that two servers never share one.
limit contains object.union_n([defaults.limit, budget, {"name": name, "rule": path}]) if {
	input.phase == "call"
	input.direction == "to_server"
	input.method != ""
	not rules.is_protocol
	some budget in data.servers[input.server].limits
	name := concat(":", [input.server, object.get(budget, "name", "")])
	path := concat(".", ["servers", input.server, "limits", object.get(budget, "name", "")])
}
