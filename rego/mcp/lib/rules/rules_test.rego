package mcp.lib.rules_test

import data.mcp.lib.calls_test as calls
import data.mcp.lib.rules

files := {
	"default": "hide",
	"resources": {"file:///srv/*": {}, "file:///t/{id}": {}},
	"prompts": {"greet": {}, "read": {}},
	"methods": {"sampling/createMessage": {}, "tools/list": {}, "logging/setLevel": {}},
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
		"a resource's, by its beginning": {
			"input": calls.with_fields({"method": "resources/read", "target": "file:///srv/a"}),
			"want": "servers.files.resources.file:///srv/*",
		},
		"a resource's, to subscribe": {
			"input": calls.with_fields({"method": "resources/subscribe", "target": "file:///srv/a"}),
			"want": "servers.files.resources.file:///srv/*",
		},
		"a prompt's, though a tool has that name": {
			"input": calls.with_fields({"method": "prompts/get", "target": "read"}),
			"want": "servers.files.prompts.read",
		},
		"a prompt's, to complete its arguments": {
			"input": calls.with_fields({"method": "completion/complete", "target": "greet"}),
			"want": "servers.files.prompts.greet",
		},
		"a template's, to complete its variables": {
			"input": calls.with_fields({"method": "completion/complete", "target": "file:///t/{id}"}),
			"want": "servers.files.resources.file:///t/{id}",
		},
		"its method's, for a server's request": {
			"input": calls.with_fields({"method": "sampling/createMessage", "direction": "to_client", "target": ""}),
			"want": "servers.files.methods.sampling/createMessage",
		},
		"its method's, for a method that sets up": {
			"input": calls.with_fields({"method": "logging/setLevel", "target": ""}),
			"want": "servers.files.methods.logging/setLevel",
		},
		"the default, for a server's request without a rule": {
			"input": calls.with_fields({"method": "roots/list", "direction": "to_client"}),
			"want": "servers.files.default",
		},
		"the default, for a server that asks with a client's method": {
			"input": calls.with_fields({"method": "tasks/get", "direction": "to_client"}),
			"want": "servers.files.default",
		},
		"the default, for a call that says nothing of its direction": {
			"input": object.remove(calls.with_fields({"method": "tasks/get"}), ["direction"]),
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
		"to a protocol method": calls.with_fields({"method": "prompts/list"}),
		"to a question about a task": calls.with_fields({"method": "tasks/get"}),
		"to a call without a method": calls.without("method"),
	}
	not rules.applicable with input as tc with data.servers as {"files": files}
}

test_an_absent_default_is_deny if {
	rules.applicable.rule.action == "deny" with input as calls.call with data.servers as {"files": {}}
}
