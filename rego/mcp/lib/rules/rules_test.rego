package mcp.lib.rules_test

import data.mcp.lib.calls_test as calls
import data.mcp.lib.rules

files := {
	"default": "hide",
	"resources": {"file:///srv/*": {}, "file:///t/{id}": {}, "either:x": {"action": "deny"}, "either:y": {}},
	"prompts": {"solo:x": {}, "greet": {}, "read": {}, "either:x": {}, "either:y": {"action": "require_approval"}},
	"methods": {"resources/unsubscribe": {}, "sampling/createMessage": {}, "tools/list": {}, "logging/setLevel": {}},
	"tools": {"read": {"action": "allow"}},
	"categories": {"Destructive": {"action": "deny"}},
}

complete(target, reference) := calls.with_fields({
	"method": "completion/complete",
	"target": target,
	"reference": reference,
})

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
			"input": complete("greet", "prompt"),
			"want": "servers.files.prompts.greet",
		},
		"a template's, to complete its variables": {
			"input": complete("file:///t/{id}", "resource"),
			"want": "servers.files.resources.file:///t/{id}",
		},
		"the default, to complete a prompt that a resource's rule names": {
			"input": complete("file:///t/{id}", "prompt"),
			"want": "servers.files.default",
		},
		"the default, to complete a resource that a prompt's rule names": {
			"input": complete("greet", "resource"),
			"want": "servers.files.default",
		},
		"a prompt's, to complete what can only be one": {
			"input": complete("greet", ""),
			"want": "servers.files.prompts.greet",
		},
		"the default, to complete what may be either and is named in one": {
			"input": complete("file:///t/{id}", ""),
			"want": "servers.files.default",
		},
		"the default, to complete what may be either and is named a prompt": {
			"input": complete("solo:x", ""),
			"want": "servers.files.default",
		},
		"the stricter, to complete what may be either": {
			"input": complete("either:x", ""),
			"want": "servers.files.resources.either:x",
		},
		"its method's, for a resource that another one's rule names": {
			"input": calls.with_fields({"method": "resources/unsubscribe", "target": "either:z?"}),
			"want": "servers.files.methods.resources/unsubscribe",
		},
		"a resource's, in another spelling of it": {
			"input": calls.with_fields({"method": "resources/unsubscribe", "target": "either:x?"}),
			"want": "servers.files.resources.either:x",
		},
		"the stricter, to complete what is said to be something else": {
			"input": complete("either:y", "tool"),
			"want": "servers.files.prompts.either:y",
		},
		"the stricter, to complete what says nothing of itself": {
			"input": object.remove(complete("either:x", ""), ["reference"]),
			"want": "servers.files.resources.either:x",
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
