# METADATA
# title: The elements that all rules contribute
# description: >
#   Every element that a rule of the library or of the site contributes. The library's rules are named
#   here one by one, because looking them up by pattern doubles the cost of a decision; the site's
#   packages are found by pattern, so that a new one needs no edit anywhere.
# schemas:
#   - input: schema.input
package mcp.lib.findings

import data.mcp.lib.defaults
import data.mcp.rules.catalog.changed
import data.mcp.rules.methods.initialize
import data.mcp.rules.methods.protocol
import data.mcp.rules.resources.ambiguous
import data.mcp.rules.resources.subscriptions
import data.mcp.rules.servers.limits
import data.mcp.rules.servers.shadow
import data.mcp.rules.servers.unknown
import data.mcp.rules.yaml_rule.action
import data.mcp.rules.yaml_rule.arguments
import data.mcp.rules.yaml_rule.rate_limit
import future.keywords.not

# METADATA
# description: Denials, including those that hide the target.
denials := ((action.deny | action.hidden) | (unknown.deny | changed.deny)) | (_resource_denials | _site_denials)

_resource_denials := ambiguous.deny | subscriptions.deny

# METADATA
# description: Demands for approval.
holds := action.require_approval | _site_holds

# METADATA
# description: Permits.
permits := (action.permit | protocol.permit) | _site_permits

# METADATA
# description: Budgets, complete; a site's without a name is named after its package.
budgets := ((rate_limit.limit | limits.limit) | initialize.limit) | _site_budgets

# METADATA
# description: Argument schemas.
checks := arguments.check | _site_checks

# METADATA
# description: What the enforcement point must do with an allow.
obligations contains _plain(element) if some element in data.site[_].obligation

# METADATA
# description: >
#   The findings for a server in shadow: the elements of its YAML rules are marked, to be recorded and not
#   enforced. All other elements stay enforced: changed tools, the site's rules, any other library rule.
watched := {
	"denials": (_marked(_written_denials | _unpermitted) | ((denials - _written_denials) | _site_denials)),
	"holds": (_marked(action.require_approval) | ((holds - action.require_approval) | _site_holds)),
	"permits": shadow.permit,
	"budgets": (_marked(_written_budgets) | ((budgets - _written_budgets) | _site_budgets)),
	"checks": (_marked(arguments.check) | ((checks - arguments.check) | _site_checks)),
}

# Denials of ambiguous URIs and of subscriptions follow from the server's rules of resources.
_written_denials := (action.deny | action.hidden) | (ambiguous.deny | subscriptions.deny)

_written_budgets := (rate_limit.limit | limits.limit) | initialize.limit

_marked(elements) := {object.union(element, {"shadow": true}) | some element in elements}

# A default of deny gives way to any answer of the site's rules.
_unpermitted contains element if {
	not _is_answered_by_site
	some element in shadow.unpermitted
}

_is_answered_by_site if {
	some element in ((_site_permits | _site_holds) | _site_denials)
	object.get(element, "shadow", false) != true
}

# METADATA
# description: Whether a rule of the site contributes anything at all.
# scope: document
site_speaks if some _ in data.site[_].deny

site_speaks if some _ in data.site[_].hidden

site_speaks if some _ in data.site[_].require_approval

site_speaks if some _ in data.site[_].permit

site_speaks if some _ in data.site[_].limit

site_speaks if some _ in data.site[_].check

site_speaks if some _ in data.site[_].obligation

_site_denials contains object.union(_named(name), element) if {
	some name
	some element in data.site[name].deny
}

_site_denials contains object.union_n([_named(name), element, {"hidden": true}]) if {
	some name
	some element in data.site[name].hidden
}

_site_holds contains object.union(_named(name), element) if {
	some name
	some element in data.site[name].require_approval
}

_site_permits contains object.union(_named(name), element) if {
	some name
	some element in data.site[name].permit
}

_site_budgets contains budget if {
	some name
	some element in data.site[name].limit
	rule := _named(name)
	budget := object.union_n([defaults.limit, rule, {"name": rule.rule}, _plain(element)])
}

_site_checks contains object.union(_named(name), _plain(element)) if {
	some name
	some element in data.site[name].check
}

_named(name) := {"rule": concat(".", ["site", name])}

_plain(element) := object.remove(element, ["code", "message"])
