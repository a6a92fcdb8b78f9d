# METADATA
# title: The budget of initialize
# description: >
#   Limits over all sessions of a caller keep it from getting a fresh budget with a new session before
#   every call, but its server would still hold a session for each. So `initialize` has a limit of its
#   own: per principal, generous, unless the server's rules set another.
# schemas:
#   - input: schema.input
#   - data.servers: schema.data.servers
# custom:
#   code: rate_limited
package mcp.rules.methods.initialize

import data.mcp.lib.defaults

# METADATA
# description: The server's own budget; a key that it leaves out is taken from the default, 300 in a minute.
limit contains object.union_n([defaults.limit, defaults.initialize, own, {"name": name, "rule": path}]) if {
	input.method == "initialize"
	input.phase == "call"
	server := data.servers[input.server]
	own := object.get(server, "initialize", {})
	name := concat(":", [input.server, "initialize"])
	path := concat(".", ["servers", input.server, "initialize"])
}
