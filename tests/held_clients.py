"""`python -m tests.held_clients`: what real clients see while a call is held, and after they gave up.

Each library of `make interop`, in each of its eras, calls a tool that waits for approval. It is granted
after 5, 20, 45 and 70 seconds, while the proxy would hold it for longer. A client that gives up is started
once more: its call must join the same approval.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import tempfile
from pathlib import Path
from typing import Any

import grpc
from msgspec import Struct

from pdp.api.v1 import approvals_pb2, approvals_pb2_grpc
from tests.gateway import gateway
from tests.interop.matrix import HERE, LIBRARIES, NODE, Library
from tests.mcp_servers import sdk_server
from tests.proxy_rig import asgi_upstream

DELAYS = (5, 20, 45, 70)
HELD = "hold_seconds = 100"
RULES = {
    "tools": {
        "add": {},
        "rest": {},
        "delete_everything": {"action": "require_approval", "reason": "Ask first."},
    }
}


class Run(Struct, frozen=True):
    """One library in one era, with a server of its own, so that its approval is its own."""

    library: Library
    era: str
    server: str


class Seen(Struct):
    """What the client saw: the tool's answer, the proxy's advice, or an error of its own."""

    word: str
    approvals: int = 1


async def main() -> int:
    """Play all delays, print the table; returns 1 when a client that came back did not join."""
    logging.disable(logging.INFO)
    runs = [
        Run(library, era, f"s{number}")
        for number, (library, era) in enumerate(
            (library, era) for library in LIBRARIES if not library.missing for era in library.eras
        )
    ]
    table: dict[str, list[Seen]] = {run.server: [] for run in runs}
    for delay in DELAYS:
        for run, seen in zip(runs, await _all(runs, delay), strict=True):
            table[run.server].append(seen)
    print(f"{'client':34}" + "".join(f"{f'granted after {delay} s':>24}" for delay in DELAYS))
    for run in runs:
        cells = "".join(f"{seen.word:>24}" for seen in table[run.server])
        print(f"{f'{run.library.name}, {run.era}':34}{cells}")
    return int(any(seen.approvals != 1 for row in table.values() for seen in row))


async def _all(runs: list[Run], delay: int) -> list[Seen]:
    """All clients at once, before one gateway."""
    server = sdk_server()
    server.add_tool(lambda: "rested", name="rest", description="Needs no arguments.")
    names = [run.server for run in runs]
    with tempfile.TemporaryDirectory(prefix="held") as folder:
        async with (
            asgi_upstream(server.streamable_http_app()) as url,
            gateway(
                Path(folder), dict.fromkeys(names, url), dict.fromkeys(names, RULES), pep=HELD
            ) as gate,
            grpc.aio.insecure_channel(gate.address) as channel,
        ):
            stub = approvals_pb2_grpc.ApprovalServiceStub(channel)
            return await asyncio.gather(
                *(_one(run, gate.url(run.server), stub, delay) for run in runs)
            )


async def _one(run: Run, url: str, stub: Any, delay: int) -> Seen:
    client = asyncio.ensure_future(_client(run, url))
    held = await _pending(stub, run.server, client)
    if held is None:
        return Seen(f"? {client.result()}"[:22])
    await asyncio.sleep(delay)
    if not client.done():
        await _grant(stub, held)
        return Seen(await client)
    first = await client
    again = asyncio.ensure_future(_client(run, url))
    await asyncio.sleep(3)
    await _grant(stub, held)
    second = await again
    request = approvals_pb2.ApprovalServiceListRequest(server=run.server)
    calls = (await stub.List(request)).calls
    return Seen(f"{first}; again: {second}", len(calls))


async def _client(run: Run, url: str) -> str:
    """What the client prints of the held call, in a word."""
    program, *arguments = run.library.command
    command, folder = [program, *arguments, url, run.era], HERE
    if arguments[0].startswith("@"):
        script = NODE / "ts_client.mjs"
        script.write_text((HERE / "ts_client.mjs").read_text())
        command, folder = [program, str(script), url, run.era, arguments[0]], NODE
    process = await asyncio.create_subprocess_exec(
        *command, cwd=folder, stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        async with asyncio.timeout(150):
            output, errors = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    if process.returncode:
        text = errors.decode(errors="replace").lower()
        return "gave up" if "time" in text else "failed"
    seen = json.loads(output.splitlines()[-1])
    if not seen["is_error"]:
        return "answer"
    return "pending" if "Approval pending" in str(seen["denied"]) else "error"


async def _pending(stub: Any, server: str, client: asyncio.Future[str]) -> Any:
    """The approval that the client's call has begun; `None` when it ended before."""
    request = approvals_pb2.ApprovalServiceListRequest(server=server)
    while not client.done():
        calls = (await stub.List(request)).calls
        if calls and calls[0].waiting:
            return calls[0]
        await asyncio.sleep(0.1)
    return None


async def _grant(stub: Any, held: Any) -> None:
    who = approvals_pb2.Approver(id="somebody", method="grpc")
    await stub.Grant(approvals_pb2.ApprovalServiceGrantRequest(id=held.id, approver=who))


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
