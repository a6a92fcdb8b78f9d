package mcp.rules.servers.limits_test

import data.mcp.lib.calls_test as calls
import data.mcp.rules.servers.limits

servers := {"files": {"limits": [{"name": "everything", "scope": "principal", "max": 600, "window": 60}]}}

test_the_servers_budget_is_taken_by[note] if {
	some note, tc in {
		"a tool call": calls.call,
		"reading a resource": calls.with_fields({"method": "resources/read"}),
		"a call that names no target": calls.without("target"),
	}
	found := limits.limit with input as tc with data.servers as servers
	[[budget.name, budget.scope, budget.rule] | some budget in found] == [[
		"files:everything",
		"principal",
		"servers.files.limits.everything",
	]]
}

test_the_servers_budget_is_left_alone_by[note] if {
	some note, tc in {
		"a protocol method": calls.with_fields({"method": "tools/list"}),
		"a question about a task": calls.with_fields({"method": "tasks/get"}),
		"a request of the server": calls.with_fields({"method": "roots/list", "direction": "to_client"}),
		"a call without a direction": calls.without("direction"),
		"a look at a list": calls.with_fields({"phase": "list"}),
		"another server": calls.with_fields({"server": "other"}),
		"a call without a phase": calls.without("phase"),
		"a call without a server": calls.without("server"),
		"a call without a method": calls.without("method"),
	}
	count(limits.limit) == 0 with input as tc with data.servers as servers
}
