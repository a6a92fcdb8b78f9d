"""The requests that a server's message holds."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pep.mcp.lookalikes import keys
from pep.mcp.questions import check_keys, check_no, links, question, questions_in


def asked(value: Any) -> list[str]:
    """The methods of the requests that wait in `value`."""
    holder = json.dumps({"result": value}).encode()
    return [each.method for each in questions_in(holder, "result", value)]


def test_a_request_is_a_question_with_its_parameters_as_they_stand() -> None:
    """Rules judge the bytes, and what nobody need judge is no question."""
    holder = b'{"method":"elicitation/create","params":{"n": 1.50}}'
    found = question(holder, "elicitation/create", {"n": 1.5})
    assert found is not None
    assert (found.method, found.arguments) == ("elicitation/create", b'{"n": 1.50}')
    assert question(b"{}", "ping", {}) is None
    for method, params in ((1, {}), ("elicitation/create", [])):
        with pytest.raises(ValueError, match="a method and parameters"):
            question(b"{}", method, params)


def test_requests_wait_in_results_and_in_what_results_hold() -> None:
    """A task holds the result of its call."""
    waiting = {"inputRequests": {"a": {"method": "roots/list"}}}
    assert asked(waiting) == ["roots/list"]
    assert asked({"task": {"result": waiting}}) == ["roots/list"]
    assert asked({"content": [waiting]}) == []
    with pytest.raises(ValueError, match="no object"):
        asked({"inputRequests": [1]})


def test_a_server_asks_for_a_bounded_number_of_things_at_once() -> None:
    """Each costs a judgement."""
    requests = {str(number): {"method": "roots/list"} for number in range(65)}
    with pytest.raises(ValueError, match="more than 64"):
        asked({"inputRequests": requests})


def test_each_url_of_an_error_is_an_elicitation() -> None:
    """MCP 2025-11-25, URLElicitationRequiredError."""
    error = {"code": -32042, "data": {"elicitations": [{"url": "u"}]}}
    holder = json.dumps({"error": error}).encode()
    assert [each.arguments for each in links(holder, error)] == [b'{"url": "u"}']
    assert links(holder, {"code": 1}) == []
    assert links(holder, {"data": "text"}) == []
    with pytest.raises(ValueError, match="no list"):
        links(holder, {"data": {"elicitations": {"0": {}}}})


def test_a_key_that_some_reader_takes_for_another_is_refused() -> None:
    """And a list where the protocol has none."""
    check_keys({"other": 1}, keys("url"))
    with pytest.raises(ValueError, match="looks like"):
        check_keys({"Url": 1}, keys("url"))
    check_no(dict, {"tools": []})
    with pytest.raises(ValueError, match="no list that can be judged"):
        check_no(dict, {"tools": {"0": {}}})
