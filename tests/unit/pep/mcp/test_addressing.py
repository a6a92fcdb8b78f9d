"""Whose a message is, and its ids and tokens replaced and put back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pep.mcp.addressing import (
    SUBSCRIPTION_KEY,
    cancellation,
    numbered_notification,
    numbered_request,
    read,
    read_line,
    returned_answer,
    returned_notification,
)
from tests.scripted_child import notification, request, result


@pytest.mark.parametrize(
    "line",
    [
        None, b"", b"{}", b"[]", b"1", b"null", b"hello", b'{"a"', b"\xef\xbb\xbf{}", result(1) + b"\r" + result(2),
        b'{"id":1}', b'{"id":null,"error":{}}', b'{"id":true,"result":1}', b'{"id":1.0,"result":1}',
        b'{"id":[1],"result":1}', b'{"id":{},"result":1}', b'{"result":1}', b'{"id":"\\ud800","result":1}',
        b'{"id":' + b"9" * 5000 + b',"result":1}', b'{"id":1,"id":2,"result":1}', b'{"id":12,"id":1,"result":1}',
        b'{ "id": 1, "result": {}, "id": 1 }', b'{"id":1,"\\u0069d":2,"result":1}', b'{"id":1,"ID":2,"result":1}',
        b'{"method":""}', b'{"method":7}', b'{"method":["x"]}', b'{"method":"m","id":null}', b'{"method":"m","params":[]}',
        b'{"id":1,"result":"\xff"}', b'{"id":1,"result":"\xed\xa0\x80"}', b'{"x":' + b"[" * 5000, b'{"id":1,"result":' + b"[" * 5000 + b"]" * 5000 + b"}",
        notification("m", progressToken=[1]), notification("m", progressToken=True), notification("m", progressToken={}),
        notification("m", _meta={SUBSCRIPTION_KEY: [1]}), request("m", 1, _meta={"progressToken": False}),
    ],
)  # fmt: skip
def test_what_is_no_message_that_all_read_alike_is_none(line: bytes | None) -> None:
    """And says so by an error that can be caught, whatever it is."""
    with pytest.raises(ValueError):
        read_line(line)


def test_requests_notifications_and_answers_are_told_apart() -> None:
    """By what they have; what else is in them does not matter."""
    asked = read(b' { "id" : "a" , "method" : "m" , "x" : [1, {"id": 2}] } ')
    assert (asked.is_request, asked.is_answer, asked.id, asked.raw_id) == (True, False, "a", b'"a"')
    told = read(notification("m"))
    assert (told.is_request, told.is_answer, told.id) == (False, False, None)
    for answer in (result(7), b'{"id":7,"error":{}}', b'{"id":7,"result":null,"error":null}\r'):
        assert (read(answer).is_answer, read(answer).id) == (True, 7)


@pytest.mark.parametrize("request_id", [0, -1, 10**30, "", "1", "\u00e9", "x" * 100_000])
def test_an_id_keeps_its_type_and_its_value(request_id: Any) -> None:
    """However long it is."""
    found = read(result(request_id)).id
    assert (type(found), found) == (type(request_id), request_id)


def test_a_request_asks_under_the_token_in_its_meta_a_notification_names_one() -> None:
    """`null` is none, and so is no `_meta` at all."""
    assert read(request("m", 1, progressToken=9, _meta={"progressToken": "t"})).token == "t"
    assert read(notification("m", progressToken=9, _meta={"progressToken": "t"})).token == 9
    assert read(notification("m", _meta={"progressToken": 1.5})).token == 1.5
    for params in ({"progressToken": None}, {"_meta": None}, {"_meta": {}}, {}):
        assert read(notification("m", **params)).token is None
    assert read(notification("m", _meta={SUBSCRIPTION_KEY: 4})).subscription == 4


def test_only_a_cancellation_cancels() -> None:
    """What it names may be nonsense: then it is about no request."""
    assert read(notification("notifications/cancelled", requestId="a")).cancels == "a"
    assert read(notification("other", requestId="a")).cancels is None
    for named in (None, True, [1], {}, 1.0):
        assert read(notification("notifications/cancelled", requestId=named)).cancels is None


def test_a_request_gets_a_number_and_its_answer_the_id_it_came_with() -> None:
    """The token, too, where there is one; the rest keeps its bytes."""
    asked = b'{"jsonrpc":"2.0","id":"mine","method":"m","params":{"x":1.0,"_meta":{"progressToken":"t"}}}'  # fmt: skip
    assert numbered_request(asked, 5) == asked.replace(b'"mine"', b"5").replace(b'"t"', b"5")
    addressed = read(asked)
    assert returned_answer(b'{"id":5,"result":{"x":1.0}}', addressed) == b'{"id":"mine","result":{"x":1.0}}'  # fmt: skip
    progress = b'{"method":"p","params":{"progressToken":5}}'
    assert returned_notification(progress, addressed) == progress.replace(b"5", b'"t"')


def test_a_subscription_is_named_by_the_clients_own_id() -> None:
    """In notifications and in the answer that ends it; a request without a token gets none."""
    addressed = read(request("subscriptions/listen", "mine"))
    line = notification("n", _meta={SUBSCRIPTION_KEY: 5}, progressToken=5)
    returned = json.loads(returned_notification(line, addressed))
    assert returned["params"] == {"_meta": {SUBSCRIPTION_KEY: "mine"}, "progressToken": 5}
    answer = returned_answer(result(5, _meta={SUBSCRIPTION_KEY: 5}), addressed)
    assert json.loads(answer)["result"]["_meta"] == {SUBSCRIPTION_KEY: "mine"}


def test_a_notification_names_the_number_that_the_child_knows() -> None:
    """Wherever it names a request."""
    line = notification("n", requestId="a", progressToken="b", _meta={SUBSCRIPTION_KEY: "c"}, x="a")
    numbered = json.loads(numbered_notification(line, 5))["params"]
    assert numbered == {"requestId": 5, "progressToken": 5, "_meta": {SUBSCRIPTION_KEY: 5}, "x": "a"}  # fmt: skip
    assert json.loads(cancellation(5))["params"] == {"requestId": 5}
