"""No configuration shows its secrets, to whatever asks for its text."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any, get_args, get_origin, get_type_hints

import pytest
from msgspec import Struct, structs
from rich.pretty import pretty_repr

from pdp import config as pdp_config
from pdp.api.private import Private, PrivateBytes
from pdp.policy import sidecar
from pep import config as pep_config
from tipstaff.cli.configuration import config
from tipstaff.common.masking import MASK

PLANTED = "planted-9f31c7"
# Texts that are no secrets: names, places, sizes. What is in neither list is a secret.
PLAIN = {
    "Config": {"digest"},
    "Server": {"name", "accept"},
    "Jwt": {"issuer", "audience", "algorithms"},
    "Tls": {"certificate", "key", "client_ca"},
    "PdpTls": {"server_ca", "certificate", "key", "server_name"},
    "ServiceTls": {"certificate", "key", "client_ca", "clients"},
    "PepConfig": {
        "listen",
        "allowed_hosts",
        "allowed_origins",
        "public_url",
        "tokens",
        "hold_seconds_of",
    },
    "Opa": {"path", "memory_limit"},
    "Policy": {"dir", "changes"},
    "Limits": {"path"},
    "ApprovalsConfig": {"path"},
    "Webhook": {"hosts", "link"},
    "ConfiguredPerson": {"id", "groups", "principals", "role"},
    "Journal": {"path"},
    "PdpConfig": {"listen", "labels"},
    "Sidecar": {"bundle_url", "memory_limit"},
}


def kinds() -> Iterator[type[Struct]]:
    """Every structure that a configuration is made of."""
    for module in (pep_config, pdp_config, config, sidecar):
        for name, kind in inspect.getmembers(module, inspect.isclass):
            is_own = kind.__module__ == module.__name__ and not name.startswith("_")
            if issubclass(kind, Struct) and is_own:
                yield kind


def planted(annotation: Any) -> Any:
    """A secret of the type, or nothing when texts do not fit into it."""
    inner = get_args(annotation)
    if annotation is str:
        return PLANTED
    if get_origin(annotation) is dict:
        return {"name": PLANTED}
    if get_origin(annotation) is tuple and inner[0] is str:
        return (PLANTED,)
    return None


def texts() -> Iterator[tuple[type[Struct], str, Any]]:
    for kind in kinds():
        for name, annotation in get_type_hints(kind).items():
            value = planted(annotation)
            if name in kind.__struct_fields__ and value is not None:
                yield kind, name, value


def whole(kind: type[Struct], name: str, value: Any) -> Struct:
    """A structure with `value` in one field, made without checks, as a reference is replaced."""
    hints = get_type_hints(kind)
    required = {field.name: field for field in structs.fields(kind) if field.required}
    empty = {name: {str: "files", int: 1}.get(hints[name], "x") for name in required}
    if kind is pep_config.Server:
        empty["url"] = "http://h/mcp"
    made = kind(**empty)
    structs.force_setattr(made, name, value)
    return made


@pytest.mark.parametrize(("kind", "name", "value"), list(texts()), ids=str)
def test_every_text_of_a_configuration_is_masked_or_known_to_be_plain(
    kind: type[Struct], name: str, value: Any
) -> None:
    """A new setting has to be put into one list or the other."""
    made = whole(kind, name, value)
    if name in PLAIN.get(kind.__name__, ()):
        assert PLANTED in repr(made)
    else:
        for shown in (repr(made), str(made), f"{made}", pretty_repr(made), repr([made])):
            assert PLANTED not in shown
            assert kind.__name__ in shown


def test_the_walk_meets_what_it_should() -> None:
    """Lest it finds nothing and says so."""
    assert {(kind.__name__, name) for kind, name, _ in texts()} >= {
        ("Server", "bearer"),
        ("Server", "headers"),
        ("Server", "environment"),
        ("Server", "url"),
        ("Server", "command"),
        ("Jwt", "jwks"),
        ("Limits", "url"),
        ("Sidecar", "signing_key"),
        ("Sidecar", "bundle_token"),
    }


def test_the_header_lines_of_a_server_are_masked_too() -> None:
    """They are made of its settings; what is sent is the secret itself."""
    server = pep_config.Server("files", "http://h/mcp", bearer=PLANTED, headers={"X-Key": PLANTED})
    assert PLANTED not in repr(server.credentials) + str(server.credentials)
    assert server.credentials == (
        (b"authorization", b"Bearer " + PLANTED.encode()),
        (b"x-key", PLANTED.encode()),
    )


def test_a_masked_structure_is_otherwise_like_any() -> None:
    """An empty secret is shown as what it is: not there."""

    class Settings(Private, frozen=True):
        SECRET = frozenset({"key"})
        name: str
        key: str = ""

    assert repr(Settings("a")) == "Settings(name='a', key='')"
    assert repr(Settings("a", "k")) == f"Settings(name='a', key='{MASK}')"
    assert Settings("a", "k") == Settings("a", "k")
    assert f"{PrivateBytes(b'k')}" == f"b'{MASK}'"
