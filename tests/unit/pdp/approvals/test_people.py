"""Who answers, and who is behind a caller."""

from __future__ import annotations

import pytest

from pdp.api.model import Principal
from pdp.approvals.answers import Person
from pdp.approvals.people import human_behind, person
from pdp.config import ConfiguredPerson
from pdp.errors import AnswerError

ANA = ConfiguredPerson("ana", ("ops",), ("token:agent",))


@pytest.mark.parametrize(
    ("principal", "human"),
    [
        (Principal("jwt:ana", "jwt", b'{"sub": "ana", "act": {"sub": "bot"}}'), "ana"),
        (Principal("jwt-client:x", "jwt", b'{"client_id": "x"}'), ""),
        (Principal("x", "jwt", b'{"sub": 5}'), ""),
        (Principal("x", "jwt", b"[]"), ""),
        (Principal("x", "mtls", b'{"sub": "ana"}'), ""),
        (Principal("x", "anonymous"), ""),
    ],
)
def test_only_a_verified_token_says_who_is_behind(principal: Principal, human: str) -> None:
    """With delegation the subject is the person, and the actor the agent."""
    assert human_behind(principal) == human


def test_groups_come_from_the_configuration_and_the_proof() -> None:
    """Each once."""
    assert person("ana", ("ops", "dev"), "oidc", [ANA]) == Person(
        "ana", ("ops", "dev"), "oidc", ("token:agent",)
    )


def test_where_people_are_configured_others_may_not_answer() -> None:
    """But those that an OpenID provider knows; without any, whoever is proven may."""
    assert person("bo", (), "cli", []) == Person("bo", (), "cli")
    assert person("bo", ("dev",), "oidc", [ANA]) == Person("bo", ("dev",), "oidc")
    for method in ("cli", "console", "grpc"):
        with pytest.raises(AnswerError) as caught:
            person("bo", ("ops",), method, [ANA])
        assert caught.value.reason == "APPROVER_NOT_ALLOWED"


@pytest.mark.parametrize("name", ["", "  "])
def test_an_answer_has_somebody_who_gives_it(name: str) -> None:
    """Nobody is no person."""
    with pytest.raises(AnswerError) as caught:
        person(name, (), "grpc", [])
    assert caught.value.reason == "APPROVER_MISSING"
