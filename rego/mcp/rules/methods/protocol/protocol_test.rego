package mcp.rules.methods.protocol_test

import data.mcp.lib.calls_test as calls
import data.mcp.rules.methods.protocol

test_permitted[method] if {
	some method in ["initialize", "server/discover", "tools/list", "prompts/list", "logging/setLevel", "tasks/get", "tasks/update"]
	count(protocol.permit) == 1 with input as calls.with_fields({"method": method}) with data.servers as {"files": {}}
}

test_not_permitted[note] if {
	some note, tc in {
		"a tool call": {"input": calls.call, "servers": {"files": {}}},
		"an unknown method": {"input": calls.with_fields({"method": "tools/List"}), "servers": {"files": {}}},
		"a server that asks": {
			"input": calls.with_fields({"method": "tasks/get", "direction": "to_client"}),
			"servers": {"files": {}},
		},
		"no direction": {
			"input": object.remove(calls.with_fields({"method": "tools/list"}), ["direction"]),
			"servers": {"files": {}},
		},
		"no method": {"input": calls.without("method"), "servers": {"files": {}}},
		"an unknown server": {"input": calls.with_fields({"method": "tools/list"}), "servers": {}},
	}
	count(protocol.permit) == 0 with input as tc.input with data.servers as tc.servers
}
