package tests.agentcore_test

import data.mcp.lib.calls_test as calls
import data.mcp.main

judged(tool) := answer if {
	answer := main.decision with input as calls.with_fields({"server": "agentcore", "target": tool})
}

test_generation_is_limited_to_ten_a_minute if {
	some limit in judged("policy_generation_start").limits
	[limit.max, limit.window, limit.scope] == [10, 60, "session"]
}

test_everything_else_is_denied if {
	judged("runtime_delete").reason.code == "no_permit"
}
