"""What a server tells of how to get in."""

from __future__ import annotations

import json

from pep.callers import metadata
from pep.config import Jwt, PepConfig, Server
from pep.errors import CredentialInvalid, CredentialMissing

FILES = Server("files", "http://up/mcp", accept=("jwt",))
OPEN = Server("open", "http://up/mcp")
TOKENS = Server("tokens", "http://up/mcp", accept=("token",))
CONFIG = PepConfig(
    public_url="https://gate.example/",
    jwt=Jwt("https://login.example", jwks="https://login.example/keys"),
    servers=(FILES, OPEN, TOKENS),
)


def test_the_metadata_stands_between_host_and_path() -> None:
    """RFC 9728 section 3.1."""
    assert metadata.path(FILES) == b"/.well-known/oauth-protected-resource/files/mcp"


def test_the_metadata_names_the_resource_and_its_authorization_server() -> None:
    """By the public URL, not by where the proxy listens."""
    document = metadata.document(CONFIG, FILES)
    assert document is not None
    facts = json.loads(document)
    assert facts["resource"] == "https://gate.example/files/mcp"
    assert facts["authorization_servers"] == ["https://login.example"]


def test_a_server_that_no_issuer_gives_tokens_for_has_none() -> None:
    """There is nothing to find there."""
    assert metadata.document(CONFIG, OPEN) is None
    assert metadata.document(CONFIG, TOKENS) is None


def test_a_challenge_says_what_was_wrong_only_of_what_was_shown() -> None:
    """RFC 6750 section 3."""
    place = (
        b'resource_metadata="https://gate.example/.well-known/oauth-protected-resource/files/mcp"'
    )
    assert metadata.challenge(CONFIG, FILES, CredentialMissing("x")) == b"Bearer " + place
    wrong = metadata.challenge(CONFIG, FILES, CredentialInvalid("expired"))
    assert wrong == b'Bearer error="invalid_token", error_description="expired", ' + place
    assert metadata.challenge(CONFIG, TOKENS, CredentialMissing("x")) == b"Bearer"
