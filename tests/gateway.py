"""The whole gateway as its users run it: `tipstaff up` as a child process, on ports of its own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import grpc
import yaml

from pdp.api.v1 import decision_pb2, decision_pb2_grpc, policy_pb2, policy_pb2_grpc, types_pb2
from tests.commands import run
from tests.proxy_rig import META, free_port
from tipstaff.common.die_with_parent import bound_to_this_process

READY = "Stop with Ctrl-C."
MODERN = "2026-07-28"


class Gateway:
    """A configuration in a folder, and the process that runs it."""

    def __init__(
        self, folder: Path, servers: Mapping[str, Any], settings: str = "", pep: str = ""
    ) -> None:
        """Write the configuration; start nothing. `pep` are more lines of its section."""
        self.folder = folder
        self.port = free_port()
        self.config = folder / "tipstaff.toml"
        self.process: asyncio.subprocess.Process | None = None
        self.log: list[str] = []
        sections = "".join(f"[servers.{name}]\n{_way(way)}\n" for name, way in servers.items())
        listen = f'[pep]\nlisten = "127.0.0.1:{self.port}"\n{pep}\n'
        self.config.write_text(f'state_dir = "state"\n{settings}\n{listen}\n{sections}')

    @classmethod
    def registered(cls, folder: Path) -> Gateway:
        """A site that `tipstaff register` has made, moved to a port and a state folder of ours."""
        text = (folder / "tipstaff.toml").read_text()
        one = cls(folder, {})
        moved = text.replace("127.0.0.1:8700", f"127.0.0.1:{one.port}")
        moved = moved.replace("port = 8701", "port = 0")
        # What a starter rule holds is answered at once, as no person is here.
        moved = moved.replace("[pep]", "[pep]\nhold_seconds = 0", 1)
        one.config.write_text(moved.replace('state_dir = ".tipstaff"', 'state_dir = "state"'))
        return one

    def rules(self, server: str, rules: Any) -> None:
        """Write the rules of a server: text as it is, anything else as YAML."""
        path = self.folder / "policy" / "servers" / server / "data.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(rules if isinstance(rules, str) else yaml.safe_dump(rules))

    def catalogue(self, server: str, tools: Mapping[str, Any]) -> None:
        """Write what is known of the tools of a server (name: entry)."""
        path = self.folder / "policy" / "catalog" / server / "data.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"tools": tools}))

    def url(self, server: str) -> str:
        return f"http://127.0.0.1:{self.port}/{server}/mcp"

    @property
    def address(self) -> str:
        """Where the decision service listens."""
        return f"unix:{self.folder / 'state' / 'run' / 'pdp.sock'}"

    def lines(self) -> list[dict[str, Any]]:
        """Every line of the journal."""
        path = self.folder / "state" / "decisions.jsonl"
        return (
            [json.loads(line) for line in path.read_bytes().splitlines()] if path.exists() else []
        )

    def records(self) -> list[dict[str, Any]]:
        """The records of decisions."""
        return [line for line in self.lines() if line["type"] == "tipstaff.decision"]

    def approval_records(self) -> list[dict[str, Any]]:
        """The records of approvals."""
        return [line for line in self.lines() if line["type"] == "tipstaff.approval"]

    def judged(self, method: str = "tools/call") -> list[dict[str, Any]]:
        """The records of calls, without what a client does to begin and end a session."""
        return [record for record in self.records() if record["method"] == method]

    options: Sequence[str] = os.environ.get("TIPSTAFF_TEST_UP", "").split()
    """Options of `tipstaff up`; TIPSTAFF_TEST_UP=--inline has the same tests of one process, "--workers 2" of two proxies."""

    async def start(self) -> None:
        """Run `tipstaff up` and wait until it says that it is."""
        self.process = await asyncio.create_subprocess_exec(
            *bound_to_this_process(
                [
                    sys.executable,
                    "-m",
                    "tipstaff",
                    "up",
                    "--config",
                    str(self.config),
                    *self.options,
                ]
            ),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
            env={**os.environ, "NO_COLOR": "1", "PYTHONUNBUFFERED": "1"},
        )
        assert self.process.stdout is not None
        while line := (await self.process.stdout.readline()).decode():
            self.log.append(line.rstrip())
            if READY in line:
                self._reading = asyncio.ensure_future(self._keep_reading())
                return
        await self.process.wait()
        raise AssertionError("the gateway did not start:\n" + "\n".join(self.log))

    async def stop(self) -> int:
        """Ask it to stop, as Ctrl-C does; returns the exit code."""
        assert self.process is not None
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGINT)
        code = await asyncio.wait_for(self.process.wait(), 20)
        await self._reading
        return code

    async def _keep_reading(self) -> None:
        assert self.process is not None
        assert self.process.stdout is not None
        while line := (await self.process.stdout.readline()).decode():
            self.log.append(line.rstrip())

    def descendants(self) -> dict[int, str]:
        """Every process below it, with its command line."""
        assert self.process is not None
        return below(self.process.pid)

    def kill(self, what: str) -> int:
        """SIGKILL the one descendant whose command line holds `what`, and wait for its end; returns its pid."""
        (pid,) = [pid for pid, command in self.descendants().items() if what in command]
        os.kill(pid, signal.SIGKILL)
        deadline = time.monotonic() + 5
        while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
            time.sleep(0.001)
        return pid

    async def revision(self) -> str:
        """The revision that decides, or "" while there is no decision service."""
        with contextlib.suppress(grpc.aio.AioRpcError):
            async with grpc.aio.insecure_channel(self.address) as channel:
                stub = policy_pb2_grpc.PolicyServiceStub(channel)
                status = await stub.GetStatus(policy_pb2.GetStatusRequest(), timeout=1)
                return str(status.revision) if status.ready else ""
        return ""

    async def wait_for_change(self, before: str, seconds: float = 10) -> None:
        """Wait until rules other than `before` decide."""
        await eventually(lambda: self._differs(before), seconds)

    async def _differs(self, before: str) -> bool:
        return await self.revision() not in {"", before}


@contextlib.asynccontextmanager
async def gateway(
    folder: Path,
    servers: Mapping[str, Any],
    rules: Mapping[str, Any],
    settings: str = "",
    pep: str = "",
) -> AsyncIterator[Gateway]:
    """A running gateway in front of `servers` (name: URL) with `rules` (name: rules)."""
    one = Gateway(folder, servers, settings, pep)
    for server, text in rules.items():
        one.rules(server, text)
    await one.start()
    try:
        yield one
    finally:
        below = one.descendants()
        await one.stop()
        left = {pid for pid, _, _ in processes()} & set(below)
        assert not left, f"left behind: {[below[pid] for pid in left]}"


async def eventually(holds: Any, seconds: float = 10) -> float:
    """Wait until `holds()` (a coroutine function) is true; returns how long that took."""
    began = time.monotonic()
    while not await holds():
        assert time.monotonic() - began < seconds, f"not within {seconds} s"
        await asyncio.sleep(0.02)
    return time.monotonic() - began


def _way(way: str | Mapping[str, Any]) -> str:
    """How a server is reached: a URL, or the keys of its section."""
    keys = {"url": way} if isinstance(way, str) else way
    return "".join(f"{key} = {_toml(value)}\n" for key, value in keys.items())


def _toml(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key} = {_toml(one)}" for key, one in value.items()) + "}"
    return json.dumps(list(value) if isinstance(value, tuple) else value)


def tool_call(
    name: str, arguments: Any = None, *, request_id: Any = 1, key: str = ""
) -> dict[str, Any]:
    """A call of the modern era, as JSON."""
    meta = {**META, "tipstaff/session": key} if key else META
    params = {"name": name, "arguments": arguments or {}, "_meta": meta}
    return {"jsonrpc": "2.0", "id": request_id, "method": "tools/call", "params": params}


def call_headers(name: str) -> dict[str, str]:
    """The headers that go with `tool_call`."""
    return {
        "Content-Type": "application/json",
        "Accept": "application/json, text/event-stream",
        "MCP-Protocol-Version": MODERN,
        "Mcp-Method": "tools/call",
        "Mcp-Name": name,
    }


def make_token(tipstaff: Gateway, *arguments: str) -> str:
    """What `tipstaff token` prints."""
    done = run("token", *arguments, "-c", str(tipstaff.config))
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def question(
    server: str, target: str, request_id: str, session: str = "s", **more: Any
) -> decision_pb2.DecideRequest:
    """A call as the decision service is asked about it."""
    return decision_pb2.DecideRequest(
        request_id=request_id,
        server=server,
        method="tools/call",
        target=target,
        session=types_pb2.Session(id=session, kind="cooperative"),
        **{
            "principal": types_pb2.Principal(id="anonymous:127.0.0.1", kind="anonymous"),
            "arguments_json": b"{}",
            **more,
        },
    )


@contextlib.asynccontextmanager
async def decisions(address: str) -> AsyncIterator[decision_pb2_grpc.DecisionServiceStub]:
    """A client of the decision service."""
    async with grpc.aio.insecure_channel(address) as channel:
        yield decision_pb2_grpc.DecisionServiceStub(channel)


def below(pid: int) -> dict[int, str]:
    """Every process below `pid`, with its command line."""
    found: dict[int, str] = {}
    wanted, there = {pid}, processes()
    while fresh := {
        one: line for one, parent, line in there if parent in wanted and one not in found
    }:
        found |= fresh
        wanted |= set(fresh)
    return found


def processes() -> list[tuple[int, int, str]]:
    """Pid, parent and command line of every process that is not a zombie."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                if state != "Z":
                    found.append((int(folder.name), int(parent), command))
    return found
