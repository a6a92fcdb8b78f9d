"""`tipstaff client-config NAME --client CLIENT`: a client's configuration entry, printed or written into its file.

Edge. Without `--write` nothing is touched. With it, the file is changed in one step, a copy of the
old one is left beside it, and neither is done when the file says it already.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import sys
from pathlib import Path
from typing import Any

from pdp.errors import ConfigError
from pep.callers import api_token
from pep.config import Server
from tipstaff.cli import console
from tipstaff.cli.clients import client_forms, user_file
from tipstaff.cli.clients.client_entries import Connection
from tipstaff.cli.clients.client_forms import FORMS, Client
from tipstaff.cli.configuration.config import Config, load
from tipstaff.common.did_you_mean import nearest
from tipstaff.common.masking import masked

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def command(arguments: argparse.Namespace) -> int:
    """`tipstaff client-config`."""
    config = load(arguments.config)
    client: Client = arguments.client
    file = (arguments.file or _default_file(client)).absolute()
    connection = _connection(config, arguments, file)
    text = client_forms.merged(client, "", connection)
    answer: dict[str, Any] = {
        "client": client,
        "file": str(file),
        "entry": FORMS[client].entry(connection),
        "text": text,
    }
    if arguments.write:
        answer |= _write(client, file, connection, text)
    if arguments.json:
        console.print_json(answer)
    elif arguments.write:
        _tell(answer, connection)
    else:
        _show(client, file, connection, text)
    for note in client_forms.notes(client, connection):
        console.err.print(f"\n{note}", markup=False)
    return 0


def _write(client: Client, file: Path, connection: Connection, text: str) -> dict[str, Any]:
    """Write the entry into the file; returns what was done and the entry before it, secrets masked."""
    old = user_file.find(file)
    try:
        new = client_forms.merged(client, old.text, connection)
        before = client_forms.standing(client, old.text, connection.name)
    except ConfigError as error:
        raise ConfigError(
            f"{file}: {error}; nothing was written. Put this in by hand:\n\n{text}"
        ) from error
    if new == old.text:
        return {"changed": False, "backup": None, "replaced": None}
    backup = user_file.replace(old, new)
    is_other = before is not None and before != FORMS[client].entry(connection)
    return {
        "changed": True,
        "backup": str(backup) if backup else None,
        "replaced": masked(before) if is_other else None,
    }


def _tell(answer: dict[str, Any], connection: Connection) -> None:
    """Print for people what was written."""
    if not answer["changed"]:
        console.out.print(f"kept   {answer['file']}, which says so already", markup=False)
        return
    console.out.print(f"wrote  {answer['file']}", markup=False)
    if answer["backup"]:
        console.out.print(f"backup {answer['backup']}", markup=False)
    if answer["replaced"] is not None:
        console.out.print(f"It replaced this entry of the name {connection.name}:", markup=False)
        console.print_json(answer["replaced"])


def _show(client: Client, file: Path, connection: Connection, text: str) -> None:
    """Print the text alone on stdout, and on stderr where it belongs."""
    sys.stdout.write(text)
    console.err.print(f"\nThis belongs in {file}; --write puts it there.", markup=False)
    try:
        before = client_forms.standing(client, user_file.find(file).text, connection.name)
    except ConfigError as error:
        console.err.print(f"As it is now, it has to be put in by hand: {error}", markup=False)
        return
    if before == FORMS[client].entry(connection):
        console.err.print("It is there already.", markup=False)
    elif before is not None:
        console.err.print(
            f"Another entry of the name {connection.name} stands there; --write would replace it.",
            markup=False,
        )


def _default_file(client: Client) -> Path:
    codex_home = os.environ.get("CODEX_HOME")
    if client == "codex" and codex_home:
        return Path(codex_home) / "config.toml"
    places = client_forms.locations(Path.home(), Path.cwd(), sys.platform)
    return next(place.path for place in places if place.client == client)


def _connection(config: Config, arguments: argparse.Namespace, file: Path) -> Connection:
    server = _server(config, arguments.name)
    return Connection(
        name=server.name,
        url=config.pep.resource(server),
        accept=server.accept,
        token_env=_token_env(arguments.token_env),
        passthrough=server.auth == "passthrough",
        command=server.command,
        environment=server.environment,
        start=_start(),
        config=str(config.source),
        opa=_opa(config, arguments.opa),
        header_file=str(file.with_name(f"tipstaff-{server.name}.header")),
    )


def _server(config: Config, name: str) -> Server:
    for server in config.pep.servers:
        if server.name == name:
            return server
    known = [server.name for server in config.pep.servers]
    raise ConfigError(f"{config.source}: there is no server {name!r}; {nearest(name, known)}")


def _token_env(name: str | None) -> str:
    if not name:
        return ""
    if name.startswith(api_token.PREFIX) or not _VARIABLE.fullmatch(name):
        raise ConfigError(
            "--token-env: write the name of an environment variable, never the token itself"
        )
    return name


def _start() -> tuple[str, ...]:
    """The command by which a client starts this installation: a client has neither our PATH nor our folder."""
    beside = Path(sys.executable).with_name("tipstaff")
    program = str(beside) if beside.exists() else shutil.which("tipstaff")
    return (program,) if program else (sys.executable, "-m", "tipstaff")


def _opa(config: Config, explicit: str | None) -> str:
    """The opa binary that this shell's environment names, and a client's would not."""
    named = explicit or (not config.pdp.opa.path and os.environ.get("TIPSTAFF_OPA"))
    return str(Path(named).absolute()) if named else ""
