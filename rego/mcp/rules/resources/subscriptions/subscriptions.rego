# METADATA
# title: Subscribed resources
# description: >
#   A modern client subscribes to resources in one request (`subscriptions/listen`). The request is
#   denied when the client may not read one of them.
# schemas:
#   - input: schema.input
#   - data.servers: schema.data.servers
package mcp.rules.resources.subscriptions

import data.mcp.lib.resources
import data.mcp.lib.rules

# METADATA
# description: Deny a subscription to a resource that is not simply allowed.
# custom:
#   code: denied_by_rule
deny contains {"code": "denied_by_rule", "message": message, "rule": "mcp.rules.resources.subscriptions"} if {
	input.method == "subscriptions/listen"
	some uri in resources.named
	_action(uri) != "allow"
	message := concat("", ["the resource ", uri, " may not be subscribed to"])
}

_action(uri) := object.get(resources.written[resources.key(uri, _default)], "action", "allow")

_action(uri) := _default if not resources.key(uri, _default)

_default := object.get(rules.server, "default", "deny")
