# METADATA
# title: Changed tool
# description: >
#   A tool whose definition has changed is closed until a person accepts it again: no list shows it,
#   because its new text might instruct the model, and a call of it is denied with the reason.
# schemas:
#   - input: schema.input
package mcp.rules.catalog.changed

# METADATA
# description: The tool's definition differs from its pin.
# custom:
#   code: tool_changed
deny contains object.union(denial, {"hidden": _is_listed}) if {
	input.tool.changed
	denial := {"code": "tool_changed", "message": _message, "rule": "mcp.rules.catalog.changed"}
}

_message := "the definition of this tool has changed since it was accepted; an operator must accept it first"

default _is_listed := false

_is_listed if input.phase == "list"
