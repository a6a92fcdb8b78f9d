package mcp.rules.resources.subscriptions_test

import data.mcp.lib.calls_test as calls
import data.mcp.rules.resources.subscriptions

rules(action) := {"files": {
	"default": action,
	"resources": {"a:1": {}, "a:2": {"action": "deny"}, "a:3": {"action": "require_approval"}},
}}

listen(uris) := calls.with_fields({
	"method": "subscriptions/listen",
	"target": "",
	"arguments": {"resourceSubscriptions": uris},
})

test_denied[note] if {
	some note, tc in {
		"with one that is denied": {"input": listen(["a:1", "a:2"]), "servers": rules("allow")},
		"with one that a person must approve": {"input": listen(["a:3"]), "servers": rules("allow")},
		"with one that no rule names": {"input": listen(["a:9"]), "servers": rules("deny")},
		"where there is no default": {"input": listen(["a:9"]), "servers": {"files": {}}},
	}
	count(subscriptions.deny) == 1 with input as tc.input with data.servers as tc.servers
}

test_not_denied[note] if {
	some note, tc in {
		"with an allowed one": {"input": listen(["a:1"]), "servers": rules("deny")},
		"with one that the default allows": {"input": listen(["a:9"]), "servers": rules("allow")},
		"with none": {"input": listen([]), "servers": rules("deny")},
		"without arguments": {"input": object.remove(listen(["a:2"]), ["arguments"]), "servers": rules("deny")},
		"another method": {"input": object.union(listen(["a:2"]), {"method": "ping"}), "servers": rules("deny")},
		"without a method": {"input": object.remove(listen(["a:2"]), ["method"]), "servers": rules("deny")},
	}
	count(subscriptions.deny) == 0 with input as tc.input with data.servers as tc.servers
}
