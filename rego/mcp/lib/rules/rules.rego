# METADATA
# title: The rule that applies
# description: >
#   Finds, by key, the YAML rule that applies to the call: the tool's own, else its category's, else
#   the server's default. Ten rules or ten thousand cost the same.
# schemas:
#   - input: schema.input
#   - data.servers: schema.data.servers
package mcp.lib.rules

import future.keywords.not

# METADATA
# description: Methods that set up or list, and do nothing; allowed unless a rule says otherwise.
protocol_methods := {
	"initialize",
	"server/discover",
	"tools/list",
	"resources/list",
	"resources/templates/list",
	"prompts/list",
	"logging/setLevel",
	"subscriptions/listen",
	"tasks/list",
}

# METADATA
# description: Everything that is written about the server.
server := data.servers[input.server]

# METADATA
# description: The rule's path, its text, and whether it is only the default.
applicable := {"path": path, "rule": own, "is_default": false} if {
	path := concat(".", ["servers", input.server, "tools", input.target])
}

applicable := {"path": path, "rule": category, "is_default": false} if {
	not own
	path := concat(".", ["servers", input.server, "categories", input.tool.category])
}

applicable := {"path": path, "rule": {"action": action}, "is_default": true} if {
	server
	not own
	not category
	input.method != ""
	not input.method in protocol_methods
	action := object.get(server, "default", "deny")
	path := concat(".", ["servers", input.server, "default"])
}

# METADATA
# description: The tool's own rule.
own := data.servers[input.server].tools[input.target] if input.method == "tools/call"

# METADATA
# description: The rule of the tool's category.
category := data.servers[input.server].categories[input.tool.category] if input.method == "tools/call"
