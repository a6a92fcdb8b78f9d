# Calls for tests: `call` is complete, `with_fields` changes some of it.
package mcp.lib.calls_test

call := {
	"server": "files",
	"method": "tools/call",
	"phase": "call",
	"direction": "to_server",
	"target": "read",
	"reference": "",
	"arguments": {"path": "/x"},
	"annotations": {},
	"tool": {"category": "", "risk": "", "confidence": 0, "marks": [], "pinned": false, "changed": false},
	"principal": {"id": "anonymous:127.0.0.1", "kind": "anonymous", "claims": {}},
	"session": {"id": "s1", "kind": "cooperative"},
	"client": {"name": "", "version": ""},
	"protocol": {"era": "modern", "version": "2026-07-28"},
	"transport": "http",
	"time": 1790000000000000000,
	"request_id": "r1",
	"is_retry": false,
}

with_fields(fields) := object.union(call, fields)

without(field) := object.remove(call, [field])
