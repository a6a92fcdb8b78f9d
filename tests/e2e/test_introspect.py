"""Real servers, and worse ones, asked for their tools: over stdio and HTTP, in both eras."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import ssl
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from mcp.client import session

from pep.config import Server
from tests import asking_server, paged_server, real_servers
from tests.certificates import Authority
from tests.gateway import below, eventually, processes
from tests.proxy_rig import META, Recorder, asgi_upstream, free_port
from tipstaff.cli.errors import IntrospectionError
from tipstaff.common.child_process import INHERITED
from tipstaff.survey.asking.by_command import environment_of
from tipstaff.survey.asking.introspect import Listing, introspect

PAGED = Path(paged_server.__file__)
PYTHON = sys.executable
GRANDCHILD = f"grandchild-of-{os.getpid()}"
# Says nothing, starts another, and heeds no end.
STUBBORN = f"""
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", "{GRANDCHILD}"])
print("up", file=sys.stderr, flush=True)
time.sleep(600)
"""


@pytest.fixture(autouse=True)
def no_process_is_left() -> Any:
    """Whatever a test does, and whatever it was that ran."""
    before = {pid for pid, _, _ in processes()}
    yield
    left = {pid: line for pid, line in below(os.getpid()).items() if pid not in before}
    left |= {pid: line for pid, _, line in processes() if GRANDCHILD in line}
    assert not left


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


async def raw(server: Server, era: str) -> list[dict[str, Any]]:
    """The same list by another way: lines of JSON and nothing else."""
    process = await asyncio.create_subprocess_exec(
        *server.command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL, env=environment_of(server), limit=2**24,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    number = 0

    async def ask(method: str, **params: Any) -> dict[str, Any]:
        nonlocal number
        number += 1
        message = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
        process.stdin.write(json.dumps(message).encode() + b"\n")  # type: ignore[union-attr]
        while True:
            line = await process.stdout.readline()  # type: ignore[union-attr]
            answer = json.loads(line)
            if answer.get("id") == number and "method" not in answer:
                return dict(answer["result"])

    if era == "legacy":
        client = {"name": "raw", "version": "1"}
        asked = {"roots": {}, "sampling": {}, "elicitation": {"form": {}, "url": {}}}
        await ask("initialize", protocolVersion="2025-11-25", capabilities=asked, clientInfo=client)
        process.stdin.write(b'{"jsonrpc":"2.0","method":"notifications/initialized"}\n')
    tools: list[dict[str, Any]] = []
    more: dict[str, Any] = {"_meta": META} if era == "modern" else {}
    while True:
        page = await ask("tools/list", **more)
        tools += page["tools"]
        if not page.get("nextCursor"):
            break
        more["cursor"] = page["nextCursor"]
    process.kill()  # it may wait for an answer that it does not get
    await process.communicate()
    return tools


def equal(one: Any, other: Any) -> bool:
    """Value by value, in order, and 1 is neither 1.0 nor true."""
    return json.dumps(one) == json.dumps(other)


# Real servers.


@pytest.mark.parametrize("name", real_servers.NAMES)
async def test_a_real_server_tells_its_tools_as_they_are(name: str, folder: Path) -> None:
    """Not a member is lost on the way: another client, which has no models, hears the same."""
    server = real_servers.over_stdio(folder)[name]
    listing = await introspect(server)
    assert listing.tools
    assert listing.server_info["name"]
    assert "tools" in listing.capabilities
    assert listing.era == ("modern" if listing.version == "2026-07-28" else "legacy")
    assert equal(list(listing.tools), await raw(server, listing.era))


async def test_a_server_shows_what_it_shows_to_a_client_that_can_be_asked(folder: Path) -> None:
    """Four of its tools are there only for clients with roots, sampling and elicitation."""
    listing = await introspect(real_servers.over_stdio(folder)["everything"])
    names = {tool["name"] for tool in listing.tools}
    assert len(names) == 17
    assert {"get-roots-list", "trigger-sampling-request", "trigger-url-elicitation"} <= names


async def test_a_server_of_files_without_a_folder_is_listed(folder: Path) -> None:
    """It waits for the client's folders, and ends where there is no such client."""
    *command, _ = real_servers.over_stdio(folder)["filesystem"].command
    listing = await introspect(Server("files", command=tuple(command)))
    assert "read_text_file" in {tool["name"] for tool in listing.tools}


async def test_the_real_servers_speak_both_eras(folder: Path) -> None:
    """Else the tests above would show less than they seem to."""
    servers = real_servers.over_stdio(folder)
    eras = {name: (await introspect(servers[name])).era for name in ("everything", "git")}
    assert eras == {"everything": "legacy", "git": "modern"}


@pytest.mark.parametrize("name", real_servers.OVER_HTTP)
async def test_a_real_server_tells_the_same_over_http(name: str, folder: Path) -> None:
    """One that also creates things when the demo serves it has more to tell."""
    by_command = await introspect(real_servers.over_stdio(folder)[name])
    async with real_servers.over_http(name, folder) as server:
        by_url = await introspect(server)
    told = {tool["name"]: tool for tool in by_url.tools}
    assert {tool["name"] for tool in by_command.tools} <= set(told)
    for tool in by_command.tools:
        assert equal(told[tool["name"]], tool)
    assert by_url.server_info["name"] == by_command.server_info["name"]


# One that asks.


def inquisitive(rounds: int) -> Server:
    return Server("asking", command=(PYTHON, str(asking_server.__file__), str(rounds)))


async def test_what_a_server_asks_meanwhile_is_answered_with_nothing() -> None:
    """No folder, no completion, no word of a user; and then its list comes."""
    (tool,) = (await introspect(inquisitive(1))).tools
    answers = {answer["id"].split()[0]: answer for answer in json.loads(tool["description"])}
    assert answers["roots/list"]["result"] == {"roots": []}
    assert answers["sampling/createMessage"]["error"]["code"] == -1
    assert answers["elicitation/create"]["result"] == {"action": "decline"}


async def test_a_server_that_asks_without_end_is_given_up() -> None:
    """It is answered 64 times, whatever it asks, and nothing is taken from it."""
    with pytest.raises(IntrospectionError, match="it asks its client more than 64 things"):
        await introspect(inquisitive(22))
    assert (await introspect(inquisitive(21))).tools


# One that sends what no model knows.


@contextlib.asynccontextmanager
async def paged(era: str, way: str) -> AsyncIterator[Server]:
    if way == "stdio":
        yield Server("paged", command=(PYTHON, str(PAGED), era))
        return
    async with asgi_upstream(paged_server.app(era)) as url:
        yield Server("paged", url=url)


@pytest.mark.parametrize("way", ["stdio", "http"])
@pytest.mark.parametrize("era", ["legacy", "modern"])
async def test_pages_and_unknown_members_come_through_whole(era: str, way: str) -> None:
    """Also a schema that the SDK's models would refuse the whole list for."""
    async with paged(era, way) as server:
        listing = await introspect(server)
    version = {"legacy": "2025-11-25", "modern": "2026-07-28"}[era]
    assert (listing.era, listing.version) == (era, version)
    assert equal(list(listing.tools), paged_server.TOOLS)
    assert listing.server_info == paged_server.INFO
    assert listing.instructions == "Mind the gap."
    assert listing.capabilities["vendor/capability"] == {"on": 1}


def odd(era: str = "legacy", **how: Any) -> Server:
    """See `paged_server.main`."""
    return Server("s", command=(PYTHON, str(PAGED), era, json.dumps(how)))


@pytest.mark.parametrize("first", ["end", "ignore"])
async def test_a_server_that_cannot_bear_the_question_of_the_era_is_asked_without(
    first: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that ends is started once more; one that is silent is asked to begin the old way."""
    monkeypatch.setattr(session, "DISCOVER_TIMEOUT_SECONDS", 1.0)
    listing = await introspect(odd(first=first, banner="Welcome!"), seconds=10)
    assert (listing.era, len(listing.tools)) == ("legacy", 3)


# What fails says why.

COMMANDS = {
    "no such program": (("surely-not-there",), "there is no such program. Is it installed"),
    "no program": ((str(PAGED),), "that cannot be run. Is it the right file"),
    "ends": (
        (PYTHON, "-c", "import sys; print('one', file=sys.stderr); sys.exit('API_KEY is missing')"),
        r"ended with exit code 1 before .*\n  \| one\n  \| API_KEY is missing\nDoes the command run",
    ),
    "is killed": (
        (PYTHON, "-c", "import os; os.kill(os.getpid(), 9)"),
        "ended by SIGKILL before it had listed them. Does the command run",
    ),
    "speaks something else": (("echo", "hello"), r"exit code 0 before .*\n  \| hello"),
    "never stops": (("yes",), r"wrote too much that is not MCP.*\n  \| y"),
    "is silent": ((PYTHON, "-c", STUBBORN), r"did not answer within 1 s.*\n  \| up"),
    "closes its output": (
        (PYTHON, "-c", "import os, time; os.close(1); time.sleep(600)"),
        "answered with the error -32000: Connection closed",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", COMMANDS)
async def test_a_command_that_fails_says_what_it_said_last(case: str) -> None:
    """And is gone afterwards, with all that it has started."""
    command, said = COMMANDS[case]
    with pytest.raises(IntrospectionError, match=rf"(?s)^cannot list the tools of 's' .*{said}"):
        await introspect(Server("s", command=command), seconds=1 if case == "is silent" else 10)


def answering(
    status: int, content_type: str = "", body: bytes = b"", lines: dict[bytes, bytes] | None = None
) -> Any:
    """An endpoint that always gives the same answer, and remembers how often it was asked."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        app.count += 1  # type: ignore[attr-defined]
        while (await receive()).get("more_body"):
            pass
        head = {b"content-type": content_type.encode(), **(lines or {})}
        start = {"type": "http.response.start", "status": status, "headers": list(head.items())}
        await send(start)
        await send({"type": "http.response.body", "body": body})

    app.count = 0  # type: ignore[attr-defined]
    return app


JSON = "application/json"
ERROR = b'{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"No \\u001b[31mluck"}}'
ANSWERS = {
    "401": (answering(401), r'answered 401 Unauthorized. Give it a token: `bearer = "env:NAME"`'),
    "403": (answering(403, JSON, b'{"scope": 1}'), 'answered 403 Forbidden: {"scope": 1}. Give it'),
    "404": (answering(404), "answered 404 Not Found. .*Its path is often /mcp"),
    "405": (answering(405), "answered 405 Method Not Allowed. The old HTTP.SSE"),
    "500": (answering(500, "text/plain", b"No disk"), "answered 500 Internal Server Error: No disk"),
    "an error": (answering(400, JSON, ERROR), "answered 400 Bad Request: No luck"),
    "a page": (answering(200, "text/html; charset=utf-8", b"<html>"), "answered with text/html"),
    "other JSON": (answering(200, JSON, b'{"ok": true}'), "what it answered is not MCP"),
    "no JSON": (answering(200, JSON, b"<html>"), "what it answered is not MCP"),
    "compressed": (answering(200, JSON, b"x", {b"content-encoding": b"gzip"}), "compressed"),
}  # fmt: skip


@pytest.mark.parametrize("case", ANSWERS)
async def test_a_url_that_gives_no_list_says_what_came_back(case: str) -> None:
    """And what to do about it."""
    app, said = ANSWERS[case]
    async with asgi_upstream(app) as url:
        with pytest.raises(IntrospectionError, match=rf"^cannot list the tools of 's' at {url}: .*{said}"):  # fmt: skip
            await introspect(Server("s", url=url), seconds=5)


@pytest.mark.parametrize("status", [404, 405])
async def test_a_url_of_the_old_transport_is_recognised(status: int) -> None:
    """Its events go on for ever; what to do instead is told."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        kind = [(b"content-type", b"text/event-stream; charset=utf-8")]
        is_listening = scope["method"] == "GET"
        start = {"status": 200 if is_listening else status, "headers": kind if is_listening else []}
        await send({"type": "http.response.start", **start})
        event = b"event: endpoint\r\ndata: /messages?session_id=1\r\n\r\n" if is_listening else b""
        await send({"type": "http.response.body", "body": event, "more_body": is_listening})
        while is_listening and (await receive())["type"] != "http.disconnect":
            pass

    async with asgi_upstream(app) as url:
        bridge = f"register s -- npx -y mcp-remote {url} --transport sse-only"
        await fails(url, rf"it speaks the HTTP\+SSE transport of MCP 2024-11-05.*{bridge}")


async def fails(url: str, said: str, seconds: float = 5) -> None:
    with pytest.raises(IntrospectionError, match=said):
        await introspect(Server("s", url=url), seconds=seconds)


async def test_a_url_where_nobody_listens_says_so() -> None:
    """Refused, or a host that is not known."""
    await fails(f"http://127.0.0.1:{free_port()}/mcp", "the connection was refused. Is the server")
    await fails("http://nosuch.invalid/mcp", "its host name is not known")


async def test_a_url_with_the_wrong_scheme_or_certificate_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither is worked around; the advice helps."""
    async with asgi_upstream(answering(200)) as url:
        await fails(url.replace("http:", "https:"), "does not speak TLS")
    authority = Authority(tmp_path / "ca")
    issued = authority.issue("127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(issued.chain, issued.key)

    async def leave(_: object, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(leave, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    await fails(f"https://127.0.0.1:{port}/mcp", "certificate is not trusted. .*SSL_CERT_FILE")
    await fails(f"http://127.0.0.1:{port}/mcp", "closed the connection without an answer")
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.path))
    await fails(f"https://127.0.0.1:{port}/mcp", "closed the connection without an answer")
    server.close()


async def test_a_url_that_never_answers_is_given_up_in_time() -> None:
    """Before an answer, or in the middle of one."""
    gone = asyncio.Event()

    async def silent(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            while (await receive())["type"] != "http.disconnect":
                pass
            gone.set()

    async with asgi_upstream(silent) as url:
        began = time.monotonic()
        await fails(url, "did not answer within 1 s", 1)
        assert 0.9 < time.monotonic() - began < 2
        await asyncio.wait_for(gone.wait(), 5)


@pytest.mark.parametrize("content_type", [JSON, "text/event-stream"])
async def test_an_answer_without_end_is_given_up(content_type: str) -> None:
    """Long before memory is."""
    sent = 0

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\n\r\n".encode())
        with contextlib.suppress(ConnectionError):
            while sent < 2**30:
                writer.write(b"data: x" * 2**16)
                sent += 7 * 2**16
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(flood, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    await fails(f"http://127.0.0.1:{port}/mcp", "sent more than is read of a list of tools", 20)
    server.close()
    assert 2**24 < sent < 2**28


async def test_credentials_go_to_the_server_and_to_no_other_origin() -> None:
    """Not by a redirect, whatever its status; what is not followed is named without its query."""
    app = paged_server.app("modern")
    server = {"bearer": "s3cret-token", "headers": {"X-Key": "s3cret-key"}}
    async with asgi_upstream(app) as url, Recorder().running() as stranger:
        await introspect(Server("s", url=url, **server))
        for lines in app.headers:
            assert lines[b"authorization"] == b"Bearer s3cret-token"
            assert lines[b"x-key"] == b"s3cret-key"
        location = f"{stranger.url}?code=1".encode()
        for status in (301, 302, 303, 307, 308):
            redirect = answering(status, lines={b"location": location})
            async with asgi_upstream(redirect) as away:
                with pytest.raises(IntrospectionError, match=rf"{status} .*{stranger.url}, which was not"):  # fmt: skip
                    await introspect(Server("s", url=away, **server))
        assert stranger.requests == []


async def test_a_redirect_within_the_server_is_followed() -> None:
    """The slash at the end of a path is a matter of taste."""
    app = paged_server.app("legacy")

    async def moved(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and scope["path"] == "/mcp":
            lines = [(b"location", b"/mcp/")]
            await send({"type": "http.response.start", "status": 307, "headers": lines})
            await send({"type": "http.response.body", "body": b""})
            return
        await app(scope, receive, send)

    async with asgi_upstream(moved) as url:
        listing: Listing = await introspect(Server("s", url=url))
    assert len(listing.tools) == 3


async def test_a_session_whose_end_is_not_confirmed_costs_no_list() -> None:
    """And little time: what was asked for is there."""
    app = paged_server.app("legacy")
    ended = 0

    async def clinging(scope: Any, receive: Any, send: Any) -> None:
        nonlocal ended

        async def send_session(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"].append((b"mcp-session-id", b"1"))
            await send(message)

        if scope["type"] == "http" and scope["method"] == "DELETE":
            ended += 1
            while (await receive())["type"] != "http.disconnect":
                pass
        else:
            await app(scope, receive, send_session)

    async with asgi_upstream(clinging) as url:
        began = time.monotonic()
        listing = await introspect(Server("s", url=url))
        assert time.monotonic() - began < 5
    assert (len(listing.tools), ended) == (3, 1)


async def test_no_secret_is_in_what_is_said() -> None:
    """Though the server repeats all that it was given."""
    echo = json.dumps({
        "jsonrpc": "2.0", "id": 1,
        "error": {"code": -32603, "message": "bad token s3cret-token and key s3cret-key"},
    })  # fmt: skip
    keys = {"bearer": "s3cret-token", "headers": {"X-Key": "s3cret-key"}}
    async with asgi_upstream(answering(500, JSON, echo.encode())) as url:
        with pytest.raises(
            IntrospectionError, match=r"bad token \[masked\] and key \[masked\]"
        ) as caught:
            await introspect(Server("s", url=f"{url}?key=s3cret-query", **keys))
        assert "s3cret" not in str(caught.value)
    program = "import os, sys; print(os.environ); sys.exit(os.environ['KEY'] + sys.argv[1])"
    server = Server(
        "s", command=(PYTHON, "-c", program, "s3cret-argument"), environment={"KEY": "s3cret-env"}
    )
    with pytest.raises(IntrospectionError, match=r"\[masked\]") as caught:
        await introspect(server)
    assert "s3cret-env" not in str(caught.value)
    assert "s3cret-argument" not in str(caught.value).splitlines()[0]


LISTS: dict[str, tuple[dict[str, Any], str]] = {
    "twice": ({"tools": [{"name": "a"}, {"name": "a"}]}, r"tools\[0\] and tools\[1\] are both"),
    "no name": ({"tools": [{"name": "a"}, {}]}, r"tools\[1\] has no name"),
    "circle": ({"tools": [], "nextCursor": "x"}, "nextCursor 'x' came twice"),
    "no list": ({"tools": {"a": {}}}, "tools is an object, not a list"),
}


@pytest.mark.parametrize("case", LISTS)
async def test_a_list_that_cannot_be_used_says_where(case: str) -> None:
    """Nothing of it is taken."""
    page, said = LISTS[case]
    with pytest.raises(IntrospectionError, match=f"its list cannot be used: .*{said}"):
        await introspect(odd(results={"tools/list": page}))


async def test_a_server_without_tools_has_an_empty_list() -> None:
    """It says that it offers none and refuses the question; one that offers some must answer."""
    begun = {
        "protocolVersion": "2025-06-18", "serverInfo": {"name": "x", "version": "1"},
        "capabilities": {},
    }  # fmt: skip
    listing = await introspect(odd(results={"initialize": begun, "tools/list": None}))
    assert (listing.tools, listing.version) == ((), "2025-06-18")
    with pytest.raises(IntrospectionError, match="error -32601: Method not found"):
        await introspect(odd(results={"tools/list": None}))


async def test_a_server_that_begins_with_something_else_is_no_server() -> None:
    """Neither an answer without what MCP wants of it, nor a version that nobody knows."""
    with pytest.raises(IntrospectionError, match="what it answered is not MCP"):
        await introspect(odd(results={"initialize": {"ok": True}}))
    begun = {
        "protocolVersion": "1999-01-01", "serverInfo": {"name": "x", "version": "1"},
        "capabilities": {},
    }  # fmt: skip
    with pytest.raises(IntrospectionError, match="version from the server: 1999-01-01"):
        await introspect(odd(results={"initialize": begun}))


# What it starts.


async def test_a_server_finds_the_environment_that_it_has_behind_the_proxy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing of ours, which may hold secrets."""
    monkeypatch.setenv("PLANTED", "secret")
    program = "import os, sys; sys.exit(' '.join(sorted(os.environ)) + '!' + os.environ['OWN'])"
    server = Server("s", command=(PYTHON, "-c", program), environment={"OWN": "x", "TZ": "UTC"})
    with pytest.raises(IntrospectionError) as caught:
        await introspect(server)
    (line,) = [line for line in str(caught.value).splitlines() if line.endswith("!x")]
    names = set(line.removeprefix("  | ").removesuffix("!x").split())
    assert {"PATH", "OWN", "TZ"} <= names
    assert names <= {*INHERITED, "OWN", "LC_CTYPE"}


# Where the tests run in the background, SIGINT is ignored from birth; at a terminal it is not.
ASK = """
import asyncio, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from pep.config import Server
from tipstaff.survey.asking.introspect import introspect
asyncio.run(introspect(Server("s", command=tuple(sys.argv[1:]))))
"""


@pytest_asyncio.fixture
async def asking() -> AsyncIterator[asyncio.subprocess.Process]:
    """Somebody who asks a server that will not answer."""
    process = await asyncio.create_subprocess_exec(
        PYTHON, "-c", ASK, PYTHON, "-c", STUBBORN,
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip

    async def has_begun() -> bool:
        return any(line.endswith(f"{GRANDCHILD} ") for line in below(process.pid).values())

    await eventually(has_begun, 20)
    yield process
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    await process.wait()


@pytest.mark.parametrize("times", [1, 2])
async def test_who_interrupts_leaves_nothing_behind(
    asking: asyncio.subprocess.Process, times: int
) -> None:
    """Ctrl-C ends it with patience, a second Ctrl-C without."""
    family = set(below(asking.pid))
    assert len(family) == 2
    for _ in range(times):
        with contextlib.suppress(ProcessLookupError):  # it was quick
            asking.send_signal(signal.SIGINT)
        await asyncio.sleep(0.5)
    began = time.monotonic()
    _, errors = await asyncio.wait_for(asking.communicate(), 10)
    assert b"KeyboardInterrupt" in errors
    # With one Ctrl-C it has patience, unless the server had only just been started.
    assert time.monotonic() - began < 1 or times == 1
    assert not family & {pid for pid, _, _ in processes()}


async def test_who_is_killed_takes_the_server_along(asking: asyncio.subprocess.Process) -> None:
    """The kernel sees to that; what the server has started, it would have to end itself."""
    (server,) = [pid for pid, line in below(asking.pid).items() if not line.endswith(f"{GRANDCHILD} ")]  # fmt: skip
    grandchildren = set(below(server))
    asking.kill()
    await asking.wait()

    async def is_gone() -> bool:
        return server not in {pid for pid, _, _ in processes()}

    await eventually(is_gone)
    for pid in grandchildren:
        os.kill(pid, signal.SIGKILL)
    await asyncio.sleep(0.1)
