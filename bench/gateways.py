"""A Tipstaff to be measured: its rules written, `tipstaff up` started, its processes by name."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import MappingProxyType

from msgspec import Struct

from bench.processes import family, free_port, spawn, wait_for

CONFIG = """state_dir = "state"
[pep]
listen = "127.0.0.1:{port}"
max_body_bytes = 4194304
[limits]
store = "sqlite"
"""
RULES = """default: deny
tools:
  echo:
    arguments: {type: object, properties: {broker_id: {type: string, pattern: "^b-"}}, required: [broker_id]}
    rate_limit: {algorithm: gcra, max: 1000000, window: 1}
  remove: {action: deny, reason: Nothing is removed here.}
"""
BY_ARGUMENT = """package site.measured

deny contains {"code": "negative", "message": "a count is not negative"} if input.arguments.count < 0
"""
BY_CLIENT = """package site.measured

deny contains {"code": "old", "message": "the client is too old"} if input.client.version == "0"
"""
ONE_SERVER = MappingProxyType({"bench": "/mcp"})


class Site(Struct, frozen=True):
    """A running Tipstaff: its folder, its port, its processes by name, and its records."""

    home: Path
    port: int
    pids: dict[str, int]

    @property
    def records(self) -> Path:
        """The journal."""
        return self.home / "state" / "decisions.jsonl"

    @property
    def address(self) -> str:
        """Where the decision service listens."""
        return f"unix:{self.home / 'state' / 'run' / 'pdp.sock'}"

    def url(self, server: str = "bench") -> str:
        """The MCP endpoint of a server."""
        return f"http://127.0.0.1:{self.port}/{server}/mcp"


def write_rules(
    home: Path, rules: str = RULES, *, site: str = "", servers: Iterable[str] = ("bench",)
) -> None:
    """Write the rules of servers, and a rule of the site in Rego."""
    for server in servers:
        path = home / "policy" / "servers" / server / "data.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(rules)
    if site:
        folder = home / "policy" / "site" / "measured"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "measured.rego").write_text(site)


def start(
    home: Path,
    upstream: int,
    stack: ExitStack,
    *,
    checkout: Path = Path(),
    options: Sequence[str] = (),
    servers: Mapping[str, str] = ONE_SERVER,
) -> Site:
    """Start `tipstaff up` of a checkout in `home`; `servers` are names and paths at the port `upstream`."""
    port, config = free_port(), home / "tipstaff.toml"
    sections = [
        f'[servers.{name}]\nurl = "http://127.0.0.1:{upstream}{path}"\n'
        for name, path in servers.items()
    ]
    config.write_text(CONFIG.format(port=port) + "".join(sections))
    python = checkout.resolve() / ".venv" / "bin" / "python"
    command = [str(python), "-m", "tipstaff", "up", "--config", str(config), *options]
    process = spawn(command, stack, cwd=checkout)
    wait_for(port, process)
    site = Site(home, port, _named(family(process.pid)))
    _wait_for_socket(site)
    return site


def _wait_for_socket(site: Site) -> None:
    path, deadline = Path(site.address.removeprefix("unix:")), time.monotonic() + 30
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.05)


def _named(pids: Iterable[int]) -> dict[str, int]:
    """The processes by what each is; a second proxy is `proxy 2`."""
    named: dict[str, int] = {}
    for pid in pids:
        kind = _kind(pid)
        count = sum(name.partition(" ")[0] == kind for name in named)
        named[f"{kind} {count + 1}" if count else kind] = pid
    return named


def _kind(pid: int) -> str:
    """What a process of Tipstaff's is, by its command line."""
    words = Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    signs = {"opa": "opa run", "proxy": " pep ", "service": " pdp ", "gate": " gate "}
    for name, sign in signs.items():
        if sign in words:
            return name
    return "parent"
