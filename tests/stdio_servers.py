"""Real servers that speak stdio, from the registries, and one call of each to allow and to deny."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from msgspec import Struct

from tests.proxy_rig import free_port

ROOT = Path(__file__).parents[1]
NODE = ROOT / ".tools" / "node"
DEMO = ROOT / ".venv-demo" / "bin"
_PACKAGES = NODE / "node_modules" / "@modelcontextprotocol"


class StdioServer(Struct, frozen=True):
    """How it is started, and what it is asked."""

    name: str
    command: tuple[str, ...]
    environment: dict[str, str]
    tool: str
    arguments: dict[str, Any]
    says: str
    denied: str


def everything() -> StdioServer:
    script = _PACKAGES / "server-everything" / "dist" / "index.js"
    return StdioServer(
        "everything", (str(NODE / "bin" / "node"), str(script), "stdio"), {},
        "echo", {"message": "hello"}, "hello", "get-env",
    )  # fmt: skip


def filesystem(folder: Path) -> StdioServer:
    (folder / "note.txt").write_text("remember the milk")
    script = _PACKAGES / "server-filesystem" / "dist" / "index.js"
    return StdioServer(
        "filesystem", (str(NODE / "bin" / "node"), str(script), str(folder)), {},
        "read_text_file", {"path": str(folder / "note.txt")}, "remember the milk", "write_file",
    )  # fmt: skip


def git(folder: Path) -> StdioServer:
    repository = folder / "repository"
    subprocess.run(["git", "init", "--quiet", str(repository)], check=True)
    return StdioServer(
        "git", (str(DEMO / "mcp-server-git"), "--repository", str(repository)), {},
        "git_status", {"repo_path": str(repository)}, "No commits yet", "git_commit",
    )  # fmt: skip


def iam(moto: str) -> StdioServer:
    environment = {
        "AWS_ENDPOINT_URL": moto, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1", "FASTMCP_LOG_LEVEL": "ERROR",
    }  # fmt: skip
    return StdioServer(
        "iam", (str(DEMO / "awslabs.iam-mcp-server"),), environment,
        "list_roles", {}, "IsTruncated", "delete_user",
    )  # fmt: skip


@contextlib.asynccontextmanager
async def moto() -> AsyncIterator[str]:
    """AWS without AWS; its URL."""
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        str(DEMO / "moto_server"), "-H", "127.0.0.1", "-p", str(port),
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        for _ in range(600):
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                break
            await asyncio.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        await process.wait()
