"""The configuration: one TOML file, its sections named after what they tell.

Unknown keys are refused with the file, the line and the nearest known key. Relative paths are
relative to the file's folder. `state_dir` holds what must survive: records, limits, sockets.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct, structs

from pdp.api.address import is_local
from pdp.config import ApprovalsConfig, Batching, Journal, Limits, Opa, PdpConfig, Policy
from pdp.errors import ConfigError
from pep.config import Jwt, PdpTls, PepConfig, Server, Tls
from tipstaff.cli.configuration.setting_faults import faults_of, key_in, unknown_key
from tipstaff.cli.configuration.toml_lines import TomlLines
from tipstaff.cli.run.run_folder import run_folder_of
from tipstaff.console.config import ConsoleConfig

PARTS: dict[str, type[Struct]] = {
    "opa": Opa,
    "policy": Policy,
    "limits": Limits,
    "approvals": ApprovalsConfig,
    "journal": Journal,
    "batching": Batching,
}
PEP_PARTS: dict[str, type[Struct]] = {"jwt": Jwt, "tls": Tls}
# The keys of a section whose other fields are sections of their own.
_OWN_KEYS = {
    "pdp": set(PdpConfig.__struct_fields__) - set(PARTS),
    "pep": set(PepConfig.__struct_fields__) - {"servers", *PEP_PARTS},
}
_SECTIONS_OF = {"state_dir": ["at the top, before every section"]}
for _section, _keys in (
    *_OWN_KEYS.items(),
    *((name, kind.__struct_fields__) for name, kind in {**PARTS, **PEP_PARTS}.items()),
    ("console", ConsoleConfig.__struct_fields__),
    ("servers.NAME", Server.__struct_fields__),
):
    for _key in _keys:
        _SECTIONS_OF.setdefault(_key, []).append(f"in [{_section}]")
_SECTIONS = ("state_dir", "pdp", "pep", "servers", "console", *PARTS, *PEP_PARTS)


class Config(Struct, frozen=True):
    """The resolved configuration: absolute paths, every default filled in."""

    source: Path
    state_dir: Path
    run_folder: Path
    pdp: PdpConfig
    pep: PepConfig
    console: ConsoleConfig
    lines: TomlLines
    """Where in the file each key stands."""
    digest: str
    """The SHA-256 of the file's text, by which it is told from another."""


def load(source: Path) -> Config:
    """Read and check `source`; raises `ConfigError`."""
    try:
        text = source.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"cannot read {source}: {error}; `tipstaff init` writes a configuration"
        ) from error
    return parse(text, source)


def parse(text: str, source: Path) -> Config:
    """Check the text of `source`, which need not be there yet; raises `ConfigError`."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        position = re.search(r"at line (\d+)", str(error))
        line = position[1] if position else str(max(1, text.count("\n") + 1))
        raise ConfigError(f"{source}:{line}: not TOML: {error}") from error
    return _Reader(source, text).read(data)


class _Reader:
    """Turns the data of one file into a `Config`, knowing where it came from."""

    def __init__(self, source: Path, text: str) -> None:
        self._source = source
        self._digest = hashlib.sha256(text.encode()).hexdigest()
        self._lines = TomlLines(text)
        self._folder = source.resolve().parent
        self._problems: list[tuple[int, str]] = []

    def read(self, data: dict[str, Any]) -> Config:
        self._known(data, "", _SECTIONS)
        state = self._path(data.get("state_dir", ".tipstaff"), "state_dir")
        run_folder = run_folder_of(state)
        parts = {name: self._section(data, name, kind) for name, kind in PARTS.items()}
        pdp = self._section(data, "pdp", PdpConfig, allowed=_OWN_KEYS["pdp"])
        servers = tuple(self._servers(data.get("servers", {})))
        pep = self._section(data, "pep", PepConfig, allowed=_OWN_KEYS["pep"])
        pep_parts = {name: self._section(data, name, kind) for name, kind in PEP_PARTS.items()}
        console = self._section(data, "console", ConsoleConfig)
        if self._problems:  # what follows holds one section against another
            raise ConfigError("\n".join(text for _, text in sorted(self._problems)))
        pdp = structs.replace(
            pdp,
            listen=pdp.listen or f"unix:{run_folder / 'pdp.sock'}",
            **self._resolved(parts, state),
        )
        pdp = structs.replace(pdp, tls=self._absolute(pdp.tls, "certificate key client_ca"))
        pep_tls = self._absolute(pep.pdp_tls, "server_ca certificate key")
        self._check_listen(pdp, pep_tls)
        key = self._reference(pep.rounds_key)
        pep = structs.replace(pep, pdp_tls=pep_tls, rounds_key=key)
        pep = self._rebuilt(pep, servers, self._pep_parts(**pep_parts, pep=pep, state=state))
        console = self._console(console, pdp)
        source, lines = self._source.resolve(), self._lines
        return Config(source, state, run_folder, pdp, pep, console, lines, self._digest)

    def _resolved(self, parts: dict[str, Any], state: Path) -> dict[str, Any]:
        limits, journal, policy = parts["limits"], parts["journal"], parts["policy"]
        limits_path = self._folder / limits.path if limits.path else state / "limits.db"
        journal_path = self._folder / journal.path if journal.path else state / "decisions.jsonl"
        approvals = parts["approvals"]
        approvals_path = self._folder / approvals.path if approvals.path else state / "approvals.db"
        url, secret = map(self._reference, (approvals.webhook.url, approvals.webhook.secret))
        webhook = structs.replace(approvals.webhook, url=url, secret=secret)
        changes = self._folder / policy.changes if policy.changes else state / "changed.json"
        return {
            **parts,
            "limits": structs.replace(
                limits, path=str(limits_path), url=self._reference(limits.url)
            ),
            "approvals": structs.replace(approvals, path=str(approvals_path), webhook=webhook),
            "journal": structs.replace(journal, path=str(journal_path)),
            "policy": structs.replace(
                policy, dir=str(self._folder / policy.dir), changes=str(changes)
            ),
        }

    def _console(self, console: ConsoleConfig, pdp: PdpConfig) -> ConsoleConfig:
        """The console's section with absolute paths; whoever a provider knows is not yet one of ours."""
        openid = console.openid
        if openid.issuer and not pdp.approvals.people:
            raise self._error(
                "console.openid",
                "issuer",
                "everybody whom this provider knows could answer: "
                "write [[approvals.people]] with those who may",
            )
        secret = self._reference(openid.client_secret)
        return structs.replace(console, openid=structs.replace(openid, client_secret=secret))

    def _section(
        self, data: dict[str, Any], name: str, kind: type[Any], allowed: set[str] | None = None
    ) -> Any:
        return self._convert(data.get(name, {}), kind, name, allowed)

    def _servers(self, servers: Any) -> list[Server]:
        if not isinstance(servers, dict):
            raise self._error("servers", "", "must be sections: [servers.NAME]")
        configured = []
        for name, section in servers.items():
            where = f"servers.{name}"
            if not isinstance(section, dict):
                self._note(where, "", f"must be a section: [{where}]")
            elif "name" in section:
                self._note(where, "name", "the section's title is the name")
            else:
                server = self._convert({**section, "name": name}, Server, where)
                configured += [] if server is None else [self._with_files(server)]
        return configured

    def _with_files(self, server: Server) -> Server:
        """The server with the paths of `file:PATH` absolute."""
        headers, environment = (
            {name: self._reference(value) for name, value in table.items()}
            for table in (server.headers, server.environment)
        )
        bearer = self._reference(server.bearer)
        return structs.replace(server, bearer=bearer, headers=headers, environment=environment)

    def _reference(self, value: str) -> str:
        """A value, which may refer to a file, with an absolute path."""
        kind, _, path = value.partition(":")
        return f"file:{self._folder / path}" if kind == "file" else value

    def _pep_parts(self, jwt: Jwt, tls: Tls, pep: PepConfig, state: Path) -> dict[str, Any]:
        """The sections beside `[pep]` that are the proxy's, and its files, with absolute paths."""
        if jwt.jwks and "://" not in jwt.jwks:
            jwt = structs.replace(jwt, jwks=str(self._folder / jwt.jwks))
        tokens = self._folder / pep.tokens if pep.tokens else state / "tokens.json"
        return {
            "jwt": jwt,
            "tls": self._absolute(tls, "certificate key client_ca"),
            "tokens": str(tokens),
        }

    def _rebuilt(
        self, pep: PepConfig, servers: tuple[Server, ...], parts: dict[str, Any]
    ) -> PepConfig:
        try:
            return structs.replace(pep, servers=servers, **parts)
        except ValueError as error:
            named = re.match(r"server '(\w+)'", str(error))
            where = f"servers.{named[1]}" if named else "servers"
            raise self._error(where, "", str(error)) from error

    def _convert(
        self, section: Any, kind: type[Any], where: str, allowed: set[str] | None = None
    ) -> Any:
        """The section as a structure; what is wrong with it is noted, and nothing given then."""
        before = len(self._problems)
        if not isinstance(section, dict):
            self._note(where, "", f"must be a section: [{where}]")
            return None
        self._known(section, where, allowed or kind.__struct_fields__)
        for path, message in faults_of(
            kind, {k: v for k, v in section.items() if k in kind.__struct_fields__}
        ):
            self._note(where, ".".join(path), message)
        if len(self._problems) > before:
            return None
        try:
            return msgspec.convert(section, kind)
        except (msgspec.ValidationError, ValueError) as error:
            message, _, inner = str(error).partition(" - at `$.")
            key = inner.rstrip("`").partition("[")[0]
            self._note(where, key or key_in(message, section), message)
            return None

    def _known(self, section: dict[str, Any], where: str, known: Iterable[str]) -> None:
        allowed = sorted(set(known) - ({"name"} if where.startswith("servers.") else set()))
        for key in section:
            if key not in known:
                self._note(where, key, unknown_key(key, allowed, _SECTIONS_OF.get(key, ())))

    def _note(self, where: str, key: str, message: str) -> None:
        """One thing more that is wrong."""
        line = self._lines.of(_name(where, key).split("."))
        self._problems.append((line, str(self._error(where, key, message))))

    def _path(self, value: Any, key: str) -> Path:
        if not isinstance(value, str) or not value:
            raise self._error("", key, "must be a path")
        return self._folder / value

    def _check_listen(self, pdp: PdpConfig, pdp_tls: PdpTls) -> None:
        """Plain only where nobody but this machine can come, and certificates where they count."""
        listen, has_any = pdp.listen, bool(pdp.tls.certificate or pdp_tls.server_ca)
        if not re.fullmatch(r"unix:.+|(\[[0-9a-fA-F:]+\]|[\w.-]+):\d{1,5}", listen):
            raise self._error("pdp", "listen", "must be unix:PATH or HOST:PORT")
        if not is_local(listen) and not has_any:
            raise self._error(
                "pdp",
                "listen",
                f"other machines can reach {listen}, and whoever can ask can spend and reset limits. "
                "Where the decision service runs, write [pdp.tls] with certificate, key and client_ca; "
                "where it is asked, [pep.pdp_tls] with server_ca, certificate and key. "
                "Or listen on 127.0.0.1 or a unix socket",
            )
        if has_any and listen.startswith("unix:"):
            raise self._error("pdp", "listen", "certificates have no effect on a unix socket")

    def _absolute(self, section: Any, keys: str) -> Any:
        """The section with the paths of its files absolute."""
        paths = {key: getattr(section, key) for key in keys.split()}
        return structs.replace(
            section, **{key: str(self._folder / path) for key, path in paths.items() if path}
        )

    def _error(self, where: str, key: str, message: str) -> ConfigError:
        name = _name(where, key)
        line = self._lines.of(name.split("."))
        return ConfigError(f"{self._source}:{line}: {name}: {message}")


def _name(where: str, key: str) -> str:
    """How a key is called: with its section."""
    return ".".join(part for part in (where, key) if part)
