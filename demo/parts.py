"""The processes of the demo: AWS, the MCP servers and Tipstaff, each with a log, ended for certain."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from msgspec import Struct

from tipstaff.common.die_with_parent import bound_to_this_process

CHECKOUT = Path(__file__).parent.parent
SERVERS_PYTHON = CHECKOUT / ".venv-demo" / "bin" / "python"
PROXY_PORT = 8700
CONSOLE_PORT = 8701
# moto takes any credentials.
_AWS_PROFILE = """\
[default]
region = us-east-1
aws_access_key_id = demo
aws_secret_access_key = demo
"""
_START_SECONDS, _STOP_SECONDS = 60.0, 10.0


class PartFailed(Exception):
    """A process of the demo did not start; the message shows the end of its log."""


class Stage(Struct, frozen=True):
    """Where everything is, once it runs."""

    folder: Path
    proxy: str
    aws: str
    console: int = 0
    """The port of the console, 0 where there is none."""

    @property
    def records(self) -> Path:
        """One JSON line for each decision."""
        return self.folder / "state" / "decisions.jsonl"

    @property
    def config(self) -> Path:
        """Tipstaff's configuration."""
        return self.folder / "tipstaff.toml"

    def url(self, server: str) -> str:
        """Where clients reach `server`, through the gateway."""
        return f"http://{self.proxy}/{server}/mcp"

    def counted(self, server: str) -> Path:
        """The tool calls that reached `server`, one a line."""
        return self.folder / f"{server}.reached"

    def rules(self, server: str) -> Path:
        """The rules of `server`, a copy of the shipped ones."""
        return self.folder / "policy" / "servers" / server / "data.yaml"


@contextlib.contextmanager
def running(folder: Path, *, with_console: bool) -> Iterator[Stage]:
    """Start every part in `folder`, which is made anew; end them all on the way out."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(CHECKOUT / "demo" / "policy", folder / "policy")
    (folder / "aws.ini").write_text(_AWS_PROFILE, encoding="utf-8")
    moto, stub, mq, agentcore = (free_port() for _ in range(4))
    proxy, console = _port(PROXY_PORT), _port(CONSOLE_PORT) if with_console else 0
    stage = Stage(folder, f"127.0.0.1:{proxy}", f"http://127.0.0.1:{moto}", console)
    write_config(stage, {"amazon_mq": mq, "agentcore": agentcore})
    serve = [str(SERVERS_PYTHON), str(CHECKOUT / "demo" / "serve.py")]
    moto_server = str(SERVERS_PYTHON.parent / "moto_server")
    tipstaff = [sys.executable, "-m", "tipstaff", "up", "--config", str(stage.config)]
    aws_stub = [sys.executable, str(CHECKOUT / "demo" / "aws_stub.py"), str(stub)]
    with contextlib.ExitStack() as stack:
        started = []

        def start(name: str, port: int, command: list[str], **settings: str) -> None:
            process = stack.enter_context(_process(folder, name, command, settings))
            started.append((process, port, name))

        start("moto", moto, [moto_server, "-H", "127.0.0.1", "-p", str(moto)])
        start("aws_stub", stub, aws_stub)
        for name, port, aws in (("amazon_mq", mq, moto), ("agentcore", agentcore, stub)):
            stage.counted(name).touch()
            command = [*serve, name, str(port), str(stage.counted(name))]
            start(name, port, command, **_aws_settings(folder, aws))
        start("tipstaff", proxy, tipstaff)
        for process, port, name in started:
            _wait_for(process, port, name, folder)
        yield stage


def write_config(stage: Stage, ports: Mapping[str, int]) -> None:
    """Tipstaff's configuration: nothing but where things are."""
    servers = "".join(
        f'\n[servers.{name}]\nurl = "http://127.0.0.1:{port}/mcp"\n' for name, port in ports.items()
    )
    console = f"\n[console]\nport = {stage.console}\n" if stage.console else ""
    stage.config.write_text(
        f'state_dir = "state"\n\n[pep]\nlisten = "{stage.proxy}"\n{console}{servers}',
        encoding="utf-8",
    )


def way_in(stage: Stage) -> str:
    """An address that logs a person in to the console, once."""
    command = [sys.executable, "-m", "tipstaff", "console", "login", "--config", str(stage.config)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def free_port() -> int:
    """A port on which nobody listens now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _port(usual: int) -> int:
    """The usual port, so that the printed URLs are those of the manual; else any."""
    with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", usual)):
        return usual
    return free_port()


@contextlib.contextmanager
def _process(
    folder: Path, name: str, command: list[str], settings: Mapping[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """Run one process until the block ends."""
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            bound_to_this_process(command),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**_environment(), **settings},
            start_new_session=True,
            cwd=folder,
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _aws_settings(folder: Path, port: int) -> dict[str, str]:
    """What a server needs to take 127.0.0.1 for AWS."""
    return {
        "AWS_CONFIG_FILE": str(folder / "aws.ini"),
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AGENTCORE_ENABLE_TOOLS": "policy",
    }


def _environment() -> dict[str, str]:
    """Our own, without settings that would lead the servers to a real AWS account."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
    return {**kept, "PYTHONPATH": str(CHECKOUT), "NO_COLOR": "1"}


def _wait_for(process: subprocess.Popen[bytes], port: int, name: str, folder: Path) -> None:
    log = folder / f"{name}.log"
    deadline = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
            return
        time.sleep(0.05)
    last = log.read_text(encoding="utf-8", errors="replace")[-2000:]
    raise PartFailed(f"{name} did not start. The end of {log}:\n{last}")
