"""A webhook of a running gateway: people are called, nobody waits for it, and nothing secret goes out."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from pdp.api.v1 import types_pb2
from tests.commands import run, run_aside
from tests.gateway import Gateway, decisions, eventually, gateway, question
from tests.webhook_receiver import Receiver

SECRET = "whsec_Y2FuYXJ5LXNlY3JldC1jYW5hcnktc2VjcmV0"
CANARIES = ("canary", SECRET, SECRET.removeprefix("whsec_"))
SERVERS = {"s": "http://127.0.0.1:9/mcp"}
RULES = {"s": {"default": "require_approval"}}


def settings(folder: Path, port: int, **more: Any) -> str:
    (folder / "hook.key").write_text(SECRET + "\n")
    keys = {
        "url": f"http://127.0.0.1:{port}/canary-path",
        "secret": "file:hook.key",
        "hosts": ["127.0.0.1"],
        "link": "http://127.0.0.1:8701",
        **more,
    }
    return "[approvals.webhook]\n" + "".join(
        f"{key} = {json.dumps(value)}\n" for key, value in keys.items()
    )


async def held(tipstaff: Gateway, number: int) -> types_pb2.Decision:
    arguments = json.dumps({"n": number, "text": "canary-argument", "token": "canary"}).encode()
    async with decisions(tipstaff.address) as service:
        asked = question("s", "pay", f"r{number}", arguments_json=arguments)
        return (await service.Decide(asked, timeout=10)).decision


async def test_people_are_called_and_told_how_it_ended(tmp_path: Path) -> None:
    """With a link, without what the call would do, and without any secret."""
    async with (
        Receiver().running() as receiver,
        gateway(tmp_path, SERVERS, RULES, settings(tmp_path, receiver.port)) as gate,
    ):
        approval = (await held(gate, 1)).approval.id

        async def is_told(count: int = 1) -> bool:
            return len(receiver.got) >= count

        await eventually(is_told)
        command = ("approvals", "refuse", approval, "--yes", "--note", "canary-note")
        done = await run_aside(*command, "-c", str(gate.config))
        assert done.returncode == 0, done.stderr
        await eventually(lambda: is_told(2))
    assert receiver.types() == ["approval.pending", "approval.refused"]
    first = json.loads(receiver.got[0][1])
    assert first["link"] == f"http://127.0.0.1:8701/a/{approval}"
    assert (first["server"], first["tool"]) == ("s", "pay")
    sent = str(receiver.got)
    for canary in CANARIES:
        assert canary not in sent.replace("canary-path", "")
        assert not any(canary in line for line in gate.log)


@pytest.mark.parametrize("answers", ["hangs", "nobody"])
async def test_a_receiver_that_is_no_use_holds_up_nobody(tmp_path: Path, answers: str) -> None:
    """Calls are held, answered and recorded as if there were no webhook."""

    async def hangs(_: web.Request) -> web.StreamResponse:
        await asyncio.sleep(60)
        return web.Response()

    async with Receiver().running() as receiver:
        receiver.answers = [hangs] * 20
        port = receiver.port if answers == "hangs" else 9
        async with gateway(tmp_path, SERVERS, RULES, settings(tmp_path, port)) as gate:
            async with asyncio.timeout(5):
                for number in range(10):
                    assert (await held(gate, number)).effect == types_pb2.EFFECT_HOLD
            assert len(gate.approval_records()) == 10


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"secret": "env:NOT_SET_ANYWHERE"}, "NOT_SET_ANYWHERE"),
        ({"secret": SECRET}, "a secret stands here in clear"),
        ({"secret": ""}, "needs a secret"),
        ({"hosts": []}, "hosts = ['127.0.0.1']"),
        ({"hosts": ["hooks.example"]}, "does not name the host of the url"),
        ({"url": "ftp://127.0.0.1/canary"}, "must be https://HOST/"),
        ({"hook": "x"}, "there is no such key"),
    ],
)
def test_a_webhook_that_could_not_be_sent_is_told_by_check(
    tmp_path: Path, more: dict[str, Any], says: str
) -> None:
    """With the line at which it stands, and no value."""
    gate = Gateway(tmp_path, SERVERS, settings(tmp_path, 9, **more))
    gate.rules("s", RULES["s"])
    shown = run("check", "--strict", "-v", "-c", str(gate.config))
    assert shown.returncode != 0
    assert says in " ".join(shown.stderr.split()), shown.stderr
    assert "tipstaff.toml:" in shown.stderr
    for canary in CANARIES:
        assert canary not in shown.stderr


def test_what_is_shown_of_a_webhook_is_where_its_secret_is(tmp_path: Path) -> None:
    """And never the secret."""
    gate = Gateway(tmp_path, SERVERS, settings(tmp_path, 9))
    gate.rules("s", RULES["s"])
    shown = run("check", "-v", "-c", str(gate.config))
    assert shown.returncode == 0, shown.stderr
    assert "hook.key" in shown.stdout
    assert SECRET not in shown.stdout + shown.stderr
