"""What is measured: a direct call, nginx, and Tipstaff; each started on free ports of 127.0.0.1."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

from msgspec import Struct

from bench.load import request

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
  echo: {}
  remove: {action: deny, reason: Nothing is removed here.}
"""


class Lane(Struct, frozen=True):
    """One way to the server, the processes that stand in it, and what its answers contain."""

    name: str
    port: int
    message: bytes
    pids: tuple[int, ...]
    expect: bytes


def start(folder: Path, stack: ExitStack) -> list[Lane]:
    """Start everything; the stack ends it."""
    upstream, tipstaff_port = free_port(), free_port()
    spawn([sys.executable, "-m", "bench.upstream", str(upstream)], stack)
    wait_for(upstream)
    lanes = [Lane("direct", upstream, request("/mcp", "echo", upstream), (), b'"ok"')]
    if shutil.which("nginx"):
        nginx_port, pid = nginx(folder, upstream, stack)
        message = request("/mcp", "echo", nginx_port)
        lanes.append(Lane("nginx", nginx_port, message, (pid,), b'"ok"'))
    (folder / "tipstaff.toml").write_text(CONFIG.format(port=tipstaff_port, upstream=upstream))
    rules = folder / "policy" / "servers" / "bench" / "data.yaml"
    rules.parent.mkdir(parents=True)
    rules.write_text(RULES)
    process = spawn(
        [sys.executable, "-m", "tipstaff", "up", "--config", str(folder / "tipstaff.toml")], stack
    )
    wait_for(tipstaff_port)
    pids = tuple(descendants(process.pid))
    for name, tool, expect in (
        ("tipstaff allow", "echo", b'"ok"'),
        ("tipstaff deny", "remove", b"Policy violation"),
    ):
        message = request("/bench/mcp", tool, tipstaff_port)
        lanes.append(Lane(name, tipstaff_port, message, pids, expect))
    return lanes


def nginx(folder: Path, upstream: int, stack: ExitStack) -> tuple[int, int]:
    """Start nginx as a plain proxy to the port `upstream`; returns its port and its process."""
    port, conf = free_port(), folder / "nginx.conf"
    conf.write_text(NGINX.format(folder=folder, upstream=upstream, port=port))
    process = spawn(["nginx", "-p", str(folder), "-c", str(conf)], stack)
    wait_for(port)
    return port, process.pid


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
    found = []
    for child in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = re.match(r"(\d+) \(.*\) \S (\d+)", child.read_text())
        except OSError:
            continue
        if fields and int(fields.group(2)) == pid:
            found += [int(fields.group(1)), *descendants(int(fields.group(1)))]
    return found


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
