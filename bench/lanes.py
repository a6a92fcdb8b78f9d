"""What is measured: ways to an answer, each started on free ports of 127.0.0.1."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from msgspec import Struct

from bench import wrk
from pdp.policy.bundle import build, library_folder, read_policy
from tipstaff.cli.run.install import find_opa

NGINX = """daemon off; master_process off; worker_processes 1; pid {folder}/nginx.pid;
error_log {folder}/error.log; events {{ worker_connections 1024; }}
http {{ access_log off; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p;
fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
upstream mcp {{ server 127.0.0.1:{upstream}; keepalive 128; }}
server {{ listen 127.0.0.1:{port}; keepalive_requests 1000000; location / {{
proxy_pass http://mcp; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off; }} }} }}
"""
CONFIG = """state_dir = "state"
[pep]
listen = "127.0.0.1:{port}"
[limits]
store = "sqlite"
[servers.bench]
url = "http://127.0.0.1:{upstream}/mcp"
"""
RULES = """default: deny
tools:
  echo:
    arguments: {type: object, properties: {broker_id: {type: string, pattern: "^b-"}}, required: [broker_id]}
    rate_limit: {algorithm: gcra, max: 1000000, window: 1}
  remove: {action: deny, reason: Nothing is removed here.}
"""
SITE = """package site.amounts

deny contains {"code": "negative", "message": "a count is not negative"} if input.arguments.count < 0
"""


class Lane(Struct, frozen=True):
    """One way to an answer: its address, wrk's script for it, the processes that stand in it, and its records."""

    name: str
    url: str
    script: Path
    pids: dict[str, int] = {}
    records: Path | None = None


def start(folder: Path, checkouts: list[Path], stack: ExitStack) -> list[Lane]:
    """Start everything; the stack ends it."""
    upstream = free_port()
    spawn([sys.executable, "-m", "bench.upstream", str(upstream)], stack)
    wait_for(upstream)
    scripts = wrk.scripts(folder)
    lanes = [Lane("direct", f"http://127.0.0.1:{upstream}/mcp", scripts["allow"])]
    if shutil.which("nginx"):
        port, pid = nginx(folder, upstream, stack)
        url = f"http://127.0.0.1:{port}/mcp"
        lanes.append(Lane("nginx", url, scripts["allow"], {"nginx": pid}))
    lanes.append(_opa(folder, scripts["opa"], stack))
    ways = [(checkout, ()) for checkout in checkouts] + [(checkouts[0], ("--inline",))]
    for number, (checkout, options) in enumerate(ways):
        for has_site, kinds in ((False, ("allow", "deny")), (True, ("varied",))):
            home = folder / f"home{number}{'-site' if has_site else ''}"
            _write_rules(home, has_site=has_site)
            url, pids = _tipstaff(home, checkout, upstream, options, stack)
            records = home / "state" / "decisions.jsonl"
            name = " ".join((str(checkout), *options))
            lanes += [Lane(f"{kind} {name}", url, scripts[kind], pids, records) for kind in kinds]
    return lanes


def nginx(folder: Path, upstream: int, stack: ExitStack) -> tuple[int, int]:
    """Start nginx as a plain proxy to the port `upstream`; returns its port and its process."""
    port, conf = free_port(), folder / "nginx.conf"
    conf.write_text(NGINX.format(folder=folder, upstream=upstream, port=port))
    process = spawn(["nginx", "-p", str(folder), "-c", str(conf)], stack)
    wait_for(port)
    return port, process.pid


def _opa(folder: Path, script: Path, stack: ExitStack) -> Lane:
    """OPA alone, with the same policy, asked about one call over REST."""
    opa = find_opa(None)
    if opa is None:
        raise SystemExit("no opa: make dev gets it")
    home, key, bundle = folder / "opa", folder / "key", folder / "opa.tar.gz"
    _write_rules(home, has_site=True)
    key.write_text("k" * 64)
    text = read_policy(home / "policy", library_folder())
    built = asyncio.run(build(text, opa=opa, library=library_folder(), key_file=key))
    bundle.write_bytes(built.data)
    port = free_port()
    process = spawn(
        [str(opa), "run", "--server", f"--addr=127.0.0.1:{port}", "--log-level=error",
         "--skip-verify", "-b", str(bundle)],
        stack,
    )  # fmt: skip
    wait_for(port)
    url = f"http://127.0.0.1:{port}/v1/data/mcp/main/decisions"
    return Lane("opa rest", url, script, {"opa": process.pid})


def _write_rules(home: Path, *, has_site: bool) -> None:
    rules = home / "policy" / "servers" / "bench" / "data.yaml"
    rules.parent.mkdir(parents=True)
    rules.write_text(RULES)
    if has_site:
        site = home / "policy" / "site" / "amounts"
        site.mkdir(parents=True)
        (site / "amounts.rego").write_text(SITE)


def _tipstaff(
    home: Path, checkout: Path, upstream: int, options: Sequence[str], stack: ExitStack
) -> tuple[str, dict[str, int]]:
    """Start a checkout's `tipstaff up`; returns its URL and its processes by name."""
    port, config = free_port(), home / "tipstaff.toml"
    config.write_text(CONFIG.format(port=port, upstream=upstream))
    command = [str(checkout.resolve() / ".venv" / "bin" / "python"), "-m", "tipstaff", "up"]
    process = spawn([*command, "--config", str(config), *options], stack, cwd=checkout)
    wait_for(port)
    pids = {_kind(pid): pid for pid in (process.pid, *descendants(process.pid))}
    return f"http://127.0.0.1:{port}/bench/mcp", pids


def _kind(pid: int) -> str:
    """What a process of Tipstaff's is, by its command line."""
    words = Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    signs = {"opa": "opa run", "proxy": " pep ", "service": " pdp ", "gate": " gate "}
    for name, sign in signs.items():
        if sign in words:
            return name
    return "parent"


def cpu_seconds(pids: tuple[int, ...]) -> float:
    """User and system time that the processes have used so far."""
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def spawn(command: list[str], stack: ExitStack, cwd: Path | None = None) -> subprocess.Popen[bytes]:
    """Start a process, which the stack ends."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True, cwd=cwd)

    def end() -> None:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=15)

    stack.callback(end)
    return process


def descendants(pid: int) -> list[int]:
    """The processes below a process."""
    below = []
    for child in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = re.match(r"(\d+) \(.*\) \S (\d+)", child.read_text())
        except OSError:
            continue
        if fields and int(fields.group(2)) == pid:
            below += [int(fields.group(1)), *descendants(int(fields.group(1)))]
    return below


def free_port() -> int:
    """A port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(port: int) -> None:
    """Wait until something listens on the port."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise TimeoutError(f"nothing listens on port {port}")
