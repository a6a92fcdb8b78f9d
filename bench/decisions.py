"""Deciders without a proxy: single questions, batches and the stream, beside OPA and Cerbos."""

from __future__ import annotations

import asyncio
import base64
import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bench import gateways, peers, proxies
from bench.gateways import BY_CLIENT
from bench.lanes import Lane, deciding, ghz
from bench.peers import GHZ
from bench.processes import free_port, spawn, wait_for
from bench.wrk import ARGUMENTS
from pdp.policy.bundle import build, library_folder, read_policy
from tipstaff.cli.run.install import find_opa

BATCH = 16
_PROTO = ("--proto", "tipstaff/decision/v1/decision.proto", "--import-paths", "proto")
_SERVICE = "tipstaff.decision.v1.DecisionService"


def lanes(folder: Path, stack: ExitStack) -> list[Lane]:
    """Start everything, and return the lanes; the stack ends it."""
    port = proxies.upstream(stack)
    made = [opa(folder, stack, "opa, aiohttp, 64 in flight")]
    for kind, rule in (("known", ""), ("asked", BY_CLIENT)):
        home = folder / f"decide-{kind}"
        gateways.write_rules(home, site=rule)
        site = gateways.start(home, port, stack)
        pids = {name: pid for name, pid in site.pids.items() if name in {"service", "opa"}}
        stream = deciding("stream", site.address, kind)
        made.append(Lane(f"StreamDecide, 64, {kind}", stream, pids, site.records))
        if GHZ.exists():
            made += _by_ghz(folder, kind, site, pids)
    cerbos = peers.cerbos(folder, stack) if GHZ.exists() else None
    if cerbos is not None:
        data = _written(folder / "cerbos.json", _check_resources())
        method = "cerbos.svc.v1.CerbosService/CheckResources"
        load = ghz(f"127.0.0.1:{cerbos.port}", method, data, 4)
        made.append(Lane(f"cerbos, batches of {BATCH}", load, cerbos.pids, size=BATCH))
    return made


def opa(folder: Path, stack: ExitStack, name: str) -> Lane:
    """OPA alone, with the same rules, asked about one call over REST."""
    url, pid = start_opa(folder, stack)
    return Lane(name, deciding("opa", url), {"opa": pid})


def start_opa(folder: Path, stack: ExitStack) -> tuple[str, int]:
    """Start OPA with the rules; returns the URL of a decision, and its process."""
    program = find_opa(None)
    if program is None:
        raise SystemExit("no opa: make dev gets it")
    home, key, bundle = folder / "opa", folder / "key", folder / "opa.tar.gz"
    gateways.write_rules(home, site=gateways.BY_ARGUMENT)
    key.write_text("k" * 64)
    text = read_policy(home / "policy", library_folder())
    built = asyncio.run(build(text, opa=program, library=library_folder(), key_file=key))
    bundle.write_bytes(built.data)
    port = free_port()
    options = [f"--addr=127.0.0.1:{port}", "--log-level=error", "--skip-verify", "-b", str(bundle)]
    process = spawn([str(program), "run", "--server", *options], stack)
    wait_for(port, process)
    return f"http://127.0.0.1:{port}/v1/data/mcp/main/decisions", process.pid


def _by_ghz(folder: Path, kind: str, site: gateways.Site, pids: dict[str, int]) -> list[Lane]:
    lone = _written(folder / f"decide-{kind}.json", _question("", kind))
    requests = [_question(f"-{number}", kind) for number in range(BATCH)]
    batch = _written(folder / f"batch-{kind}.json", {"requests": requests})
    return [
        Lane(
            f"Decide, 64, {kind}", ghz(site.address, f"{_SERVICE}/Decide", lone, 64, *_PROTO), pids, site.records
        ),
        Lane(
            f"BatchDecide of {BATCH}, {kind}", ghz(site.address, f"{_SERVICE}/BatchDecide", batch, 4, *_PROTO),
            pids, site.records, BATCH,
        ),
    ]  # fmt: skip


def _question(suffix: str, kind: str) -> dict[str, Any]:
    """A question as ghz sends it, with a request id of its own; what differs in each is what a rule reads of the client."""
    version = "{{.RequestNumber}}" + suffix if kind == "asked" else "1"
    return {
        "request_id": "{{.UUID}}" + suffix, "server": "bench", "method": "tools/call", "target": "echo",
        "arguments_json": base64.b64encode(json.dumps(ARGUMENTS).encode()).decode(),
        "principal": {"id": "anonymous:127.0.0.1", "kind": "anonymous"},
        "session": {"id": "s", "kind": "cooperative"}, "client": {"name": "bench", "version": version},
        "protocol": {"era": "modern", "version": "2026-07-28"}, "transport": "grpc",
    }  # fmt: skip


def _check_resources() -> dict[str, Any]:
    attributes = {**ARGUMENTS, "rest": json.dumps(ARGUMENTS["rest"])}
    return {
        "requestId": "{{.UUID}}",
        "principal": {"id": "agent", "roles": ["agent"]},
        "resources": [
            {"actions": ["call"], "resource": {"kind": "tool", "id": f"echo-{number}", "attr": attributes}}
            for number in range(BATCH)
        ],
    }  # fmt: skip


def _written(path: Path, data: Any) -> Path:
    path.write_text(json.dumps(data))
    return path
