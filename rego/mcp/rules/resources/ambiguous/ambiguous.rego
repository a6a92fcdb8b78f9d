# METADATA
# title: Ambiguous resource
# description: >
#   Where rules name URIs or their beginnings, one that leads elsewhere than it says cannot be judged by them.
# schemas:
#   - input: schema.input
#   - data.servers: schema.data.servers
package mcp.rules.resources.ambiguous

import data.mcp.lib.resources

# METADATA
# description: Deny it; without such rules the URI means whatever the server takes it for.
# custom:
#   code: uri_ambiguous
deny contains {"code": "uri_ambiguous", "message": message, "rule": "mcp.rules.resources.ambiguous"} if {
	some uri in resources.named
	resources.is_doubtful(uri)
	count(resources.written) > 0
	message := concat("", [
		"the URI has dot segments, backslashes or characters that are encoded twice or allowed in none, ",
		"so that it cannot be told what it names",
	])
}
