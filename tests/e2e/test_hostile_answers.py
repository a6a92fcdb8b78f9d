"""What a hostile server may answer over HTTP: nothing that was not judged reaches the client.

The decision service is scripted, so that hiding and denying cost nothing; the upstream writes the
very bytes of its answers.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import zlib
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from mcp import Client, MCPError
from mcp.types import CreateMessageResult, TextContent

from pdp.api.model import Call, Decision, Direction, Phase
from pep.config import Server
from tests.gateway import call_headers, tool_call
from tests.proxy_rig import Proxy, Recorder, allow, asgi_upstream, deny, proxy

MIB = 1024 * 1024
LIST = b'{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"add"},{"name":"secret"}]}}'
HARMLESS = b'{"jsonrpc":"2.0","id":1,"result":{"content":[]}}'
NOTE = {"jsonrpc": "2.0", "method": "notifications/initialized"}


def script(call: Call) -> Decision:
    """`secret` is hidden; a server may ask nothing of the client."""
    if call.target == "secret":
        return deny(call.request_id, "hidden", hidden=True)
    if call.direction is Direction.TO_CLIENT:
        return deny(call.request_id)
    return allow(call.request_id)


class Site:
    """A proxy in front of a server that answers as it likes."""

    def __init__(self, gate: Proxy, upstream: Recorder, client: httpx.AsyncClient) -> None:
        self.gate = gate
        self.upstream = upstream
        self.client = client

    def answers(self, body: bytes, *lines: str, status: str = "200 OK") -> None:
        async def answer(writer: asyncio.StreamWriter) -> None:
            head = "".join(f"{line}\r\n" for line in (f"HTTP/1.1 {status}", *lines))
            if "connection:" not in head.lower():
                head += "Connection: close\r\n"
            writer.write(head.encode("latin-1"))
            if not any(line.lower().startswith("content-length") for line in lines):
                writer.write(b"Content-Length: %d\r\n" % len(body))
            writer.write(b"\r\n" + body)

        self.upstream.answer = answer

    async def ask(self, **lines: str) -> httpx.Response:
        return await self.client.post(
            self.gate.url(),
            content=json.dumps(tool_call("add")),
            headers=call_headers("add") | lines,
        )

    async def streamed(self) -> tuple[bytes, httpx.RemoteProtocolError | None]:
        """What comes of an answer, still compressed if it was, and whether it breaks off."""
        seen = bytearray()
        request = self.client.build_request(
            "POST",
            self.gate.url(),
            content=json.dumps(tool_call("add")),
            headers=call_headers("add"),
        )
        answer = await self.client.send(request, stream=True)
        try:
            async for part in answer.aiter_raw():
                seen += part
        except httpx.RemoteProtocolError as error:
            return bytes(seen), error
        return bytes(seen), None

    async def tell(self) -> httpx.Response:
        return await self.client.post(self.gate.url(), json=NOTE)


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with (
        Recorder().running() as upstream,
        proxy(Server("demo", upstream.url)) as gate,
        httpx.AsyncClient(timeout=30) as client,
    ):
        gate.service.script = script
        yield Site(gate, upstream, client)


def refused(answer: httpx.Response) -> bool:
    return (answer.status_code, answer.json()["error"]["code"]) == (502, 5021)


FOREIGN = [
    ("Content-Type: application/jsonx",),
    ("Content-Type: application/vnd.mcp+json",),
    ("Content-Type: text/plain",),
    ("Content-Type: text/html",),
    ("Content-Type: text/event-streamx",),
    ("Content-Type: application/json, text/html",),
    ("Content-Type: application/json; charset=utf-7",),
    ("Content-Type: application/json; charset=utf-8; charset=utf-16",),
    ("Content-Type: application/json; charset*=utf-8''utf-7",),
    ("Content-Type: application/json; charset*0=utf; charset*1=-7",),
    ('Content-Type: application/json; charset="utf-8\\"; charset=utf-7"',),
    ("Content-Type: text/event-stream; charset=iso-2022-kr",),
    ("Content-Type: application/json", "Content-Type: text/event-stream"),
    ("Content-Type: application/json", "content-type: application/json"),
    ("Content-Type: ",),
    ("Content-Type: application/json", "Content-Encoding: br"),
    ("Content-Type: application/json", "Content-Encoding: gzip", "Content-Encoding: gzip"),
    ("Content-Type: application/json", "Content-Encoding: gzip, gzip"),
    ("Content-Type: application/json", "Connection: close, content-type"),
    ("Content-Type: application/json", "X-Odd: a\x0bContent-Type: text/html"),
    (),
]


@pytest.mark.parametrize("lines", FOREIGN, ids=" | ".join)
async def test_an_answer_that_is_not_declared_as_json_or_events_in_utf_8_is_refused(
    site: Site, lines: tuple[str, ...]
) -> None:
    """Clients sniff, guess and prefix-match; what is in such a body cannot be judged."""
    for body in (LIST, HARMLESS, b"data: " + LIST + b"\n\n"):
        site.answers(body, *lines)
        answer = await site.ask()
        assert refused(answer)
        assert b"secret" not in answer.content


@pytest.mark.parametrize(
    "line",
    [
        "Content-Type: application/json",
        "CONTENT-TYPE:\t Application/JSON ;",
        "Content-Type: application/json;charset=UTF-8",
        'Content-Type: application/json; Charset="utf8"; v=1; profile="x y"',
    ],
)
async def test_every_usual_way_to_declare_json_passes(site: Site, line: str) -> None:
    """In any case, with blanks, with parameters that say nothing of the text."""
    site.answers(HARMLESS, line)
    answer = await site.ask()
    assert (answer.status_code, answer.content) == (200, HARMLESS)


NO_MESSAGES = {
    "utf-16 with a mark": LIST.decode().encode("utf-16"),
    "utf-16-le": LIST.decode().encode("utf-16-le"),
    "utf-16-be": LIST.decode().encode("utf-16-be"),
    "utf-32-le": LIST.decode().encode("utf-32-le"),
    "utf-8 with a mark": b"\xef\xbb\xbf" + LIST,
    "utf-7": b"+AHs-" + LIST[1:],
    "an array": b"[" + HARMLESS + b"]",
    "a string": b'"x"',
    "a number": b"7",
    "not utf-8": HARMLESS[:-2] + b',"x":"\xff"}}',
    "an overlong form": HARMLESS[:-2] + b',"\xc1\xb4ools":1}}',
    "a null byte": HARMLESS[:-2] + b',"to\x00ols":1}}',
    "blanks": b"  \n",
    "a method and a result": b'{"jsonrpc":"2.0","id":1,"method":"ping","result":{"tools":[{"name":"secret"}]}}',
    "a result and an error": b'{"jsonrpc":"2.0","id":1,"error":{},"result":{"tools":[{"name":"secret"}]}}',
    "an object for a list": b'{"jsonrpc":"2.0","id":1,"result":{"tools":{"0":{"name":"secret"}}}}',
}  # fmt: skip


@pytest.mark.parametrize("body", NO_MESSAGES.values(), ids=NO_MESSAGES)
async def test_a_body_that_is_no_message_in_utf_8_is_refused(site: Site, body: bytes) -> None:
    """Readers that guess the encoding of JSON would find in it what was to be hidden."""
    site.answers(body, "Content-Type: application/json")
    answer = await site.ask()
    assert refused(answer)
    assert b"secret" not in answer.content


@pytest.mark.parametrize("body", NO_MESSAGES.values(), ids=NO_MESSAGES)
async def test_an_event_whose_data_is_no_message_in_utf_8_is_not_shown(
    site: Site, body: bytes
) -> None:
    """The events around it pass; one without data is no message and passes."""
    around = b"id: 7\nretry: 10\ndata:\n\n: ping\n\n"
    site.answers(around + b"data: " + body + b"\n\n" + around, "Content-Type: text/event-stream")
    answer = await site.ask()
    assert answer.content.startswith(around)
    assert answer.content.endswith(around)
    between = answer.content[len(around) : -len(around)]
    assert json.loads(between.partition(b"data: ")[2])["error"]["code"] == 5021


@pytest.mark.parametrize("lines", [(), ("Content-Type: text/html",), ("Content-Encoding: br",)])
@pytest.mark.parametrize("status", ["200 OK", "202 Accepted", "204 No Content", "405 No"])
async def test_an_empty_body_passes_whatever_its_type(
    site: Site, status: str, lines: tuple[str, ...]
) -> None:
    """Nothing is in it."""
    site.answers(b"", *lines, status=status)
    for answer in (await site.ask(), await site.tell()):
        assert (answer.status_code, answer.content) == (int(status[:3]), b"")


@pytest.mark.parametrize("verb", ["note", "GET", "DELETE"])
async def test_where_nobody_waits_for_a_message_the_status_passes_without_the_body(
    site: Site, verb: str
) -> None:
    """Frameworks write `Accepted` under a 202 and a page under a GET: no client reads either."""
    site.answers(b"data: " + LIST, "Content-Type: text/plain; charset=utf-8", status="202 Accepted")
    answer = await (site.tell() if verb == "note" else site.client.request(verb, site.gate.url()))
    assert (answer.status_code, answer.content) == (202, b"")
    assert "content-type" not in answer.headers


@pytest.mark.parametrize("status", ["400 Bad", "401 Who", "404 Not Found", "500 Oh"])
@pytest.mark.parametrize(
    ("line", "body"),
    [
        ("Content-Type: text/html", b"<p>secret"),
        ("X-None: 1", b"secret"),
        ("Content-Type: application/json", b'["secret"]'),
        ("Content-Type: application/json", LIST.replace(b"result", b"Result")),
        ("Content-Type: application/json\r\nContent-Encoding: gzip", b"secret"),
    ],
)
async def test_of_a_failure_the_status_passes_and_no_text_that_was_not_judged(
    site: Site, status: str, line: str, body: bytes
) -> None:
    """Clients act on the status, and on the lines that say how to go on."""
    site.answers(body, line, 'WWW-Authenticate: Bearer scope="a"', "ETag: x", status=status)
    answer = await site.ask()
    assert (answer.status_code, answer.content) == (int(status[:3]), b"")
    assert answer.headers["www-authenticate"] == 'Bearer scope="a"'
    assert not {"content-type", "content-encoding", "etag"} & set(answer.headers)


async def test_a_failure_that_says_why_in_json_passes_as_it_is(site: Site) -> None:
    """Also one that is no JSON-RPC: an object that holds nothing to judge."""
    body = b'{"error":"invalid_token","error_description":"expired"}'
    site.answers(body, "Content-Type: application/json", status="401 Unauthorized")
    answer = await site.ask()
    assert (answer.status_code, answer.content) == (401, body)


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary", "308 Permanent"])
async def test_a_redirect_leads_no_client_past_the_proxy(site: Site, status: str) -> None:
    """A client that followed it would talk to a server that nobody watches."""
    async with Recorder().running() as elsewhere:
        site.answers(LIST, f"Location: {elsewhere.url}", "Refresh: 0", status=status)
        async with httpx.AsyncClient(follow_redirects=True) as client:
            body = json.dumps(tool_call("add"))
            answer = await client.post(site.gate.url(), content=body, headers=call_headers("add"))
        assert (answer.status_code, answer.content) == (int(status[:3]), b"")
        assert not {"location", "refresh"} & set(answer.headers)
        assert not elsewhere.requests


@pytest.mark.parametrize("status", ["101 Switching", "206 Partial", "226 IM Used", "999 Odd"])
async def test_a_status_after_which_no_whole_message_comes_never_passes(
    site: Site, status: str
) -> None:
    """Another protocol, a part of a message, a difference to one, or none that HTTP knows."""
    upgrade = ("Connection: close, upgrade", "Upgrade: websocket")
    site.answers(HARMLESS, "Content-Type: application/json", *upgrade, status=status)
    assert refused(await site.ask())
    site.answers(HARMLESS, "Content-Type: application/json")
    assert (await site.ask()).status_code == 200


async def test_a_server_sets_nothing_that_outlives_its_answer(site: Site) -> None:
    """Cookies and the like would hold for the whole proxy, and so for the other servers."""
    lines = ("Set-Cookie: a=1", "set-cookie2: b=1", "Clear-Site-Data: *", "Alt-Svc: h2=x",
             "Strict-Transport-Security: max-age=9", "X-Kept: 1", "X-Kept: 2")  # fmt: skip
    site.answers(HARMLESS, "Content-Type: application/json", *lines)
    answer = await site.ask()
    assert set(answer.headers) == {"content-type", "content-length", "x-kept"}
    assert answer.headers.get_list("x-kept") == ["1", "2"]


@pytest.mark.parametrize(
    "lines",
    [
        ["X-Large: " + "x" * 60_000] * 2,
        [f"X-{number}: 1" for number in range(200)],
        ["Transfer-Encoding: gzip, chunked"],
        ["Transfer-Encoding: gzip"],
        ["Transfer-Encoding: chunked", f"Content-Length: {len(HARMLESS)}"],
        ["Content-Length: 1", f"Content-Length: {len(HARMLESS)}"],
        ["Content-Length: 1e2"],
        ["Content-Length: 5"],
        ["Content-Length: 500"],
    ],
    ids=lambda lines: f"{len(lines)} {lines[0][:40]}",
)
async def test_header_bombs_and_lying_lengths_are_an_error_of_the_server(
    site: Site, lines: list[str]
) -> None:
    """And of nobody else: the next call passes."""
    site.answers(HARMLESS, "Content-Type: application/json", "Connection: close", *lines)

    async def hung_up(writer: asyncio.StreamWriter, write: Any = site.upstream.answer) -> None:
        await write(writer)
        await writer.drain()
        writer.close()

    site.upstream.answer = hung_up
    answer = await site.ask()
    assert (answer.status_code, answer.json()["error"]["code"] in {5020, 5021}) == (502, True)
    site.answers(HARMLESS, "Content-Type: application/json")
    assert (await site.ask()).status_code == 200


async def test_endless_answers_that_announce_another_end_the_call(site: Site) -> None:
    """1xx answers never count as one; what a server may send of them is bounded."""

    async def answer(writer: asyncio.StreamWriter) -> None:
        for _ in range(1000):
            writer.write(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" * 100)
            await writer.drain()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n")
        writer.write(b"Content-Length: %d\r\n\r\n%s" % (len(HARMLESS), HARMLESS))

    site.upstream.answer = answer
    answered = await site.ask()
    assert (answered.status_code, answered.json()["error"]["code"]) == (502, 5020)


async def test_a_few_answers_that_announce_another_pass_unseen(site: Site) -> None:
    """As 100 Continue and 103 Early Hints are meant."""
    early = "100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK"
    site.answers(HARMLESS, "Content-Type: application/json", status=early)
    for _ in range(20):
        answer = await site.ask()
        assert (answer.status_code, answer.content) == (200, HARMLESS)


ELICITATION = {"mode": "url", "elicitationId": "e", "url": "https://evil.example", "message": "?"}


def url_elicitation_required(**more: Any) -> dict[str, Any]:
    data = {"elicitations": [ELICITATION], **more}
    return {"code": -32042, "message": "Sign in", "data": data}


async def test_an_error_that_asks_for_urls_to_be_opened_is_an_elicitation(site: Site) -> None:
    """MCP 2025-11-25, URLElicitationRequiredError: the client would show the link."""
    message = {"jsonrpc": "2.0", "id": 1, "error": url_elicitation_required()}
    body = json.dumps(message).encode()
    for media, sent in (("application/json", body), ("text/event-stream", b"data: %s\n\n" % body)):
        for status in ("200 OK", "400 Bad"):
            site.answers(sent, f"Content-Type: {media}", status=status)
            answer = await site.ask()
            assert b"evil" not in answer.content
            assert b"Policy violation" in answer.content
    asked = [call for call in site.gate.service.calls if call.direction is Direction.TO_CLIENT]
    assert {call.method for call in asked} == {"elicitation/create"}
    assert json.loads(asked[0].arguments) == ELICITATION
    site.gate.service.script = lambda call: allow(call.request_id)
    site.answers(body, "Content-Type: application/json")
    assert (await site.ask()).content == body


@pytest.mark.parametrize(
    "params",
    [
        {"taskId": "t", "status": "input_required",
         "inputRequests": {"a": {"method": "elicitation/create", "params": ELICITATION}}},
        {"taskId": "t", "status": "failed", "error": url_elicitation_required()},
        {"task": {"inputRequests": {"a": {"method": "elicitation/create", "params": ELICITATION}}}},
    ],
    ids=str,
)  # fmt: skip
async def test_a_notification_that_asks_for_input_is_judged_and_dropped(
    site: Site, params: dict[str, Any]
) -> None:
    """The task extension tells the whole task in a notification, with what it waits for."""
    note = {"jsonrpc": "2.0", "method": "notifications/tasks", "params": params}
    answer = {"jsonrpc": "2.0", "id": 1, "result": {"content": []}}
    events = b"".join(b"data: %s\n\n" % json.dumps(event).encode() for event in (note, answer))
    site.answers(events, "Content-Type: text/event-stream")
    shown = (await site.ask()).content
    assert b"evil" not in shown
    assert json.dumps(answer).encode() in shown


@pytest.mark.parametrize("depth", [1, 2])
async def test_what_the_result_of_a_task_asks_for_is_judged(site: Site, depth: int) -> None:
    """`tasks/get` of the modern era holds the result, or the error, of the call itself."""
    for inner in (
        {"result": {"inputRequests": {"a": {"method": "sampling/createMessage", "params": {}}}}},
        {"error": url_elicitation_required()},
        {"task": {"inputRequests": {"a": {"method": "roots/list"}}}},
    ):
        result: dict[str, Any] = {"taskId": "t", "status": "completed", **inner}
        for _ in range(depth - 1):
            result = {"result": result}
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "result": result}).encode()
        site.answers(body, "Content-Type: application/json")
        answer = await site.ask()
        assert "Policy violation" in answer.text
        assert "evil" not in answer.text


async def test_of_input_that_is_partly_denied_no_budget_is_kept(site: Site) -> None:
    """Nothing was asked, so what was allowed is given back."""
    from tests.e2e.test_forwarding import LIMIT, until

    def half(call: Call) -> Decision:
        if call.direction is not Direction.TO_CLIENT:
            return allow(call.request_id)
        is_allowed = call.method == "roots/list"
        return allow("roots", limits=(LIMIT,)) if is_allowed else deny(call.request_id)

    site.gate.service.script = half
    waiting = {"a": {"method": "elicitation/create"}, "b": {"method": "roots/list"}}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "result": {"inputRequests": waiting}}).encode()
    site.answers(body, "Content-Type: application/json")
    assert "Policy violation" in (await site.ask()).text
    await until(lambda: site.gate.service.refunds == ["roots"])


BLANKS = b" " * (8 * MIB + MIB // 4)
LARGE = {
    "tools": b'"result":{"tools":[{"name":"secret"}]}',
    "prompts": b'"result":{"prompts":[{"name":"secret"}]}',
    "resources": b'"result":{"resources":[{"uri":"secret"}]}',
    "templates": b'"result":{"resourceTemplates":[{"uriTemplate":"secret"}]}',
    "tasks": b'"result":{"tasks":[{"taskId":"secret"}]}',
    "escapes": b'"result":{"t\\u006fols":[{"name":"secret"}]}',
    "capitals": b'"Result":{"Tools":[{"name":"secret"}]}',
    "a request": b'"method":"vendor/ask","params":{"message":"secret"}',
    "input": b'"result":{"inputRequests":{"a":{"method":"vendor/ask","params":{"m":"secret"}}}}',
    "links": b'"error":{"code":-32042,"data":{"elicitations":[{"url":"https://secret"}]}}',
}


FORMS = ["before", "after", "in an event", "compressed"]


@pytest.mark.parametrize(
    ("member", "form"),
    [*((LARGE[kind], "after") for kind in LARGE), *((LARGE["tools"], form) for form in FORMS)],
    ids=[*LARGE, *FORMS],
)
async def test_a_large_message_holds_nothing_that_a_small_one_would_be_judged_for(
    site: Site, member: bytes, form: str
) -> None:
    """Padded with blanks, in any order of keys."""
    body = b'{"jsonrpc":"2.0","id":1,' + member + b"," + BLANKS + b'"x":1}'
    if form != "before":
        body = b'{"jsonrpc":"2.0","id":1,' + BLANKS + member + b"}"
    lines = ["Content-Type: application/json"]
    if form == "in an event":
        body, lines = b"data: " + body + b"\n\n", ["Content-Type: text/event-stream"]
    if form == "compressed":
        head, tail = b'{"jsonrpc":"2.0","id":1,', member + b"}"
        body = gzip.compress(head + BLANKS + tail)
        lines.append("Content-Encoding: gzip")
    site.answers(body, *lines)
    seen, error = await site.streamed()
    assert error is not None or b"5021" in seen
    with contextlib.suppress(EOFError):
        seen = gzip.decompress(seen) if form == "compressed" and error else seen
    assert b"secret" not in seen


@pytest.mark.parametrize("body", [BLANKS, BLANKS + LIST, b"[" + BLANKS + b"]", b"\xff" + BLANKS])
async def test_a_large_body_that_is_no_message_is_refused_before_it_has_begun(
    site: Site, body: bytes
) -> None:
    """The same as a small one."""
    site.answers(body, "Content-Type: application/json")
    assert refused(await site.ask())


def many(count: int) -> bytes:
    entries = b",".join(b'{"name":"t%d"}' % number for number in range(count))
    return b'{"jsonrpc":"2.0","id":1,"result":{"tools":[%s]}}' % entries


async def test_a_list_of_very_many_entries_is_one_bounded_question(site: Site) -> None:
    """More than ten thousand are refused unasked; fewer are asked about a thousand at a time."""
    site.answers(many(100_000), "Content-Type: application/json")
    assert refused(await site.ask())
    assert len(site.gate.service.calls) == 1
    site.answers(many(10_000), "Content-Type: application/json")
    site.gate.service.batches.clear()
    assert len((await site.ask()).json()["result"]["tools"]) == 10_000
    assert site.gate.service.batches == [1, *[1000] * 10]


async def test_others_are_answered_while_a_long_list_is_judged(site: Site) -> None:
    """Between two calls of others a bounded part of the list is judged, never all of it."""
    async with Recorder().running() as other, proxy(
        Server("demo", site.upstream.url), Server("other", other.url)
    ) as gate:  # fmt: skip
        other.answer = _with_json
        site.answers(many(10_000), "Content-Type: application/json")
        content, headers = json.dumps(tool_call("add")), call_headers("add")
        listing = asyncio.ensure_future(
            site.client.post(gate.url("demo"), content=content, headers=headers)
        )
        answered = 0
        while not listing.done():
            await site.client.post(gate.url("other"), content=content, headers=headers)
            answered += 1
    assert listing.result().status_code == 200
    assert answered >= 5
    servers = "".join("l" if call.phase is Phase.LIST else "o" for call in gate.service.calls)
    assert max(map(len, servers.split("o"))) < 5_000


async def _with_json(writer: asyncio.StreamWriter) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"
    writer.write(head % len(HARMLESS) + b"Connection: close\r\n\r\n" + HARMLESS)


def bomb(size: int) -> bytes:
    packer, packed = zlib.compressobj(9, wbits=31), b""
    for _ in range(size // MIB):
        packed += packer.compress(b" " * MIB)
    return packed + packer.flush()


@pytest.mark.parametrize("media", ["application/json", "text/event-stream"])
async def test_a_small_answer_that_unpacks_to_a_huge_one_is_ended(site: Site, media: str) -> None:
    """Whether it would be held or streamed; and the proxy serves others meanwhile."""
    begin = gzip.compress(b'{"a":1,' if media == "application/json" else b": a\n\n: ")
    site.answers(begin + bomb(512 * MIB), f"Content-Type: {media}", "Content-Encoding: gzip")
    seen, error = await site.streamed()
    assert error is not None or b"5021" in seen
    assert len(seen) < 96 * MIB


@pytest.mark.parametrize(
    "packed", [gzip.compress(HARMLESS, mtime=0)[:-6], gzip.compress(b"", mtime=0) * 50_000]
)
async def test_what_does_not_unpack_as_every_client_unpacks_it_is_refused(
    site: Site, packed: bytes
) -> None:
    """Cut short before its checksum; or cut into more members than any packer makes."""
    site.answers(packed, "Content-Type: application/json", "Content-Encoding: gzip")
    assert refused(await site.ask())


class Asking:
    """A legacy ASGI server that asks for sampling in an answer whose type only begins as JSON's."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        message = json.loads((await receive())["body"] or b"{}")
        method, status, lines, body = message.get("method"), 200, [], b""
        if method == "initialize":
            result = {
                "protocolVersion": "2025-11-25",
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "s", "version": "1"},
            }
            answer = {"jsonrpc": "2.0", "id": message["id"], "result": result}
            body = json.dumps(answer).encode()
            lines = [(b"content-type", b"application/json"), (b"mcp-session-id", b"s1")]
        elif method == "tools/call":
            said = {"role": "user", "content": {"type": "text", "text": "x"}}
            params = {"messages": [said], "maxTokens": 1}
            asked = {
                "jsonrpc": "2.0",
                "id": 9,
                "method": "sampling/createMessage",
                "params": params,
            }
            body = json.dumps(asked).encode()
            lines = [(b"content-type", b"application/jsonx")]
        elif method == "tools/list":
            status, body = 404, b"Not Found"
        else:
            status = 202 if message else 405
        await send({"type": "http.response.start", "status": status, "headers": lines})
        await send({"type": "http.response.body", "body": body})


async def test_a_real_client_is_not_asked_for_what_is_denied() -> None:
    """It takes any media type that begins like the right one, and any message in the answer."""
    asked = asyncio.Event()

    async def sample(context: Any, params: Any) -> CreateMessageResult:
        asked.set()
        content = TextContent(type="text", text="no")
        return CreateMessageResult(role="assistant", content=content, model="m")

    async with asgi_upstream(Asking()) as url, proxy(Server("demo", url)) as gate:
        gate.service.script = script
        async with Client(gate.url(), mode="legacy", sampling_callback=sample) as client:
            with pytest.raises(MCPError) as caught:
                await client.call_tool("add", {})
            assert caught.value.error.code == 5021
        assert not asked.is_set()
        async with Client(url, mode="legacy", sampling_callback=sample) as client:
            calling = asyncio.ensure_future(client.call_tool("add", {}))
            await asyncio.wait_for(asked.wait(), 5)
            calling.cancel()
            await asyncio.gather(calling, return_exceptions=True)


async def test_a_real_client_learns_from_a_bare_404_what_it_learns_directly() -> None:
    """That its session has ended: an error of ours in the body would say something else."""
    async with asgi_upstream(Asking()) as url, proxy(Server("demo", url)) as gate:
        legacy_session = []
        for place in (url, gate.url()):
            async with Client(place, mode="legacy") as client:
                with pytest.raises(MCPError) as caught:
                    await client.list_tools()
            legacy_session.append((caught.value.error.code, caught.value.error.message))
    assert legacy_session == [(-32600, "Session terminated")] * 2
