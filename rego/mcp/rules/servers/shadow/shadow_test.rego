package mcp.rules.servers.shadow_test

import data.mcp.lib.calls_test as calls
import data.mcp.main
import data.mcp.rules.servers.shadow

in_shadow(text) := {"files": object.union(text, {"shadow": true})}

decide(call, text, site) := answer if {
	answer := main.decision with input as call with data.servers as text with data.site as site
}

read := {"method": "resources/read", "target": "file:///srv/a"}

listen := {"method": "subscriptions/listen", "target": "", "arguments": {"resourceSubscriptions": ["file:///srv/a"]}}

asks := {"direction": "to_client", "target": ""}

# Each place of a rule, and a call that the rule applies to.
places := {
	"a tool's": {"path": ["tools", "read"], "call": {}},
	"a category's": {"path": ["categories", "Write"], "call": {"target": "save", "tool": {"category": "Write"}}},
	"a resource's": {"path": ["resources", "file:///srv/a"], "call": read},
	"a beginning's": {"path": ["resources", "file:///srv/*"], "call": read},
	"a beginning's, of a doubtful URI": {
		"path": ["resources", "file:///srv/*"],
		"call": object.union(read, {"target": "file:///srv/../a"}),
	},
	"a listened resource's": {"path": ["resources", "file:///srv/a"], "call": listen},
	"a prompt's": {"path": ["prompts", "greet"], "call": {"method": "prompts/get", "target": "greet"}},
	"a completed prompt's": {"path": ["prompts", "greet"], "call": {"method": "completion/complete", "target": "greet"}},
	"a method's": {"path": ["methods", "sampling/createMessage"], "call": object.union(asks, {"method": "sampling/createMessage"})},
	"a protocol method's": {"path": ["methods", "tools/list"], "call": {"method": "tools/list", "target": ""}},
	"initialize's": {"path": ["methods", "initialize"], "call": {"method": "initialize", "target": ""}},
	"another's": {"path": ["tools", "other"], "call": {}},
}

demands := {"rate_limit": [{"max": 1, "window": 1}, {"max": 9, "window": 60, "shadow": false}], "arguments": {"type": "object"}}

texts := [
	{},
	demands,
	{"action": "allow", "arguments": "declared"},
	{"action": "deny"},
	{"action": "deny", "reason": "Not here."},
	{"action": "hide"},
	{"action": "require_approval"},
	object.union(demands, {"action": "require_approval", "reason": "Ask."}),
]

defaults := [{}, {"default": "allow"}, {"default": "deny"}, {"default": "hide"}, {"default": "require_approval"}]

# Where a rule applies, the default contributes nothing.
defaults_for(note) := defaults if note in {"another's", "a listened resource's"}

defaults_for(note) := [{"default": "deny"}] if not note in {"another's", "a listened resource's"}

budgets := {"limits": [{"name": "all", "max": 5, "window": 60}], "initialize": {"max": 1, "window": 60}}

cases contains {"note": [note, text, fallback], "call": calls.with_fields(place.call), "text": whole} if {
	some note, place in places
	some text in texts
	some fallback in defaults_for(note)
	[section, name] := place.path
	whole := object.union_n([fallback, budgets, {section: {name: text}}])
}

test_for_any_rule_the_call_passes_and_the_findings_are_what_would_have_been_decided if {
	count(cases) == 160
	every tc in cases {
		enforced := decide(tc.call, {"files": tc.text}, {})
		watched := decide(tc.call, in_shadow(tc.text), {})
		[watched.effect, watched.hidden, watched.rule] == ["allow", false, "servers.files.shadow"]
		findings(enforced) == {finding | some finding in watched.shadow; is_decisive(finding, enforced)}
		count(watched.shadow) <= 2 # a doubtful URI, and its rule
		every demanded in [[enforced.limits, watched.limits], [enforced.checks, watched.checks]] {
			is_watched(demanded, enforced.effect)
		}
	}
}

findings(enforced) := set() if enforced.effect == "allow"

findings(enforced) := {object.union(enforced.reason, {"effect": enforced.effect, "rule": rule_of(enforced)})} if {
	enforced.effect != "allow"
}

# An enforced default contributes nothing to a call that nothing permits, so that no rule of its own decides.
rule_of(enforced) := "servers.files.default" if enforced.rule == "mcp.main"

rule_of(enforced) := enforced.rule if enforced.rule != "mcp.main"

# One rule decides a denial or a hold, though others may contribute the same.
is_decisive(finding, enforced) if {
	enforced.effect == "deny"
	finding.rule == rule_of(enforced)
}

is_decisive(_, enforced) if enforced.effect != "deny"

# An enforced denial carries no limits and checks; in shadow they are contributed all the same, marked as shadow.
is_watched([_, watched], "deny") if {
	every one in watched { one.shadow == true }
}

is_watched([enforced, watched], effect) if {
	effect != "deny"
	{object.union(one, {"shadow": true}) | some one in enforced} == {one | some one in watched}
}

test_false_is_as_if_it_were_not_there[note] if {
	some note, value in {"false": false, "text": "true", "a number": 1, "null": null}
	text := {"tools": {"read": {"action": "deny"}}}
	decide(calls.call, {"files": object.union(text, {"shadow": value})}, {}) == decide(calls.call, {"files": text}, {})
}

test_another_server_is_enforced if {
	text := object.union(in_shadow({}), {"mail": {"tools": {"read": {"action": "deny"}}}})
	decide(calls.with_fields({"server": "mail"}), text, {}).effect == "deny"
	decide(calls.call, text, {}).effect == "allow"
}

test_what_is_not_the_servers_own_rule_is_enforced[note] if {
	some note, tc in {
		"a tool that has changed": {"call": {"tool": {"changed": true}}, "site": {}, "want": "tool_changed"},
		"a tool that has changed, where a site permits it": {
			"call": {"tool": {"changed": true}},
			"site": {"s": {"permit": [{"code": "fine", "message": "m"}]}},
			"want": "tool_changed",
		},
		"a server without rules": {"call": {"server": "other"}, "site": {}, "want": "unknown_server"},
		"a site's denial": {"call": {}, "site": {"s": {"deny": [{"code": "c", "message": "m"}]}}, "want": "c"},
		"a site's denial in the very words of a rule": {
			"call": {},
			"site": {"s": {"deny": [{"code": "denied_by_rule", "message": "No.", "rule": "servers.files.tools.read"}]}},
			"want": "denied_by_rule",
		},
		"what a site hides": {"call": {}, "site": {"s": {"hidden": [{"code": "c", "message": "m"}]}}, "want": "c"},
		"a denial that says too little": {"call": {}, "site": {"s": {"deny": [{"code": "c"}]}}, "want": "no_permit"},
	}
	answer := decide(calls.with_fields(tc.call), in_shadow({"tools": {"read": {"action": "deny", "reason": "No."}}}), tc.site)
	[answer.effect, answer.reason.code] == ["deny", tc.want]
	[answer.limits, answer.checks, answer.obligations] == [[], [], []]
}

test_a_changed_tool_is_in_no_list if {
	call := calls.with_fields({"phase": "list", "tool": {"changed": true}})
	answer := decide(call, in_shadow({"default": "allow"}), {})
	[answer.effect, answer.hidden] == ["deny", true]
}

test_what_a_site_demands_is_enforced if {
	limit := {"name": "n", "max": 1, "window": 60}
	site := {"s": {
		"limit": [limit],
		"check": [{"schema": {}}, {"schema": {"type": "object"}, "shadow": true}],
		"obligation": [{"type": "redact"}],
	}}
	answer := decide(calls.call, in_shadow({"limits": [limit]}), site)
	answer.effect == "allow"
	{[one.name, object.get(one, "shadow", false)] | some one in answer.limits} == {["n", false], ["files:n", true]}
	{[one.rule, object.get(one, "shadow", false)] | some one in answer.checks} == {["site.s", false], ["site.s", true]}
	count(answer.obligations) == 1
}

test_a_sites_hold_holds[note] if {
	said := {"code": "approval_required", "message": "Ask.", "rule": "servers.files.tools.read"}
	some note, tc in {
		"where the rules say nothing": {"text": {}, "element": {"code": "c", "message": "m"}, "want": ["c", []]},
		"in the very words of a rule": {
			"text": {"tools": {"read": {"action": "require_approval", "reason": "Ask."}}},
			"element": said,
			"want": ["approval_required", [object.union(said, {"effect": "hold"})]],
		},
	}
	answer := decide(calls.call, in_shadow(tc.text), {"s": {"require_approval": [tc.element]}})
	answer.effect == "hold"
	[answer.reason.code, answer.shadow] == tc.want
}

test_that_nothing_is_enforced_is_what_permits_the_call if {
	answer := decide(calls.call, in_shadow({"default": "allow"}), {"s": {"permit": [{"code": "a", "message": "a"}]}})
	[answer.reason.code, answer.rule] == ["allowed", "servers.files.shadow"]
}

test_a_site_in_shadow_is_recorded_beside_the_rules if {
	site := {"s": {"deny": [{"code": "c", "message": "m", "shadow": true}]}}
	answer := decide(calls.call, in_shadow({"tools": {"read": {"action": "deny"}}}), site)
	answer.effect == "allow"
	{finding.rule | some finding in answer.shadow} == {"site.s", "servers.files.tools.read"}
}

test_a_default_of_deny_gives_way_to_a_site[note] if {
	element := {"code": "c", "message": "m"}
	some note, tc in {
		"that permits": {"site": {"s": {"permit": [element]}}, "want": []},
		"that holds": {"site": {"s": {"require_approval": [element]}}, "want": []},
		"that denies": {"site": {"s": {"deny": [element]}}, "want": []},
		"but not to its shadows": {
			"site": {"s": {"permit": [object.union(element, {"shadow": true})]}},
			"want": ["no_permit"],
		},
		"that says nothing": {"site": {"s": {}}, "want": ["no_permit"]},
	}
	answer := decide(calls.call, in_shadow({"default": "deny"}), tc.site)
	[finding.code | some finding in answer.shadow] == tc.want
}

test_every_call_of_a_batch_is_judged_by_its_own_server if {
	text := object.union(in_shadow({"default": "deny"}), {"mail": {"default": "deny"}})
	asked := {"calls": [calls.with_fields({"server": server}) | some server in ["mail", "files", "mail", "files", "other"]]}
	answers := main.decisions with input as asked with data.servers as text
	[answers[index].effect | some index in [0, 1, 2, 3, 4]] == ["deny", "allow", "deny", "allow", "deny"]
}

test_what_names_too_little_is_not_permitted[note] if {
	some note, call in {
		"no server": calls.without("server"),
		"no method": calls.without("method"),
		"an empty method": calls.with_fields({"method": ""}),
		"nothing": {},
	}
	count(shadow.permit) == 0 with input as call with data.servers as in_shadow({})
	decide(call, in_shadow({"default": "allow"}), {}).effect == "deny"
}

test_what_names_no_more_than_that_is[field] if {
	some field in (object.keys(calls.call) - {"server", "method"})
	count(shadow.permit) == 1 with input as calls.without(field) with data.servers as in_shadow({})
	decide(calls.without(field), in_shadow({"tools": {"read": {"action": "deny"}}}), {}).effect == "allow"
}

test_nothing_is_permitted_of_a_server_that_is_enforced if {
	count(shadow.permit) == 0 with input as calls.call with data.servers as {"files": {}}
}

test_unpermitted[note] if {
	some note, tc in {
		"by default": {"call": calls.call, "text": {"default": "deny"}, "want": 1},
		"without a default": {"call": calls.call, "text": {}, "want": 1},
		"without a target": {"call": calls.without("target"), "text": {}, "want": 1},
		"another default": {"call": calls.call, "text": {"default": "hide"}, "want": 0},
		"a rule that denies": {"call": calls.call, "text": {"tools": {"read": {"action": "deny"}}}, "want": 0},
		"a protocol method": {"call": calls.with_fields({"method": "tools/list"}), "text": {}, "want": 0},
		"no method": {"call": calls.without("method"), "text": {}, "want": 0},
		"no server": {"call": calls.without("server"), "text": {}, "want": 0},
	}
	count(shadow.unpermitted) == tc.want with input as tc.call with data.servers as {"files": tc.text}
}
