package mcp.lib.resources_test

import data.mcp.lib.calls_test as calls
import data.mcp.lib.resources

servers := {"files": {"resources": {
	"file:///srv/*": {},
	"file:///srv/secret/*": {"action": "deny"},
	"file:///srv/secret/open.txt": {},
	"mail://inbox": {},
}}}

test_key[uri] if {
	some uri, want in {
		"file:///srv/a": "file:///srv/*",
		"file:///srv/": "file:///srv/*",
		"file:///srv/secret/a": "file:///srv/secret/*",
		"file:///srv/secret/open.txt": "file:///srv/secret/open.txt",
		"mail://inbox": "mail://inbox",
	}
	resources.key(uri) == want with input as calls.call with data.servers as servers
}

test_no_key[uri] if {
	some uri in ["file:///sr", "mail://inbox/1", "FILE:///srv/a", ""]
	not resources.key(uri) with input as calls.call with data.servers as servers
}

test_no_key_without[note] if {
	some note, tc in {
		"rules of resources": {"input": calls.call, "servers": {"files": {}}},
		"a server": {"input": calls.without("server"), "servers": servers},
	}
	not resources.key("file:///srv/a") with input as tc.input with data.servers as tc.servers
}

test_doubtful[uri] if {
	some uri in [
		"file:///srv/../etc/passwd",
		"file:///srv/./a",
		"file:///srv/%2e%2e/etc",
		"file:///srv/%2E./etc",
		"file:///srv%2f..%2fetc",
		"file:///srv/a/..",
		"file:///srv\\..\\etc",
		"file:///srv%5Cetc",
		"file:///srv/..?x",
		"../etc",
	]
	resources.is_doubtful(uri)
}

test_not_doubtful[uri] if {
	some uri in ["file:///srv/a..b", "file:///srv/...", "file:///srv/.git/x", "https://a.b/c?d=../e", "mail://inbox"]
	not resources.is_doubtful(uri)
}

test_named[note] if {
	listen := {"method": "subscriptions/listen", "arguments": {"resourceSubscriptions": ["a:1", "b:2"]}}
	some note, tc in {
		"reading": {"input": {"method": "resources/read", "target": "a:1"}, "want": {"a:1"}},
		"subscribing": {"input": {"method": "resources/subscribe", "target": "a:1"}, "want": {"a:1"}},
		"completing a template": {"input": {"method": "completion/complete", "target": "a:{x}"}, "want": {"a:{x}"}},
		"completing a prompt": {"input": {"method": "completion/complete", "target": "greet"}, "want": set()},
		"listening": {"input": listen, "want": {"a:1", "b:2"}},
		"listening to no resource": {"input": {"method": "subscriptions/listen"}, "want": set()},
		"a tool": {"input": {"method": "tools/call", "target": "a:1"}, "want": set()},
		"no method": {"input": {"target": "a:1"}, "want": set()},
	}
	resources.named == tc.want with input as calls.with_fields(object.union({"arguments": {}}, tc.input))
}
