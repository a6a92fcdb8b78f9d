"""The policy input: every member always there, the arguments as they came."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from pdp.api.model import Client, Phase, Principal, Protocol, Session
from pdp.policy.input import policy_input, projected, query
from pdp.rules.input_reads import EVERYTHING, input_reads
from pdp.tools.catalogue import UNKNOWN, Catalogue
from tests.calls import call

WHOLE = st.text(st.characters(exclude_categories=("Cs",)))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | WHOLE,
    lambda inner: st.lists(inner) | st.dictionaries(WHOLE, inner),
    max_leaves=10,
)


def test_the_input_has_all_documented_members() -> None:
    """The shape that rules, schemas and tests are written against."""
    tool = Catalogue(
        {
            "files": {
                "tools": {"read": {"category": "Read", "definition": {"annotations": {"a": 1}}}}
            }
        }
    ).tool("files", "read")
    one = structs.replace(
        call(arguments=b'{"path":"/x"}'),
        principal=Principal("alice", "jwt", b'{"roles":["reader"]}'),
        phase=Phase.LIST,
        is_retry=True,
        trace_id="not for rules",
    )
    assert json.loads(policy_input(one, tool, 1_790_000_000_000_000_001)) == {
        "server": "files",
        "method": "tools/call",
        "phase": "list",
        "direction": "to_server",
        "target": "read",
        "reference": "",
        "arguments": {"path": "/x"},
        "annotations": {"a": 1},
        "tool": {
            "category": "Read",
            "risk": "",
            "confidence": 0,
            "marks": [],
            "pinned": False,
            "changed": False,
        },
        "principal": {"id": "alice", "kind": "jwt", "claims": {"roles": ["reader"]}},
        "session": {"id": "s1", "kind": "cooperative"},
        "client": {"name": "test", "version": "1"},
        "protocol": {"era": "modern", "version": "2026-07-28"},
        "transport": "http",
        "time": 1_790_000_000_000_000_001,
        "request_id": "r1",
        "is_retry": True,
    }


def test_the_argument_bytes_are_spliced_in_unread() -> None:
    """Large integers and the spelling of numbers reach the rules as they reach the tool."""
    data = b'{ "n":12345678901234567890123, "f":1.10 }'
    assert data in policy_input(call(arguments=data), UNKNOWN, 1)


@given(JSON, WHOLE, WHOLE, WHOLE)
def test_no_value_of_a_call_changes_the_document_around_it(
    arguments: Any, target: str, name: str, session: str
) -> None:
    """Quotes, braces and control characters stay inside their member."""
    one = structs.replace(
        call(target=target, arguments=json.dumps(arguments).encode()),
        client=Client(name, name),
        session=Session(session, name),
        protocol=Protocol("modern", name),
    )
    read = json.loads(policy_input(one, UNKNOWN, 1))
    assert len(read) == 17
    assert read["arguments"] == arguments
    assert (read["target"], read["client"]["name"], read["session"]["id"]) == (
        target,
        name,
        session,
    )


@given(st.lists(JSON, max_size=4))
def test_a_query_holds_the_inputs_in_order(inputs: list[Any]) -> None:
    """One document, whose list has a place for each call."""
    data = query(json.dumps(one).encode() for one in inputs)
    assert json.loads(data) == {"input": {"calls": inputs}}


def sent(*paths: tuple[str, ...]) -> Any:
    """What of a call is sent when rules read these paths."""
    one = structs.replace(
        call(arguments=b'{"path":"/x","n":1.50,"text":"\\u0061"}'),
        principal=Principal("alice", "jwt", b'{"roles":["reader"],"email":"a@x"}'),
    )
    return json.loads(projected(one, UNKNOWN, 7, input_reads(paths)))


def test_only_what_rules_read_is_sent() -> None:
    """Members, arguments and claims by their names."""
    assert sent(("server",), ("arguments", "path"), ("arguments", "missing")) == {
        "server": "files", "arguments": {"path": "/x"},
    }  # fmt: skip
    assert sent(("principal", "claims", "roles")) == {
        "principal": {"claims": {"roles": ["reader"]}}
    }
    assert sent(("principal", "id"), ("time",)) == {"principal": {"id": "alice"}, "time": 7}
    assert sent(("tool", "changed"))["tool"]["marks"] == []


def test_what_is_read_as_a_whole_is_sent_as_a_whole() -> None:
    """Byte by byte, where a caller wrote it."""
    whole = {"path": "/x", "n": 1.5, "text": "a"}
    assert sent(("arguments",), ("arguments", "path")) == {"arguments": whole}
    assert sent(("principal",))["principal"]["claims"] == {"roles": ["reader"], "email": "a@x"}
    one = call(arguments=b'{"a": 1.50}')
    assert b'{"a": 1.50}' in projected(one, UNKNOWN, 1, input_reads([("arguments",)]))
    assert projected(one, UNKNOWN, 1, EVERYTHING) == policy_input(one, UNKNOWN, 1)
    assert projected(one, UNKNOWN, 1, input_reads([()])) == policy_input(one, UNKNOWN, 1)


def test_every_member_of_the_input_can_be_sent() -> None:
    """A member that is left out would be undefined, and a denial that asks for it would not fire."""
    names = json.loads(policy_input(call(), UNKNOWN, 1))
    every = input_reads([(name,) for name in names])
    assert json.loads(projected(call(), UNKNOWN, 1, every)) == names
