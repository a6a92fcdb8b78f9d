# METADATA
# title: Action of a YAML rule
# description: The `action` of a rule, and the `default` for every target without a rule.
# schemas:
#   - input: schema.input
package mcp.rules.yaml_rule.action

import data.mcp.lib.rules

# METADATA
# description: A rule allows the call.
# custom:
#   code: allowed
permit contains {"code": "allowed", "message": "a rule permits this call", "rule": rules.applicable.path} if {
	_action == "allow"
}

# METADATA
# description: A rule denies the call. A default of deny needs no rule; nothing permits the call then.
# custom:
#   code: denied_by_rule
deny contains {"code": "denied_by_rule", "message": message, "rule": rules.applicable.path} if {
	_action == "deny"
	not rules.applicable.is_default
	message := object.get(rules.applicable.rule, "reason", "a rule of this server denies this call")
}

# METADATA
# description: A rule hides the target.
# custom:
#   code: hidden
hidden contains {"code": "hidden", "message": message, "rule": rules.applicable.path, "hidden": true} if {
	_action == "hide"
	message := object.get(rules.applicable.rule, "reason", "the target is hidden from this caller")
}

# METADATA
# description: A rule demands that a person approve the call.
# custom:
#   code: approval_required
require_approval contains object.union(element, _terms) if {
	_action == "require_approval"
	message := object.get(rules.applicable.rule, "reason", "a person must approve this call first")
	element := {"code": "approval_required", "message": message, "rule": rules.applicable.path}
}

# The terms of the rule, or those of the file.
_terms := {"approval": rules.applicable.rule.approval} if {
	rules.applicable.rule.approval
} else := {"approval": rules.server.approval} if {
	rules.server.approval
} else := {}

_action := object.get(rules.applicable.rule, "action", "allow")
