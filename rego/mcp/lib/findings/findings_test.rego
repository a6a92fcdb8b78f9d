package mcp.lib.findings_test

import data.mcp.lib.calls_test as calls
import data.mcp.lib.findings

servers := {"files": {"tools": {"read": {}}}}

site(kind) := {"pay": {kind: [{"code": "c", "message": "m"}]}}

named := {"code": "c", "message": "m", "rule": "site.pay"}

test_a_sites_denial_is_named_after_its_package if {
	found := findings.denials with input as calls.call with data.servers as servers with data.site as site("deny")
	named in found
}

test_a_sites_demand_for_approval_is_named_after_its_package if {
	found := findings.holds with input as calls.call
		with data.servers as servers
		with data.site as site("require_approval")
	named in found
}

test_a_sites_permit_is_named_after_its_package if {
	found := findings.permits with input as calls.call with data.servers as servers with data.site as site("permit")
	named in found
}

test_a_sites_rule_may_name_itself if {
	some denial in findings.denials with input as calls.call
		with data.servers as servers
		with data.site as {"pay": {"deny": [{"code": "c", "message": "m", "rule": "mine"}]}}
	denial.rule == "mine"
}

test_to_hide_is_to_deny if {
	some denial in findings.denials with input as calls.call
		with data.servers as servers
		with data.site as {"pay": {"hidden": [{"code": "hidden", "message": "m"}]}}
	denial.hidden == true
}

test_a_sites_budget_is_completed if {
	findings.budgets == {{
		"name": "site.pay",
		"rule": "site.pay",
		"scope": "global",
		"algorithm": "sliding_log",
		"cost": 1,
		"on_store_error": "deny",
		"max": 5,
		"window": 86400,
	}} with input as calls.call
		with data.servers as servers
		with data.site as {"pay": {"limit": [{
			"code": "rate_limited",
			"message": "m",
			"scope": "global",
			"max": 5,
			"window": 86400,
		}]}}
}

test_a_budget_without_a_maximum_is_handed_on_to_be_refused if {
	some budget in findings.budgets with input as calls.call
		with data.servers as servers
		with data.site as {"pay": {"limit": [{"window": 60}]}}
	budget.window == 60
	not budget.max
}

test_a_sites_checks_and_obligations_are_handed_on if {
	site := {"pay": {
		"check": [{"code": "c", "message": "m", "schema": {"type": "object"}}],
		"obligation": [{"code": "c", "message": "m", "type": "redact", "field": "iban"}],
	}}
	checks := findings.checks with input as calls.call with data.servers as servers with data.site as site
	checks == {{"rule": "site.pay", "schema": {"type": "object"}}}
	obligations := findings.obligations with input as calls.call with data.servers as servers with data.site as site
	obligations == {{"type": "redact", "field": "iban"}}
}
