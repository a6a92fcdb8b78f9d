# METADATA
# title: Changed tool
# description: A tool that is no longer what was accepted is closed until someone accepts it again.
# schemas:
#   - input: schema.input
package mcp.rules.catalog.changed

# METADATA
# description: The tool's definition differs from its pin.
# custom:
#   code: tool_changed
deny contains {"code": "tool_changed", "message": message, "rule": "mcp.rules.catalog.changed"} if {
	input.tool.changed
	message := "the definition of this tool has changed since it was accepted"
}
