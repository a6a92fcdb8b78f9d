"""The checks: arguments meet every schema, and a schema that says nothing is no pass."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw, structs

from pdp.answer import Check
from pdp.api.model import Effect, Reason, ShadowFinding
from pdp.api.reasons import REASONS
from pdp.rules.checks import CheckFailure, SchemaError, compile_schema, run, unknown_keyword, watch

NAME = {"properties": {"name": {"type": "string", "pattern": "^[a-z]{1,4}$"}}, "required": ["name"]}


def inline(schema: Any, rule: str = "r") -> Check:
    return Check(rule, schema=Raw(schema if isinstance(schema, bytes) else json.dumps(schema)))


def failure(schema: Any, arguments: Any = None) -> CheckFailure:
    found = run([inline(schema)], json.dumps(arguments or {}).encode(), lambda: None)
    assert found is not None
    assert found.code in REASONS
    return found


def in_shadow(check: Check) -> Check:
    return structs.replace(check, shadow=True)


def never() -> bytes | None:
    raise AssertionError("the tool's schema was asked for")


def test_arguments_that_meet_every_schema_pass() -> None:
    """Whatever else they hold; the tool's own schema is not asked for when no check names it."""
    checks = [inline(NAME), inline({"maxProperties": 2}), inline(True)]
    assert run(checks, b'{"name":"abc","more":1}', never) is None


def test_without_checks_the_arguments_are_not_read() -> None:
    """Any bytes pass, so that the common call costs nothing."""
    assert run([], b"not even JSON", never) is None


def test_the_first_check_that_fails_is_named() -> None:
    """With the rule that demands it, where the fault is, and what it is."""
    found = run([inline(True, "a"), inline(NAME, "b"), inline(False, "c")], b'{"name":7}', never)
    assert found == CheckFailure(
        "arguments_invalid", "b", 'argument name: the value is not of type "string"'
    )


def test_checks_in_shadow_refuse_nothing_and_each_is_told() -> None:
    """Those that are enforced are held all the same, and told nowhere else."""
    checks = [in_shadow(inline(NAME, "a")), in_shadow(inline(True, "b")), inline(False, "c")]
    checks += [in_shadow(inline(b"5", "d"))]
    found = run(checks, b'{"name":7}', never)
    assert found is not None
    assert found.rule == "c"
    assert run([checks[0], checks[3]], b'{"name":7}', never) is None
    said = 'argument name: the value is not of type "string"'
    assert watch(checks, b'{"name":7}', never) == (
        ShadowFinding(Effect.DENY, Reason("arguments_invalid", said), "a"),
        ShadowFinding(
            Effect.DENY,
            Reason("policy_invalid_result", "unusable schema: neither an object nor a boolean"),
            "d",
        ),
    )


def test_without_checks_in_shadow_nothing_is_read_for_them() -> None:
    """A server that is enforced pays nothing for those that are not."""
    assert watch([inline(NAME)], b"not even JSON", never) == ()


@given(
    st.lists(st.sampled_from([True, False, NAME, {"maxProperties": 0}, 5]), max_size=4),
    st.sampled_from([{}, {"name": "abc"}, {"name": 7}]),
)
def test_in_shadow_a_check_says_what_it_would_have_refused(
    schemas: list[Any], arguments: dict[str, Any]
) -> None:
    """The first finding is the very failure of the same checks when they are enforced."""
    checks = [inline(schema, f"rule {index}") for index, schema in enumerate(schemas)]
    data = json.dumps(arguments).encode()
    enforced = run(checks, data, never)
    watched = [in_shadow(check) for check in checks]
    assert run(watched, data, never) is None
    told = [
        CheckFailure(one.reason.code, one.rule, one.reason.message)
        for one in watch(watched, data, never)
    ]
    assert told[:1] == ([] if enforced is None else [enforced])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "UPPER"}, "argument name: the value does not match"),
        ({}, 'arguments: "name" is a required property'),
    ],
)
def test_the_message_says_where_and_what(arguments: Any, message: str) -> None:
    """The agent can mend its call by it."""
    assert failure(NAME, arguments).message.startswith(message)


def test_the_path_leads_through_lists() -> None:
    """Members and places, with dots between."""
    schema = {"properties": {"a": {"items": {"properties": {"b": {"type": "integer"}}}}}}
    assert failure(schema, {"a": [{}, {"b": "x"}]}).message.startswith("argument a.1.b:")


@pytest.mark.parametrize(
    "schema",
    [
        *({"type": "integer"}, {"const": 1}, {"enum": [1]}, {"maxLength": 1}, {"pattern": "^x$"}),
        *(
            {"format": "email"},
            {"not": {}},
            {"anyOf": [{"type": "null"}]},
            {"not": {"minLength": 1}},
        ),
        *(
            {"oneOf": [{}, {}]},
            {"allOf": [False]},
            {"if": {}, "then": False},
            {"$ref": "#/$defs/n"},
        ),
    ],
)
def test_a_failure_never_quotes_the_value(schema: dict[str, Any]) -> None:
    """It may be a secret, and the message goes to the agent and to the journal."""
    whole = {"$defs": {"n": False}, "properties": {"a": schema}}
    assert "canary" not in failure(whole, {"a": "canary-value"}).message


@pytest.mark.parametrize(
    ("schema", "arguments"),
    [
        ({"prefixItems": [{"type": "integer"}]}, ["x"]),
        ({"unevaluatedProperties": False}, {"a": 1}),
        ({"dependentRequired": {"a": ["b"]}}, {"a": 1}),
        ({"minContains": 2, "contains": {"const": 1}}, [1]),
        ({"propertyNames": {"maxLength": 1}}, {"long": 1}),
        ({"additionalProperties": False}, {"a": 1}),
        ({"format": "date"}, "tomorrow"),
        ({"$schema": "http://json-schema.org/draft-04/schema#", "const": 1}, "x"),
        ({"$schema": "https://example.test/unknown", "const": 1}, "x"),
    ],
)
def test_all_of_2020_12_is_held(schema: Any, arguments: Any) -> None:
    """Also what OPA's own check ignores, and whatever draft a schema says it is of."""
    assert failure(schema, arguments).code == "arguments_invalid"


@pytest.mark.parametrize("number", [10**300, -(10**300), 2**63, 1e308])
def test_numbers_of_any_size_are_compared_exactly(number: float) -> None:
    """A huge integer neither passes a bound nor breaks the batch."""
    schema = {"properties": {"a": {"minimum": -(2**62), "maximum": 2**62}}}
    assert failure(schema, {"a": number}).code == "arguments_invalid"
    assert run([inline({"type": "number"})], json.dumps(number).encode(), never) is None


def test_a_bound_beyond_what_doubles_tell_apart_is_exact() -> None:
    """2**53 + 1 is above 2**53, though both are one double."""
    assert failure({"properties": {"a": {"maximum": 2**53}}}, {"a": 2**53 + 1})


@pytest.mark.parametrize(
    "text",
    [
        *(b"null", b"5", b'"{}"', b'"true"', b"[]", b"{", b"\xff", b"{}{}"),
        *(b'{"type":"objekt"}', b'{"typ":1}', b'{"properties":{"a":{"requird":[]}}}'),
        *(b'{"format":"nope"}', b'{"pattern":"("}', b'{"items":[{}]}', b'{"additionalItems":{}}'),
        *(
            b'{"$ref":"https://example.test/x"}',
            b'{"$ref":"#/$defs/none"}',
            b'{"$ref":"other.json"}',
        ),
        *(b'{"maximum":' + b"9" * 5000 + b"}", b'{"const":"\\ud800"}'),
        *(b'{"items":' * deep + b"{}" + b"}" * deep for deep in (400, 900, 100_000)),
    ],
)
def test_a_schema_that_cannot_be_held_denies(text: bytes) -> None:
    """Unknown keywords and formats, foreign references, and what is no schema at all."""
    found = run([inline(text)], b"{}", never)
    assert found is not None
    assert found.code == "policy_invalid_result"
    assert found.message.startswith("unusable schema: ")
    assert "\n" not in found.message


def test_a_declared_schema_is_the_tools_own() -> None:
    """It is asked for only then."""
    check = Check("r", schema_ref="declared")
    assert run([check], b'{"name":"abc"}', lambda: json.dumps(NAME).encode()) is None
    found = run([check], b"{}", lambda: json.dumps(NAME).encode())
    assert found is not None
    assert found.code == "arguments_invalid"


@pytest.mark.parametrize("known", [None, b""])
def test_a_declared_schema_that_is_not_known_denies(known: bytes | None) -> None:
    """A tool that is not in the catalogue has nothing that its arguments could meet."""
    found = run([Check("r", schema_ref="declared")], b"{}", lambda: known)
    assert found is not None
    assert found.code == "arguments_invalid"
    assert "catalogue" in found.message


def test_a_declared_schema_may_say_more_than_2020_12() -> None:
    """Tools add members of their own; a rule's schema may not, because a typo would check nothing."""
    text = json.dumps({"x-order": 1, "format": "x-own", "required": ["a"]}).encode()
    declared = Check("r", schema_ref="declared")
    assert run([declared], b'{"a":1}', lambda: text) is None
    assert run([declared], b"{}", lambda: text)
    assert run([inline(text)], b'{"a":1}', never)


def test_a_pattern_that_backtracks_is_given_up() -> None:
    """Giving up is a failure, never a pass, and comes soon."""
    schema = {"properties": {"a": {"pattern": "^(?=(a+)+$)(a|aa)+$"}}}
    assert failure(schema, {"a": "a" * 60 + "b"}).code == "arguments_invalid"


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=4),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["type", "items", "properties", "enum", "not", "$ref", "x"]),
                inner,
                max_size=3,
            )
        ),
    ),
    st.none() | st.integers() | st.text(max_size=3) | st.lists(st.integers(), max_size=2),
)
def test_any_json_as_a_schema_gives_an_answer(schema: Any, arguments: Any) -> None:
    """Nothing is raised, so that one bad rule cannot fail the calls beside it."""
    data, text = json.dumps(arguments).encode(), json.dumps(schema).encode()
    for check in (inline(text), Check("r", schema_ref="declared")):
        found = run([check], data, lambda: text)
        assert isinstance(found, CheckFailure | None)
        assert found is not None or isinstance(schema, bool | dict)


@pytest.mark.parametrize(
    ("schema", "found"),
    [
        ({"type": "object", "properties": {"type": {}, "anything": {"const": 1}}}, None),
        ({"typo": 1}, ((), "typo")),
        ({"properties": {"a": {"typo": 1}}}, (("properties", "a"), "typo")),
        ({"not": {"items": {"typo": 1}}}, (("not", "items"), "typo")),
        ({"anyOf": [{}, {"typo": 1}]}, (("anyOf", 1), "typo")),
        ({"$defs": {"a": {"allOf": [{"typo": 1}]}}}, (("$defs", "a", "allOf", 0), "typo")),
        ({"const": {"typo": 1}, "enum": [{"typo": 1}], "default": {"typo": 1}}, None),
        ({"properties": [{"typo": 1}], "allOf": {"typo": 1}}, None),
        (True, None),
        ([{"typo": 1}], None),
    ],
)
def test_unknown_keywords_are_found_where_schemas_stand(
    schema: Any, found: tuple[Any, str] | None
) -> None:
    """And nowhere else: names of members and constants are the author's."""
    assert unknown_keyword(schema) == found


def test_a_schema_error_is_one_line() -> None:
    """It stands in a table of problems, and in a record."""
    with pytest.raises(SchemaError) as caught:
        compile_schema({"type": "objekt"})
    assert "\n" not in str(caught.value)
    with pytest.raises(SchemaError, match="nope"):
        compile_schema({"format": "nope"}, known_formats_only=True)
    compile_schema({"format": "nope"})
