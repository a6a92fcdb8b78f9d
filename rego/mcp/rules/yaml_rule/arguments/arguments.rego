# METADATA
# title: Argument schema of a YAML rule
# description: The JSON Schema that the arguments must meet, or the tool's own. The decision service validates.
# schemas:
#   - input: schema.input
# custom:
#   code: arguments_invalid
package mcp.rules.yaml_rule.arguments

import data.mcp.lib.rules

# METADATA
# description: A schema written in the rule.
check contains {"rule": rules.applicable.path, "schema": schema} if {
	input.phase == "call"
	schema := rules.applicable.rule.arguments
	schema != "declared"
}

# METADATA
# description: The schema that the tool itself declares.
check contains {"rule": rules.applicable.path, "schema_ref": "declared"} if {
	input.phase == "call"
	rules.applicable.rule.arguments == "declared"
}
