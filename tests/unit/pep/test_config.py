"""What the proxy can be told; what cannot work is refused before it starts."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from pep.config import Jwt, PepConfig, Server, Tls, listen_address


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("127.0.0.1:80", ("127.0.0.1", 80)), ("[::1]:0", ("::1", 0)), ("localhost:65535", ("localhost", 65535))],
)  # fmt: skip
def test_an_address_is_host_and_port(text: str, wanted: tuple[str, int]) -> None:
    """IPv6 in brackets."""
    assert listen_address(text) == wanted


@pytest.mark.parametrize("text", ["", "80", ":80", "a:", "a:b", "a:65536", "a:-1"])
def test_anything_else_is_no_address(text: str) -> None:
    """The message says what to write."""
    with pytest.raises(ValueError, match="write HOST:PORT"):
        listen_address(text)


@pytest.mark.parametrize("name", ["", "A", "1a", "a-b", "a b", "a/b", "a" * 64, "a\n"])
def test_a_name_that_cannot_be_in_a_path_is_refused(name: str) -> None:
    """It is part of the URL and of the rules' path."""
    with pytest.raises(ValueError, match="server name"):
        Server(name, "http://x/mcp")


@pytest.mark.parametrize(
    "url",
    ["", "x", "/mcp", "ftp://x/", "http://", "http://x:0/", "http://x:99999/", "http://u:p@x/",
     "http://x/#f", "http://x/ y", "http://x/\u00e9", "http://[::1/"],
)  # fmt: skip
def test_a_url_that_cannot_be_called_is_refused(url: str) -> None:
    """The message names the server."""
    with pytest.raises(ValueError, match="'s'"):
        Server("s", url)


def test_the_authority_is_what_the_url_says() -> None:
    """With its port, if it has one."""
    assert Server("s", "https://h.example:8443/mcp").authority == b"h.example:8443"
    assert Server("s", "http://[::1]:9/mcp").authority == b"[::1]:9"


@pytest.mark.parametrize(
    "settings",
    [{"max_body_bytes": 0}, {"body_timeout_ms": -1}, {"decision_timeout_ms": 0},
     {"upstream_connect_timeout_ms": 0}, {"shutdown_grace_ms": 0}, {"listen": "x"}],
)  # fmt: skip
def test_settings_that_cannot_work_are_refused(settings: dict[str, Any]) -> None:
    """Zero is never `without a limit`."""
    with pytest.raises(ValueError, match=next(iter(settings))):
        msgspec.convert(settings, PepConfig)


def test_two_servers_of_one_name_are_refused() -> None:
    """Which rules would apply?"""
    one = Server("s", "http://x/mcp")
    with pytest.raises(ValueError, match="two servers"):
        PepConfig(servers=(one, one))


ISSUER = Jwt("https://login.example", jwks="https://login.example/keys")
TLS = Tls("c.pem", "k.pem", "ca.pem")


def test_anybody_is_let_in_by_default_on_this_machine_only() -> None:
    """Elsewhere it must be said who may."""
    one = Server("s", "http://x/mcp")
    assert PepConfig(servers=(one,)).accepted(one) == ("anonymous",)
    with pytest.raises(ValueError, match="say who may call"):
        PepConfig(listen="0.0.0.0:8700", servers=(one,))
    said = Server("s", "http://x/mcp", accept=("anonymous",))
    assert PepConfig(listen="0.0.0.0:8700", servers=(said,)).accepted(said) == ("anonymous",)


def test_a_proof_needs_something_to_be_held_against() -> None:
    """Else it would let nobody in, or everybody."""
    for proof, needed in (("jwt", "issuer and jwks"), ("mtls", "client_ca")):
        server = Server("s", "http://x/mcp", accept=(proof,))  # type: ignore[arg-type]
        with pytest.raises(ValueError, match=needed):
            PepConfig(servers=(server,))
        assert PepConfig(servers=(server,), jwt=ISSUER, tls=TLS)


def test_a_callers_token_cannot_both_prove_and_travel_on() -> None:
    """Nor can ours replace what is to be passed on."""
    for more in ({"accept": ("jwt",)}, {"accept": ("token",)}, {"bearer": "env:X"}):
        with pytest.raises(ValueError, match="passthrough"):
            Server("s", "http://x/mcp", auth="passthrough", **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["Host", "mcp-name", "Cookie", "a b", "a\n", "", "Authorization"])
def test_a_header_of_our_own_cannot_be_the_protocols(name: str) -> None:
    """Or be no header at all."""
    with pytest.raises(ValueError, match="cannot be a header"):
        Server("s", "http://x/mcp", headers={name: "env:X"})


@pytest.mark.parametrize(
    "settings",
    [{"algorithms": ("HS256",)}, {"algorithms": ("none",)}, {"algorithms": ()},
     {"leeway_seconds": -1}, {"leeway_seconds": 301}, {"jwks": "http://login.example/keys"}],
)  # fmt: skip
def test_what_could_accept_a_forged_token_is_refused(settings: dict[str, Any]) -> None:
    """Shared secrets, no signature, no end, keys from anybody on the way."""
    with pytest.raises(ValueError, match=next(iter(settings))):
        msgspec.convert(settings, Jwt)


def test_half_a_certificate_is_refused() -> None:
    """And an authority that would never be asked."""
    for settings in ({"certificate": "c"}, {"key": "k"}, {"client_ca": "ca"}):
        with pytest.raises(ValueError, match="certificate and key"):
            Tls(**settings)


def test_our_own_credentials_become_header_lines() -> None:
    """Lower case, as all lines are here."""
    server = Server("s", "http://x/mcp", bearer="t", headers={"X-Key": "k"})
    assert server.credentials == ((b"authorization", b"Bearer t"), (b"x-key", b"k"))
    assert Server("s", "http://x/mcp").credentials == ()
