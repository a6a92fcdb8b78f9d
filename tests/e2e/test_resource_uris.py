"""No spelling of a URI reads what a rule denies, on a real server that takes URIs as many servers do.

It splits them with the standard library, which drops TABs and line ends, decodes the path, resolves
its dots, and opens what is left.
"""

from __future__ import annotations

import json
import posixpath
import urllib.parse
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.resources import ResourceSecurity
from mcp.shared.inbound import encode_header_value

from tests.gateway import Gateway, gateway
from tests.proxy_rig import META, asgi_upstream

SECRET, OPEN = "the secret", "for everybody"
FILES = {
    "/etc/passwd": SECRET,
    "/srv/secret/key": SECRET,
    "/srv/a": OPEN,
    "/srv/My File": OPEN,
    "/srv/a+b": OPEN,
}
# All is open but one file; or all is closed but one folder, in which one is closed again.
RULES: dict[str, Any] = {
    "open": {
        "default": "allow",
        "resources": {
            "file:///etc/passwd": {"action": "deny"},
            "file:///srv/secret/*": {"action": "hide"},
        },
    },
    "listed": {
        "default": "deny",
        "resources": {"file:///srv/*": {}, "file:///srv/secret/*": {"action": "deny"}},
    },
}
# Each reads a secret where nobody stands in between.
EFFECTIVE = [
    "file:///etc/passwd",
    "FILE:///etc/passwd",
    "File:/etc/passwd",
    "file:/etc/passwd",
    "file://localhost/etc/passwd",
    "file://LOCALHOST/etc/passwd",
    "file://localhost./etc/passwd",
    "file://localhost:80/etc/passwd",
    "file://user:word@localhost/etc/passwd",
    "file://127.0.0.1/etc/passwd",
    "file://[::1]/etc/passwd",
    "file://[0:0:0:0:0:0:0:1]:1/etc/passwd",
    "file://elsewhere.example/etc/passwd",
    " file:///etc/passwd",
    "file:///etc/passwd ",
    "\tfile:///etc/passwd",
    "fi\tle:///etc/passwd",
    "file:///etc/pas\tswd",
    "file:///etc/pas\rswd",
    "file:///etc/pas\nswd",
    "file:///etc/passwd\n",
    "file:///etc/passwd?x",
    "file:///etc/passwd?",
    "file:///etc/passwd#x",
    "file:///etc/passwd#",
    "file:///etc/passwd?x#y",
    "file:///etc/p%61sswd",
    "file:///etc/p%61sswd?x",
    "file:///%65tc/passwd",
    "file:///etc%2Fpasswd",
    "file:///etc%2fpasswd",
    "file:///etc//passwd",
    "file:////etc/passwd",
    "file:///etc/passwd/",
    "file:///etc/./passwd",
    "file:///srv/../etc/passwd",
    "file:///srv/%2e%2e/etc/passwd",
    "file:///srv/%2E./etc/passwd",
    "file:///srv/.\t./etc/passwd",
    "file:///srv/.\r./etc/passwd",
    "file:///srv/.\n./etc/passwd",
    "file:///srv/\t../etc/passwd",
    "file:///srv/..\n/etc/passwd",
    "file:///srv%2f..%2fetc%2fpasswd",
    "file:///srv//secret/key",
    "file:///srv/secret//key",
    "file:///srv%2Fsecret/key",
    "file:///srv/secret%2Fkey",
    "file:///srv/./secret/key",
    "file:///srv/a/../secret/key",
    "file:///srv/%73ecret/key?x",
    "FILE:/srv/secret/key#x",
    "/etc/passwd",
    "//localhost/etc/passwd",
]
# What other servers take for the same; this one does not.
OTHERS = [
    "file:etc/passwd",
    "file:///srv/\x00../etc/passwd",
    "file:///etc/passwd\x00.txt",
    "file:///etc/passwd%00.txt",
    "file:///srv/.. /etc/passwd",
    "file:///srv/%20..%20/etc/passwd",
    "file:///srv/..;x/etc/passwd",
    "file:///srv/%252e%252e/etc/passwd",
    "file:///etc/p%2561sswd",
    "file:///etc/passwd%3Fx",
    "file:///etc/passwd%23x",
    "file:///srv\\..\\etc\\passwd",
    "file:///srv/%5c..%5cetc/passwd",
    "file:///srv/%c0%ae%c0%ae/etc/passwd",
    "file:///srv/\uff0e\uff0e/etc/passwd",
    "file:///{etc/passwd}",
    "\u00a0file:///etc/passwd",
    "file\uff1a///etc/passwd",
]
pytestmark = pytest.mark.asyncio(loop_scope="module")


def lenient_server() -> MCPServer:
    """A server of the SDK with templates for every URI; what follows a path, it leaves alone."""
    server = MCPServer("files")
    as_it_comes = ResourceSecurity(exempt_params={"uri"})

    def text(uri: str) -> str:
        path = urllib.parse.unquote(urllib.parse.urlsplit(uri.strip()).path)
        return FILES.get("/" + posixpath.normpath(path).lstrip("/"), "nothing")

    @server.resource("{+uri}", security=as_it_comes)
    def read(uri: str) -> str:
        return text(uri)

    @server.resource("{+uri}?{rest}", security=as_it_comes)
    def read_with_query(uri: str, rest: str) -> str:
        return text(uri)

    @server.resource("{+uri}#{rest}", security=as_it_comes)
    def read_with_fragment(uri: str, rest: str) -> str:
        return text(uri)

    @server.resource("{+uri}?{query}#{fragment}", security=as_it_comes)
    def read_with_both(uri: str, query: str, fragment: str) -> str:
        return text(uri)

    return server


class Site:
    """The gateway under two sets of rules, and the server behind it."""

    def __init__(self, gate: Gateway, server: str, client: httpx.AsyncClient) -> None:
        self.gate = gate
        self.server = server
        self.client = client

    async def ask(self, url: str, method: str, params: Any, name: str | None = None) -> Any:
        lines = {
            "Content-Type": "application/json",
            "Accept": "application/json, text/event-stream",
            "MCP-Protocol-Version": "2026-07-28",
            "Mcp-Method": method,
        } | ({} if name is None else {"Mcp-Name": encode_header_value(name)})
        message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": META}}
        answer = await self.client.post(url, json=message, headers=lines)
        text = answer.text
        return json.loads(text.partition("data: ")[2] if text.startswith("event") else text)

    async def read(self, url: str, uri: str) -> str:
        """The text of a resource, or the error."""
        answer = await self.ask(url, "resources/read", {"uri": uri}, uri)
        if "error" in answer:
            return json.dumps(answer["error"])
        return str(answer["result"]["contents"][0]["text"])


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    folder = tmp_path_factory.mktemp("uris")
    async with (
        asgi_upstream(lenient_server().streamable_http_app(stateless_http=True)) as url,
        gateway(folder, dict.fromkeys(RULES, url), RULES) as gate,
        httpx.AsyncClient(timeout=20) as client,
    ):
        yield Site(gate, url, client)


@pytest.mark.parametrize("uri", EFFECTIVE, ids=ascii)
async def test_the_server_by_itself_reads_the_secret(site: Site, uri: str) -> None:
    """So that the next test says something."""
    assert await site.read(site.server, uri) == SECRET


@pytest.mark.parametrize("server", RULES)
@pytest.mark.parametrize("uri", [*EFFECTIVE, *OTHERS], ids=ascii)
async def test_no_spelling_reads_what_is_denied(site: Site, server: str, uri: str) -> None:
    """Refused as no URI, denied as ambiguous, or by the rule itself."""
    told = await site.read(site.gate.url(server), uri)
    assert SECRET not in told
    assert '"code": ' in told


@pytest.mark.parametrize("server", RULES)
@pytest.mark.parametrize(
    "uri",
    ["file:///srv/a", "FILE:/srv/a", "file://localhost/srv/a?x", "file:///srv/My%20File", "file:///srv/a+b",
     "file:///srv/a%2Bb", "file:///srv//a", "file:///srv/a#x"],
)  # fmt: skip
async def test_what_is_allowed_is_read_in_all_its_spellings(
    site: Site, server: str, uri: str
) -> None:
    """As it came: the URI is not rewritten on its way."""
    assert await site.read(site.gate.url(server), uri) == OPEN


@pytest.mark.parametrize("server", RULES)
@pytest.mark.parametrize(
    "notifications",
    [
        {"resourceSubscriptions": ["file:///srv/a", "file:///etc//passwd"]},
        {"resourceSubscriptions": ["FILE:/srv/secret/key"]},
        {"resourceSubscriptions": ["file:///srv/.\t./etc/passwd"]},
        {"resourceSubscriptions": {"file:///etc/passwd": True}},
        {"resourceSubscriptions": "file:///etc/passwd"},
        {
            "resourceSubscriptions": ["file:///srv/a"],
            "resource_subscriptions": ["file:///etc/passwd"],
        },
        {"resource_subscriptions": ["file:///etc/passwd"]},
        ["file:///etc/passwd"],
    ],
)
async def test_nobody_listens_to_what_is_denied(
    site: Site, server: str, notifications: Any
) -> None:
    """The server reads its parameters by either spelling of their names."""
    url, method = site.gate.url(server), "subscriptions/listen"
    answer = await site.ask(url, method, {"notifications": notifications})
    assert answer["error"]["code"] in {4030, -32602, -32600}


@pytest.mark.parametrize(
    ("ref", "code"),
    [
        ({"type": "ref/resource", "uri": "FILE:/etc//passwd"}, 4030),
        ({"type": "ref/resource", "uri": "file:///srv/{a}/../{b}"}, 4030),
        ({"type": "ref/resource", "uri": "file:///{a}\t"}, -32602),
        ({"type": "ref/prompt", "name": "greet "}, -32602),
    ],
)
async def test_completions_are_held_to_the_same(site: Site, ref: Any, code: int) -> None:
    """Where everything else is open."""
    params = {"ref": ref, "argument": {"name": "a", "value": ""}}
    answer = await site.ask(site.gate.url("open"), "completion/complete", params)
    assert answer["error"]["code"] == code
