package mcp.rules.catalog.changed_test

import data.mcp.lib.calls_test as calls
import data.mcp.rules.catalog.changed

test_a_changed_tool_is_denied if {
	some denial in changed.deny with input as calls.with_fields({"tool": {"changed": true}})
	denial.code == "tool_changed"
}

test_not_denied[note] if {
	some note, tc in {"an unchanged tool": calls.call, "a tool of which nothing is known": calls.without("tool")}
	count(changed.deny) == 0 with input as tc
}
