# METADATA
# title: Ambiguous resource
# description: >
#   Rules that name URIs or their beginnings cannot judge a URI that may lead elsewhere than it says.
# schemas:
#   - input: schema.input
#   - data.servers: schema.data.servers
package mcp.rules.resources.ambiguous

import data.mcp.lib.resources

# METADATA
# description: Deny an ambiguous URI; without such rules it means whatever the server takes it for.
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
