"""`tipstaff approvals`: a person at a terminal sees what waits, and answers."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from pdp.api.v1 import types_pb2
from tests.gateway import Gateway, decisions, question

RULES = {
    "tools": {
        "pay": {
            "action": "require_approval",
            "reason": "Money moves.",
            "approval": {"note": "on_refuse", "standing": {"max": 3600}},
        },
        "drop": {"action": "require_approval", "approval": {"approvers": ["ops"]}},
    }
}
PEOPLE = '[[approvals.people]]\nid = "ana"\n[[approvals.people]]\nid = "bo"\ngroups = ["ops"]\n'
CATALOGUE = {
    "drop": {"category": "Destructive", "risk": "critical", "confidence": 0.9},
    "pay": {"category": "Financial"},
}
pytestmark = pytest.mark.asyncio(loop_scope="module")
_count = iter(range(1000))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def tipstaff(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Gateway]:
    folder: Path = tmp_path_factory.mktemp("approvals")
    gateway = Gateway(folder, {"bank": "http://127.0.0.1:9/mcp"}, PEOPLE)
    gateway.rules("bank", RULES)
    gateway.catalogue("bank", CATALOGUE)
    await gateway.start()
    yield gateway
    await gateway.stop()


async def run(tipstaff: Gateway, *arguments: str) -> tuple[int, str]:
    """Exit code and output of the command, which has no terminal."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tipstaff", "approvals", *arguments, "-c", str(tipstaff.config),
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT, env={**os.environ, "NO_COLOR": "1"},
    )  # fmt: skip
    output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()


async def hold(tipstaff: Gateway, tool: str, arguments: bytes = b"{}") -> types_pb2.Decision:
    request = question("bank", tool, f"r{next(_count)}", arguments_json=arguments)
    async with decisions(tipstaff.address) as service:
        return (await service.Decide(request, timeout=5)).decision


async def test_a_call_is_shown_whole_and_granted(tipstaff: Gateway) -> None:
    """By the beginning of its id; what nobody would see is shown."""
    arguments = json.dumps({"to": "Eve\u202e", "amount": 5, "lines": ["a", {"b": None}]}).encode()
    held = await hold(tipstaff, "pay", arguments)
    assert held.approval.id in (await run(tipstaff, "list"))[1]
    code, text = await run(tipstaff, "show", held.approval.id[:14])
    assert code == 0
    for part in (
        "bank pay",
        "Money moves.",
        "\\u{202e}",
        "amount",
        "5",
        "lines",
        "null",
        "1 person",
    ):
        assert part in text
    assert "\u202e" not in text
    code, text = await run(tipstaff, "grant", held.approval.id, "--yes", "--as", "ana")
    assert (code, text.split(",")[0]) == (0, "granted")
    assert (await hold(tipstaff, "pay", arguments)).effect == types_pb2.EFFECT_ALLOW


async def test_a_pipe_grants_nothing_by_accident(tipstaff: Gateway) -> None:
    """Who cannot be asked must say that they mean it."""
    held = await hold(tipstaff, "pay", b'{"n": 1}')
    code, text = await run(tipstaff, "grant", held.approval.id, "--as", "ana")
    assert code == 2
    assert "--yes" in text
    assert (await hold(tipstaff, "pay", b'{"n": 1}')).effect == types_pb2.EFFECT_HOLD


async def test_a_refusal_wants_the_note_that_the_rule_wants(tipstaff: Gateway) -> None:
    """And says what to do."""
    held = await hold(tipstaff, "pay", b'{"n": 2}')
    code, text = await run(tipstaff, "refuse", held.approval.id, "--as", "ana")
    assert (code, "--note" in text) == (2, True)
    code, text = await run(
        tipstaff, "refuse", held.approval.id, "--as", "ana", "--note", "Too much."
    )
    assert (code, text.startswith("refused")) == (0, True)
    assert "Too much." in (await hold(tipstaff, "pay", b'{"n": 2}')).reason.message


async def test_a_standing_grant_is_revoked(tipstaff: Gateway) -> None:
    """Until then equal calls pass."""
    held = await hold(tipstaff, "pay", b'{"n": 3}')
    options = ("--yes", "--as", "ana", "--for", "10m")
    code, text = await run(tipstaff, "grant", held.approval.id, *options)
    assert (code, "for equal calls" in text) == (0, True)
    for _ in range(2):
        assert (await hold(tipstaff, "pay", b'{"n": 3}')).effect == types_pb2.EFFECT_ALLOW
    assert "standing" not in (await run(tipstaff, "revoke", held.approval.id, "--as", "ana"))[1]
    assert (await hold(tipstaff, "pay", b'{"n": 3}')).effect == types_pb2.EFFECT_HOLD


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("show", "a-nothing"), "there is no approval"),
        (("grant", "a-", "--yes", "--for", "soon"), "write 30s"),
        (("list", "--state", "open"), "there is no choice"),
    ],
)
async def test_mistakes_say_what_to_do(
    tipstaff: Gateway, arguments: tuple[str, ...], message: str
) -> None:
    """With the exit code of bad input."""
    code, text = await run(tipstaff, *arguments)
    assert (code, message in text) == (2, True), text


async def test_who_is_not_asked_is_told_who_is(tipstaff: Gateway) -> None:
    """And where that is written."""
    held = await hold(tipstaff, "drop")
    code, text = await run(tipstaff, "grant", held.approval.id, "--yes", "--as", "ana")
    assert code == 2
    assert "ops" in text
    assert "approvals.people" in " ".join(text.split())


async def test_a_critical_tool_is_granted_by_its_name(tipstaff: Gateway) -> None:
    """On a terminal, after the call was shown."""
    held = await hold(tipstaff, "drop", b'{"n": 4}')
    for typed, code in ((b"y\n", 1), (b"drop\n", 0)):
        primary, secondary = pty.openpty()
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tipstaff", "approvals", "grant", held.approval.id, "--as", "bo",
            "-c", str(tipstaff.config), stdin=secondary, stdout=secondary, stderr=secondary,
        )  # fmt: skip
        os.close(secondary)
        os.write(primary, typed)
        assert await process.wait() == code
        os.close(primary)
    assert (await hold(tipstaff, "drop", b'{"n": 4}')).effect == types_pb2.EFFECT_ALLOW


async def test_the_log_tells_who_answered(tipstaff: Gateway) -> None:
    """Between the decisions."""
    held = await hold(tipstaff, "pay", b'{"n": 5}')
    await run(tipstaff, "refuse", held.approval.id, "--as", "ana", "--note", "Not now.")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tipstaff", "log", "-c", str(tipstaff.config), "--tool", "pay",
        stdout=asyncio.subprocess.PIPE, env={**os.environ, "NO_COLOR": "1"},
    )  # fmt: skip
    text = (await process.communicate())[0].decode()
    assert "hold approval_required" in text
    assert "approval pending" in text
    assert "approval refused" in text
    assert "no by ana: Not now." in text
