"""Where a server is, as it may be shown: a URL or a command line without the secrets in it. Pure.

People put keys into queries, paths and arguments. In doubt more is hidden: what is shown goes into
pages that are passed on. It also makes a name for a server that has none yet.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Iterable, Sequence
from pathlib import PurePath
from urllib.parse import urlsplit

from tipstaff.common.masking import MASK, SHORTEST_SECRET, masked, masked_text, without
from tipstaff.common.visible_text import visible

_LONGEST_NAME = 40
# What nobody writes by hand: hexadecimal digits, a UUID, or letters of both cases and digits.
_TOKEN = re.compile(
    r"(?<![A-Za-z0-9_-])(?:"
    r"[0-9a-fA-F]{32,}"
    r"|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
    r"|(?=[A-Za-z_-]*[0-9])(?=[0-9A-Z_-]*[a-z])(?=[0-9a-z_-]*[A-Z])[A-Za-z0-9_-]{20,}"
    r")(?![A-Za-z0-9_-])",
    re.ASCII,
)
_LAUNCHERS = frozenset("npx node bunx bun uvx uv run python python3 pipx deno docker".split())
_ADDRESS = re.compile(r"[0-9.]+|[0-9a-f:.]*:[0-9a-f:.]*")
_LOCAL = frozenset({"localhost", "127.0.0.1", "[::1]"})
_BARE_URL = re.compile(
    r"(?P<host>\[[0-9a-fA-F:]+\]|[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*)"
    r"(?P<port>:[0-9]{1,5})?(?P<path>[/?]\S*)?"
)
# A host that can do without a port: this machine's, or a name that ends like one of the internet.
_NAMED_HOST = re.compile(r"localhost|.*\.[A-Za-z]{2,}")
_PLAIN_WORD = re.compile(r"[@/.\w][@/.\w-]*", re.ASCII)


def url_of(word: str) -> str:
    """The URL that `word` is, also without its scheme, as in `127.0.0.1:9000/mcp`; "" for a program.

    Without one it is http on this machine, and https elsewhere: anybody on the way can read http.
    """
    if "://" in word:
        return word
    bare = _BARE_URL.fullmatch(word)
    if bare is None or not (bare["port"] or (bare["path"] and _NAMED_HOST.fullmatch(bare["host"]))):
        return ""
    return f"{'http' if bare['host'] in _LOCAL else 'https'}://{word}"


def shown(url: str, command: Sequence[str]) -> str:
    """Where a server is: at a URL, or else started by a command."""
    return shown_url(url) if url else shown_command(command)


def shown_url(url: str) -> str:
    """A URL without user, query and fragment, and without what looks like a key in its path.

    Of what is no URL, only the beginning: nobody can tell what the rest is.
    """
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return visible(f"{url.partition('://')[0][:8]}://…")
    host = parts.netloc.rpartition("@")[2]
    user = f"{MASK}@" if "@" in parts.netloc else ""
    query = "?…" if parts.query else ""
    path = _TOKEN.sub(MASK, masked_text(parts.path))
    return visible(f"{parts.scheme}://{user}{host}{path}{query}")


def shown_command(words: Sequence[str], secrets: Iterable[str] = ()) -> str:
    """A command line; `secrets` are texts that must not be in it, such as what its variables hold."""
    known = [secret for secret in secrets if len(secret) >= SHORTEST_SECRET]
    plain = [_TOKEN.sub(MASK, _no_queries(without(word, known))) for word in masked(list(words))]
    return visible(" ".join(word if word == MASK else shlex.quote(word) for word in plain))


def name_of(text: str) -> str:
    """A text made a name that a server can be registered by; `server` when nothing is left."""
    name = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")[:_LONGEST_NAME].rstrip("_")
    if not name:
        return "server"
    return name if name[0].isalpha() else f"mcp_{name}"


def place_name(url: str, command: Sequence[str]) -> str:
    """A name made of where a server is."""
    if url:
        try:
            host = urlsplit(url).hostname or ""
        except ValueError:
            host = ""
        return name_of("" if host == "localhost" or _ADDRESS.fullmatch(host) else host)
    words = [
        _bare(word) for word in command if _PLAIN_WORD.fullmatch(word) and masked_text(word) == word
    ]
    return name_of(next((word for word in words if word not in _LAUNCHERS), "server"))


def unique(name: str, taken: Collection[str]) -> str:
    """The name, or the name with the first number that makes it one of its own."""
    free_name, number = name, 1
    while free_name in taken:
        number += 1
        free_name = f"{name}_{number}"
    return free_name


def _bare(word: str) -> str:
    """A program or package without its folder, version and ending."""
    name = PurePath(word).name
    return re.sub(r"(?<=.)@.*|\.(?:js|mjs|py|exe)$", "", name)


def _no_queries(word: str) -> str:
    """A word of a command, with the query of a URL in it cut off."""
    return re.sub(r"(?<=\w)(://[^\s?]*)\?\S+", r"\1?…", word)
