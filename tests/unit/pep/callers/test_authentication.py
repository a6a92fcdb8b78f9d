"""What proves who calls: the first proof that a request carries decides, and is not weakened."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from pep.callers import api_token
from pep.callers.authentication import CERTIFICATE_KEY, Callers
from pep.callers.jwks import IssuerKeys
from pep.config import Jwt, PepConfig, Proof, Server, Tls
from pep.errors import CredentialInvalid, CredentialMissing, KeysAway
from tests.jwts import ISSUER, Issuer

NOW = 1_800_000_000.0
SCOPE = {"client": ("10.0.0.1", 1)}
MTLS = {**SCOPE, CERTIFICATE_KEY: "spiffe://ann"}
URL = "https://gate.example/s/mcp"


class Site:
    """Callers of the server `s`, which accepts these proofs."""

    def __init__(self, folder: Path, *accept: Proof) -> None:
        self.now = NOW
        self.issuer = Issuer("ES256")
        self.jwks = folder / "jwks.json"
        self.jwks.write_text(self.issuer.jwks())
        self.tokens = folder / "tokens.json"
        self.server = Server("s", url="http://127.0.0.1:9/mcp", accept=accept)
        self.config = PepConfig(
            servers=(self.server,), tokens=str(self.tokens), public_url="https://gate.example",
            jwt=Jwt(issuer=ISSUER, jwks=str(self.jwks), algorithms=("ES256",)),
            tls=Tls("certificate", "key", "authorities"),
        )  # fmt: skip
        self.callers = Callers(self.config, lambda: self.now, lambda: 0.0)

    async def who(self, credential: str = "", scope: dict[str, Any] = SCOPE) -> str:
        return (await self.callers.principal(self.server, scope, credential)).id

    def jwt(self, audience: str = URL, **claims: Any) -> str:
        return "Bearer " + self.issuer.token(audience, **{"iat": NOW, "exp": NOW + 600, **claims})

    def token(self, name: str = "bob", expires: int = 0) -> str:
        text, entry = api_token.make(os.urandom(api_token.BYTES), name, int(NOW), expires)
        self.keep(entry)
        return "Bearer " + text

    def keep(self, *entries: api_token.Entry) -> None:
        self.tokens.write_bytes(api_token.write(api_token.TokenFile(entries)))


async def test_where_anybody_may_call_a_caller_is_its_address(tmp_path: Path) -> None:
    """Whatever credential it shows is for the server, and not looked at."""
    site = Site(tmp_path)
    assert await site.who() == "anonymous:10.0.0.1"
    assert await site.who("Bearer nonsense") == "anonymous:10.0.0.1"
    assert await site.who(scope={}) == "anonymous:local"


async def test_each_proof_names_its_caller(tmp_path: Path) -> None:
    """In a name that no other proof can give."""
    site = Site(tmp_path, "jwt", "token", "mtls")
    assert await site.who(site.jwt()) == "jwt:ann"
    assert await site.who(site.token()) == "token:bob"
    assert await site.who(scope=MTLS) == "mtls:spiffe://ann"


@pytest.mark.parametrize("accept", [("jwt",), ("token",), ("mtls",)])
async def test_without_an_accepted_proof_a_caller_is_refused(
    tmp_path: Path, accept: tuple[Proof, ...]
) -> None:
    """Also one that has another kind of proof."""
    site = Site(tmp_path, *accept)
    with pytest.raises(CredentialMissing):
        await site.who()
    credentials = {"jwt": site.jwt(), "token": site.token()}
    for kind, credential in credentials.items():
        if kind not in accept and accept != ("mtls",):
            with pytest.raises(CredentialInvalid):
                await site.who(credential)
    if "mtls" not in accept:
        with pytest.raises(CredentialMissing):
            await site.who(scope=MTLS)


@pytest.mark.parametrize("credential", ["Basic YTpi", "Bearer", "Bearer  ", "bearer x", "x"])
async def test_a_wrong_credential_is_refused_where_anybody_may_call(
    tmp_path: Path, credential: str
) -> None:
    """Who shows one says who it is."""
    site = Site(tmp_path, "jwt", "anonymous")
    assert await site.who() == "anonymous:10.0.0.1"
    with pytest.raises(CredentialInvalid):
        await site.who(credential)
    with pytest.raises(CredentialInvalid):
        await site.who(credential, MTLS)


async def test_a_token_is_verified_once_and_still_ends_when_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor does it pass for another audience, nor under other keys."""
    site, verified = Site(tmp_path, "jwt"), []
    from pep.callers import jwt_bearer

    verify = jwt_bearer.verify

    def counted(*arguments: Any) -> Any:
        verified.append(arguments)
        return verify(*arguments)

    monkeypatch.setattr(jwt_bearer, "verify", counted)
    token = site.jwt()
    for _ in range(3):
        assert await site.who(token) == "jwt:ann"
    assert len(verified) == 1
    other = structs.replace(site.server, name="t")
    with pytest.raises(CredentialInvalid):
        await site.callers.principal(other, SCOPE, token)
    site.now += 700
    with pytest.raises(CredentialInvalid):
        await site.who(token)
    site.now -= 700
    site.jwks.write_text(Issuer("ES256").jwks())
    with pytest.raises(CredentialInvalid):
        await site.who(token)


@pytest.mark.parametrize("wrong", ["another key", "another audience", "another issuer", "expired", "none", "confused"])  # fmt: skip
async def test_a_forged_token_proves_nothing(tmp_path: Path, wrong: str) -> None:
    """By whatever it is forged."""
    site = Site(tmp_path, "jwt")
    token = {
        "another key": "Bearer " + Issuer("ES256", kid="k2").token(URL),
        "another audience": site.jwt("https://other.example"),
        "another issuer": site.jwt(iss="https://evil.example"),
        "expired": site.jwt(exp=NOW - 100),
        "none": "Bearer " + site.issuer.unsigned(URL),
        "confused": "Bearer " + site.issuer.confused(URL),
    }[wrong]
    with pytest.raises(CredentialInvalid):
        await site.who(token)


async def test_tokens_on_disk_are_read_again_when_the_file_changes(tmp_path: Path) -> None:
    """So one that is revoked is refused at once, and so is every token of a file that is gone."""
    site = Site(tmp_path, "token")
    credential = site.token()
    assert await site.who(credential) == "token:bob"
    site.keep()
    with pytest.raises(CredentialInvalid):
        await site.who(credential)
    credential = site.token(expires=int(NOW) + 10)
    assert await site.who(credential) == "token:bob"
    site.now += 10
    with pytest.raises(CredentialInvalid):
        await site.who(credential)
    site.tokens.unlink()
    with pytest.raises(CredentialInvalid):
        await site.who(credential)


async def test_tokens_that_cannot_be_read_let_nobody_in(tmp_path: Path) -> None:
    """It is the gateway's fault, not the caller's."""
    site = Site(tmp_path, "token")
    credential = site.token()
    site.tokens.write_text("nonsense")
    with pytest.raises(KeysAway):
        await site.who(credential)


async def test_a_changed_configuration_believes_whom_it_says(tmp_path: Path) -> None:
    """Whoever was proven by another issuer is asked again."""
    site = Site(tmp_path, "jwt")
    token = site.jwt()
    assert await site.who(token) == "jwt:ann"
    other = structs.replace(site.config.jwt, issuer="https://other.example")
    site.callers.take_over(structs.replace(site.config, jwt=other))
    with pytest.raises(CredentialInvalid):
        await site.who(token)
    site.callers.take_over(site.config)
    assert await site.who(token) == "jwt:ann"
    tokens = tmp_path / "other.json"
    tokens.write_bytes(api_token.write(api_token.TokenFile()))
    site.callers.take_over(structs.replace(site.config, tokens=str(tokens)))
    await site.callers.close()


async def test_at_most_so_many_proven_tokens_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The oldest is verified again."""
    monkeypatch.setattr("pep.callers.authentication._MAX_PROVEN", 2)
    site = Site(tmp_path, "jwt")
    for subject in "abcd":
        assert await site.who(site.jwt(sub=subject)) == f"jwt:{subject}"
    assert len(site.callers._known) == 2


async def test_a_key_that_is_not_known_is_looked_for_once_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The issuer may have a new one."""
    site, asked = Site(tmp_path, "jwt"), []
    current = IssuerKeys.current

    async def counted(self: IssuerKeys, *, is_missing: bool = False) -> Any:
        asked.append(is_missing)
        return await current(self, is_missing=is_missing)

    monkeypatch.setattr(IssuerKeys, "current", counted)
    with pytest.raises(CredentialInvalid):
        await site.who("Bearer " + Issuer("ES256", kid="new").token(URL))
    assert asked == [False, True]
