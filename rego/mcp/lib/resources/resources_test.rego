package mcp.lib.resources_test

import data.mcp.lib.calls_test as calls
import data.mcp.lib.resources

servers := {"files": {"resources": {
	"file:///srv/*": {},
	"file:///srv/secret/*": {"action": "deny"},
	"file:///srv/secret/open.txt": {},
	"file:///srv/list/": {"action": "deny"},
	"file:///etc/passwd": {"action": "hide"},
	"https://host/*": {},
	"https://host/a": {"action": "require_approval"},
	"https://host/a?b": {},
	"https://host/limited": {"rate_limit": {"max": 1, "window": 1}},
	"https://host/odd": {"action": "alow"},
	"mail://inbox": {},
}}}

test_key[uri] if {
	some uri, want in {
		"file:///srv/a": "file:///srv/*",
		"file:///srv/": "file:///srv/*",
		"FILE:/srv/a": "file:///srv/*",
		"file://localhost/srv/%61": "file:///srv/*",
		"file:///srv/a%2Fb?c=/etc": "file:///srv/*",
		"file:///srv/secret/a": "file:///srv/secret/*",
		"file:///srv/secret/open.txt": "file:///srv/secret/open.txt",
		"file:///srv/secret/open.txt#x": "file:///srv/secret/open.txt",
		"mail://inbox": "mail://inbox",
		"MAIL://INBOX": "mail://inbox",
		"https://host/a?b#c": "https://host/a?b",
	}
	resources.key(uri, "deny") == want with input as calls.call with data.servers as servers
}

test_no_other_spelling_evades_a_rule_that_refuses[uri] if {
	some uri, want in {
		"file:///srv//secret/a": "file:///srv/secret/*",
		"file:///srv%2Fsecret/a": "file:///srv/secret/*",
		"file:///srv/secret": "file:///srv/secret/*",
		"file:///srv/secret/open.txt?x": "file:///srv/secret/*",
		"file:///srv/list": "file:///srv/list/",
		"file:///etc/passwd?x": "file:///etc/passwd",
		"file:///etc/passwd#x": "file:///etc/passwd",
		"file:///etc/passwd/": "file:///etc/passwd",
		"file:///etc//passwd": "file:///etc/passwd",
		"file:///etc%2Fpasswd": "file:///etc/passwd",
		"file:///etc/passwd%3Fx": "file:///etc/passwd",
		"file:///etc/passwd%23": "file:///etc/passwd",
		"file:///etc/p%61sswd": "file:///etc/passwd",
		"file://other/etc/passwd": "file:///etc/passwd",
		"file://u:p@[::1]:80/etc/passwd": "file:///etc/passwd",
		"https://host/a?c": "https://host/a",
		"https://host/odd?": "https://host/odd",
	}
	every otherwise in ["allow", "require_approval", "deny"] {
		resources.key(uri, otherwise) == want with input as calls.call with data.servers as servers
	}
}

test_the_stricter_of_two_readings_holds if {
	uri := "https://u@HOST.:444//a/"
	key := resources.key(uri, "require_approval") with input as calls.call with data.servers as servers
	key == "https://host/a"
	not resources.key(uri, "deny") with input as calls.call with data.servers as servers
}

test_an_allowance_spreads_to_no_other_spelling[note] if {
	some note, tc in {
		"where the default denies": {"uri": "mail://inbox?x", "otherwise": "deny"},
		"where it hides": {"uri": "mail://u@inbox", "otherwise": "hide"},
		"where it asks": {"uri": "mail://inbox:1/", "otherwise": "require_approval"},
		"to another port": {"uri": "https://host:1/b", "otherwise": "deny"},
	}
	not resources.key(tc.uri, tc.otherwise) with input as calls.call with data.servers as servers
}

test_a_rule_that_allows_with_a_limit_is_not_evaded_either if {
	key := resources.key("https://host/limited?x", "allow") with input as calls.call with data.servers as servers
	key == "https://host/limited"
}

test_no_key[uri] if {
	some uri in ["file:///sr", "mail://inbox/1", "", "file:///"]
	not resources.key(uri, "deny") with input as calls.call with data.servers as servers
}

test_no_key_without[note] if {
	some note, tc in {
		"rules of resources": {"input": calls.call, "servers": {"files": {}}},
		"a server": {"input": calls.without("server"), "servers": servers},
	}
	not resources.key("file:///srv/a", "deny") with input as tc.input with data.servers as tc.servers
}

test_many_rules_are_looked_up_and_find_the_same[uri] if {
	many := {sprintf("x://%d/*", [number]): {} | some number in numbers.range(1, 60)}
	written := object.union(many, servers.files.resources)
	some uri, want in {
		"file:///srv/a": "file:///srv/*",
		"file:///srv/secret/a": "file:///srv/secret/*",
		"file:///etc//passwd": "file:///etc/passwd",
		"x://7/a": "x://7/*",
	}
	resources.key(uri, "allow") == want with input as calls.call with data.servers as {"files": {"resources": written}}
}

test_a_long_uri_is_judged_all_the_same if {
	many := {sprintf("x://%d/*", [number]): {} | some number in numbers.range(1, 1100)}
	uri := concat("", ["x://7/", concat("", [digit | some number in numbers.range(1, 1024); digit := format_int(number % 10, 10)])])
	resources.key(uri, "deny") == "x://7/*" with input as calls.call with data.servers as {"files": {"resources": many}}
}

test_doubtful[note] if {
	some note, tc in {
		"dot segments": {"input": {}, "uri": "file:///srv/../etc"},
		"a blank": {"input": {}, "uri": "file:///a b"},
		"no scheme": {"input": {}, "uri": "/etc/passwd"},
		"a template that is read": {"input": {"method": "resources/read", "phase": "call"}, "uri": "file:///{a}"},
		"a template where nothing is known of the call": {"input": {}, "uri": "file:///{a}"},
	}
	resources.is_doubtful(tc.uri) with input as tc.input
}

test_not_doubtful[note] if {
	some note, tc in {
		"a plain URI": {"input": {}, "uri": "file:///srv/a"},
		"a URI with a triplet": {"input": {}, "uri": "file:///srv/a%20b"},
		"a template in a list": {"input": {"phase": "list"}, "uri": "file:///{a}"},
		"a template that is completed": {"input": {"method": "completion/complete"}, "uri": "file:///{a}"},
	}
	not resources.is_doubtful(tc.uri) with input as tc.input
}

test_strictness if {
	[resources.strictness(action) | some action in ["allow", "require_approval", "deny", "hide", "alow", 5, null]] == [0, 1, 2, 3, 2, 2, 2]
}

complete(target, reference) := {"method": "completion/complete", "target": target, "reference": reference}

test_named[note] if {
	listen := {"method": "subscriptions/listen", "arguments": {"resourceSubscriptions": ["a:1", "b:2"]}}
	some note, tc in {
		"reading": {"input": {"method": "resources/read", "target": "a:1"}, "want": {"a:1"}},
		"subscribing": {"input": {"method": "resources/subscribe", "target": "a:1"}, "want": {"a:1"}},
		"completing a template": {"input": complete("a:{x}", "resource"), "want": {"a:{x}"}},
		"completing what may be one": {"input": complete("a:{x}", ""), "want": {"a:{x}"}},
		"completing a template without a scheme": {"input": complete("{+x}", ""), "want": {"{+x}"}},
		"completing a prompt": {"input": complete("a:1", "prompt"), "want": set()},
		"completing what can only be one": {"input": complete("greet", ""), "want": set()},
		"listening": {"input": listen, "want": {"a:1", "b:2"}},
		"listening to no resource": {"input": {"method": "subscriptions/listen"}, "want": set()},
		"listing resources": {"input": {"method": "resources/list", "target": ""}, "want": set()},
		"listing templates": {"input": {"method": "resources/templates/list", "target": ""}, "want": set()},
		"a tool": {"input": {"method": "tools/call", "target": "a:1"}, "want": set()},
		"no method": {"input": {"target": "a:1"}, "want": set()},
	}
	resources.named == tc.want with input as calls.with_fields(object.union({"arguments": {}}, tc.input))
}

test_what_does_not_say_what_it_completes_may_complete_a_resource if {
	call := {"method": "completion/complete", "target": "a:1"}
	resources.named == {"a:1"} with input as call
}
