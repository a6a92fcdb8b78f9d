package mcp.rules.yaml_rule.rate_limit_test

import data.mcp.lib.calls_test as calls
import data.mcp.rules.yaml_rule.rate_limit

servers(value) := {"files": {"tools": {"read": {"rate_limit": value}}}}

test_one_budget_has_the_name_of_its_tool_and_every_default if {
	rate_limit.limit == {{
		"name": "files/read",
		"rule": "servers.files.tools.read",
		"scope": "session",
		"algorithm": "sliding_log",
		"cost": 1,
		"on_store_error": "deny",
		"max": 10,
		"window": 60,
	}} with input as calls.call
		with data.servers as servers({"max": 10, "window": 60})
}

test_budgets_of_a_list_are_told_apart if {
	found := rate_limit.limit with input as calls.call
		with data.servers as servers([{"max": 1, "window": 1}, {"max": 9, "window": 60, "scope": "tool"}])
	{budget.name: budget.scope | some budget in found} == {"files/read": "session", "files/read#1": "tool"}
}

test_no_budget[note] if {
	some note, tc in {
		"when a list is looked at": calls.with_fields({"phase": "list"}),
		"without a phase": calls.without("phase"),
		"for another tool": calls.with_fields({"target": "other"}),
		"without a target": calls.without("target"),
	}
	count(rate_limit.limit) == 0 with input as tc with data.servers as servers({"max": 1, "window": 1})
}

test_no_budget_without_a_rate_limit if {
	count(rate_limit.limit) == 0 with input as calls.call with data.servers as {"files": {"tools": {"read": {}}}}
}

test_a_budget_is_named_after_what_it_is_for[want] if {
	some want, fields in {
		"files/resources:file:///srv/*": {"method": "resources/read", "target": "file:///srv/a"},
		"files/prompts:greet": {"method": "prompts/get", "target": "greet"},
		"files/roots/list": {"method": "roots/list", "target": "", "direction": "to_client"},
		"files/wipe": {"target": "wipe", "tool": {"category": "Destructive"}},
	}
	budget := {"rate_limit": {"max": 1, "window": 1}}
	found := rate_limit.limit with input as calls.with_fields(fields)
		with data.servers as {"files": {
			"resources": {"file:///srv/*": budget},
			"prompts": {"greet": budget},
			"methods": {"roots/list": budget},
			"categories": {"Destructive": budget},
		}}
	{one.name | some one in found} == {want}
}
