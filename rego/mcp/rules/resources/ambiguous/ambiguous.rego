# METADATA
# title: Ambiguous resource
# description: >
#   Where rules name the beginnings of URIs, a URI that leads out of its beginning cannot be judged by it.
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
	some name, _ in resources.written
	endswith(name, "*")
	message := "the URI has dot segments or backslashes, so that it cannot be told what it names"
}
