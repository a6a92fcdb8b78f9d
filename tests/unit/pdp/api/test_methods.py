"""The methods that rules may name."""

from __future__ import annotations

from mcp_types.methods import CLIENT_REQUESTS, SERVER_REQUESTS

from pdp.api.methods import METHODS

EXTENSIONS = {"tasks/get", "tasks/result", "tasks/update", "tasks/cancel", "tasks/list"}


def test_every_request_of_every_version_can_be_named_but_a_ping() -> None:
    """In both directions; a ping carries nothing to judge."""
    known = {method for method, _ in (*CLIENT_REQUESTS, *SERVER_REQUESTS)} - {"ping"}
    assert known | EXTENSIONS == set(METHODS)
