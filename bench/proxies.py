"""Ways of one call to the server that answers it: a plain proxy, gateways of MCP, and Tipstaff."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from bench import gateways, peers, wrk
from bench.gateways import BY_ARGUMENT
from bench.lanes import Lane
from bench.processes import free_port, spawn, wait_for

# A proxy that begins a session at the server for each call answers 64 at once in seconds.
_MOST_AT_ONCE = {"fastmcp": 16}


def upstream(stack: ExitStack) -> int:
    """Start the server; returns its port."""
    port = free_port()
    wait_for(port, spawn([sys.executable, "-m", "bench.upstream", str(port)], stack))
    return port


def lanes(
    folder: Path, checkouts: Sequence[Path], in_flight: Sequence[int], stack: ExitStack
) -> dict[int, list[Lane]]:
    """Start everything, and return the lanes for each number of calls in flight; the stack ends it."""
    port, scripts = upstream(stack), wrk.scripts(folder)
    ways: list[tuple[str, str, str, dict[str, int], Path | None]] = [
        ("direct", f"http://127.0.0.1:{port}/mcp", "allow", {}, None)
    ]
    for name, start in (
        ("nginx", peers.nginx), ("envoy", peers.envoy), ("fastmcp", peers.fastmcp),
        ("mcp-policy-gateway", peers.policy_gateway),
    ):  # fmt: skip
        peer = start(folder, port, stack)
        if peer is not None:
            url = f"http://127.0.0.1:{peer.port}/mcp"
            kind = "token" if name == "mcp-policy-gateway" else "allow"
            ways.append((name, url, kind, peer.pids, peer.records))
    for number, (checkout, options) in enumerate(
        [
            *((checkout, ()) for checkout in checkouts),
            (checkouts[0], ("--inline",)),
            (checkouts[0], ("--workers", "2")),
        ]
    ):
        name = " ".join((str(checkout), *options))
        for rule, kinds in (("", ("allow", "deny")), (BY_ARGUMENT, ("varied",))):
            home = folder / f"home{number}{'-site' if rule else ''}"
            gateways.write_rules(home, site=rule)
            site = gateways.start(home, port, stack, checkout=checkout, options=options)
            ways += [
                (f"{kind} {name}", site.url(), kind, site.pids, site.records) for kind in kinds
            ]
    return {
        count: [
            Lane(name, partial(wrk.run, url, scripts[kind], count), pids, records)
            for name, url, kind, pids, records in ways
            if count <= _MOST_AT_ONCE.get(name, count)
        ]
        for count in in_flight
    }
