package mcp.rules.catalog.changed_test

import data.mcp.lib.calls_test as calls
import data.mcp.rules.catalog.changed

of_changed(fields) := calls.with_fields(object.union({"tool": {"changed": true}}, fields))

test_a_changed_tool_is_denied_and_a_list_does_not_show_it[note] if {
	some note, tc in {
		"a call": {"input": of_changed({}), "hidden": false},
		"a look at a list": {"input": of_changed({"phase": "list"}), "hidden": true},
		"without a phase": {"input": object.remove(of_changed({}), ["phase"]), "hidden": false},
	}
	[denial] := [one | some one in changed.deny] with input as tc.input
	[denial.code, denial.hidden] == ["tool_changed", tc.hidden]
}

test_not_denied[note] if {
	some note, tc in {
		"an unchanged tool": calls.call,
		"an unchanged tool in a list": calls.with_fields({"phase": "list"}),
		"a tool of which nothing is known": calls.without("tool"),
		"a tool of which it is not told": object.union(calls.without("tool"), {"tool": object.remove(calls.call.tool, ["changed"])}),
	}
	count(changed.deny) == 0 with input as tc
}
