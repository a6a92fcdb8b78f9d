package tests.amazon_mq_test

import data.mcp.lib.calls_test as calls
import data.mcp.main

judged(tool) := answer if {
	answer := main.decision with input as calls.with_fields({"server": "amazon_mq", "target": tool})
}

test_reading_is_allowed if {
	judged("list_brokers").effect == "allow"
}

test_polling_is_limited_to_ten_a_minute if {
	some limit in judged("describe_broker").limits
	[limit.name, limit.scope, limit.max, limit.window] == ["amazon_mq/describe_broker", "session", 10, 60]
}

test_creating_is_checked_by_argument if {
	count(judged("create_broker").checks) == 1
}

test_a_reboot_waits_for_a_person if {
	judged("reboot_broker").reason.code == "approval_required"
}

test_deleting_is_denied_with_a_reason if {
	answer := judged("delete_broker")
	answer.effect == "deny"
	contains(answer.reason.message, "platform team")
}

test_a_tool_without_a_rule_is_denied if {
	judged("purge_everything").effect == "deny"
}
