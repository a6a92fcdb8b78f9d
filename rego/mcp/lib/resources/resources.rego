# METADATA
# title: Resources
# description: >
#   Finds the rule of a resource: the one of its URI, else the one with the longest beginning of it.
#   A key that ends in `*` is such a beginning.
# schemas:
#   - input: schema.input
#   - data.servers: schema.data.servers
package mcp.lib.resources

import future.keywords.not

# METADATA
# description: The key of the rule that a URI falls under.
key(uri) := uri if written[uri]

key(uri) := longest if {
	not written[uri]
	[_, longest] := max(_beginnings(uri))
}

# METADATA
# description: The server's rules of resources.
written := data.servers[input.server].resources

# METADATA
# description: >
#   A URI that leads elsewhere than it begins: one with dot segments, also encoded ones, or with a
#   backslash. No rule of a beginning can tell what it names.
is_doubtful(uri) if regex.match(`(?i)(^|[/\\]|%2f|%5c)(\.|%2e){1,2}([/\\?#]|%2f|%5c|$)|\\|%5c`, uri)

# METADATA
# description: The URIs that a call names.
named contains input.target if startswith(input.method, "resources/")

named contains input.target if {
	input.method == "completion/complete"
	contains(input.target, ":")
}

named contains uri if {
	input.method == "subscriptions/listen"
	some uri in input.arguments.resourceSubscriptions
}

_beginnings(uri) := {[count(name), name] |
	some name, _ in written
	endswith(name, "*")
	startswith(uri, trim_suffix(name, "*"))
}
