# METADATA
# title: The decision
# description: >
#   Folds the elements of all rules into one decision: any deny denies; else any demand for approval
#   holds; else one permit allows; else nothing permits the call and it is denied.
# schemas:
#   - input: schema.input
#   - data.servers: schema.data.servers
package mcp.main

import data.mcp.lib.findings

# METADATA
# description: What may happen to the call. Always has a value; every failure to reach one is a denial.
# entrypoint: true
# custom:
#   code: no_permit
default decision := {
	"effect": "deny",
	"reason": {"code": "no_permit", "message": "no rule permits this call"},
	"rule": "mcp.main",
	"hidden": false,
	"limits": [],
	"checks": [],
	"obligations": [],
	"shadow": [],
}

# There is one fold. For a server in shadow its input is `findings.watched`.
decision := answer if {
	data.servers[input.server].shadow == true
	found := findings.watched
	answer := _folded with findings.denials as found.denials
		with findings.holds as found.holds
		with findings.permits as found.permits
		with findings.budgets as found.budgets
		with findings.checks as found.checks
} else := _folded

_folded := object.union(_disguise(denial), {
	"effect": "deny",
	"reason": _reason(denial),
	"rule": denial.rule,
	"hidden": object.get(denial, "hidden", false),
	"limits": [],
	"checks": [],
	"obligations": [],
	"shadow": _shadow,
}) if {
	[_, denial] := min(_denials_in_order)
} else := object.union(_demands, {
	"effect": "hold",
	"reason": _reason(hold),
	"rule": hold.rule,
	"holds": holds,
}) if {
	_denials == set()
	hold := min(_holds)
	holds := [_terms(each) | some each in _holds]
	count(holds) == count(_holds) # one that lacks a member must not drop out with its terms
} else := object.union(_demands, {
	"effect": "allow",
	"reason": _reason(permit),
	"rule": permit.rule,
}) if {
	_denials == set()
	_holds == set()
	permit := min(_permits)
}

# METADATA
# description: >
#   One answer per call of a batch, by the call's place; a list would shift on a gap. An answer is the decision, and
#   whether the rules of the site had a part in it. With `answer_is_known` that is all that is asked, unless they have.
# scope: document
# schemas:
#   - input: {}
decisions := {index: answer | some index, call in input.calls; answer := _answer with input as call}

# METADATA
# scope: document
# schemas:
#   - input: {}
_answer := {"site_is_silent": true} if {
	input.answer_is_known == true
	not findings.site_speaks
} else := object.union(decision, {"site_is_silent": _site_is_silent})

# The rules of the site have no part in the decision, so that equal calls get it whatever else these rules read. Of a
# hidden target the site's rules also judge a target that nobody knows.
default _site_is_silent := false

_site_is_silent if {
	not findings.site_speaks
	decision.hidden == false
}

_demands := {
	"hidden": false,
	"limits": findings.budgets,
	"checks": findings.checks,
	"obligations": findings.obligations,
	"shadow": _shadow,
}

# The denial that the caller gets for a hidden target: the same as for one that no rule names. Where such a target
# would be allowed or hidden, the enforcement point answers as for a target that does not exist.
_disguise(denial) := {"appearance": appearance} if {
	denial.hidden == true
	input.phase == "call"
	appearance := _appearance with input.target as "nobody:knows" with input.annotations as {} with input.tool as _unknown_tool
} else := {}

_appearance := {"effect": "deny", "reason": _reason(denial), "rule": denial.rule} if {
	[_, denial] := min(_denials_in_order)
	object.get(denial, "hidden", false) != true
} else := {"effect": "hold", "reason": _reason(hold), "rule": hold.rule} if {
	_denials == set()
	hold := min(_holds)
} else := {"effect": "deny", "reason": {"code": "no_permit", "message": "no rule permits this call"}, "rule": "mcp.main"} if {
	(_denials | _holds) | _permits == set()
}

_unknown_tool := {
	"category": "",
	"risk": "",
	"confidence": 0,
	"marks": [],
	"pinned": false,
	"changed": false,
}

# An element that says `shadow: true` is not enforced; denials and holds are then recorded.
_denials := {denial | some denial in findings.denials; object.get(denial, "shadow", false) != true}

# Denials that hide the target come first: a denial that does not hide must not bring it back into a list.
_denials_in_order := {[object.get(denial, "hidden", false) != true, denial] | some denial in _denials}

_permits := {permit | some permit in findings.permits; object.get(permit, "shadow", false) != true}

_holds := {hold | some hold in findings.holds; object.get(hold, "shadow", false) != true}

_shadow := array.concat(
	[_finding("deny", element) | some element in findings.denials; element.shadow == true],
	[_finding("hold", element) | some element in findings.holds; element.shadow == true],
)

_finding(effect, element) := {
	"effect": effect,
	"code": element.code,
	"message": element.message,
	"rule": element.rule,
}

# What a rule that holds the call demands of its approval; without terms of its own, the usual ones.
_terms(hold) := {
	"rule": hold.rule,
	"code": hold.code,
	"message": hold.message,
	"approval": object.get(hold, "approval", {}),
}

_reason(element) := {"code": element.code, "message": element.message}
