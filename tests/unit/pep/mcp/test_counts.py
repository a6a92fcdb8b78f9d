"""How many things one message may name."""

from __future__ import annotations

from typing import Any

import pytest

from pep.errors import InvalidParams, InvalidRequest
from pep.mcp.counts import MAX_INPUT_RESPONSES, MAX_SUBSCRIPTIONS, check_counts
from pep.mcp.jsonrpc import parse


def listened(number: int) -> dict[str, Any]:
    return {"notifications": {"resourceSubscriptions": [f"file:///{n}" for n in range(number)]}}


def answered(number: int) -> dict[str, Any]:
    return {"inputResponses": {f"r{n}": {} for n in range(number)}}


def test_as_many_as_are_allowed_may_be_named_at_once() -> None:
    """And none at all."""
    for params in ({}, listened(0), listened(MAX_SUBSCRIPTIONS), answered(MAX_INPUT_RESPONSES)):
        check_counts(params)


@pytest.mark.parametrize(
    "params", [listened(MAX_SUBSCRIPTIONS + 1), listened(30_000), answered(MAX_INPUT_RESPONSES + 1)]
)
def test_more_are_refused_before_anything_is_judged(params: dict[str, Any]) -> None:
    """Each of them would cost a judgement, and all of them one decision."""
    with pytest.raises(InvalidParams, match="more than 128 entries"):
        check_counts(params)


@pytest.mark.parametrize("value", [None, 1, "x" * 1000, [[]] * 5])
def test_what_is_of_another_type_is_not_counted(value: Any) -> None:
    """Others say what is wrong with it."""
    check_counts({"notifications": value})
    check_counts({"notifications": {"resourceSubscriptions": value}, "inputResponses": value})


def test_every_message_is_looked_at() -> None:
    """Also notifications; and a key that is too long to be compared is refused as one alike."""
    many = b",".join(b'"r%d":{}' % number for number in range(MAX_INPUT_RESPONSES + 1))
    body = b'{"jsonrpc":"2.0","method":"tools/call","params":{"inputResponses":{%s}}}'
    with pytest.raises(InvalidParams):
        parse(body % many)
    long_key = "\ufdfa" * 100_000  # eighteen times as long in its compatibility form
    with pytest.raises(InvalidRequest, match="looks like"):
        parse(f'{{"jsonrpc":"2.0","method":"m","params":{{"{long_key}":1}}}}'.encode())
