"""An identity provider for tests, which can be told to misbehave in one way."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import jwt

from tests.jwts import Issuer

CLIENT, SECRET = "tipstaff-console", "planted-openid-secret"


class Provider:
    """An ASGI application. `twist` names its misbehaviour; `claims` are added to its ID tokens."""

    def __init__(self) -> None:
        self.url = ""
        self.twist = ""
        self.claims: dict[str, Any] = {}
        self.asked: list[str] = []
        self._signer, self._other = Issuer(kid="k1"), Issuer(kid="k1")
        self._codes: dict[str, dict[str, str]] = {}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        body = bytearray()
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        self.asked.append(scope["path"])
        pages = {
            "/.well-known/openid-configuration": self._discovery,
            "/token": lambda: self._token(dict(parse_qsl(body.decode())), headers),
            "/jwks": lambda: (200, json.loads(self._signer.jwks())),
        }
        status, value = pages[scope["path"]]()
        if self.twist == f"away {scope['path']}":
            status = 503
        data = json.dumps(value).encode()
        if self.twist == f"huge {scope['path']}":
            data = b" " * 2_000_000 + data
        lines = [(b"content-type", b"application/json")]
        if self.twist == f"redirect {scope['path']}":
            status, lines = 302, [(b"location", f"{self.url}/elsewhere".encode())]
        await send({"type": "http.response.start", "status": status, "headers": lines})
        await send({"type": "http.response.body", "body": data})

    def authorize(self, address: str) -> dict[str, str]:
        """What the browser brings back from the provider after a person has logged in there."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        assert asked["response_type"] == "code"
        assert asked["code_challenge_method"] == "S256"
        assert asked["client_id"] == CLIENT
        code = f"code-{len(self._codes)}"
        self._codes[code] = asked
        return {"state": asked["state"], "code": code, "iss": self.url}

    def _discovery(self) -> tuple[int, Any]:
        issuer = f"{self.url}/other" if self.twist == "another issuer's discovery" else self.url
        token = "http://evil.example/token" if self.twist == "plain token endpoint" else "/token"
        return 200, {
            "issuer": issuer,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": token if "://" in token else self.url + token,
            "jwks_uri": f"{self.url}/jwks",
            "id_token_signing_alg_values_supported": ["RS256", "HS256", "none"],
            "authorization_response_iss_parameter_supported": True,
        }

    def _token(self, form: dict[str, str], headers: dict[str, str]) -> tuple[int, Any]:
        asked = self._codes.pop(form["code"], None)
        basic = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        if asked is None or headers.get("authorization") != f"Basic {basic}":
            return 400, {"error": "invalid_grant"}
        challenge = base64.urlsafe_b64encode(
            hashlib.sha256(form["code_verifier"].encode()).digest()
        )
        if challenge.rstrip(b"=").decode() != asked["code_challenge"]:
            return 400, {"error": "invalid_grant"}
        assert form["redirect_uri"] == asked["redirect_uri"]
        return 200, {"token_type": "Bearer", "access_token": "a", "id_token": self._id_token(asked)}

    def _id_token(self, asked: dict[str, str]) -> Any:
        twists: dict[str, dict[str, Any]] = {
            "wrong nonce": {"nonce": "other"},
            "no nonce": {"nonce": None},
            "another audience": {"aud": "other"},
            "a second audience": {"aud": [CLIENT, "other"]},
            "another party": {"aud": [CLIENT, "other"], "azp": "other"},
            "another issuer": {"iss": "https://other.example"},
            "expired": {"exp": 1},
            "of the future": {"iat": 9_999_999_999},
            "without time": {"iat": None},
            "a name that is none": {"sub": "a b\n"},
            "a name that is no text": {"sub": 7},
        }
        more = {
            "iss": self.url,
            "nonce": asked["nonce"],
            **self.claims,
            **twists.get(self.twist, {}),
        }
        made = {
            "unsigned": lambda: self._signer.unsigned(CLIENT),
            # PyJWT refuses to sign by a public key, as it should: signed by hand.
            "signed by the public key": lambda: _hs256(
                self._signer.claims(CLIENT, **more), self._signer.pem()
            ),
            "signed by another": lambda: self._other.token(CLIENT, **more),
            "signed by an unknown key": lambda: self._other.token(
                CLIENT, headers={"kid": "k9"}, **more
            ),
            "no token": lambda: 7,
            "nonsense": lambda: "nonsense",
        }
        return made.get(self.twist, lambda: self._signer.token(CLIENT, **more))()


def _hs256(claims: dict[str, Any], key: bytes) -> str:
    def part(data: bytes) -> str:
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    head = part(json.dumps({"alg": "HS256", "kid": "k1", "typ": "JWT"}).encode())
    signed = f"{head}.{part(json.dumps(claims).encode())}"
    assert jwt.get_unverified_header(f"{signed}.")["alg"] == "HS256"
    return f"{signed}.{part(hmac.digest(key, signed.encode(), 'sha256'))}"
