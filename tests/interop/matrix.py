"""Runs each client library in front of one gateway, and sees what it saw."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from msgspec import Struct

from tests.gateway import Gateway, gateway
from tests.mcp_servers import sdk_server
from tests.proxy_rig import asgi_upstream

HERE = Path(__file__).parent
TOOLS = HERE.parents[1] / ".tools"
NODE = TOOLS / "node"
RULES = {
    "tools": {
        "add": {},
        "rest": {},
        "delete_everything": {"action": "deny", "reason": "Nothing is deleted."},
    }
}
LEGACY, MODERN = "legacy", "modern"


class Library(Struct, frozen=True):
    """One client library: how it is run, the eras it speaks, and a program that it is made with."""

    name: str
    command: tuple[str, ...]
    eras: tuple[str, ...]
    made_with: str = ""

    @property
    def missing(self) -> str:
        """Why it cannot be run on this machine; "" where it can."""
        if self.made_with and shutil.which(self.made_with) is None:
            return f"{self.name} is left out: there is no {self.made_with} on this machine"
        return ""


def _python(name: str) -> str:
    return str(TOOLS / "interop" / name / "bin" / "python")


def _script(name: str) -> str:
    return str(HERE / name)


GO = str(TOOLS / "interop" / "go" / "client")
LIBRARIES = (
    Library("mcp 2.3", (sys.executable, _script("mcp2_client.py")), (LEGACY, MODERN)),
    Library("mcp 1.30", (_python("mcp1"), _script("mcp1_client.py")), (LEGACY,)),
    Library("fastmcp 4.1", (_python("fastmcp"), _script("fastmcp_client.py")), (LEGACY, MODERN)),
    Library("langchain-mcp-adapters 0.3", (_python("langchain"), _script("langchain_client.py")), (LEGACY,)),
    Library("TypeScript SDK 1.32", (str(NODE / "bin/node"), "@modelcontextprotocol/sdk"), (LEGACY,)),
    Library("TypeScript SDK 2.4", (str(NODE / "bin/node"), "@modelcontextprotocol/client"), (LEGACY, MODERN)),
    Library("Go SDK 1.8", (GO, "go-sdk"), (LEGACY, MODERN), made_with="go"),
    Library("mcp-go 1.2", (GO, "mcp-go"), (LEGACY, MODERN), made_with="go"),
    Library("mcp-remote 0.15", (sys.executable, _script("remote_client.py")), (LEGACY, MODERN)),
    Library("Inspector CLI 2.12", (sys.executable, _script("inspector_client.py")), (LEGACY, MODERN)),
)  # fmt: skip
CHECKS: dict[str, Callable[[dict[str, object]], bool]] = {
    "lists": lambda seen: {"add", "delete_everything"} <= set(seen["tools"]),  # type: ignore[call-overload]
    "calls": lambda seen: seen["first"] == "3",
    "is denied": lambda seen: seen["is_error"] is True,
    "reads why": lambda seen: "Policy violation: Nothing is deleted" in str(seen["denied"]),
    "goes on": lambda seen: seen["again"] == "5",
}


@contextlib.asynccontextmanager
async def site() -> AsyncIterator[Gateway]:
    """A gateway in front of a server that speaks both eras."""
    server = sdk_server()
    server.add_tool(lambda: "rested", name="rest", description="Needs no arguments.")
    with tempfile.TemporaryDirectory(prefix="interop") as folder:
        async with (
            asgi_upstream(server.streamable_http_app()) as url,
            gateway(Path(folder), {"s": url}, {"s": RULES}) as one,
        ):
            yield one


async def run(library: Library, era: str, gate: Gateway) -> dict[str, bool]:
    """What of the checks holds; also that the records tell of the era that was wanted."""
    program, *arguments = library.command
    command, folder = [program, *arguments, gate.url("s"), era], HERE
    if arguments[0].startswith("@"):
        # Modules are looked for beside the script, so it goes where the packages are.
        script = NODE / "ts_client.mjs"
        script.write_text((HERE / "ts_client.mjs").read_text())
        command, folder = [program, str(script), gate.url("s"), era, arguments[0]], NODE
    before = len(gate.records())
    process = await asyncio.create_subprocess_exec(
        *command, cwd=folder, stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        async with asyncio.timeout(60):
            output, errors = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    if process.returncode != 0:
        raise AssertionError(f"{library.name}, {era}:\n{errors.decode()[-1500:]}")
    seen = json.loads(output.splitlines()[-1])
    eras = {
        one["protocol"]["era"] for one in gate.records()[before:] if one["method"] == "tools/call"
    }
    return {name: check(seen) for name, check in CHECKS.items()} | {"in its era": eras == {era}}
