"""The people who answer, as the configuration knows them, and the person behind a caller. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from pdp.api.model import Principal
from pdp.approvals.answers import Person
from pdp.config import ConfiguredPerson
from pdp.errors import AnswerError

# The console has asked an OpenID provider, which knows people that the configuration does not.
_PROVEN_ELSEWHERE = "oidc"


class _Claims(Struct):
    sub: str = ""


_decode_claims = msgspec.json.Decoder(_Claims).decode


def human_behind(principal: Principal) -> str:
    """The person behind a caller: the `sub` of its verified token, "" when nobody knows.

    With delegation (RFC 8693 section 4.1) `sub` is the person and `act` the agent that acts for them.
    """
    if principal.kind != "jwt":
        return ""
    try:
        return _decode_claims(principal.claims).sub
    except msgspec.DecodeError:
        return ""


def person(
    person_id: str, groups: Sequence[str], method: str, known: Sequence[ConfiguredPerson]
) -> Person:
    """The person who answers; raises `AnswerError` for one who may not.

    `groups` are those that the proof names. Where people are configured, nobody else may answer but those
    that an OpenID provider has proven.
    """
    if not person_id.strip():
        raise AnswerError("APPROVER_MISSING", "say who answers")
    configured = next((each for each in known if each.id == person_id), None)
    if configured is None:
        if known and method != _PROVEN_ELSEWHERE:
            raise AnswerError(
                "APPROVER_NOT_ALLOWED", f"{person_id!r} is none of the people in [approvals]"
            )
        return Person(person_id, tuple(groups), method)
    every = tuple(dict.fromkeys((*configured.groups, *groups)))
    return Person(person_id, every, method, configured.principals)
