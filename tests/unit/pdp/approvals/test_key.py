"""Keys: the same for the same call, and another for every other."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec import structs

from pdp.api.model import Principal, Reason, Reference
from pdp.approvals.key import canonical, key, standing_key
from pdp.approvals.terms import Hold, Standing, Terms
from tests.calls import call
from tests.held import holds

CALL = structs.replace(call(), arguments=b'{"path": "/a", "page": 1}')
DOCUMENTS = st.dictionaries(
    st.text(max_size=3),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=3),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
        ),
        max_leaves=6,
    ),
    max_size=3,
)


def key_of(arguments: bytes, **more: Any) -> str:
    return key(structs.replace(CALL, arguments=arguments, **more), "sha256:d", holds())


@given(DOCUMENTS, st.randoms())
def test_the_order_of_members_and_white_space_do_not_matter(
    document: dict[str, Any], random: Any
) -> None:
    """A model that repeats its call writes it anew."""

    def shuffled(value: Any) -> Any:
        if isinstance(value, dict):
            names = list(value)
            random.shuffle(names)
            return {name: shuffled(value[name]) for name in names}
        return [shuffled(item) for item in value] if isinstance(value, list) else value

    other = json.dumps(
        shuffled(document), indent=random.choice([None, 1]), ensure_ascii=random.random() < 0.5
    )
    assert key_of(json.dumps(document).encode()) == key_of(other.encode("utf-8", "surrogatepass"))


@given(DOCUMENTS, DOCUMENTS)
def test_other_arguments_have_another_key(one: dict[str, Any], other: dict[str, Any]) -> None:
    """However little they differ."""
    texts = [json.dumps(document, sort_keys=True) for document in (one, other)]
    assume(texts[0] != texts[1])
    assert key_of(texts[0].encode()) != key_of(texts[1].encode())


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (b'{"a":1}', b'{"a":1.0}'), (b'{"a":1}', b'{"a":"1"}'), (b'{"a":1e2}', b'{"a":100}'),
        (b'{"a":9007199254740993}', b'{"a":9007199254740992}'), (b'{"a":null}', b"{}"),
        (b'{"a":[]}', b'{"a":{}}'), (b'{"a":true}', b'{"a":"true"}'), (b'{"a":"\\u00e9"}', b'{"a":"e\\u0301"}'),
        (b'{"a":"x,y"}', b'{"a":"x","y":""}'), (b'{"a":-0}', b'{"a":0}'),
    ],
)  # fmt: skip
def test_what_a_server_may_tell_apart_is_told_apart(one: bytes, other: bytes) -> None:
    """Also two texts of one number."""
    assert key_of(one) != key_of(other)


def test_members_stand_in_the_order_of_rfc_8785() -> None:
    """By UTF-16 code units: a surrogate comes before a private use character."""
    document = '{"\\ufb33": 1, "\\ud83d\\ude00": 2, "1": 3, "\\r": 4, "\\u00f6": 5}'
    assert (
        canonical(document.encode()).decode()
        == '{"\\r":4,"1":3,"\u00f6":5,"\U0001f600":2,"\ufb33":1}'
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"server": "other"}, {"method": "prompts/get"}, {"target": "other"},
        {"principal": Principal("p2", "anonymous")}, {"principal": Principal(CALL.principal.id, "jwt")},
        {"reference": Reference.PROMPT},
    ],
)  # fmt: skip
def test_another_caller_or_target_has_another_key(changes: dict[str, Any]) -> None:
    """Nobody uses a grant for somebody else's call, or another tool's."""
    assert key_of(CALL.arguments, **changes) != key_of(CALL.arguments)


def test_what_does_not_make_another_call_makes_no_other_key() -> None:
    """The request, its session, its client and its trace differ from one attempt to the next."""
    again = {"request_id": "x", "trace_id": "t", "is_retry": True, "approval_id": "a-1"}
    assert key_of(CALL.arguments, **again) == key_of(CALL.arguments)


TERMS = Terms(approvers=("ops",))


@pytest.mark.parametrize(
    "others",
    [
        (Hold("r", Reason("c", "m"), Terms(approvers=("dev",))),),
        (Hold("r2", Reason("c", "m"), TERMS),),
        (Hold("r", Reason("c", "m"), TERMS), Hold("r2", Reason("c", "m"), Terms())),
        (Hold("r", Reason("c", "m"), structs.replace(TERMS, count=2)),),
        (Hold("r", Reason("c", "m"), structs.replace(TERMS, not_self=False)),),
        (Hold("r", Reason("c", "m"), structs.replace(TERMS, use_within=1)),),
        (Hold("r", Reason("c", "m"), structs.replace(TERMS, standing=Standing(5))),),
    ],
)
def test_other_rules_or_terms_make_another_key(others: tuple[Hold, ...]) -> None:
    """A grant given on some terms is none on others."""
    same = (Hold("r", Reason("c", "m"), TERMS),)
    assert key(CALL, "d", others) != key(CALL, "d", same)
    assert key(CALL, "other definition", same) != key(CALL, "d", same)


def test_neither_the_order_of_rules_nor_their_sentences_make_another_key() -> None:
    """The sentence is what people read, the terms what they agree to."""
    one, two = Hold("a", Reason("c", "m"), Terms()), Hold("b", Reason("c", "n"), TERMS)
    reworded = Hold("b", Reason("c", "reworded"), TERMS)
    assert key(CALL, "d", (one, two)) == key(CALL, "d", (reworded, one))


def test_parts_do_not_run_into_each_other() -> None:
    """Where one part ends is said."""
    one = structs.replace(CALL, server="ab", method="c")
    other = structs.replace(CALL, server="a", method="bc")
    assert key(one, "", holds()) != key(other, "", holds())


def standing(arguments: bytes, *match: str) -> str:
    terms = Terms(standing=Standing(60, match or "exact"))
    return standing_key(structs.replace(CALL, arguments=arguments), "d", holds(terms))


def test_a_standing_grant_is_for_calls_that_agree_where_the_rule_says() -> None:
    """And for no others; a missing argument agrees with a missing one only."""
    first = standing(b'{"path": "/a", "page": 1}', "/path")
    assert standing(b'{"page": 2, "path": "/a"}', "/path") == first
    assert standing(b'{"path": "/b", "page": 1}', "/path") != first
    assert standing(b'{"page": 1}', "/path") not in {first, standing(b'{"path": null}', "/path")}
    assert standing(b'{"page": 1}', "/path") == standing(b"{}", "/path")


def test_pointers_lead_into_documents() -> None:
    """As RFC 6901 says; where they lead nowhere, nothing is there."""
    document = b'{"a/b": {"c~d": [10, {"e": 5}]}}'
    other = b'{"x": 1, "a/b": {"c~d": [11, {"e": 5}]}}'
    assert standing(document, "/a~1b/c~0d/1/e") == standing(other, "/a~1b/c~0d/1/e")
    assert standing(document, "/a~1b/c~0d/0") != standing(other, "/a~1b/c~0d/0")
    for nowhere in ("/a~1b/c~0d/2", "/a~1b/c~0d/-", "/a~1b/c~0d/1/e/f", "/z"):
        assert standing(document, nowhere) == standing(other, nowhere)


def test_without_leave_nothing_stands() -> None:
    """And an exact one is for exactly this call, by a key of its own."""
    assert standing_key(CALL, "d", holds()) == ""
    exact = standing(b'{"a": 1}')
    assert exact == standing(b'{ "a":1 }') != standing(b'{"a": 2}')
    terms = Terms(standing=Standing(60))
    assert exact != key(structs.replace(CALL, arguments=b'{"a": 1}'), "d", holds(terms))
