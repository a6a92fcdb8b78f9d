# METADATA
# title: The rule that applies
# description: >
#   Finds, by key, the YAML rule that applies to the call: its target's own, else its category's, else
#   its method's, else the server's default. Ten rules or ten thousand cost the same.
# schemas:
#   - input: schema.input
#   - data.servers: schema.data.servers
package mcp.lib.rules

import data.mcp.lib.resources
import future.keywords.not

# METADATA
# description: >
#   Methods that only set up or list, and those about a task that the enforcement point has found to be
#   the caller's own. They are allowed unless a rule denies them.
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
	"tasks/get",
	"tasks/result",
	"tasks/cancel",
	"tasks/update",
}

# METADATA
# description: All YAML rules of the server.
server := data.servers[input.server]

# METADATA
# description: The rule's path, its text, and whether it is only the default.
applicable := {"path": path, "rule": own, "is_default": false} if {
	path := concat(".", ["servers", input.server, _section, _key])
}

applicable := {"path": path, "rule": category, "is_default": false} if {
	not own
	path := concat(".", ["servers", input.server, "categories", input.tool.category])
}

applicable := {"path": path, "rule": of_method, "is_default": false} if {
	not own
	not category
	path := concat(".", ["servers", input.server, "methods", input.method])
}

applicable := {"path": path, "rule": {"action": action}, "is_default": true} if {
	server
	not own
	not category
	not of_method
	input.method != ""
	not is_protocol
	action := object.get(server, "default", "deny")
	path := concat(".", ["servers", input.server, "default"])
}

# METADATA
# description: The rule of the call's own target, a tool, a resource or a prompt.
own := data.servers[input.server][_section][_key]

# METADATA
# description: The rule of the tool's category.
category := data.servers[input.server].categories[input.tool.category] if input.method == "tools/call"

# METADATA
# description: The rule of the method.
of_method := data.servers[input.server].methods[input.method]

# METADATA
# description: >
#   Whether the call sets up or lists. A request from a server to its client never does.
is_protocol if {
	input.method in protocol_methods
	input.direction == "to_server"
}

# METADATA
# description: The name for budgets of the rule; resources below one beginning share a budget.
subject := input.target if _section == "tools"

subject := concat(":", [_section, _key]) if _section in {"prompts", "resources"}

# The action for a target without a rule of its own that is no tool of a category.
_otherwise := object.get(of_method, "action", "allow")

_otherwise := object.get(server, "default", "deny") if not of_method

_section := {
	"tools/call": "tools",
	"prompts/get": "prompts",
	"resources/read": "resources",
	"resources/subscribe": "resources",
	"resources/unsubscribe": "resources",
}[input.method]

_section := {"prompt": "prompts", "resource": "resources"}[input.reference] if {
	input.method == "completion/complete"
}

# A completion without a reference is judged by the stricter rule of both.
_section := section if {
	input.method == "completion/complete"
	not input.reference in {"prompt", "resource"}
	[_, _, section] := max(_completed)
}

_completed contains [_action_of(rule), 1, "prompts"] if rule := data.servers[input.server].prompts[input.target]

_completed contains [resources.strictness(_otherwise), 0, "prompts"] if {
	not data.servers[input.server].prompts[input.target]
}

_completed contains [_action_of(rule), 1, "resources"] if {
	resources.is_completed
	rule := resources.written[resources.key(input.target, _otherwise)]
}

_completed contains [resources.strictness(_otherwise), 0, "resources"] if {
	resources.is_completed
	not resources.written[resources.key(input.target, _otherwise)]
}

_action_of(rule) := resources.strictness(object.get(rule, "action", "allow"))

_key := input.target if _section != "resources"

_key := resources.key(input.target, _otherwise) if _section == "resources"
