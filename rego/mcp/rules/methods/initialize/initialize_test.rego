package mcp.rules.methods.initialize_test

import data.mcp.lib.calls_test as calls
import data.mcp.rules.methods.initialize

begin := calls.with_fields({"method": "initialize"})

test_to_begin_has_a_budget_of_its_own if {
	found := initialize.limit with input as begin with data.servers as {"files": {}}
	[[one.name, one.scope, one.max, one.window] | some one in found] == [["files:initialize", "principal", 300, 60]]
}

test_the_servers_rules_set_it if {
	found := initialize.limit with input as begin with data.servers as {"files": {"initialize": {"max": 5, "window": 10}}}
	[[one.scope, one.max, one.window, one.rule] | some one in found] == [[
		"principal",
		5,
		10,
		"servers.files.initialize",
	]]
}

test_it_is_left_alone_by[note] if {
	some note, tc in {
		"a tool call": calls.call,
		"a listing": calls.with_fields({"method": "tools/list"}),
		"a look at a list": object.union(begin, {"phase": "list"}),
		"another server": object.union(begin, {"server": "other"}),
		"a call without a method": calls.without("method"),
		"a call without a phase": object.remove(begin, ["phase"]),
		"a call without a server": object.remove(begin, ["server"]),
	}
	count(initialize.limit) == 0 with input as tc with data.servers as {"files": {}}
}
