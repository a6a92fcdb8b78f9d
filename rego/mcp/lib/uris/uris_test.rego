package mcp.lib.uris_test

import data.mcp.lib.uris

test_normal[uri] if {
	some uri, want in {
		"file:///srv/a.txt": "file:///srv/a.txt",
		"FILE:///srv/A.txt": "file:///srv/A.txt",
		"file:/srv/a": "file:///srv/a",
		"file://localhost/srv/a": "file:///srv/a",
		"file://LocalHost/srv/a": "file:///srv/a",
		"file://%6cocalhost/srv/a": "file://localhost/srv/a",
		"file://localhost": "file:///",
		"file://nas/srv/a": "file://nas/srv/a",
		"file://localhost:80/srv/a": "file://localhost:80/srv/a",
		"file:///srv/%61%2Eb%2fc%7e": "file:///srv/a.b%2Fc~",
		"file:///a%2Bb%3A%40%21": "file:///a+b:@!",
		"file:///a%22%25%3f%23%5b": "file:///a%22%25%3F%23%5B",
		"file:///%c3%bc%2541": "file:///%C3%BC%2541",
		"file:///srv/a#b?c": "file:///srv/a",
		"file:///srv/a?b=%41%2b#c": "file:///srv/a?b=A%2B",
		"HTTPS://Host.Example:443/A": "https://host.example/A",
		"http://host:": "http://host/",
		"http://host:8080": "http://host:8080/",
		"https://U%41@Host/a": "https://ua@host/a",
		"https://[::1]:443/a": "https://[::1]/a",
		"users://Ann/A": "users://ann/A",
		"users://Ann:80": "users://ann:80",
		"users://A%2fb%20C": "users://a%2Fb%20c",
		"users://{userId}/a": "users://{userId}/a",
		"Mail:Inbox/%41": "mail:Inbox/A",
		"notes:/a": "notes:///a",
		"notes:?a": "notes:?a",
		"no uri": "no uri",
		"": "",
		"/etc/passwd": "/etc/passwd",
		":a": ":a",
	}
	uris.normal(uri) == want
}

test_normal_is_normal[uri] if {
	some uri in [
		"file://localhost", "FILE:/a%41", "HTTP://A:80?%62", "x:%2b/%2B", "x://A@b:1/%25%34%31", "file:///srv/a",
	]
	normal := uris.normal(uri)
	uris.normal(normal) == normal
}

test_plain[uri] if {
	some uri, want in {
		"file:///srv/a": "file:///srv/a",
		"file:///srv/a/": "file:///srv/a",
		"file:////srv//a": "file:///srv/a",
		"file:///srv%2Fa%2f": "file:///srv/a",
		"file:///srv/a?b#c": "file:///srv/a",
		"file://user@host:80/srv/a": "file:///srv/a",
		"file://[::1]/srv/a": "file:///srv/a",
		"file://localhost./srv/a": "file:///srv/a",
		"file:///": "file:///",
		"file:///?x": "file:///",
		"https://user:word@Host.:8443//a/": "https://host/a",
		"https://a@b@host/": "https://host",
		"https://[::1]:1/a": "https://[::1]/a",
		"users://ann:1@bob:2/a": "users://bob/a",
		"urn:a//b": "urn:a/b",
		"file:///etc/passwd%3fx": "file:///etc/passwd",
		"file:///etc/passwd%23x/y": "file:///etc/passwd",
		"notes://a%2Fsecret//b": "notes://a/secret/b",
		"notes://a%2f/b": "notes://a/b",
		"notes:///a": "notes:///a",
		"no uri": "no uri",
	}
	uris.plain(uri) == want
}

test_what_is_plain_needs_no_second_look[uri] if {
	some uri in ["file:///srv/a.txt", "file:///.git/..a/...b", "https://a.b-c_d/e", "x://a/b:c@d", "x+y://a/b"]
	uris.is_plain(uri)
	uris.is_uri(uri)
	not uris.is_doubtful(uri)
}

test_what_is_not_plain_is_looked_at[uri] if {
	some uri in [
		"", "file:///", "file://nas/a", "file:/a", "file:a", "FILE:///a", "x:///a", "https:///a", "x://a", "x://a/", "x://a//b",
		"x://A/b", "x://a./b", "x://a:1/b", "x://a@b/c", "x://a/b?c", "x://a/b#c", "x://a/%62", "x://a/.", "x://a/../b",
		"x://a/b;c", "x://a/b c", "x://a/b\n", "x://a/{b}", "x:a", "x://a/...",
	]
	not uris.is_plain(uri)
}

test_uri[uri] if {
	some uri in ["file:///a", "a+b-c.1:", "x:%41?y[]=1#z", "https://[::1]:1/;,=@"]
	uris.is_uri(uri)
	uris.is_template(uri)
}

test_no_uri[uri] if {
	some uri in [
		"", "a", "/a", "1a:b", " a:b", "a:b ", "a:\tb", "a:b\n", "a:\u0000", "a:<b>", "a:\"", "a:\\", "a:^", "a:`",
		"a:|", "a:é", "a:%", "a:%4", "a:%4g", "a:{", "a:}", "a:{}", "a:{b c}", "a:\u200b",
	]
	not uris.is_uri(uri)
	not uris.is_template(uri)
}

test_template[uri] if {
	some uri in ["file:///{path}", "a://{+b}/{c,d:3}{?e*}", "{scheme}://x", "{+uri}:"]
	uris.is_template(uri)
	not uris.is_uri(uri)
}

test_doubtful[uri] if {
	some uri in [
		"file:///srv/../etc/passwd",
		"file:///srv/./a",
		"file:///srv/%2e%2e/etc",
		"file:///srv/%2E./etc",
		"file:///srv%2f..%2fetc",
		"file:///srv/a/..",
		"file:///srv/..;x/etc",
		"file:///srv/..%3bx",
		"file:///srv/%20..%20/etc",
		"file:///srv/.%20./etc",
		"file:///srv/..#x",
		"file:///srv/..?x",
		"notes:../etc",
		"notes://../etc",
		"notes:..%2Fetc",
		"../etc",
		"file:///srv\\..\\etc",
		"file:///srv%5Cetc",
		"file:///a%00b",
		"file:///.%09./a",
		"file:///a%0a",
		"file:///a%7F",
		"file:///%252e%252e/a",
		"file:///p%2561sswd",
		"file:///%c0%ae%c0%ae/a",
		"file:etc/passwd",
		"FILE:",
		"https:/host/a",
		"https:host/a",
		"https:///host/a",
		"http://",
		"http:",
		"http:/",
		"http://:80/a",
		"http://?a",
	]
	uris.is_doubtful(uri)
}

test_not_doubtful[uri] if {
	some uri in [
		"file:///srv/a..b", "file:///srv/...", "file:///srv/.git/x", "https://a.b/c?d=../e", "mail://inbox",
		"file:///My%20File", "file:///100%25", "https://host", "http://[::1]/", "file:/a", "file:///", "x:a", "urn:a:b",
		"file:///a%20.b", "file:///%c3%bc",
	]
	not uris.is_doubtful(uri)
}
