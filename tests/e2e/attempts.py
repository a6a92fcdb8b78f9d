"""Attempts to get a call past the rule that denies it, as the bytes that would be sent."""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from tests.proxy_rig import META

MODERN, LEGACY = "2026-07-28", "2025-11-25"
# What an attempt ends as, beside a JSON-RPC error code: a denial that the model reads, or the
# judged bytes at the server.
DENIED, PASSED, EMPTY = "denied", "passed", "empty"

Headers = dict[str, str]


class Attempt(Struct, frozen=True):
    """One attempt: the row of the table it belongs to, its bytes, and the expected answer.

    `code` is a JSON-RPC error code, DENIED, PASSED, or EMPTY for an answer that is no JSON-RPC.
    """

    row: int
    title: str
    data: bytes
    status: int
    code: int | str

    @property
    def body(self) -> bytes:
        return self.data.partition(b"\r\n\r\n")[2]


def call(name: Any = "delete_file", **arguments: Any) -> dict[str, Any]:
    """A modern tools/call."""
    params = {"name": name, "arguments": arguments, "_meta": META}
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}


def text(message: Any) -> bytes:
    return message if isinstance(message, bytes) else json.dumps(message).encode()


def lines(name: str = "delete_file", method: str = "tools/call", **changes: str | None) -> Headers:
    """The header lines of a modern call; `changes` by name, `None` leaves one out."""
    given: dict[str, str | None] = {
        "Host": "127.0.0.1:1",
        "Content-Type": "application/json",
        "Accept": "application/json, text/event-stream",
        "MCP-Protocol-Version": MODERN,
        "Mcp-Method": method,
        "Mcp-Name": name,
        **{key.replace("_", "-"): value for key, value in changes.items()},
    }
    return {key: value for key, value in given.items() if value is not None}


def http(
    body: Any, headers: Headers | None = None, more: str = "", *, verb: str = "POST",
    path: str = "/demo/mcp", length: int | None = -1,
) -> bytes:  # fmt: skip
    """One request; `more` are header lines as they stand, `length` None leaves Content-Length out."""
    content = text(body)
    head = "".join(f"{name}: {value}\r\n" for name, value in (headers or lines()).items())
    if length is not None:
        head += f"Content-Length: {len(content) if length == -1 else length}\r\n"
    return f"{verb} {path} HTTP/1.1\r\n{head}{more}\r\n".encode() + content


def legacy(body: Any, **changes: str | None) -> bytes:
    """The same in the legacy era."""
    given = {"Mcp_Method": None, "Mcp_Name": None, "MCP_Protocol_Version": LEGACY, **changes}
    return http(body, lines(**given))


def legacy_call(name: Any = "delete_file", **more: Any) -> dict[str, Any]:
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": name}}
    return {**message, **more}


DELETE = json.dumps(call()).encode()
ECHO = json.dumps(call("echo")).encode()


def changed(old: bytes, new: bytes) -> bytes:
    """An allowed call with something else in it."""
    assert old in ECHO
    return http(ECHO.replace(old, new, 1), lines("echo"))


def key_attempts() -> Iterator[Attempt]:
    """Rows 1 to 9: keys, methods and names."""
    first = b'"method": "tools/list", "method"'
    yield Attempt(1, "method twice", changed(b'"method"', first), 400, -32700)
    twice = b'"name": "delete_file", "name"'
    yield Attempt(2, "name twice in params", changed(b'"name"', twice), 400, -32700)
    other = b'"na\\u006de": "delete_file", "name"'
    yield Attempt(3, "the same key, escaped", changed(b'"name"', other), 400, -32700)
    long_s = '"param\u017f": {"name": "delete_file"}, "params"'.encode()
    yield Attempt(4, "a key with a long s", changed(b'"params"', long_s), 400, -32600)
    kelvin = b'"to\\u212Aen": 1, "progressTo\\u212Aen": 1, "io.model'
    yield Attempt(4, "a key with a Kelvin sign", changed(b'"io.model', kelvin), 400, -32600)
    yield Attempt(4, "a key in capitals", changed(b'"name"', b'"NAME": "x", "name"'), 400, -32600)
    for key in ("name ", "name\u200b", "na\u00adme", "\tname", "_name"):
        beside = json.dumps(key).encode() + b': "delete_file", "name"'
        yield Attempt(4, f"the key {key!r}", changed(b'"name"', beside), 400, -32600)
    for method in ("Tools/Call", "tools/call ", "tools//call", "./tools/call", "tools/call\x00"):
        spelled = DELETE.replace(b'"tools/call"', json.dumps(method).encode())
        title = f"method {method!r}"
        told = lines(method=method.strip("\x00"))
        yield Attempt(5, title, http(spelled, told), 404, -32601)
        yield Attempt(5, f"{title}, legacy", legacy(spelled.replace(b"_meta", b"_other")), 200, -32601)  # fmt: skip
    unknown = DELETE.replace(b'"tools/call"', b'"vendor/run"')
    yield Attempt(6, "an unknown method", http(unknown, lines(method="vendor/run")), 404, -32601)
    wrong = lines("Delete_File")
    yield Attempt(7, "the name in the wrong case", http(call("Delete_File"), wrong), 200, DENIED)
    for name in (7, ["delete_file"], {"a": 1}, None, True, ""):
        title = f"the name as {json.dumps(name)}"
        yield Attempt(8, title, http(call(name), lines("x")), 400, -32602)
        yield Attempt(8, f"{title}, legacy", legacy(legacy_call(name)), 200, -32602)
    for name in (
        "delete file",
        "delete_file\u200b",
        "../delete_file",
        "del\u0435te_file",
        "d" * 129,
    ):
        title = f"the name {name[:20]!r}"
        yield Attempt(9, title, legacy(legacy_call(name)), 200, -32602)
    yield Attempt(9, "a name of 10 kB", legacy(legacy_call("d" * 10_240)), 200, -32602)


def json_attempts() -> Iterator[Attempt]:
    """Rows 10, 11 and 13 to 15: what is no JSON, or too much of it."""
    for encoding in ("utf-16-le", "utf-16-be", "utf-16", "utf-32"):
        yield Attempt(10, encoding, http(DELETE.decode().encode(encoding)), 400, -32700)
    yield Attempt(10, "a byte order mark", http(b"\xef\xbb\xbf" + DELETE), 400, -32700)
    yield Attempt(10, "bytes that are no UTF-8", http(DELETE.replace(b"file", b"f\xffle")), 400, -32700)  # fmt: skip
    for charset in ("utf-16", "utf-7", "latin-1"):
        media = lines(Content_Type=f"application/json; charset={charset}")
        yield Attempt(10, f"charset={charset}", http(DELETE, media), 415, -32600)
    for number in ("NaN", "Infinity", "-Infinity", "1e400", "0" * 2, "1" * 5000, "+1", ".5", "0x1"):
        body = ECHO.replace(b'"arguments": {}', b'"arguments": {"n": %s}' % number.encode())
        row = 13 if len(number) == 5000 else 11
        title = f"the number {number[:12]}"
        yield Attempt(row, title, http(body, lines("echo")), 400, -32700)
    for tail in (b"// comment", b"/* */", b",", b"{}", b"\x00", b"\n]"):
        yield Attempt(14, f"after the end {tail!r}", http(ECHO + tail, lines("echo")), 400, -32700)
    yield Attempt(14, "a trailing comma", changed(b'"jsonrpc": "2.0"', b'"jsonrpc": "2.0",,'), 400, -32700)  # fmt: skip
    yield Attempt(14, "single quotes", http(ECHO.replace(b'"', b"'"), lines("echo")), 400, -32700)
    many = {f"k{index}": index for index in range(99_000)}
    yield Attempt(15, "an object of 99,000 keys", http(call(**many)), 200, DENIED)
    more = {f"k{index}": index for index in range(100_001)}
    yield Attempt(15, "an object of 100,001 keys", http(call(**more)), 400, -32700)
    deep = b'{"a":' * 2000 + b"1" + b"}" * 2000
    yield Attempt(15, "an object 2,000 deep", changed(b'"arguments": {}', b'"arguments": ' + deep), 400, -32700)  # fmt: skip


def envelope_attempts() -> Iterator[Attempt]:
    """Rows 16 to 20: the envelope."""
    for given in ("null", "true", "1.5", "1.0", "{}", "[1]", "1e2"):
        yield Attempt(16, f"the id {given}", changed(b'"id": 1', b'"id": ' + given.encode()), 400, -32600)  # fmt: skip
    silent = {key: value for key, value in call().items() if key != "id"}
    yield Attempt(18, "a call as a notification", http(silent), 400, -32600)
    silent = {key: value for key, value in legacy_call().items() if key != "id"}
    yield Attempt(18, "a call as a notification, legacy", legacy(silent), 400, -32600)
    silent = {**silent, "method": "vendor/run"}
    yield Attempt(18, "an unknown notification, legacy", legacy(silent), 202, EMPTY)
    silent = {**silent, "params": {"_meta": META}}
    told = lines(method="vendor/run", Mcp_Name=None)
    yield Attempt(18, "an unknown notification", http(silent, told), 202, EMPTY)
    typed = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"task": 1}}
    yield Attempt(18, "a notification of a wrong type, legacy", legacy(typed), 400, -32602)
    many = {**legacy_call(), "id": None}
    many["params"] = {"inputResponses": {str(number): {} for number in range(200)}}
    yield Attempt(18, "too many of something under no id, legacy", legacy(many), 400, -32602)
    listed = {**call(), "params": ["delete_file"]}
    yield Attempt(19, "params as an array", http(listed), 400, -32600)
    yield Attempt(19, "several calls in one body", http([call("echo"), call()]), 400, -32600)
    for where in ("params", "_meta"):
        null = {**call("echo")["params"], "_meta": None} if where == "_meta" else None
        yield Attempt(19, f"{where} as null", http({**call("echo"), "params": null}, lines("echo")), 400, -32600)  # fmt: skip
        yield Attempt(19, f"{where} as null, legacy", legacy({**legacy_call(), "params": null}), 400, -32600)  # fmt: skip
    yield from null_attempts()
    for given in ('{"path": "/"}', [], 1):
        body = {**call("echo"), "params": {**call("echo")["params"], "arguments": given}}
        title = f"arguments as {json.dumps(given)}"
        yield Attempt(20, title, http(body, lines("echo")), 400, -32602)


def null_attempts() -> Iterator[Attempt]:
    """Row 20: null stands for no arguments, and meets no rule that their absence does not meet."""
    for name, code in (("echo", PASSED), ("delete_file", DENIED), ("pay", DENIED), ("bare", PASSED)):  # fmt: skip
        for given in (None, {}, ...):
            params = {"name": name} | ({} if given is ... else {"arguments": given})
            title = f"arguments of {name} {'absent' if given is ... else json.dumps(given)}"
            body = {**call(), "params": {**params, "_meta": META}}
            yield Attempt(20, title, http(body, lines(name)), 200, code)
            yield Attempt(20, f"{title}, legacy", legacy({**call(), "params": params}), 200, code)
    inner = call("bare", path=None)
    yield Attempt(20, "a null argument is there", http(inner, lines("bare")), 200, DENIED)


def type_attempts() -> Iterator[Attempt]:
    """Row 20, of the parameters that are judged in other methods."""
    listen = "subscriptions/listen"
    for given in ({"file:///a": 1}, "file:///a", None, [1], ["file:///a\tb"]):
        body = call()
        body = {
            **body,
            "method": listen,
            "params": {"notifications": {"resourceSubscriptions": given}},
        }
        body["params"]["_meta"] = META
        told = lines(method=listen, Mcp_Name=None)
        yield Attempt(
            20, f"resourceSubscriptions as {json.dumps(given)}", http(body, told), 400, -32602
        )
    for name, given in (("inputResponses", []), ("requestState", 1), ("cursor", {}), ("task", "t")):
        body = {**call("echo"), "params": {**call("echo")["params"], name: given}}
        yield Attempt(20, f"{name} as {json.dumps(given)}", http(body, lines("echo")), 400, -32602)


def number_attempts() -> Iterator[Attempt]:
    """Row 12: numbers that are equal but written differently; `pay` takes integers up to 100."""
    for written, code in (
        ("100", PASSED), ("1e2", PASSED), ("100.0", PASSED), ("-0", PASSED), ("0.1e3", PASSED),
        ("101", DENIED), ("1e3", DENIED), ("100.5", DENIED), ('"100"', DENIED), ("1.001e2", DENIED),
        ("100.00000000000001", DENIED), ("18446744073709551717", DENIED), ("null", DENIED),
    ):  # fmt: skip
        body = json.dumps(call("pay")).encode()
        body = body.replace(b'"arguments": {}', b'"arguments": {"amount": %s}' % written.encode())
        yield Attempt(12, f"the amount {written}", http(body, lines("pay")), 200, code)


def mirror_attempts() -> Iterator[Attempt]:
    """Rows 21 to 25: header lines that say something else than the body."""
    listing = lines(method="tools/list", Mcp_Name=None)
    yield Attempt(21, "another method in the header", http(call(), listing), 400, -32020)
    yield Attempt(21, "another name in the header", http(call(), lines("echo")), 400, -32020)
    yield Attempt(21, "another name in a legacy header", legacy(legacy_call(), Mcp_Name="echo"), 400, -32020)  # fmt: skip
    yield Attempt(22, "no method in the header", http(call(), lines(Mcp_Method=None)), 400, -32020)
    yield Attempt(22, "no name in the header", http(call(), lines(Mcp_Name=None)), 400, -32020)
    no_version = lines(MCP_Protocol_Version=None)
    yield Attempt(22, "a modern body under a legacy header", http(call(), no_version), 400, -32020)
    bare = {**call(), "params": {"name": "delete_file"}}
    yield Attempt(22, "a legacy body under a modern header", http(bare), 400, -32602)
    future = lines(MCP_Protocol_Version="2099-01-01")
    yield Attempt(22, "another version in the header", http(call(), future), 400, -32020)
    encoded = base64.b64encode(b"echo").decode()
    deleted = base64.b64encode(b"delete_file").decode()
    double = base64.b64encode(f"=?base64?{encoded}?=".encode()).decode()
    for title, value, code in (
        ("the right name, encoded", f"=?base64?{deleted}?=", DENIED),
        ("another name, encoded", f"=?base64?{encoded}?=", -32020),
        ("padding left out", f"=?base64?{deleted.rstrip('=')}?=", -32020),
        ("a marker in capitals", f"=?BASE64?{deleted}?=", -32020),
        ("encoded twice", f"=?base64?{double}?=", -32020),
        ("no base64 at all", "=?base64?%%%?=", -32020),
    ):
        status = 200 if code == DENIED else 400
        yield Attempt(23, title, http(call(), lines(value)), status, code)
    yield Attempt(24, "Mcp_Name beside Mcp-Name", http(call(), None, "Mcp_Name: echo\r\n"), 400, -32600)  # fmt: skip
    yield Attempt(24, "Mcp.Name beside Mcp-Name", http(call(), None, "Mcp.Name: echo\r\n"), 400, -32600)  # fmt: skip
    under = "Mcp_Param_Path: /etc\r\n"
    yield Attempt(25, "Mcp_Param_Path", http(call("echo"), lines("echo"), under), 400, -32600)
    twice = "Mcp-Param-Path: /a\r\nMcp-Param-Path: /b\r\n"
    yield Attempt(25, "Mcp-Param-Path twice", http(call("echo"), lines("echo"), twice), 400, -32600)
    yield Attempt(24, "Mcp-Name twice", http(call(), None, "Mcp-Name: echo\r\n"), 400, -32020)
    dropped = "Connection: mcp-name\r\n"
    yield Attempt(24, "Mcp-Name named by Connection", http(call(), None, dropped), 400, -32600)
    forged = "Mcp-Param-Path: /safe\r\n"
    yield Attempt(25, "a forged Mcp-Param", http(call(path="/etc"), None, forged), 200, DENIED)
    passed = http(call("echo", path="/etc"), lines("echo"), forged)
    yield Attempt(25, "a parameter line that the server is to check", passed, 200, PASSED)


def packed_attempts() -> Iterator[Attempt]:
    """Row 31, of compressed bodies: one stream and nothing more, judged by what is in it."""
    for coding, pack in (("gzip", gzip.compress), ("deflate", zlib.compress)):
        told = {**lines(), "Content-Encoding": coding}
        allowed = {**lines("echo"), "Content-Encoding": coding}
        packed = pack(ECHO)
        yield Attempt(31, f"{coding}", http(pack(DELETE), told), 200, DENIED)
        yield Attempt(31, f"{coding}, allowed", http(packed, allowed), 200, PASSED)
        yield Attempt(31, f"{coding}, not whole", http(packed[:-2], allowed), 400, -32600)
        yield Attempt(31, f"{coding}, twice", http(packed + pack(DELETE), allowed), 400, -32600)
        yield Attempt(31, f"{coding}, and more", http(packed + b"x", allowed), 400, -32600)
        yield Attempt(31, f"{coding}, in plain", http(ECHO, allowed), 400, -32600)
        bomb = pack(b" " * 10_000_000 + ECHO)
        yield Attempt(31, f"{coding}, a bomb", http(bomb, allowed), 413, -32600)
    brotli = {**lines(), "Content-Encoding": "br"}
    yield Attempt(31, "another coding", http(DELETE, brotli), 415, -32600)


def framing_attempts() -> Iterator[Attempt]:
    """Rows 26, 27, 30 and 31: what HTTP itself may hide."""
    body = text(call())
    chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)

    def coded(value: str, content: bytes = chunked) -> bytes:
        return http(content, None, f"Transfer-Encoding: {value}\r\n", length=None)

    yield Attempt(26, "chunked", coded("chunked"), 200, DENIED)
    yield Attempt(26, "chunked in capitals", coded("CHUNKED"), 200, DENIED)
    for value in ("gzip, chunked", "identity", "chunked, chunked", "xchunked", "chunked;q=1"):
        yield Attempt(26, f"Transfer-Encoding: {value}", coded(value), 400, -32600)
    both = http(body, None, "Transfer-Encoding: chunked\r\n")
    yield Attempt(26, "both framings", both, 400, -32600)
    twice = http(body, None, f"Content-Length: {len(body)}\r\n")
    yield Attempt(26, "Content-Length twice", twice, 400, -32600)
    for line in ("Content_Length: 5", "Content.Length: 5", "Transfer_Encoding: chunked"):
        yield Attempt(26, line, http(call("echo"), lines("echo"), f"{line}\r\n"), 400, -32600)
    bare = http(body).replace(b"\r\n", b"\n")
    yield Attempt(26, "bare line feeds", bare, 400, -32600)
    folded = http(body, None, "X-A: b\r\n Mcp-Name: echo\r\n")
    yield Attempt(26, "a folded line", folded, 400, -32600)
    extended = b"%x;a=b\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    yield Attempt(26, "a chunk extension", coded("chunked", extended), 200, DENIED)
    trailed = b"%x\r\n%s\r\n0\r\nMcp-Name: echo\r\n\r\n" % (len(body), body)
    yield Attempt(26, "a trailer with Mcp-Name", coded("chunked", trailed), 200, DENIED)
    sized = b"0x%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    yield Attempt(26, "a chunk size with 0x", coded("chunked", sized), 400, -32600)
    for path in (
        "/demo/mcp/..%2fadmin", "//demo/mcp", "/demo/mcp;x", "/demo/MCP", "/demo/%6dcp",
        "/DEMO/mcp", "/demo/mcp//", "/demo/./mcp", "/x/../demo/mcp", "/mcp", "/",
    ):  # fmt: skip
        yield Attempt(27, f"the path {path}", http(call("echo"), lines("echo"), path=path), 404, -32600)  # fmt: skip
    for verb in ("OPTIONS", "PUT", "TRACE", "PATCH", "HEAD"):
        code = EMPTY if verb == "HEAD" else -32600
        yield Attempt(27, verb, http(b"", lines("echo"), verb=verb), 405, code)
    for line in ("X-HTTP-Method-Override: GET", "X-Original-URL: /demo/mcp", "X-Rewrite-URL: /"):
        yield Attempt(27, line, http(call(), None, f"{line}\r\n"), 200, DENIED)
    hosts = http(call("echo"), lines("echo", Host="evil.example"))
    yield Attempt(27, "another Host", hosts, 421, -32600)
    yield Attempt(27, "Host twice", http(call("echo"), lines("echo"), "Host: x\r\n"), 400, -32600)
    spoofed = "X-Forwarded-For: 10.0.0.1\r\nX-User: root\r\nForwarded: for=10.0.0.1\r\n"
    yield Attempt(30, "another address in X-Forwarded-For", http(call("echo"), lines("echo"), spoofed), 200, PASSED)  # fmt: skip
    short = http(body, length=len(body) - 5)
    yield Attempt(31, "a Content-Length too short", short, 400, -32600)
    long = http(body, length=len(body) + 5)
    yield Attempt(31, "a Content-Length too long", long, 408, -32600)
