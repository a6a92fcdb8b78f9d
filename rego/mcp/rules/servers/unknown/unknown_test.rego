package mcp.rules.servers.unknown_test

import data.mcp.lib.calls_test as calls
import data.mcp.rules.servers.unknown

test_denied[note] if {
	some note, tc in {
		"a server without rules": {"input": calls.with_fields({"server": "other"}), "servers": {"files": {}}},
		"no server named": {"input": calls.without("server"), "servers": {"files": {}}},
		"no rules at all": {"input": calls.call, "servers": {}},
	}
	some denial in unknown.deny with input as tc.input with data.servers as tc.servers
	denial.code == "unknown_server"
}

test_a_server_with_rules_is_known if {
	count(unknown.deny) == 0 with input as calls.call with data.servers as {"files": {}}
}
