# METADATA
# title: Resources
# description: >
#   Finds the rule of a resource: the rule of its URI, else the rule of the longest beginning of it. A key
#   that ends in `*` is a beginning. Keys are URIs in their normal form (`mcp.lib.uris`).
# schemas:
#   - input: schema.input
#   - data.servers: schema.data.servers
package mcp.lib.resources

import data.mcp.lib.uris
import future.keywords.not

# METADATA
# description: >
#   The key of the rule that applies to a URI, where `otherwise` is the action of a URI without a rule. A rule
#   of exactly this URI applies. Else the URI is judged as it is, and as the plainest URI that a server may take it
#   for, and the stricter rule applies: a denial is not evaded by other spellings, an allow does not spread to them.
key(uri, otherwise) := exact if {
	exact := uris.normal(uri)
	written[exact]
} else := plainest if {
	plainest := _plainest(uri)
	strictness(_action(plainest)) >= strictness(_action_as_written(uri, otherwise))
} else := _longest(uris.normal(uri))

# METADATA
# description: The server's rules of resources.
written := data.servers[input.server].resources

# METADATA
# description: The rank of an action by strictness; an unknown action ranks as a denial.
strictness(action) := object.get({"allow": 0, "require_approval": 1, "hide": 3}, action, 2)

# METADATA
# description: Whether no rule can tell what the URI names.
is_doubtful(uri) if {
	not uris.is_plain(uri)
	uris.is_doubtful(uri)
}

is_doubtful(uri) if {
	not uris.is_plain(uri)
	not _is_well_formed(uri)
}

# METADATA
# description: The URIs that a call names.
named contains input.target if input.method in {"resources/read", "resources/subscribe", "resources/unsubscribe"}

named contains input.target if {
	input.method == "completion/complete"
	is_completed
}

named contains uri if {
	input.method == "subscriptions/listen"
	some uri in input.arguments.resourceSubscriptions
}

# METADATA
# description: Whether the call completes a resource, or, without a reference, what may be one.
is_completed if {
	input.method == "completion/complete"
	input.reference == "resource"
}

is_completed if {
	input.method == "completion/complete"
	not input.reference in {"prompt", "resource"}
	regex.match(`[:{]`, input.target)
}

_is_well_formed(uri) if uris.is_uri(uri)

_is_well_formed(uri) if {
	_may_be_template
	uris.is_template(uri)
}

_may_be_template if input.phase == "list"

_may_be_template if input.method == "completion/complete"

_action(name) := object.get(written[name], "action", "allow")

_action_as_written(uri, _) := _action(_longest(uris.normal(uri)))

_action_as_written(uri, otherwise) := otherwise if not _longest(uris.normal(uri))

# The plainest URI with and without a slash at its end, and as the folder of a beginning: servers may treat them alike.
_plainest(uri) := name if {
	name := uris.plain(uri)
	written[name]
} else := name if {
	name := concat("", [uris.plain(uri), "/"])
	written[name]
} else := name if {
	name := concat("", [uris.plain(uri), "/*"])
	written[name]
} else := _longest(uris.plain(uri))

# With many rules, each beginning of the URI is looked up; with few rules, each rule is compared. So ten thousand rules
# cost a URI of usual length no more than as many rules as it has characters.
_longest(uri) := longest if {
	_is_looked_up(uri)
	[_, longest] := max({[length, name] |
		some length in numbers.range(1, count(uri))
		name := concat("", [substring(uri, 0, length), "*"])
		written[name]
	})
}

_longest(uri) := longest if {
	not _is_looked_up(uri)
	[_, longest] := max({[count(name), name] |
		some name, _ in written
		endswith(name, "*")
		startswith(uri, trim_suffix(name, "*"))
	})
}

_is_looked_up(uri) if {
	count(uri) < 1024
	count(written) > count(uri)
}
