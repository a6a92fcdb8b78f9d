"""Secrets within reach of every edge, and a fault at each: none of them comes out anywhere.

A planted module makes some edges fail in ways that nobody foresaw; the others fail by themselves.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import httpx
import pytest

from pdp.api.v1 import decision_pb2
from tests.commands import run
from tests.gateway import Gateway, call_headers, decisions, gateway, question, tool_call
from tests.proxy_rig import Recorder, free_port

# Each in one place, so that a leak names its source. They have no form that a mask could know.
PLANTED = {
    place: f"planted-{place}-5c1f09"
    for place in (
        "authorization",
        "argument",
        "bearer",
        "header",
        "child",
        "redis",
        "jwks",
        "fault",
    )
}
# The gateway's own Python finds this at its start.
FAULTS = """
import os, sys

if "tipstaff" in " ".join(sys.orig_argv):
    import pdp.grpc.idempotency, pep.front.exchange

    def failing(original):
        def fail(self, *arguments, **more):
            if "boom" in repr((arguments, more)):
                authorization = dict(getattr(self, "_scope", {}).get("headers", ()))
                raise RuntimeError(f"token=planted-fault-5c1f09 {authorization}")
            return original(self, *arguments, **more)
        return fail

    pep.front.exchange.Exchange._post = failing(pep.front.exchange.Exchange._post)
    for name in ("submit", "refund", "finish"):
        setattr(pdp.grpc.idempotency.Idempotency, name, failing(getattr(pdp.grpc.idempotency.Idempotency, name)))
"""
CHILD = """
import os, sys
print("cannot log in with", os.environ["SERVICE"], file=sys.stderr, flush=True)
sys.exit(1)
"""
RULES = {"default": "allow", "tools": {"poll": {"rate_limit": {"max": 9, "window": 60}}}}


async def nonsense(writer: asyncio.StreamWriter) -> None:
    """What no HTTP client can read."""
    writer.write(b"HTTP/1.1 200 OK\r\nbroken line\r\n\r\n")


@pytest.fixture
async def tipstaff(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Gateway]:
    (tmp_path / "faults").mkdir()
    (tmp_path / "faults" / "sitecustomize.py").write_text(FAULTS)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "faults"))
    for place, secret in PLANTED.items():
        monkeypatch.setenv(f"PLANTED_{place.upper()}", secret)
    monkeypatch.setenv("PLANTED_REDIS", f"redis://:{PLANTED['redis']}@127.0.0.1:{free_port()}/0")
    child = (sys.executable, "-c", CHILD)
    own = {"bearer": "env:PLANTED_BEARER", "headers": {"X-Key": "env:PLANTED_HEADER"}}
    given = {"environment": {"SERVICE": "env:PLANTED_CHILD"}}
    odd = Recorder()
    odd.answer = nonsense
    async with odd.running():
        servers = {
            "odd": {"url": odd.url, **own},
            "gone": {"url": f"http://127.0.0.1:{free_port()}/mcp", **own},
            "child": {"command": child, **given},
            "absent": {"command": ("/nonexistent/server",), **given},
            "secured": {"url": odd.url, "accept": ["jwt"]},
        }
        keys = f"http://user:{PLANTED['jwks']}@127.0.0.1:{free_port()}/keys"
        settings = (
            f'[limits]\nstore = "redis"\nurl = "env:PLANTED_REDIS"\n'
            f'[jwt]\nissuer = "https://issuer"\njwks = "{keys}"'
        )
        rules = dict.fromkeys(servers, RULES)
        async with gateway(tmp_path, servers, rules, settings) as one:
            yield one


async def called(tipstaff: Gateway, server: str, tool: str) -> str:
    """The whole answer to a call that holds secrets of the caller."""
    headers = {**call_headers(tool), "Authorization": f"Bearer {PLANTED['authorization']}"}
    message = tool_call(tool, {"password": PLANTED["argument"]}, request_id="x")
    async with httpx.AsyncClient(timeout=30, verify=False) as client:
        answer = await client.post(tipstaff.url(server), json=message, headers=headers)
    return f"{answer.status_code} {dict(answer.headers)} {answer.text}"


async def asked(tipstaff: Gateway) -> str:
    """What a client of the decision service hears of faults."""
    said = []
    async with decisions(tipstaff.address) as service:
        for answer in (
            service.Decide(question("odd", "boom", "1")),
            service.Refund(decision_pb2.RefundRequest(decision_id="boom")),
            service.Finish(decision_pb2.FinishRequest(decision_id="boom")),
        ):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await answer
            said.append(f"{caught.value!r} {caught.value.trailing_metadata()!r}")
            assert caught.value.code() is grpc.StatusCode.INTERNAL
    return "\n".join(said)


def written(folder: Path) -> str:
    """Every file of the state folder."""
    files = [path for path in (folder / "state").rglob("*") if path.is_file()]
    assert folder / "state" / "decisions.jsonl" in files
    return "\n".join(path.read_bytes().decode(errors="replace") for path in files)


async def test_no_secret_comes_out_of_any_edge_that_fails(tipstaff: Gateway) -> None:
    """In no answer, error, log, record, file or command line; and each edge did fail."""
    answers = [
        await called(tipstaff, server, tool)
        for server, tool in (
            ("odd", "boom"), ("odd", "read"), ("gone", "read"), ("child", "read"),
            ("absent", "read"), ("secured", "read"), ("gone", "poll"),
        )
    ]  # fmt: skip
    answers.append(await asked(tipstaff))
    commands = "\n".join(tipstaff.descendants().values())
    await asyncio.sleep(0.3)  # what a server says last is read a moment later
    log = "\n".join(tipstaff.log)
    for event in (
        "unexpected fault", "call not judged", "upstream lost", "upstream never reached",
        "server says", "keys cannot be fetched", "store of the limits",
    ):  # fmt: skip
        assert event in log, event
    for place, secret in PLANTED.items():
        for what in (*answers, log, commands, written(tipstaff.folder)):
            assert secret not in what, place
    assert {one["arguments"]["password"] for one in tipstaff.judged() if one["arguments"]} == {
        "[masked]"
    }


SERVER = '[servers.s]\nurl = "https://h/mcp"\n'
WRONG = [
    ("pdp", '[limits]\nstore = "redis"\nurl = "redis://:planted/5c1f09@127.0.0.1/0"'),
    ("pdp", '[limits]\nstore = "redis"\nurl = "redis://:planted@127.0.0.1:x/0"'),
    ("check", '[servers.s]\nurl = "https://u:planted@[h/mcp"'),
    ("check", '[servers.s]\nurl = "https://u:planted@h/mcp"'),
    ("check", f'{SERVER}bearer = ["planted"]'),
    ("check", f'{SERVER}bearer = "planted\n'),
    ("check", f'{SERVER}bearer = "planted"\nheaders = {{X-Key = "planted"}}'),
    ("pep", f'{SERVER}bearer = "planted"'),
    ("pep", f'{SERVER}headers = {{X-Key = "planted"}}'),
    ("check", '[jwt]\njwks = "http://u:planted@h/keys"'),
]
RIGHT = [
    '[limits]\nstore = "redis"\nurl = "redis://:planted/5c1f09@127.0.0.1/0"',
    '[servers.s]\ncommand = ["run", "--token", "planted"]\nenvironment = {API_KEY = "planted"}',
    '[jwt]\njwks = "https://u:planted@h/keys"',
]


def told(folder: Path, command: str, settings: str) -> subprocess.CompletedProcess[str]:
    """What a command says of a configuration, in a place whose name says nothing."""
    (folder / "policy").mkdir()
    (folder / "tipstaff.toml").write_text(f'state_dir = "state"\n{settings}\n')
    return run(*command.split(), cwd=folder)


@pytest.mark.parametrize(("command", "settings"), WRONG)
def test_what_is_wrong_with_a_configuration_is_said_without_its_secrets(
    tmp_path: Path, command: str, settings: str
) -> None:
    """In one message, with the place."""
    done = told(tmp_path, command, settings)
    assert (done.returncode, done.stderr[:6]) == (2, "error:")
    assert "planted" not in done.stdout + done.stderr


@pytest.mark.parametrize("settings", RIGHT)
def test_a_configuration_is_shown_without_secrets_that_stand_in_it(
    tmp_path: Path, settings: str
) -> None:
    """For people and for programs alike."""
    done = told(tmp_path, "check -v", settings)
    assert done.returncode == 0, done.stderr
    assert "planted" not in done.stdout + done.stderr
    assert "[masked]" in done.stdout
