package mcp.main_test

import data.mcp.lib.calls_test as calls
import data.mcp.main

servers(rule) := {"files": {"default": "deny", "tools": {"read": rule}}}

decide(rule, site) := answer if {
	answer := main.decision with input as calls.call with data.servers as servers(rule) with data.site as site
}

shape := {"effect", "reason", "rule", "hidden", "limits", "checks", "obligations", "shadow"}

test_effect[note] if {
	some note, tc in {
		"a rule allows": {"rule": {}, "site": {}, "want": ["allow", "allowed"]},
		"a rule denies": {"rule": {"action": "deny"}, "site": {}, "want": ["deny", "denied_by_rule"]},
		"a rule hides": {"rule": {"action": "hide"}, "site": {}, "want": ["deny", "hidden"]},
		"a rule holds": {"rule": {"action": "require_approval"}, "site": {}, "want": ["hold", "approval_required"]},
		"a site's deny overrides an allow": {
			"rule": {},
			"site": {"pay": {"deny": [{"code": "too_much", "message": "m"}]}},
			"want": ["deny", "too_much"],
		},
		"a site's permit does not override a deny": {
			"rule": {"action": "deny"},
			"site": {"pay": {"permit": [{"code": "fine", "message": "m"}]}},
			"want": ["deny", "denied_by_rule"],
		},
		"a deny overrides a demand for approval": {
			"rule": {"action": "require_approval"},
			"site": {"pay": {"deny": [{"code": "too_much", "message": "m"}]}},
			"want": ["deny", "too_much"],
		},
		"a demand for approval overrides an allow": {
			"rule": {},
			"site": {"pay": {"require_approval": [{"code": "ask", "message": "m"}]}},
			"want": ["hold", "ask"],
		},
		"a denial that is only a shadow does not": {
			"rule": {},
			"site": {"pay": {"deny": [{"code": "too_much", "message": "m", "shadow": true}]}},
			"want": ["allow", "allowed"],
		},
		"a shadow that is not literally true is enforced": {
			"rule": {},
			"site": {"pay": {"deny": [{"code": "too_much", "message": "m", "shadow": "yes"}]}},
			"want": ["deny", "too_much"],
		},
		"a denial without a message denies": {
			"rule": {},
			"site": {"pay": {"deny": [{"code": "odd"}]}},
			"want": ["deny", "no_permit"],
		},
	}
	answer := decide(tc.rule, tc.site)
	[answer.effect, answer.reason.code] == tc.want
	object.keys(answer) - {"appearance", "holds"} == shape
}

test_nothing_permits[note] if {
	some note, tc in {
		"an empty input": {"input": {}, "servers": servers({})},
		"an unlisted tool": {"input": calls.with_fields({"target": "other"}), "servers": servers({})},
		"tools that are null": {"input": calls.call, "servers": {"files": {"tools": null}}},
		"a tool that is no rule": {"input": calls.call, "servers": servers(5)},
		"a server that is a number": {"input": calls.call, "servers": {"files": 5}},
		"a default of another kind": {"input": calls.call, "servers": {"files": {"default": ["allow"]}}},
		"no servers": {"input": calls.call, "servers": {}},
	}
	answer := main.decision with input as tc.input with data.servers as tc.servers
	answer.effect == "deny"
	object.keys(answer) == shape
}

test_a_sites_permit_opens_a_server_that_denies_by_default if {
	answer := main.decision with input as calls.with_fields({"target": "other"})
		with data.servers as servers({})
		with data.site as {"pay": {"permit": [{"code": "fine", "message": "m"}]}}
	answer.effect == "allow"
	answer.rule == "site.pay"
}

test_an_allow_and_a_hold_carry_their_budgets_and_checks[effect] if {
	some effect, act in {"allow": "allow", "hold": "require_approval"}
	rule := {"action": act, "rate_limit": {"max": 1, "window": 1}, "arguments": {"type": "object"}}
	answer := decide(rule, {})
	answer.effect == effect
	[count(answer.limits), count(answer.checks)] == [1, 1]
}

test_a_hold_carries_every_rule_that_holds_with_its_terms if {
	ops := {"approvers": ["ops"]}
	answer := decide(
		{"action": "require_approval", "reason": "Ask.", "approval": ops},
		{"pay": {"require_approval": [{"code": "ask", "message": "m"}]}},
	)
	answer.holds == [
		{"rule": "servers.files.tools.read", "code": "approval_required", "message": "Ask.", "approval": ops},
		{"rule": "site.pay", "code": "ask", "message": "m", "approval": {}},
	]
}

test_only_a_hold_carries_holds if {
	object.get(decide({}, {}), "holds", []) == []
	object.get(decide({"action": "deny"}, {}), "holds", []) == []
}

test_a_demand_without_a_member_does_not_drop_out[missing] if {
	some missing in ["code", "message"]
	odd := object.remove({"code": "odd", "message": "m"}, [missing])
	decide({"action": "require_approval"}, {"pay": {"require_approval": [odd]}}).effect == "deny"
}

test_a_demand_in_shadow_adds_no_terms if {
	finding := {"code": "c", "message": "m", "shadow": true}
	answer := decide({"action": "require_approval"}, {"pay": {"require_approval": [finding]}})
	[hold.rule | some hold in answer.holds] == ["servers.files.tools.read"]
}

test_a_deny_carries_none if {
	answer := decide({"action": "deny", "rate_limit": {"max": 1, "window": 1}}, {})
	[count(answer.limits), count(answer.checks)] == [0, 0]
}

test_shadows_are_recorded_with_what_they_would_have_done if {
	finding := {"code": "c", "message": "m", "shadow": true}
	answer := decide({}, {"pay": {"deny": [finding], "require_approval": [finding]}})
	answer.shadow == [
		{"effect": "deny", "code": "c", "message": "m", "rule": "site.pay"},
		{"effect": "hold", "code": "c", "message": "m", "rule": "site.pay"},
	]
}

test_a_hidden_target_is_marked if {
	decide({"action": "hide"}, {}).hidden == true
	decide({"action": "deny"}, {}).hidden == false
}

hiding := {
	"tools": {"read": {"action": "hide"}},
	"prompts": {"read": {"action": "hide"}},
	"resources": {"read:it": {"action": "hide"}, "read:all/*": {"action": "hide"}},
	"categories": {"Destructive": {"action": "hide"}},
}

test_a_hidden_target_appears_as_one_that_nobody_has_named[note] if {
	some note, tc in {
		"a tool": {"hidden": {"target": "read"}, "absent": {"target": "other"}},
		"a tool of a category": {
			"hidden": {"target": "wipe", "tool": {"category": "Destructive", "risk": "high"}},
			"absent": {"target": "other"},
		},
		"a prompt": {
			"hidden": {"method": "prompts/get", "target": "read"},
			"absent": {"method": "prompts/get", "target": "other"},
		},
		"a resource": {
			"hidden": {"method": "resources/read", "target": "read:it"},
			"absent": {"method": "resources/read", "target": "read:other"},
		},
		"a resource by its beginning": {
			"hidden": {"method": "resources/subscribe", "target": "read:all/x"},
			"absent": {"method": "resources/subscribe", "target": "read:other"},
		},
		"a completion": {
			"hidden": {"method": "completion/complete", "reference": "prompt", "target": "read"},
			"absent": {"method": "completion/complete", "reference": "prompt", "target": "other"},
		},
	}
	every default_action in ["deny", "require_approval"] {
		rules := {"files": object.union(hiding, {"default": default_action})}
		hidden := main.decision with input as calls.with_fields(tc.hidden) with data.servers as rules
		absent := main.decision with input as calls.with_fields(tc.absent) with data.servers as rules
		[hidden.effect, hidden.hidden, hidden.reason.code] == ["deny", true, "hidden"]
		hidden.appearance == object.filter(absent, ["effect", "reason", "rule"])
		not "appearance" in object.keys(absent)
	}
}

test_a_hidden_target_appears_as_sites_rules_have_it_too if {
	site := {"all": {"deny": [{"code": "closed", "message": "m"}]}}
	answer := decide({"action": "hide"}, site)
	[answer.reason.code, answer.appearance.reason.code] == ["hidden", "closed"]
}

test_a_hidden_target_has_no_appearance[note] if {
	some note, tc in {
		"where all others are allowed": {"input": calls.call, "default": "allow"},
		"where all others are hidden": {"input": calls.call, "default": "hide"},
		"in a list": {"input": calls.with_fields({"phase": "list"}), "default": "deny"},
		"without a phase": {"input": calls.without("phase"), "default": "deny"},
	}
	answer := main.decision with input as tc.input
		with data.servers as {"files": object.union(hiding, {"default": tc["default"]})}
	answer.hidden == true
	object.keys(answer) == shape
}

test_a_target_that_anything_hides_is_hidden_and_its_reason_told[note] if {
	some note, code in {"a code before the others": "a", "a code after them": "z"}
	answer := decide({"action": "deny"}, {"pay": {"hidden": [{"code": code, "message": "m"}]}})
	[answer.hidden, answer.reason.code] == [true, code]
}

test_every_call_of_a_batch_is_answered_in_its_place if {
	answers := main.decisions with input as {"calls": [calls.call, {}, calls.with_fields({"target": "other"})]}
		with data.servers as servers({})
	[answers[index].effect | some index in [0, 1, 2]] == ["allow", "deny", "deny"]
}

test_a_permit_counts_unless_it_is_only_a_shadow if {
	unlisted := calls.with_fields({"server": "files", "target": "other"})
	permit := {"code": "fine", "message": "m"}
	effects := [answer.effect |
		some element in [permit, object.union(permit, {"shadow": true})]
		answer := main.decision with input as unlisted
			with data.servers as {"files": {}}
			with data.site as {"pay": {"permit": [element]}}
	]
	effects == ["allow", "deny"]
}

test_the_rules_of_the_site_are_silent_when_they_contribute_nothing if {
	answers := main.decisions with input as {"calls": [calls.call]}
		with data.servers as servers({})
		with data.site as {"pay": {"deny": [], "limit": []}}
	answers[0] == object.union(main.decision, {"site_is_silent": true}) with input as calls.call
		with data.servers as servers({})
}

test_the_rules_of_the_site_are_not_silent_whatever_they_contribute[kind] if {
	some kind in ["deny", "hidden", "require_approval", "permit", "limit", "check", "obligation"]
	some element in [false, null, {}, {"code": "c", "message": "m", "shadow": true}]
	call := object.union(calls.call, {"answer_is_known": true})
	answer := main.decisions[0].site_is_silent with input as {"calls": [call]}
		with data.servers as servers({"action": "deny"})
		with data.site as {"quiet": {"deny": []}, "pay": {kind: [element]}}
	answer == false
}

test_a_known_answer_is_not_given_again_while_the_site_is_silent if {
	known := object.union(calls.call, {"answer_is_known": true})
	unknown := object.union(calls.call, {"answer_is_known": "yes"})
	answers := main.decisions with input as {"calls": [known, unknown]}
		with data.servers as servers({})
		with data.site as {"pay": {"deny": []}}
	answers[0] == {"site_is_silent": true}
	answers[1].effect == "allow"
}

test_the_answer_for_a_hidden_target_depends_on_the_site_though_it_is_silent if {
	answers := main.decisions with input as {"calls": [calls.call]}
		with data.servers as servers({"action": "hide"})
	[answers[0].hidden, answers[0].site_is_silent] == [true, false]
}
