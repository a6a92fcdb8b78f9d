"""The policy input: every member always there, the arguments as they came."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from pdp.api.model import Client, Phase, Principal, Protocol, Session
from pdp.policy.input import policy_input, query
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
