"""Denials that callers without claims walk past; more of them in `tests/contract/test_lint.py`."""

from __future__ import annotations

from typing import Any

import pytest

from tests.rego_trees import call, module, negated, ref, rule, text
from tipstaff.lint.claims import cautions
from tipstaff.lint.site_facts import SiteFacts

ROLE = call("equal", ref("input", "principal", "claims", "role", line=4), text("intern"))
ON_BANK = call("equal", ref("input", "server"), text("bank"))
SERVERS = frozenset({"bank", "files"})


@pytest.mark.parametrize(
    ("body", "without", "count"),
    [
        ((ROLE,), {"files": ("anonymous", "mtls")}, 1),
        ((ROLE,), {}, 0),
        ((negated(ROLE),), {"files": ("anonymous",)}, 0),
        ((ON_BANK, ROLE), {"files": ("anonymous",)}, 0),
        ((ON_BANK, ROLE), {"bank": ("token",)}, 1),
    ],
)
def test_a_denial_that_needs_a_claim_is_told(body: Any, without: Any, count: int) -> None:
    """Where a server that it may be about lets callers in who have none."""
    facts = SiteFacts(SERVERS, {}, without_claims=without)
    listed = cautions({"x.rego": module(rule("deny", *body))}, facts)
    assert [caution.line for caution in listed] == [4] * count


def test_helpers_that_call_each_other_come_to_an_end() -> None:
    """Each is looked into once."""
    a, b = rule("a", {"terms": ref("b")}), rule("b", {"terms": ref("a")}, ROLE)
    facts = SiteFacts(SERVERS, {}, without_claims={"bank": ("token",)})
    site = {"x.rego": module(rule("deny", {"terms": ref("a")}), a, b)}
    assert len(cautions(site, facts)) == 1
