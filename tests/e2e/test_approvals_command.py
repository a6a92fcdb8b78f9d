"""`tipstaff approvals`: a person sees what waits, answers what was shown, and takes it back."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import pwd
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from pdp.api.v1 import types_pb2
from tests.commands import ended, run_aside
from tests.gateway import Gateway, decisions, eventually, question

TERMS: dict[str, dict[str, Any]] = {
    "reboot": {},
    "pay": {"approvers": ["finance"], "count": 2},
    "drop": {"note": "always"},
    "read": {"standing": {"max": 3600, "match": ["/path"]}},
}
ME = pwd.getpwuid(os.getuid()).pw_name
PEOPLE = f"""
[[approvals.people]]
id = "ana"
groups = ["finance"]
principals = ["anonymous:ana-agent"]
[[approvals.people]]
id = "bo"
groups = ["finance"]
[[approvals.people]]
id = "{ME}"
"""
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def tipstaff(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Gateway]:
    gateway = Gateway(
        tmp_path_factory.mktemp("approvals"), dict.fromkeys("st", "http://127.0.0.1:9/mcp"), PEOPLE
    )
    rules = {
        name: {"action": "require_approval", "reason": f"Ask about {name}.", "approval": terms}
        for name, terms in TERMS.items()
    }
    gateway.rules("s", {"tools": rules})
    gateway.rules("t", {"default": "require_approval"})
    gateway.catalogue("t", {"wipe": {"category": "Destructive", "risk": "critical"}})
    await gateway.start()
    yield gateway
    await gateway.stop()


async def run(tipstaff: Gateway, *words: str) -> tuple[int, str]:
    """Exit code and output of the command, which has no terminal."""
    return await ended("approvals", *words, "-c", str(tipstaff.config))


async def typed(tipstaff: Gateway, text: str, *words: str) -> tuple[int, str]:
    """Exit code and output of the command for a person at a terminal who types `text`."""
    ours, theirs = pty.openpty()
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tipstaff", "approvals", *words, "-c", str(tipstaff.config),
            stdin=theirs, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        os.write(ours, text.encode() + b"\n")
        output, _ = await process.communicate()
    finally:
        os.close(ours)
        os.close(theirs)
    assert process.returncode is not None
    return process.returncode, output.decode()


async def held(tipstaff: Gateway, tool: str, number: int, agent: str = "agent") -> str:
    """The identifier of the approval that a new call waits for."""
    decision = await decide(tipstaff, tool, number, agent)
    assert decision.effect == types_pb2.EFFECT_HOLD
    return str(decision.approval.id)


async def decide(tipstaff: Gateway, tool: str, number: int, agent: str = "agent") -> Any:
    caller = types_pb2.Principal(id=f"anonymous:{agent}", kind="anonymous")
    arguments = json.dumps({"path": f"/{number}", "text": "a\u202eb"}).encode()
    request_id = f"{tool} {number} {os.urandom(4).hex()}"
    server = "t" if tool == "wipe" else "s"
    call = question(server, tool, request_id, principal=caller, arguments_json=arguments)
    async with decisions(tipstaff.address) as service:
        return (await service.Decide(call, timeout=10)).decision


async def test_a_person_lists_shows_and_grants(tipstaff: Gateway) -> None:
    """The call passes once, and the journal tells who said so."""
    approval = await held(tipstaff, "reboot", 1)
    code, listed = await run(tipstaff, "list")
    assert (code, approval in listed, "reboot" in listed) == (0, True, True)
    code, text = await run(tipstaff, "show", approval[: len("a-0123456789abcdef0")])
    assert code == 0
    for part in ("Ask about reboot.", 'path: "/1"', 'text: "a⟨U+202E⟩b"', "anonymous:agent"):
        assert part in text
    code, text = await typed(tipstaff, "y", "grant", approval, "--note", "Go on.")
    assert code == 0, text
    assert "Grant? [y/N]" in text
    assert f"{approval}: granted; ends in " in text
    assert (await decide(tipstaff, "reboot", 1)).effect == types_pb2.EFFECT_ALLOW
    assert (await decide(tipstaff, "reboot", 1)).effect == types_pb2.EFFECT_HOLD
    (line,) = [
        line
        for line in tipstaff.approval_records()
        if line["approval_id"] == approval and line["state"] == "granted"
    ]
    assert (line["by"], line["proven_by"], line["note"]) == (ME, "cli", "Go on.")


async def test_without_a_terminal_nothing_is_granted_by_accident(tipstaff: Gateway) -> None:
    """A pipe must say that it means it; so must it to refuse."""
    approval = await held(tipstaff, "reboot", 2)
    for verb in ("grant", "refuse"):
        code, text = await run(tipstaff, verb, approval)
        assert code == 2
        assert "say --yes" in text
    assert "pending" in (await run(tipstaff, "show", approval))[1]
    words = ("approvals", "grant", approval, "--yes", "--json", "-c", str(tipstaff.config))
    done = await run_aside(*words)
    assert done.returncode == 0
    assert json.loads(done.stdout)["state"] == "granted"


@pytest.mark.parametrize("text", ["", "n", "x"])
async def test_whoever_does_not_say_yes_has_answered_nothing(tipstaff: Gateway, text: str) -> None:
    """The call waits on."""
    approval = await held(tipstaff, "reboot", 3)
    code, output = await typed(tipstaff, text, "grant", approval)
    assert code == 1
    assert "Nothing was answered" in output
    assert "pending" in (await run(tipstaff, "show", approval))[1]


async def test_a_tool_of_critical_risk_is_granted_by_its_name(tipstaff: Gateway) -> None:
    """A yes that fingers type by themselves is not enough."""
    approval = await held(tipstaff, "wipe", 1)
    assert (await typed(tipstaff, "y", "grant", approval))[0] == 1
    code, output = await typed(tipstaff, "wipe", "grant", approval)
    assert code == 0, output


async def test_a_no_reaches_the_agent_with_its_note(tipstaff: Gateway) -> None:
    """And a second answer comes too late, which is said before anything is asked."""
    approval = await held(tipstaff, "reboot", 4)
    code, text = await run(tipstaff, "refuse", approval, "--yes", "--note", "Not today.")
    assert code == 0, text
    assert "Not today." in (await decide(tipstaff, "reboot", 4)).reason.message
    code, text = await run(tipstaff, "grant", approval, "--yes")
    assert code == 2
    assert "refused already" in text


async def test_a_grant_that_stands_is_taken_back(tipstaff: Gateway) -> None:
    """From then on equal calls wait again."""
    approval = await held(tipstaff, "read", 1)
    code, text = await run(tipstaff, "grant", approval, "--yes", "--for", "1h")
    assert code == 0, text
    assert "equal calls pass until then" in text
    assert (await decide(tipstaff, "read", 1)).effect == types_pb2.EFFECT_ALLOW
    code, text = await run(tipstaff, "revoke", approval)
    assert (code, text) == (0, f"{approval}: void\n")
    assert (await decide(tipstaff, "read", 1)).effect == types_pb2.EFFECT_HOLD


@pytest.mark.parametrize(
    ("tool", "words", "text"),
    [
        ("reboot", ("grant", "{id}", "--yes", "--for", "1h"), "leave out --for"),
        ("reboot", ("grant", "{id}", "--yes", "--for", "soon"), "write a number"),
        ("reboot", ("grant", "{id}", "--yes", "--as", "eve"), "[[approvals.people]]"),
        ("pay", ("grant", "{id}", "--yes"), f"you answered as {ME}"),
        ("pay", ("grant", "{id}", "--yes", "--as", "ana"), "the caller acts for ana"),
        ("drop", ("grant", "{id}", "--yes"), "--note TEXT"),
        ("drop", ("refuse", "{id}", "--yes"), "--note TEXT"),
        ("reboot", ("show", "a-none"), "tipstaff approvals list"),
        ("reboot", ("show", "a-"), "write more of it"),
        ("reboot", ("list", "--state", "pendign"), "pending"),
    ],
)
async def test_an_answer_that_does_not_count_says_what_to_do(
    tipstaff: Gateway, tool: str, words: tuple[str, ...], text: str
) -> None:
    """And changes nothing."""
    approval = await held(tipstaff, tool, 5, "ana-agent")
    await held(tipstaff, tool, 6, "ana-agent")
    code, output = await run(tipstaff, *(word.format(id=approval) for word in words))
    assert code == 2
    assert text in " ".join(output.split())
    assert "pending" in (await run(tipstaff, "show", approval))[1]


async def test_two_people_are_two(tipstaff: Gateway) -> None:
    """The first is told that others must follow."""
    approval = await held(tipstaff, "pay", 7)
    code, text = await run(tipstaff, "grant", approval, "--yes", "--as", "ana")
    assert code == 0
    assert "more people must say yes" in text
    assert ": granted" in (await run(tipstaff, "grant", approval, "--yes", "--as", "bo"))[1]


async def test_who_watches_sees_what_waits_and_every_change(tipstaff: Gateway) -> None:
    """A line each, as JSON for a program."""
    before = await held(tipstaff, "reboot", 8, "watched")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tipstaff", "approvals", "list", "--watch", "--json",
        "--principal", "anonymous:watched", "-c", str(tipstaff.config),
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None

    async def change() -> tuple[str, str]:
        line = json.loads(await asyncio.wait_for(process.stdout.readline(), 20))
        return line["id"], line["state"]

    try:
        assert await change() == (before, "pending")
        await held(tipstaff, "reboot", 9, "other")
        await run(tipstaff, "grant", before, "--yes")
        assert await change() == (before, "granted")
        await decide(tipstaff, "reboot", 8, "watched")
        assert await change() == (before, "used")
    finally:
        process.terminate()
        await process.wait()


async def test_the_status_counts_what_waits(tipstaff: Gateway) -> None:
    """It is work for somebody, and no fault."""
    await held(tipstaff, "reboot", 10)
    done = await run_aside("status", "--json", "-c", str(tipstaff.config))
    assert json.loads(done.stdout)["approvals"]["pending"] >= 1
    assert done.returncode == 0


async def test_the_log_tells_who_answered(tipstaff: Gateway) -> None:
    """Between the decisions."""
    approval = await held(tipstaff, "reboot", 11)
    await run(tipstaff, "refuse", approval, "--yes", "--note", "Not now.")
    text = (await run_aside("log", "-c", str(tipstaff.config), "-n", "10")).stdout
    assert "hold approval_required" in text
    assert "approval pending" in text
    assert "approval refused" in text
    assert f"no by {ME}: Not now." in text


async def test_nobody_there_is_said(tmp_path: Path) -> None:
    """With what to do."""
    (tmp_path / "tipstaff.toml").write_text("")
    done = await run_aside("approvals", "list", "-c", str(tmp_path / "tipstaff.toml"))
    assert done.returncode == 2
    assert "is `tipstaff up` running?" in " ".join(done.stderr.split())


async def test_who_watches_goes_on_when_the_service_is_started_anew(tipstaff: Gateway) -> None:
    """What waits is not told twice, what is new is."""
    before = await held(tipstaff, "reboot", 12, "lasting")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tipstaff", "approvals", "list", "--watch", "--json",
        "--principal", "anonymous:lasting", "-c", str(tipstaff.config),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        first = json.loads(await asyncio.wait_for(process.stdout.readline(), 20))
        assert first["id"] == before
        tipstaff.kill(" pdp ")
        told = await asyncio.wait_for(process.stderr.readline(), 20)
        assert b"the decision service went away" in told
        await eventually(lambda: answers(tipstaff), 20)
        after = await held(tipstaff, "reboot", 13, "lasting")
        second = json.loads(await asyncio.wait_for(process.stdout.readline(), 20))
        assert (second["id"], second["state"]) == (after, "pending")
    finally:
        process.terminate()
        await process.wait()


async def answers(tipstaff: Gateway) -> bool:
    return bool(await tipstaff.revision())
