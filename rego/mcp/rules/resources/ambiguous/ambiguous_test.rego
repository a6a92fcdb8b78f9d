package mcp.rules.resources.ambiguous_test

import data.mcp.lib.calls_test as calls
import data.mcp.rules.resources.ambiguous

servers := {"files": {"default": "allow", "resources": {"file:///etc/*": {"action": "deny"}}}}

read(uri) := calls.with_fields({"method": "resources/read", "target": uri})

test_denied[note] if {
	some note, tc in {
		"reading round a beginning": read("file:///srv/../etc/passwd"),
		"subscribing to it": object.union(read("file:///srv/../etc/passwd"), {"method": "resources/subscribe"}),
		"a spelling that evades a rule of one URI": read("file:///x/%2e%2e/etc/passwd"),
		"a control": read("file:///srv/.\t./etc/passwd"),
		"listening to it": calls.with_fields({
			"method": "subscriptions/listen",
			"arguments": {"resourceSubscriptions": ["file:///a", "file:///srv/%2e%2e/etc"]},
		}),
	}
	count(ambiguous.deny) == 1 with input as tc with data.servers as servers
}

test_a_rule_of_one_uri_is_not_evaded_either if {
	count(ambiguous.deny) == 1 with input as read("file:///srv/../etc/passwd")
		with data.servers as {"files": {"resources": {"file:///etc/passwd": {"action": "deny"}}}}
}

test_not_denied[note] if {
	doubtful := read("file:///srv/../etc/passwd")
	some note, tc in {
		"a plain URI": {"input": read("file:///srv/a"), "servers": servers},
		"where no rule names a resource": {"input": doubtful, "servers": {"files": {"resources": {}}}},
		"where there are no rules": {"input": doubtful, "servers": {"files": {}}},
		"a tool of that name": {"input": calls.with_fields({"target": "a/../b"}), "servers": servers},
		"without a target": {"input": object.remove(doubtful, ["target"]), "servers": servers},
		"without a server": {"input": object.remove(doubtful, ["server"]), "servers": servers},
	}
	count(ambiguous.deny) == 0 with input as tc.input with data.servers as tc.servers
}
