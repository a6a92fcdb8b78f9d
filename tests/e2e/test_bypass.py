"""No way of writing a message gets a call past the rule that denies it.

A policy denies `delete_file`, lets `echo` through, `pay` up to 100, and `bare` without a path; a recorder stands where the
server would, so that every case can say what arrived: nothing, or the very bytes that were judged.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.e2e import attempts
from tests.e2e.attempts import DENIED, EMPTY, PASSED, Attempt, call, http, legacy, lines, text
from tests.gateway import Gateway, gateway
from tests.proxy_rig import Recorder

POLICY = {
    "default": "deny",
    "tools": {
        "echo": {},
        "delete_file": {"action": "deny"},
        "wipe": {"action": "require_approval"},
        "bare": {"arguments": {"properties": {"path": False}}},
        "pay": {
            "arguments": {
                "properties": {"amount": {"type": "integer", "maximum": 100}},
                "required": ["amount"],
            }
        },
    },
}
ALL: list[Attempt] = [
    *attempts.key_attempts(),
    *attempts.json_attempts(),
    *attempts.envelope_attempts(),
    *attempts.type_attempts(),
    *attempts.number_attempts(),
    *attempts.mirror_attempts(),
    *attempts.framing_attempts(),
    *attempts.packed_attempts(),
]
pytestmark = pytest.mark.asyncio(loop_scope="module")


class Site:
    """A gateway in front of a recorder."""

    def __init__(self, gate: Gateway, upstream: Recorder) -> None:
        self.gate = gate
        self.upstream = upstream

    async def say(self, data: bytes) -> tuple[int, bytes]:
        """Send the bytes as they are; the status and the body of the first answer."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.gate.port)
        try:
            writer.write(data)
            async with asyncio.timeout(20):
                return await answer(reader, is_head=data.startswith(b"HEAD"))
        finally:
            writer.close()

    def told(self) -> int:
        """How much has been written down: decisions, and refusals in the log."""
        refused = sum("refused" in line for line in self.gate.log)
        return len(self.gate.records()) + refused


async def answer(reader: asyncio.StreamReader, *, is_head: bool = False) -> tuple[int, bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = head.partition(b"content-length:")[2].split(b"\r\n")[0].strip()
    if is_head:
        return int(head.split()[1]), b""
    body = await (reader.readexactly(int(length)) if length.isdigit() else reader.read())
    return int(head.split()[1]), body


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    folder: Path = tmp_path_factory.mktemp("bypass")
    async with Recorder().running() as upstream:
        servers = {"demo": upstream.url}
        pep = "body_timeout_ms = 1000\nhead_timeout_ms = 1000\nhold_seconds = 0"
        async with gateway(folder, servers, {"demo": POLICY}, pep=pep) as gate:
            yield Site(gate, upstream)


@pytest.fixture(autouse=True)
def nothing_yet(site: Site) -> None:
    site.upstream.requests.clear()


def code_of(body: bytes) -> Any:
    """The error code, DENIED, or PASSED for the recorder's own answer."""
    try:
        message = json.loads(body)
    except ValueError:
        return EMPTY
    if "error" in message:
        return message["error"]["code"]
    return DENIED if message["result"].get("isError") else PASSED


@pytest.mark.parametrize("attempt", ALL, ids=lambda one: f"{one.row}: {one.title}")
async def test_an_attempt_ends_as_it_must(site: Site, attempt: Attempt) -> None:
    """The status, the code, what arrived, and one line that tells of it."""
    before = site.told()
    status, body = await site.say(attempt.data)
    assert status == attempt.status, body
    if attempt.code != EMPTY:
        assert code_of(body) == attempt.code
    arrived = [received for _, received in site.upstream.requests]
    assert arrived == ([attempt.body] if attempt.code == PASSED else [])
    async with asyncio.timeout(5):
        while site.told() == before:
            await asyncio.sleep(0.01)
    # A body that turns out to be none may be refused by the parser and by the application.
    assert site.told() <= before + 2


async def test_a_refusal_before_the_judgement_names_its_request(site: Site) -> None:
    """What is unlike a message but has an id gets it back; a notification gets an error without."""
    for message, reply in (
        ({"jsonrpc": "2.0", "id": "7", "method": "tools/call", "params": None}, {"id": "7"}),
        ({"jsonrpc": "2.0", "id": 7, "method": "ping", "params": {"_meta": None}}, {"id": 7}),
        ({"jsonrpc": "2.0", "method": "tools/call", "params": None}, {}),
    ):
        status, body = await site.say(legacy(message))
        answered = json.loads(body)
        assert (status, answered.pop("error")["code"]) == (400, -32600)
        assert answered == {"jsonrpc": "2.0", **reply}


async def test_an_id_under_way_is_not_taken_again(site: Site) -> None:
    """Row 17: the same id of the same legacy session, while the first call still runs."""
    hold = asyncio.Event()

    async def slow(writer: asyncio.StreamWriter) -> None:
        await hold.wait()
        await Recorder.ok(writer)

    site.upstream.answer = slow
    body = attempts.legacy_call("echo")
    try:
        first = asyncio.ensure_future(site.say(legacy(body, Mcp_Session_Id="s")))
        while not site.upstream.requests:
            await asyncio.sleep(0.01)
        judged = len(site.gate.judged())
        status, refusal = await site.say(legacy(body, Mcp_Session_Id="s"))
        assert (status, code_of(refusal)) == (400, -32600)
        assert len(site.gate.judged()) == judged  # and so it has cost nothing
        other_type = asyncio.ensure_future(
            site.say(legacy({**body, "id": "1"}, Mcp_Session_Id="s"))
        )
        hold.set()
        assert code_of((await first)[1]) == PASSED
        assert code_of((await other_type)[1]) == PASSED
    finally:
        site.upstream.answer = Recorder.ok
    status, again = await site.say(legacy(body, Mcp_Session_Id="s"))
    assert (status, code_of(again)) == (200, PASSED)


async def test_the_second_of_two_requests_is_judged_alone(site: Site) -> None:
    """Row 32: pipelined behind one that was denied."""
    reader, writer = await asyncio.open_connection("127.0.0.1", site.gate.port)
    writer.write(http(call()) + http(call("echo"), lines("echo")) + http(call()))
    answers = [await answer(reader) for _ in range(3)]
    writer.close()
    assert [code_of(body) for _, body in answers] == [DENIED, PASSED, DENIED]
    assert [received for _, received in site.upstream.requests] == [text(call("echo"))]


async def test_a_body_of_just_the_limit_is_judged_and_a_byte_more_is_not(site: Site) -> None:
    """Row 31: the limit is 4 MiB."""
    empty = text(call("echo", blob=""))
    for more, status, code in ((0, 200, PASSED), (1, 413, -32600)):
        blob = "x" * (4 * 1024 * 1024 - len(empty) + more)
        body = text(call("echo", blob=blob))
        assert len(body) == 4 * 1024 * 1024 + more
        got, reply = await site.say(http(body, lines("echo")))
        assert (got, code_of(reply)) == (status, code)
    assert len(site.upstream.requests) == 1


async def test_lines_that_come_after_the_body_do_not_go_on(site: Site) -> None:
    """Row 26: a trailer would be a header line that nobody has checked."""
    body = text(call("echo"))
    size = b"%x\r\n" % len(body)
    head = http(b"", lines("echo"), "Transfer-Encoding: chunked\r\n", length=None)
    reader, writer = await asyncio.open_connection("127.0.0.1", site.gate.port)
    writer.write(head + size)
    await asyncio.sleep(0.1)
    writer.write(body + b"\r\n0\r\nMcp-Session-Id: another\r\nX-Late: 1\r\n\r\n")
    assert code_of((await answer(reader))[1]) == PASSED
    writer.close()
    head = site.upstream.requests[0][0].lower()
    assert b"mcp-session-id" not in head
    assert b"x-late" not in head


@pytest.mark.parametrize("begun", [b"", b"\r\n", b"POST /demo/mcp HTTP/1.1\r\nHost: 127"])
async def test_a_client_that_sends_its_lines_slowly_is_given_up(site: Site, begun: bytes) -> None:
    """The deadline is a second here; nothing is heard of the client in between."""
    reader, writer = await asyncio.open_connection("127.0.0.1", site.gate.port)
    writer.write(begun)
    async with asyncio.timeout(3):
        status, body = await answer(reader)
    writer.close()
    assert (status, code_of(body)) == (408, -32600)


async def test_header_lines_without_end_are_refused(site: Site) -> None:
    """64 KiB are enough for anybody."""
    more = "".join(f"X-Line-{index}: {'x' * 1000}\r\n" for index in range(70))
    status, body = await site.say(http(call("echo"), lines("echo"), more))
    assert (status, code_of(body)) == (431, -32600)
    assert site.upstream.requests == []


async def test_redirects_are_handed_on_and_not_followed(site: Site) -> None:
    """Row 36: the server may not send the proxy anywhere."""

    async def elsewhere(writer: asyncio.StreamWriter) -> None:
        location = b"Location: http://169.254.169.254/latest/meta-data\r\n"
        writer.write(b"HTTP/1.1 307 X\r\nContent-Length: 0\r\nConnection: close\r\n" + location)
        writer.write(b"\r\n")

    site.upstream.answer = elsewhere
    try:
        status, _ = await site.say(http(call("echo"), lines("echo")))
    finally:
        site.upstream.answer = Recorder.ok
    assert status == 307
    assert len(site.upstream.requests) == 1


async def test_keys_that_look_like_others_count_for_themselves(site: Site) -> None:
    """Row 39: a session key with the separators of limit keys, and one revision per decision."""
    for key in ("a/b", "a:b", "{a}", "a", "a\\", "*"):
        await site.say(http(call("echo"), lines("echo", Tipstaff_Session=key)))
    records = [one for one in site.gate.records() if one["target"] == "echo"][-6:]
    assert len({record["session"]["id"] for record in records}) == 6
    assert len({record["revision"] for record in records}) == 1


async def test_a_held_call_does_not_arrive_however_often_or_with_what_it_is_made(
    site: Site,
) -> None:
    """Rows 37 and 38: nobody has approved it, so nothing can be released, twice or changed."""
    for arguments in ({}, {}, {"path": "/"}):
        status, body = await site.say(http(call("wipe", **arguments), lines("wipe")))
        assert (status, code_of(body)) == (200, DENIED)
        assert (
            json.loads(body)["result"]["_meta"]["tipstaff/decision"]["code"] == "approval_pending"
        )
    assert site.upstream.requests == []


async def test_a_session_is_gone_after_its_end_also_for_the_one_who_had_it(site: Site) -> None:
    """Row 29: the server says so, and nothing here speaks for it."""

    async def gone(writer: asyncio.StreamWriter) -> None:
        body = b'{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"Session not found"}}'
        head = b"HTTP/1.1 404 X\r\nContent-Type: application/json\r\nConnection: close\r\n"
        writer.write(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)

    await site.say(legacy(b"", Mcp_Session_Id="over").replace(b"POST", b"DELETE", 1))
    site.upstream.answer = gone
    try:
        told = attempts.legacy_call("echo")
        status, body = await site.say(legacy(told, Mcp_Session_Id="over"))
    finally:
        site.upstream.answer = Recorder.ok
    assert (status, code_of(body)) == (404, -32600)
