"""What a changed configuration changes while the services run."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec import structs

from pep.config import PepConfig
from tipstaff.cli.configuration.config import Config, parse
from tipstaff.cli.configuration.config_changes import live_pdp, live_pep, pdp_changes, pep_changes

BEFORE = """
[servers.a]
url = "http://127.0.0.1:9/mcp"
[servers.b]
url = "http://127.0.0.1:9/mcp"
"""


def config(text: str) -> Config:
    return parse(text, Path("/site/tipstaff.toml"))


def told(text: str) -> list[tuple[str, str, bool]]:
    """What is told of a change to `text`: key, what, whether it needs a restart."""
    running, wanted = config(BEFORE), config(text)
    changes = [*pep_changes(running.pep, wanted.pep), *pdp_changes(running.pdp, wanted.pdp)]
    return [(change.key, change.what, change.needs_restart) for change in changes]


def test_a_file_that_means_the_same_changes_nothing() -> None:
    """Comments and order."""
    assert told(f"# a comment\n{BEFORE}") == []


def test_servers_are_added_removed_and_changed_without_a_restart() -> None:
    """Each is told by its section."""
    text = BEFORE.replace("servers.a", "servers.c").replace(
        "[servers.b]", "[servers.b]\npoll_ms = 1"
    )
    assert told(text) == [
        ("servers.a", "removed", False),
        ("servers.b", "changed", False),
        ("servers.c", "added", False),
    ]


@pytest.mark.parametrize(
    ("line", "key", "needs_restart"),
    [
        ('[pep]\nlisten = "127.0.0.1:1"', "pep.listen", True),
        ("[pep]\nmax_body_bytes = 5", "pep.max_body_bytes", True),
        ('[pep]\nallowed_hosts = ["x"]', "pep.allowed_hosts", False),
        ('[pep]\npublic_url = "https://x"', "pep.public_url", False),
        ('[jwt]\nissuer = "x"', "jwt.issuer", False),
        ("[opa]\ngogc = 100", "opa.gogc", True),
        ('[policy]\ndir = "other"', "policy.dir", True),
        ("[limits]\nprincipal_factor = 3", "limits.principal_factor", False),
        ("[limits]\nreplicas = 3", "limits.replicas", True),
        ('[pdp]\nlabels = {a = "b"}', "pdp.labels", False),
        ('[[approvals.people]]\nid = "ana"', "approvals.people", False),
        ('[approvals]\npath = "a.db"', "approvals.path", True),
        ("[pdp]\nreflection = true", "pdp.reflection", True),
    ],
)
def test_every_other_key_is_told_as_it_stands_in_the_file(
    line: str, key: str, needs_restart: bool
) -> None:
    """And whether it needs a restart."""
    assert told(f"{line}\n{BEFORE}") == [(key, "changed", needs_restart)]


def test_certificates_are_told_by_the_section_they_stand_in() -> None:
    """There are three."""
    text = '[tls]\ncertificate = "c"\nkey = "k"\n[pdp.tls]\ncertificate = "c"\nkey = "k"\nclient_ca = "a"\n'
    text += '[pep.pdp_tls]\nserver_ca = "a"\ncertificate = "c"\nkey = "k"\n[pdp]\nlisten = "127.0.0.1:1"\n'
    keys = {key for key, _, needs_restart in told(text + BEFORE) if needs_restart}
    assert {"tls.key", "pdp.tls.key", "pep.pdp_tls.key", "pdp.listen"} <= keys


def test_what_needs_a_restart_stays_as_it_runs_and_all_else_is_as_it_is_wanted() -> None:
    """So that telling the difference again tells only what is left."""
    text = '[pep]\nlisten = "127.0.0.1:1"\npublic_url = "https://x"\n[pdp]\nlabels = {a = "b"}\n[opa]\ngogc = 1\n'
    running, wanted = config(BEFORE), config(text)
    pep, pdp = live_pep(running.pep, wanted.pep), live_pdp(running.pdp, wanted.pdp)
    assert (pep.servers, pep.public_url, pep.listen) == ((), "https://x", running.pep.listen)
    assert {change.key for change in pep_changes(pep, wanted.pep)} == {"pep.listen"}
    assert {change.key for change in pdp_changes(pdp, wanted.pdp)} == {"opa.gogc"}


def test_who_may_answer_is_taken_over() -> None:
    """Somebody who has left must not go on answering until the restart."""
    running, wanted = config(f'[[approvals.people]]\nid = "ana"\n{BEFORE}'), config(BEFORE)
    pdp = live_pdp(running.pdp, wanted.pdp)
    assert pdp.approvals.people == ()
    assert pdp_changes(pdp, wanted.pdp) == []


def test_what_cannot_be_without_a_restart_is_refused() -> None:
    """A server that wants client certificates, while the listener knows no authority."""
    (server, _) = config(BEFORE).pep.servers
    tls = structs.replace(PepConfig().tls, certificate="c", key="k", client_ca="ca")
    wanted = PepConfig(servers=(structs.replace(server, accept=("mtls",)),), tls=tls)
    with pytest.raises(ValueError, match="client_ca"):
        live_pep(PepConfig(), wanted)
