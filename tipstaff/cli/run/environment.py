"""The environment variables of a service: those it needs, and no secret of another service. Pure.

A decision service that held the servers' credentials would hand them to whoever reads its memory, its
environment or its core; so each service is given the variables that its own settings name, and those by
which programs find their files.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

from tipstaff.cli.configuration.config import Config
from tipstaff.common.child_process import INHERITED

Service = Literal["pdp", "pep", "gate", "console"]
_PLAIN = frozenset(
    (
        *INHERITED,
        *"VIRTUAL_ENV XDG_CACHE_HOME XDG_CONFIG_HOME TIPSTAFF_OPA NO_COLOR FORCE_COLOR".split(),
        *"COLORTERM SSL_CERT_FILE SSL_CERT_DIR OPENSSL_CONF".split(),
    )
)
# Threads that do large work would each keep an arena of glibc's allocator as large as its largest piece.
_FEW_ARENAS = {"MALLOC_ARENA_MAX": "2"}
_PLAIN_BEGINNINGS = ("LC_", "PYTHON", "LD_", "DYLD_", "GRPC_", "MALLOC_")


def environment(service: Service, config: Config, around: Mapping[str, str]) -> dict[str, str]:
    """The variables of `around` for a service as a child process."""
    own = {name for part in _parts(service) for name in _named(part, config)}
    others = {name for other in _SERVICES for name in _named(other, config)} - own
    given = {
        name: value
        for name, value in around.items()
        if name in own or (_is_plain(name) and name not in others)
    }
    return {**_FEW_ARENAS, **given}


_SERVICES: tuple[Service, ...] = ("pdp", "pep", "console")


def _parts(service: Service) -> tuple[Service, ...]:
    """The services that the process of a service runs: the gate runs two."""
    return ("pdp", "pep") if service == "gate" else (service,)


def _is_plain(name: str) -> bool:
    return name in _PLAIN or name.startswith(_PLAIN_BEGINNINGS)


def _named(service: Service, config: Config) -> Iterator[str]:
    """The variables that the settings of a service refer to."""
    webhook = config.pdp.approvals.webhook
    settings = [config.pdp.limits.url, webhook.url, webhook.secret]
    if service == "console":
        settings = [config.console.openid.client_secret]
    if service == "pep":
        settings = [config.pep.rounds_key] + [
            value
            for server in config.pep.servers
            for value in (server.bearer, *server.headers.values(), *server.environment.values())
        ]
    for value in settings:
        kind, _, name = value.partition(":")
        if kind == "env":
            yield name
