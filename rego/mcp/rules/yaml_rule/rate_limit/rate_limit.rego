# METADATA
# title: Rate limit of a YAML rule
# description: The budgets of the rule, one or a list.
# schemas:
#   - input: schema.input
# custom:
#   code: rate_limited
package mcp.rules.yaml_rule.rate_limit

import data.mcp.lib.defaults
import data.mcp.lib.rules

# METADATA
# description: Each budget is named by its place in the list; the first has the name of the target alone.
limit contains object.union_n([defaults.limit, budget, {"name": name, "rule": rules.applicable.path}]) if {
	input.phase == "call"
	some index, budget in _budgets
	name := concat("", [input.server, "/", _subject, _suffix(index)])
}

_subject := rules.subject if rules.own

_subject := input.target if {
	not rules.own
	rules.category
}

_subject := input.method if {
	not rules.own
	not rules.category
}

_budgets := [limits] if {
	limits := rules.applicable.rule.rate_limit
	is_object(limits)
}

_budgets := limits if {
	limits := rules.applicable.rule.rate_limit
	not is_object(limits)
}

_suffix(0) := ""

_suffix(index) := sprintf("#%d", [index]) if index > 0
