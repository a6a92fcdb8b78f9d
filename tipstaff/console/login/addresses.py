"""Ways in, as files between `tipstaff console login` and the console: each for one person, once. Edge: files.

The folder is its owner's alone. A file is named by the digest of a secret and holds no secret; whoever removes
it has used it, so that of two who show one secret, one comes in.
"""

from __future__ import annotations

import contextlib
import secrets
from pathlib import Path

import msgspec

from tipstaff.common.atomic_file import PRIVATE_FOLDER, make_missing, replace
from tipstaff.console.sessions import LOGIN_SECONDS, Login, digest, is_secret

_FOLDER = "console-logins"
_MOST = 100
_decode = msgspec.json.Decoder(Login).decode


def issue(state: Path, person: str, now: float) -> str:
    """A new secret for one login of `person`; raises `OSError`."""
    folder = state / _FOLDER
    make_missing(folder, PRIVATE_FOLDER)
    _forget(folder, now)
    secret = secrets.token_urlsafe(32)
    login = Login(person, now + LOGIN_SECONDS)
    replace(folder / digest(secret), msgspec.json.encode(login))
    return secret


def use(state: Path, secret: str, now: float) -> str:
    """The person whom `secret` lets in, "" when it lets nobody in; it is used up then."""
    if not is_secret(secret):
        return ""
    path = state / _FOLDER / digest(secret)
    try:
        login = _decode(path.read_bytes())
        path.unlink()
    except (OSError, msgspec.DecodeError):
        return ""
    return login.person if now < login.expires else ""


def _forget(folder: Path, now: float) -> None:
    """Remove logins that nobody has used in time, and the oldest of too many."""
    by_age = sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
    for number, path in enumerate(by_age):
        if number >= _MOST or now - path.stat().st_mtime > LOGIN_SECONDS:
            with contextlib.suppress(OSError):
                path.unlink()
