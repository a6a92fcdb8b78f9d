# METADATA
# title: URIs
# description: >
#   One spelling for each URI, so that a rule need not be written in all of them. This compares text only: which
#   URIs a server, its file system or a name service treat as the same is not known here.
# related_resources:
#   - https://www.rfc-editor.org/rfc/rfc3986#section-6.2
package mcp.lib.uris

import future.keywords.not

# METADATA
# description: >
#   The normal form of a URI: scheme and host in lower case, percent triplets decoded where the character may
#   stand unescaped, others in capitals, and no fragment. `file:/x`, `file:///x` and `file://localhost/x` have
#   one form, and so have a default port and none.
normal(uri) := uri if {
	is_plain(uri)
} else := concat("", [scheme, ":", authority, path, _decoded(query, _unreserved)]) if {
	[_, written, given, rest, query] := _parts(uri)
	scheme := lower(written)
	authority := _authority(scheme, given, rest)
	path := _path(scheme, rest)
} else := uri

# METADATA
# description: >
#   The plainest URI that servers may take the URI for: without query (also with an encoded question mark), user,
#   port, dot behind the host and slash at the end, with one slash for encoded and for repeated slashes; a file URI
#   also without its host.
plain(uri) := uri if {
	is_plain(uri)
} else := concat("", [scheme, ":", regex.replace(regex.replace(place, `([^/])/{2,}`, "$1/"), `([^/])/$`, "$1")]) if {
	[_, scheme, authority, path, _] := _parts(normal(uri))
	from_root := regex.replace(_decoded_first(path), `/{2,}`, "/")
	place := concat("", [_decoded_first(_bare(scheme, authority)), from_root])
} else := uri

# METADATA
# description: Whether the text is a scheme and characters that a URI may hold (RFC 3986), percent triplets whole.
is_uri(text) if regex.match(`^[A-Za-z][A-Za-z0-9+.-]*:([A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*$`, text)

# METADATA
# description: Whether the text is a template of a URI (RFC 6570).
is_template(text) if is_uri(regex.replace(text, `\{[A-Za-z0-9._~:/?#@!$&'()*+,;=%-]+\}`, "x"))

# METADATA
# description: >
#   Whether the URI may lead elsewhere than it begins: it has dot segments (also encoded, with blanks inside or
#   parameters behind), backslashes, encoded control characters, doubly encoded triplets or overlong encodings; or
#   it is a file without a path from the root, or a web address without a host.
is_doubtful(uri) if regex.match(_odd, uri)

_odd := concat("|", [
	`(?i)(^|[/\\:]|%2f)(%20)*(\.|%2e)(%20)*((\.|%2e)(%20)*)?([/\\?#;]|%2f|%3b|$)`,
	`\\|%5c|%[01][0-9a-f]|%7f|%25[0-9a-f]{2}|%c[01]`,
	`^file:([^/]|$)|^(https?|wss?|ftp):(//([/?#:]|$)|/([^/]|$)|[^/]|$)`,
])

# METADATA
# description: >
#   Whether the URI is its own normal form, its own plainest reading, and not doubtful. Most URIs are, and one
#   match proves it.
is_plain(uri) if {
	startswith(uri, "file:///")
	regex.match(concat("", [`^file://`, _plain_path]), uri)
}

is_plain(uri) if {
	not startswith(uri, "file:")
	regex.match(concat("", [`^[a-z][a-z0-9+.-]*://[a-z0-9_-]+(\.[a-z0-9_-]+)*`, _plain_path]), uri)
}

_plain_path := `(/\.*[A-Za-z0-9_~!$&'()*+,=:@-][A-Za-z0-9._~!$&'()*+,=:@-]*)+$`

# Scheme, authority with its slashes, path, query with its question mark (RFC 3986, appendix B).
_parts(uri) := regex.find_all_string_submatch_n(`^([^:/?#]+):(//[^/?#]*)?([^?#]*)(\?[^#]*)?`, uri, 1)[0]

_default_ports := {"http": ":80", "https": ":443", "ws": ":80", "wss": ":443", "ftp": ":21"}

_authority(scheme, given, path) := "//" if {
	given in {"", "//"}
	startswith(path, "/")
} else := "//" if {
	scheme == "file"
	lower(given) == "//localhost"
} else := trim_suffix(trim_suffix(host, port), ":") if {
	port := _default_ports[scheme]
	host := _host(given)
} else := _host(given)

# The name of a template's variable keeps its capitals, and triplets have theirs.
_host(given) := _decoded(given, _unreserved) if contains(given, "{")

_host(given) := _decoded(lower(_decoded(given, _unreserved)), _unreserved) if not contains(given, "{")

_path(scheme, path) := "/" if {
	path == ""
	scheme in (object.keys(_default_ports) | {"file"})
} else := _decoded(path, _in_paths)

# The reading of a server that decodes a URI before it splits it.
_decoded_first(text) := regex.replace(replace(text, "%2F", "/"), `%(3F|23).*`, "")

_bare("file", _) := "//"

_bare(scheme, authority) := trim_right(regex.replace(without_user, `:[0-9]*$`, ""), ".") if {
	scheme != "file"
	without_user := regex.replace(authority, `^//.*@`, "//")
}

_unreserved := `^%(2[DE]|3[0-9]|4[1-9A-F]|5[0-9AF]|6[1-9A-F]|7[0-9AE])$`

_in_paths := `^%(2[146-9A-E]|3[0-9ABD]|4[0-9A-F]|5[0-9AF]|6[1-9A-F]|7[0-9AE])$`

_decoded(text, _) := text if not contains(text, "%")

_decoded(text, characters) := strings.replace_n(spelled, text) if {
	contains(text, "%")
	spelled := {triplet: _spelled(upper(triplet), characters) | some triplet in regex.find_n(`%[0-9A-Fa-f]{2}`, text, -1)}
}

_spelled(triplet, characters) := urlquery.decode(triplet) if regex.match(characters, triplet)

_spelled(triplet, characters) := triplet if not regex.match(characters, triplet)
