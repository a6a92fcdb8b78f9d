package mcp.rules.yaml_rule.action_test

import data.mcp.lib.calls_test as calls
import data.mcp.rules.yaml_rule.action

servers(rule) := {"files": {"tools": {"read": rule}}}

defaulting(value) := {"files": {"default": value}}

codes(set) := {element.code | some element in set}

test_permit[note] if {
	some note, tc in {
		"a rule that says allow": servers({"action": "allow"}),
		"a rule that says nothing": servers({}),
		"a default of allow": defaulting("allow"),
	}
	codes(action.permit) == {"allowed"} with input as calls.call with data.servers as tc
}

test_no_permit[note] if {
	some note, tc in {
		"deny": servers({"action": "deny"}),
		"hide": servers({"action": "hide"}),
		"require_approval": servers({"action": "require_approval"}),
		"an action nobody knows": servers({"action": "alow"}),
		"an action that is no text": servers({"action": {"allow": true}}),
		"no default": {"files": {}},
		"a default nobody knows": defaulting("alow"),
		"a default that is no text": defaulting(true),
		"no server": {},
	}
	count(action.permit) == 0 with input as calls.call with data.servers as tc
}

test_a_denial_gives_its_reason if {
	some denial in action.deny with input as calls.call
		with data.servers as servers({"action": "deny", "reason": "Not here."})
	denial == {"code": "denied_by_rule", "message": "Not here.", "rule": "servers.files.tools.read"}
}

test_a_denial_without_a_reason_has_a_message if {
	some denial in action.deny with input as calls.call with data.servers as servers({"action": "deny"})
	denial.message != ""
}

test_a_default_of_deny_leaves_room_for_a_permit if {
	count(action.deny) == 0 with input as calls.call with data.servers as defaulting("deny")
}

test_hidden[note] if {
	some note, tc in {"a rule": servers({"action": "hide"}), "the default": defaulting("hide")}
	codes(action.hidden) == {"hidden"} with input as calls.call with data.servers as tc
}

test_held[note] if {
	some note, tc in {
		"a rule": servers({"action": "require_approval"}),
		"the default": defaulting("require_approval"),
	}
	codes(action.require_approval) == {"approval_required"} with input as calls.call with data.servers as tc
}

test_terms[note] if {
	some note, tc in {
		"of the rule": {"files": {"tools": {"read": {"action": "require_approval", "approval": {"count": 2}}}}},
		"of the rule, before those of the file": {"files": {
			"approval": {"count": 3},
			"tools": {"read": {"action": "require_approval", "approval": {"count": 2}}},
		}},
		"of the file": {"files": {"approval": {"count": 2}, "tools": {"read": {"action": "require_approval"}}}},
		"of the file, for its default": {"files": {"approval": {"count": 2}, "default": "require_approval"}},
	}
	some element in action.require_approval with input as calls.call with data.servers as tc
	element.approval == {"count": 2}
}

test_no_terms_are_none if {
	some element in action.require_approval with input as calls.call
		with data.servers as servers({"action": "require_approval"})
	object.get(element, "approval", "none") == "none"
}

test_missing_fields_permit_nothing[field] if {
	some field in ["server", "method", "target"]
	count(action.permit) == 0 with input as calls.without(field) with data.servers as servers({})
}
