# METADATA
# title: The budget of initialize
# description: >
#   A caller that begins a session before every call would have a fresh budget for each, were it not
#   for the limits over all its sessions; and the server would have a new session for each. So to
#   begin is limited by itself: per principal, generously, unless the server's rules say otherwise.
# schemas:
#   - input: schema.input
#   - data.servers: schema.data.servers
# custom:
#   code: rate_limited
package mcp.rules.methods.initialize

import data.mcp.lib.defaults

# METADATA
# description: The server's own budget, each key of it; where it is silent, 300 in a minute.
limit contains object.union_n([defaults.limit, defaults.initialize, own, {"name": name, "rule": path}]) if {
	input.method == "initialize"
	input.phase == "call"
	server := data.servers[input.server]
	own := object.get(server, "initialize", {})
	name := concat(":", [input.server, "initialize"])
	path := concat(".", ["servers", input.server, "initialize"])
}
