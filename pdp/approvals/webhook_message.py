"""What a webhook says of an approval, and how that is signed. Pure.

The message has no arguments, no notes and nothing that is answered by: it calls a person to the place where
the call is shown whole. It is signed as Standard Webhooks demand (standardwebhooks.com), so that a receiver
can tell ours from anybody's. Its identifier is made of the approval and its state: the same message, sent
again or by another service over the same store, can be told to be the same.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import Any

import msgspec
from msgspec import Struct

from pdp.approvals.life import HeldCall
from pdp.errors import ConfigError
from pdp.records.record import timestamp
from tipstaff.common.masking import masked_credentials, masked_text

SHORTEST_KEY = 16
"""Bytes: what is shorter can be tried out."""
_PREFIX = "whsec_"
_encode = msgspec.json.Encoder().encode


class Message(Struct, frozen=True):
    """One message: its identifier, its body, and what a log may say of it."""

    id: str
    body: bytes
    approval_id: str
    state: str


def message(held: HeldCall, link: str) -> Message:
    """The message about the state of `held`; `link` is where people see approvals, "" where nowhere."""
    plain: dict[str, Any] = {
        "type": f"approval.{held.state}",
        "id": held.id,
        "server": held.subject.server,
        "tool": masked_text(held.subject.target),
        "principal": masked_credentials(held.caller.id),
        "risk": held.subject.risk,
        "rules": [hold.rule for hold in held.holds],
        "ends_at": timestamp(held.ends * 1000) if held.ends else "",
    }
    if link:
        plain["link"] = f"{link.rstrip('/')}/a/{held.id}"
    return Message(f"{held.id}.{held.state}", _encode(plain), held.id, held.state.value)


def key_of(secret: str) -> bytes:
    """The key that a secret means: `whsec_` with base64, or the text itself; raises `ConfigError`."""
    key = secret.encode()
    if secret.startswith(_PREFIX):
        try:
            key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
        except binascii.Error:
            # Without the cause: its text may hold a piece of the secret.
            raise ConfigError(
                "approvals.webhook.secret: what follows whsec_ is not base64"
            ) from None
    if len(key) < SHORTEST_KEY:
        raise ConfigError(
            f"approvals.webhook.secret: a key has {SHORTEST_KEY} bytes at least, this one {len(key)}"
        )
    return key


def headers(sent: Message, key: bytes, now: int) -> dict[str, str]:
    """The header lines of a message that is sent at `now`, in seconds since the epoch."""
    signed = b".".join((sent.id.encode(), str(now).encode(), sent.body))
    signature = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return {
        "content-type": "application/json",
        "webhook-id": sent.id,
        "webhook-timestamp": str(now),
        "webhook-signature": f"v1,{signature}",
    }
