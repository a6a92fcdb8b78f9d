"""What a changed configuration changes in a service that runs, and what of it needs a restart. Pure.

A service takes over what it reads anew with each call: servers and their secrets, whose tokens are believed,
who may use the proxy. What a listener, a pool or a file was made with stays as it is until the restart.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec import Struct, structs

from pdp.config import PdpConfig
from pep.config import PepConfig, Server

LIVE_PEP = frozenset(
    "servers jwt tokens allowed_hosts allowed_origins public_url body_timeout_ms "
    "hold_seconds hold_seconds_of".split()
)
LIVE_PDP = frozenset({"pdp.labels", "limits.principal_factor", "approvals.people"})
# Fields that are sections of their own in the file, under another name than the field has.
_SECTIONS = {
    **{
        name: name
        for name in ("jwt", "opa", "policy", "limits", "approvals", "journal", "batching")
    },
    "pdp_tls": "pep.pdp_tls",
}


class Change(Struct, frozen=True):
    """One key that is another than before; of a server, the whole section is one."""

    key: str
    what: str
    """`added`, `removed` or `changed`."""
    needs_restart: bool


def live_pep(running: PepConfig, changed: PepConfig) -> PepConfig:
    """What runs, with all of `wanted` that needs no restart; raises `ValueError` if that cannot be."""
    return structs.replace(running, **{name: getattr(changed, name) for name in LIVE_PEP})


def live_pdp(running: PdpConfig, changed: PdpConfig) -> PdpConfig:
    """What runs, with all of `wanted` that needs no restart."""
    limits = structs.replace(running.limits, principal_factor=changed.limits.principal_factor)
    approvals = structs.replace(running.approvals, people=changed.approvals.people)
    return structs.replace(running, labels=changed.labels, limits=limits, approvals=approvals)


def pep_changes(running: PepConfig, changed: PepConfig) -> list[Change]:
    """What differs, secrets included, in the order of the settings."""
    changes = [
        Change(key, "changed", needs_restart=field not in LIVE_PEP)
        for field, key in _differing("pep", running, changed)
        if field != "servers"
    ]
    return [*changes, *_server_changes(running.servers, changed.servers)]


def pdp_changes(running: PdpConfig, changed: PdpConfig) -> list[Change]:
    """What differs, in the order of the settings."""
    return [
        Change(key, "changed", needs_restart=key not in LIVE_PDP)
        for _, key in _differing("pdp", running, changed)
    ]


def _differing(section: str, running: Any, changed: Any) -> Iterator[tuple[str, str]]:
    """Each field, and the key in the file, of which the value differs."""
    for field in running.__struct_fields__:
        before, after = getattr(running, field), getattr(changed, field)
        if before == after:
            continue
        if not isinstance(before, Struct):
            yield field, f"{section}.{field}"
            continue
        own = "tls" if (section, field) == ("pep", "tls") else f"{section}.{field}"
        title = _SECTIONS.get(field, own)
        for name in before.__struct_fields__:
            if getattr(before, name) != getattr(after, name):
                yield field, f"{title}.{name}"


def _server_changes(running: tuple[Server, ...], changed: tuple[Server, ...]) -> Iterator[Change]:
    before = {server.name: server for server in running}
    after = {server.name: server for server in changed}
    for name in [*before, *(name for name in after if name not in before)]:
        what = "added" if name not in before else "removed" if name not in after else "changed"
        if before.get(name) != after.get(name):
            yield Change(f"servers.{name}", what, needs_restart=False)
