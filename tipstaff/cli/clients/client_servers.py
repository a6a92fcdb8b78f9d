"""The servers that clients know, as ones that can be asked: each once, with all who know it. Pure.

Values of headers and variables are put in here, for the connection alone; what is shown of a server
holds none of them. What cannot be asked as its client would ask it is passed over, with the reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from msgspec import Struct, structs

from pdp.errors import ConfigError
from pep.config import Server
from tipstaff.cli.clients.client_forms import FORMS, Location
from tipstaff.cli.clients.client_reading import data_in, groups_in
from tipstaff.cli.clients.client_references import Surroundings, expanded, refers, variable
from tipstaff.cli.clients.proxies import Proxies
from tipstaff.cli.servers import sources
from tipstaff.survey.scanned import BEHIND_TIPSTAFF, SWITCHED_OFF, Known

_Entry: TypeAlias = Mapping[str, Any]
# The transport's own; what a file says of them changes nothing.
_SPOKEN_FOR = frozenset({"accept", "content-type"})
_BEARER = "bearer "


class Candidate(Struct, frozen=True):
    """A server that clients know."""

    known: tuple[Known, ...]
    """Who knows it, and by which name."""
    source: str
    """Where it is, without secrets."""
    key: tuple[str, ...]
    """What is the same for two entries of the same server; may hold secrets."""
    server: Server | None = None
    """Ready to be asked, if it can be; holds secrets."""
    reason: str = ""
    """Why it cannot be."""
    gives_away: bool = False
    """Whether a file that came with the project has something of this environment sent to it."""

    @property
    def names(self) -> str:
        """The names that it goes by, each once."""
        return ", ".join(dict.fromkeys(client.name for client in self.known))


def candidates(
    location: Location, text: str, around: Surroundings, proxies: Proxies
) -> list[Candidate]:
    """What the client's file names, in its order; raises `ConfigError` when it cannot be read."""
    form = FORMS[location.client]
    data = data_in(text, form.language)
    if not isinstance(data, dict):
        raise ConfigError("does not hold an object")
    return [
        _candidate(
            location,
            Known(location.client, str(location.path), str(name), project),
            entry,
            around,
            proxies,
        )
        for keys in form.groups
        for project, servers in groups_in(data, keys)
        if isinstance(servers, dict)
        for name, entry in servers.items()
        if isinstance(entry, dict) and (_url(entry) or _words(entry))
    ]


def merged(candidates: Iterable[Candidate]) -> list[Candidate]:
    """Each server once, as an entry that can be asked says; its names made fit and told apart."""
    groups: dict[tuple[str, ...], list[Candidate]] = {}
    for candidate in candidates:
        groups.setdefault(candidate.key, []).append(candidate)
    taken: set[str] = set()
    result = []
    for group in groups.values():
        best = min(group, key=lambda candidate: (candidate.server is None, candidate.gives_away))
        known = tuple(dict.fromkeys(who for candidate in group for who in candidate.known))
        best = structs.replace(best, known=known)
        if best.server:
            name = sources.unique(best.server.name, taken)
            taken.add(name)
            best = structs.replace(best, server=structs.replace(best.server, name=name))
        result.append(best)
    return result


def _candidate(
    location: Location, known: Known, entry: _Entry, around: Surroundings, proxies: Proxies
) -> Candidate:
    url, words = _url(entry), _words(entry)
    source = sources.shown_url(url) if url else sources.shown_command(words, _given(entry))
    plain = Candidate((known,), source, (url,) if url else words)
    try:
        reading = _Reading(location, entry, around)
        key = (reading.text(url),) if url else tuple(reading.text(word) for word in words)
        plain = structs.replace(plain, key=key)
        if proxies.are_before(key[0] if url else "", () if url else key):
            return structs.replace(plain, reason=BEHIND_TIPSTAFF)
        _check_can_be_asked(entry, known, words, around)
        server = reading.server(sources.name_of(known.name), key, is_url=bool(url))
    except ConfigError as error:
        return structs.replace(plain, reason=str(error))
    gives_away = bool(url) and location.level == "project" and reading.has_referred
    return structs.replace(plain, server=server, gives_away=gives_away)


class _Reading:
    """Puts the values into one entry, and notices whether any was this environment's."""

    def __init__(self, location: Location, entry: _Entry, around: Surroundings) -> None:
        self.has_referred = False
        self._client = location.client
        self._entry = entry
        self._around = around

    def text(self, text: str) -> str:
        self.has_referred = self.has_referred or refers(self._client, text)
        return expanded(self._client, text, self._around)

    def server(self, name: str, place: tuple[str, ...], *, is_url: bool) -> Server:
        """Raises `ConfigError`, which holds no value."""
        if not is_url:
            return Server(name, command=place, environment=self._environment())
        try:
            _ = urlsplit(place[0]).port
        except ValueError:
            raise ConfigError("its URL is none") from None
        bearer, headers = self._headers()
        try:
            return Server(name, url=place[0], bearer=bearer, headers=headers)
        except ValueError as error:
            raise ConfigError(str(error)) from error

    def _environment(self) -> dict[str, str]:
        forwarded = {name: variable(name, self._around) for name in self._names("env_vars")}
        return {**forwarded, **dict(self._texts("env"))}

    def _headers(self) -> tuple[str, dict[str, str]]:
        """The token and the other header lines."""
        lines = dict([*self._texts("headers"), *self._texts("http_headers")])
        lines |= {name: self._variable(of) for name, of in self._texts("env_http_headers")}
        if named := self._entry.get("bearer_token_env_var"):
            lines["Authorization"] = f"Bearer {self._variable(str(named))}"
        bearer, others = "", {}
        for name, value in lines.items():
            if not (value.isascii() and value.isprintable()):
                raise ConfigError(f"what it wants to send as {name} cannot stand in a header line")
            if name.lower() == "authorization":
                if not value.lower().startswith(_BEARER):
                    raise ConfigError("its Authorization is no bearer token, and no other is sent")
                bearer = value[len(_BEARER) :].strip()
            elif name.lower() not in _SPOKEN_FOR:
                others[name] = value
        return bearer, others

    def _texts(self, key: str) -> Iterator[tuple[str, str]]:
        """The members of the object `key`, their values as texts, put in."""
        members = self._entry.get(key)
        for name, value in members.items() if isinstance(members, dict) else ():
            if isinstance(value, str | int | float):
                plain = str(value).lower() if isinstance(value, bool) else str(value)
                yield str(name), self.text(plain)

    def _names(self, key: str) -> list[str]:
        named = self._entry.get(key)
        listed = named if isinstance(named, list) else []
        return [
            str(entry.get("name", "")) if isinstance(entry, dict) else str(entry)
            for entry in listed
        ]

    def _variable(self, name: str) -> str:
        self.has_referred = True
        return variable(name, self._around)


def _check_can_be_asked(
    entry: _Entry, known: Known, words: tuple[str, ...], around: Surroundings
) -> None:
    """Refuse what the client would do otherwise than it is done here."""
    if entry.get("disabled") is True or entry.get("enabled") is False:
        raise ConfigError(SWITCHED_OFF)
    for key, what in (
        ("envFile", "its variables stand in a file of their own (envFile), which is not read here"),
        (
            "headersHelper",
            "its header lines are made by a program (headersHelper), which is not run here",
        ),
    ):
        if entry.get(key):
            raise ConfigError(what)
    folder = entry.get("cwd") or (_is_relative(words) and known.project)
    if words and folder and Path(str(folder)) != around.folder:
        raise ConfigError(f"it is started in {folder}: scan it from there")


def _is_relative(words: tuple[str, ...]) -> bool:
    return any(word.startswith(("./", "../")) for word in words)


def _url(entry: _Entry) -> str:
    """As `client_reading` finds it."""
    return next((url for key in ("url", "serverUrl") if isinstance(url := entry.get(key), str)), "")


def _words(entry: _Entry) -> tuple[str, ...]:
    command, args = entry.get("command"), entry.get("args")
    if not isinstance(command, str) or not command:
        return ()
    return (command, *(str(argument) for argument in (args if isinstance(args, list) else ())))


def _given(entry: _Entry) -> list[str]:
    """Values that must not be seen in a command line either."""
    env = entry.get("env")
    return (
        [value for value in env.values() if isinstance(value, str)] if isinstance(env, dict) else []
    )
