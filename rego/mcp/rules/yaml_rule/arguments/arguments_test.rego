package mcp.rules.yaml_rule.arguments_test

import data.mcp.lib.calls_test as calls
import data.mcp.rules.yaml_rule.arguments

servers(value) := {"files": {"tools": {"read": {"arguments": value}}}}

test_a_schema_is_handed_on if {
	arguments.check == {{"rule": "servers.files.tools.read", "schema": {"type": "object"}}} with input as calls.call
		with data.servers as servers({"type": "object"})
}

test_the_tools_own_schema_is_named if {
	arguments.check == {{"rule": "servers.files.tools.read", "schema_ref": "declared"}} with input as calls.call
		with data.servers as servers("declared")
}

test_arguments_that_are_missing_are_checked_all_the_same if {
	count(arguments.check) == 1 with input as calls.without("arguments") with data.servers as servers({})
}

test_no_check[note] if {
	some note, tc in {
		"when a list is looked at": calls.with_fields({"phase": "list"}),
		"without a phase": calls.without("phase"),
		"for another tool": calls.with_fields({"target": "other"}),
	}
	count(arguments.check) == 0 with input as tc with data.servers as servers("declared")
}
