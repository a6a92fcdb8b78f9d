"""`tipstaff token`: API tokens for callers without an identity provider."""

from __future__ import annotations

import argparse
import secrets
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from msgspec import structs
from rich.table import Table
from rich.text import Text

from pdp.errors import ConfigError
from pdp.private_files import changing
from pep.callers import api_token
from pep.callers.api_token import Entry, TokenFile
from tipstaff.cli import console
from tipstaff.cli.configuration.config import load
from tipstaff.cli.operate import durations
from tipstaff.common import atomic_file


def create_command(arguments: argparse.Namespace) -> int:
    """`tipstaff token create`."""
    path = Path(load(arguments.config).pep.tokens)
    now = int(time.time())
    expires = (
        now + durations.seconds("--expires", arguments.expires, "mhd") if arguments.expires else 0
    )
    try:
        token, entry = api_token.make(
            secrets.token_bytes(api_token.BYTES), arguments.name, now, expires
        )
    except ValueError as error:
        return console.fail(str(error))
    with changing(path):
        _save(path, TokenFile((*_read(path).tokens, entry)))
    if arguments.json:
        console.print_json({"token": token, "id": entry.id, "name": entry.name, "expires": expires})
        return 0
    console.out.print(token, markup=False, highlight=False, soft_wrap=True)
    console.err.print(
        f"This is shown once. The caller is `token:{entry.name}`; it sends the token as\n"
        "  Authorization: Bearer TOKEN\n"
        'to servers with accept = ["token"]. Revoke it with\n'
        f"  tipstaff token revoke {entry.id}",
        markup=False,
        highlight=False,
    )
    return 0


def list_command(arguments: argparse.Namespace) -> int:
    """`tipstaff token list`."""
    tokens, now = _read(Path(load(arguments.config).pep.tokens)).tokens, time.time()
    if arguments.json:
        console.print_json([_shown(token, now) for token in tokens])
        return 0
    if not tokens:
        console.out.print("There is no token yet: tipstaff token create NAME", markup=False)
        return 0
    table = Table("id", "caller", "state", "created", "expires", box=None, header_style="bold")
    for token in tokens:
        state = token.state(now)
        colour = "green" if state == "active" else "red"
        table.add_row(
            Text(token.id),
            Text(f"token:{token.name}"),
            Text(state, colour),
            _day(token.created),
            _day(token.expires),
        )
    console.out.print(table)
    return 0


def revoke_command(arguments: argparse.Namespace) -> int:
    """`tipstaff token revoke`."""
    path = Path(load(arguments.config).pep.tokens)
    with changing(path):
        tokens, changed = api_token.revoke(_read(path), arguments.which, int(time.time()))
        if not changed:
            return console.fail(
                f"no active token has the id or name {arguments.which!r}; see tipstaff token list"
            )
        _save(path, tokens)
    console.out.print(f"Revoked: {changed}. It is refused from now on.", markup=False)
    return 0


def _shown(entry: Entry, now: float) -> dict[str, Any]:
    facts = {**structs.asdict(entry), "state": entry.state(now)}
    del facts["sha256"]
    return facts


def _read(path: Path) -> TokenFile:
    try:
        return api_token.read(path.read_bytes())
    except FileNotFoundError:
        return TokenFile()
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: {error}") from error


def _save(path: Path, tokens: TokenFile) -> None:
    """Replace the file in one step, readable by us only: a proxy never sees a half of it."""
    try:
        atomic_file.replace(path, api_token.write(tokens))
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}") from error


def _day(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M") if seconds else "never"
