"""Ten real MCP servers from the registries: how each is started over stdio, and some over HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from pep.config import Server
from tests.proxy_rig import free_port
from tests.stdio_servers import DEMO, NODE, ROOT, everything, filesystem, git
from tipstaff.common.die_with_parent import bound_to_this_process

NAMES = (
    "agentcore", "amazon_mq", "everything", "filesystem", "git", "iam", "memory", "playwright",
    "sqlite", "time",
)  # fmt: skip
OVER_HTTP = ("agentcore", "amazon_mq", "everything", "playwright")
# Some servers would listen on every address of the machine.
_LOOPBACK_ONLY = """\
const net = require("node:net");
const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function (port, ...rest) {
  if (!/^[0-9]+$/.test(String(port))) return listen.call(this, port, ...rest);
  if (typeof rest[0] === "string") rest.shift();
  return listen.call(this, Number(port), "127.0.0.1", ...rest);
};
"""
# Nobody listens on that port: no server here needs AWS to tell what it could do there.
_AWS_PROFILE = """\
[default]
region = us-east-1
aws_access_key_id = demo
aws_secret_access_key = demo
"""


def over_stdio(folder: Path) -> dict[str, Server]:
    """Every server by its name; what they write goes into `folder`."""
    node = (str(NODE / "bin" / "node"),)
    packages = NODE / "node_modules"
    memory = packages / "@modelcontextprotocol" / "server-memory" / "dist" / "index.js"
    playwright = packages / "@playwright" / "mcp" / "cli.js"
    sqlite = ROOT / ".tools" / "interop" / "mcp1" / "bin" / "mcp-server-sqlite"
    aws = _aws(folder)
    commands: dict[str, tuple[tuple[str, ...], Mapping[str, str]]] = {
        "agentcore": ((str(DEMO / "awslabs.amazon-bedrock-agentcore-mcp-server"),), aws),
        "amazon_mq": ((str(DEMO / "awslabs.amazon-mq-mcp-server"),), aws),
        "everything": (everything().command, {}),
        "filesystem": (filesystem(folder).command, {}),
        "git": (git(folder).command, {}),
        "iam": ((str(DEMO / "awslabs.iam-mcp-server"),), aws),
        "memory": ((*node, str(memory)), {"MEMORY_FILE_PATH": str(folder / "memory.jsonl")}),
        "playwright": ((*node, str(playwright), "--output-dir", str(folder)), {}),
        "sqlite": ((str(sqlite), "--db-path", str(folder / "some.db")), {}),
        "time": ((str(DEMO / "mcp-server-time"), "--local-timezone", "UTC"), {}),
    }
    return {
        name: Server(name, command=command, environment=dict(environment))
        for name, (command, environment) in commands.items()
    }


@contextlib.asynccontextmanager
async def over_http(name: str, folder: Path) -> AsyncIterator[Server]:
    """One of `OVER_HTTP`, listening on 127.0.0.1."""
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        *bound_to_this_process(_listening(name, port, folder)),
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL, cwd=folder,
        env={**os.environ, **_aws(folder), "PORT": str(port), "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    try:
        for _ in range(600):
            assert process.returncode is None, f"{name} ended with {process.returncode}"
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                break
            await asyncio.sleep(0.05)
        yield Server(name, url=f"http://127.0.0.1:{port}/mcp")
    finally:
        process.kill()
        await process.wait()


def _listening(name: str, port: int, folder: Path) -> list[str]:
    stdio = over_stdio(folder)[name].command
    if name == "everything":
        preload = folder / "loopback.cjs"
        preload.write_text(_LOOPBACK_ONLY)
        node, script, _ = stdio
        return [node, "--require", str(preload), script, "streamableHttp"]
    if name == "playwright":
        here = f"127.0.0.1:{port}"  # it knows itself as `localhost` alone
        return [*stdio, "--host", "127.0.0.1", "--port", str(port), "--allowed-hosts", here]
    served = ROOT / "demo" / "serve.py"
    return [str(DEMO / "python"), str(served), name, str(port), str(folder / f"{name}.reached")]


def _aws(folder: Path) -> dict[str, str]:
    """Settings with which no server finds a real account."""
    (folder / "aws.ini").write_text(_AWS_PROFILE)
    return {
        "AWS_CONFIG_FILE": str(folder / "aws.ini"),
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "FASTMCP_LOG_LEVEL": "ERROR",
    }


async def main() -> None:
    """Say of each what it lists, and how long that took."""
    import tempfile
    import time

    from tipstaff.survey.asking.introspect import introspect

    with tempfile.TemporaryDirectory() as folder:
        for name, server in over_stdio(Path(folder)).items():
            began = time.perf_counter()
            listing = await introspect(server)
            took = time.perf_counter() - began
            sys.stdout.write(f"{name:12} {took:5.2f} s  {listing.era:7} {len(listing.tools)}\n")


if __name__ == "__main__":
    asyncio.run(main())
