package mcp.lib.rules_test

import data.mcp.lib.calls_test as calls
import data.mcp.lib.rules

files := {
	"default": "hide",
	"tools": {"read": {"action": "allow"}},
	"categories": {"Destructive": {"action": "deny"}},
}

in_category(name) := calls.with_fields({"target": "other", "tool": {"category": name}})

test_applicable[note] if {
	some note, tc in {
		"the tool's own rule": {"input": calls.call, "want": "servers.files.tools.read"},
		"its category's, without one of its own": {
			"input": in_category("Destructive"),
			"want": "servers.files.categories.Destructive",
		},
		"its own, even with a category's": {
			"input": calls.with_fields({"tool": {"category": "Destructive"}}),
			"want": "servers.files.tools.read",
		},
		"the default, without either": {"input": in_category("Read"), "want": "servers.files.default"},
		"the default, for a method that is no tool call": {
			"input": calls.with_fields({"method": "resources/read"}),
			"want": "servers.files.default",
		},
		"the default, when the call names no target": {
			"input": calls.without("target"),
			"want": "servers.files.default",
		},
		"the default, when nothing is known of the tool": {
			"input": object.remove(in_category("Destructive"), ["tool"]),
			"want": "servers.files.default",
		},
	}
	rules.applicable.path == tc.want with input as tc.input with data.servers as {"files": files}
}

test_nothing_applies[note] if {
	some note, tc in {
		"to an unknown server": calls.with_fields({"server": "nowhere"}),
		"to a call that names no server": calls.without("server"),
		"to a protocol method": calls.with_fields({"method": "tools/list"}),
		"to a call without a method": calls.without("method"),
	}
	not rules.applicable with input as tc with data.servers as {"files": files}
}

test_an_absent_default_is_deny if {
	rules.applicable.rule.action == "deny" with input as calls.call with data.servers as {"files": {}}
}
