"""An issuer for tests: keys, their JWK set, and tokens, honest ones and others."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

ISSUER = "https://login.example"


class Issuer:
    """One signing key and what can be made with it."""

    def __init__(self, kind: str = "RS256", kid: str = "k1") -> None:
        self.algorithm = kind
        self.kid = kid
        self.key: Any = (
            rsa.generate_private_key(public_exponent=65537, key_size=2048)
            if kind.startswith(("RS", "PS"))
            else ec.generate_private_key(ec.SECP256R1())
        )

    def jwk(self, **more: Any) -> dict[str, Any]:
        algorithm = jwt.get_algorithm_by_name(self.algorithm)
        public = json.loads(algorithm.to_jwk(self.key.public_key()))
        return {**public, "kid": self.kid, "use": "sig", **more}

    def jwks(self) -> str:
        return json.dumps({"keys": [self.jwk()]})

    def pem(self) -> bytes:
        found: bytes = self.key.public_key().public_bytes(
            Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
        )
        return found

    def token(self, audience: str, headers: dict[str, Any] | None = None, **claims: Any) -> str:
        """A token; a claim of `None` is left out."""
        return jwt.encode(
            self.claims(audience, **claims), self.key, self.algorithm,
            headers={"kid": self.kid, **(headers or {})},
        )  # fmt: skip

    @staticmethod
    def claims(audience: str, **claims: Any) -> dict[str, Any]:
        now = int(time.time())
        found = {
            "iss": ISSUER, "aud": audience, "sub": "ann", "iat": now, "exp": now + 600, **claims,
        }  # fmt: skip
        return {name: value for name, value in found.items() if value is not None}

    def unsigned(self, audience: str) -> str:
        """`alg: none`."""
        return f"{_part({'alg': 'none', 'kid': self.kid})}.{_part(self.claims(audience))}."

    def confused(self, audience: str) -> str:
        """Signed with the public key, as if it were a shared secret."""
        import hashlib
        import hmac

        text = f"{_part({'alg': 'HS256', 'kid': self.kid})}.{_part(self.claims(audience))}"
        return f"{text}.{_base64(hmac.digest(self.pem(), text.encode(), hashlib.sha256))}"


def _part(value: Any) -> str:
    return _base64(json.dumps(value).encode())


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
