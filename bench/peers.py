"""Others that do a part of the work, started as their manuals say: a plain proxy, gateways of MCP, deciders.

What is not installed is left out, and said to be: `make bench` installs all of them below `.tools`.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from msgspec import Struct

from bench.processes import family, free_port, spawn, wait_for

TOOLS = Path(".tools/bench")
PYTHON = TOOLS / "venv" / "bin" / "python"
ENVOY = TOOLS / "venv" / "bin" / "envoy"
CERBOS = TOOLS / "cerbos" / "node_modules" / "@cerbos" / "cerbos-linux-x64" / "cerbos-linux-x64"
GHZ = TOOLS / "ghz"
TOKEN = "b" * 32

_NGINX = """daemon off; master_process off; worker_processes 1; pid {folder}/nginx.pid;
error_log {folder}/error.log; events {{ worker_connections 1024; }}
http {{ access_log off; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p;
fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
upstream mcp {{ server 127.0.0.1:{upstream}; keepalive 128; }}
server {{ listen 127.0.0.1:{port}; keepalive_requests 1000000; location / {{
proxy_pass http://mcp; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off; }} }} }}
"""
# One rule, on the header line that names the tool, and one limit: Envoy alone does not look into a body.
_ENVOY = """
static_resources:
  listeners:
  - address: {{socket_address: {{address: 127.0.0.1, port_value: {port}}}}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: mcp
          route_config:
            virtual_hosts:
            - {{name: mcp, domains: ["*"], routes: [{{match: {{prefix: "/"}}, route: {{cluster: mcp, timeout: 0s}}}}]}}
          http_filters:
          - name: envoy.filters.http.rbac
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC
              rules:
                action: DENY
                policies:
                  remove:
                    permissions: [{{header: {{name: mcp-name, string_match: {{exact: remove}}}}}}]
                    principals: [{{any: true}}]
          - name: envoy.filters.http.local_ratelimit
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit
              stat_prefix: limit
              token_bucket: {{max_tokens: 1000000, tokens_per_fill: 1000000, fill_interval: 1s}}
              filter_enabled: {{default_value: {{numerator: 100}}}}
              filter_enforced: {{default_value: {{numerator: 100}}}}
          - name: envoy.filters.http.router
            typed_config: {{"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}
  clusters:
  - name: mcp
    connect_timeout: 1s
    load_assignment:
      cluster_name: mcp
      endpoints: [{{lb_endpoints: [{{endpoint: {{address: {{socket_address: {{address: 127.0.0.1, port_value: {upstream}}}}}}}}}]}}]
"""
_POLICY_GATEWAY = """version: 1
audit: {{path: {folder}/audit.jsonl}}
upstreams: {{bench: {{transport: http, url: "http://127.0.0.1:{upstream}/mcp"}}}}
policies:
  bench:
    rules:
      - {{name: echo, effect: allow, tools: [echo], when: {{args.broker_id: {{matches: "b-.*"}}}}, rate_limits: [all]}}
      - {{name: remove, effect: deny, tools: [remove], reason: Nothing is removed here}}
    hide_denied_tools: false
tokens: [{{name: bench, policy: bench, env: BENCH_TOKEN}}]
rate_limits: {{all: {{rate: 1000000, per: 1s}}}}
"""
_CERBOS = """server: {{httpListenAddr: "127.0.0.1:{http}", grpcListenAddr: "127.0.0.1:{grpc}"}}
storage: {{driver: disk, disk: {{directory: {folder}/policies}}}}
audit: {{enabled: true, accessLogsEnabled: false, decisionLogsEnabled: true, backend: file, file: {{path: {folder}/audit.log}}}}
telemetry: {{disabled: true}}
"""
_CERBOS_POLICY = """apiVersion: api.cerbos.dev/v1
resourcePolicy:
  version: default
  resource: tool
  rules:
    - actions: [call]
      effect: EFFECT_ALLOW
      roles: ["*"]
      condition: {match: {expr: 'R.attr.broker_id.matches("^b-")'}}
"""


class Peer(Struct, frozen=True):
    """A running peer: its port, its processes, and where it keeps records, if it does."""

    port: int
    pids: dict[str, int]
    records: Path | None = None


def nginx(folder: Path, upstream: int, stack: ExitStack) -> Peer | None:
    """nginx as a plain proxy to the port `upstream`."""
    if shutil.which("nginx") is None:
        return None
    port, conf = free_port(), folder / "nginx.conf"
    conf.write_text(_NGINX.format(folder=folder, upstream=upstream, port=port))
    return _started(["nginx", "-p", str(folder), "-c", str(conf)], port, "nginx", stack)


def envoy(folder: Path, upstream: int, stack: ExitStack) -> Peer | None:
    """Envoy with one rule on a header line and one local limit."""
    if not ENVOY.exists():
        return None
    port, conf = free_port(), folder / "envoy.yaml"
    conf.write_text(_ENVOY.format(upstream=upstream, port=port))
    command = [str(ENVOY), "-c", str(conf), "--concurrency", "1", "--base-id", str(port)]
    return _started([*command, "--log-level", "off"], port, "envoy", stack)


def fastmcp(folder: Path, upstream: int, stack: ExitStack) -> Peer | None:
    """A FastMCP proxy with middleware: one rule on an argument, one limit, one line of a log for each call."""
    if not PYTHON.exists():
        return None
    port, records = free_port(), folder / "fastmcp.log"
    program = Path(__file__).parent / "peers_fastmcp.py"
    command = [str(PYTHON), str(program), str(port), str(upstream), str(records)]
    return _started(command, port, "fastmcp", stack, records)


def policy_gateway(folder: Path, upstream: int, stack: ExitStack) -> Peer | None:
    """mcp-policy-gateway: one rule on an argument, one limit, a chained audit log."""
    if not PYTHON.exists():
        return None
    port, conf = free_port(), folder / "policy_gateway.yaml"
    conf.write_text(_POLICY_GATEWAY.format(folder=folder, upstream=upstream))
    command = [str(PYTHON), "-m", "mcp_policy_gateway", "run", "-c", str(conf)]
    command += ["--transport", "http", "--port", str(port)]
    records, token = folder / "audit.jsonl", {"BENCH_TOKEN": TOKEN}
    return _started(command, port, "gateway", stack, records, token)


def cerbos(folder: Path, stack: ExitStack) -> Peer | None:
    """Cerbos with one rule on an attribute, and a log of decisions."""
    if not CERBOS.exists():
        return None
    port, http, conf = free_port(), free_port(), folder / "cerbos.yaml"
    (folder / "policies").mkdir()
    (folder / "policies" / "tool.yaml").write_text(_CERBOS_POLICY)
    conf.write_text(_CERBOS.format(folder=folder, grpc=port, http=http))
    command = [str(CERBOS), "server", f"--config={conf}", "--log-level=error"]
    return _started(command, port, "cerbos", stack, folder / "audit.log")


def _started(
    command: list[str],
    port: int,
    name: str,
    stack: ExitStack,
    records: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Peer:
    process = spawn(command, stack, environment=environment)
    wait_for(port, process)
    pids = {
        name if number == 0 else f"{name}{number}": pid
        for number, pid in enumerate(family(process.pid))
    }
    return Peer(port, pids, records)


def missing() -> list[str]:
    """The names of peers that are not installed."""
    there = {
        "nginx": shutil.which("nginx"), "envoy": ENVOY.exists(), "fastmcp and mcp-policy-gateway": PYTHON.exists(),
        "cerbos": CERBOS.exists(), "ghz": GHZ.exists(), "wrk": shutil.which("wrk"),
    }  # fmt: skip
    return [name for name, is_there in there.items() if not is_there]
