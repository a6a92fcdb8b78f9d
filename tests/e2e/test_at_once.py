"""Commands that change a file at the same time: no change is lost, nothing comes back."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tomllib
from pathlib import Path

from mcp.server.mcpserver import MCPServer

from tests.commands import ended
from tests.gateway import Gateway
from tests.proxy_rig import asgi_upstream

ROOT = Path(__file__).parents[2]
# Makes tokens of its own and revokes every second one.
BUSY = """
import contextlib, io, json, sys
from tipstaff.__main__ import main
config, name = sys.argv[1:]
for number in range(10):
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown):
        assert main(["token", "create", name, "-c", config, "--json"]) == 0
        if number % 2:
            token = json.loads(shown.getvalue())["id"]
            assert main(["token", "revoke", token, "-c", config]) == 0
"""


def test_tokens_made_and_revoked_at_once_are_all_kept_and_stay_revoked(tmp_path: Path) -> None:
    """A token that was revoked would let its thief in again."""
    site = Gateway(tmp_path, {})
    workers = [
        subprocess.Popen([sys.executable, "-c", BUSY, str(site.config), f"w{number}"], cwd=ROOT)
        for number in range(6)
    ]
    assert [worker.wait(100) for worker in workers] == [0] * 6
    tokens = json.loads((tmp_path / "state" / "tokens.json").read_bytes())["tokens"]
    assert len(tokens) == 60
    assert sum("revoked" in token for token in tokens) == 30


async def test_servers_registered_at_once_are_registered_or_told_to_try_again(
    tmp_path: Path,
) -> None:
    """Nobody is told that a server stands in the configuration which does not."""
    server = MCPServer("s")

    @server.tool()
    def read() -> str:
        """Reads."""
        return ""

    async with asgi_upstream(server.streamable_http_app()) as url:
        ends = await asyncio.gather(*(_register(tmp_path, f"s{n}", url) for n in range(3)))
    configured = tomllib.loads((tmp_path / "tipstaff.toml").read_text()).get("servers", {})
    codes = {name: code for name, code, _ in ends}
    assert {name for name, code in codes.items() if code == 0} == set(configured)
    for _, code, said in ends:
        assert (code, "try again" in said) in {(0, False), (2, True)}, said
    assert 0 in codes.values()


async def _register(folder: Path, name: str, url: str) -> tuple[str, int, str]:
    return (name, *await ended("register", name, url, cwd=folder))
