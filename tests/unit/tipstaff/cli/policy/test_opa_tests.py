"""What OPA says of tests, told apart by whose they are, with what a failing one wanted and got."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tipstaff.cli.policy.opa_tests import (
    Outcome,
    Results,
    account_of,
    as_json,
    read_outcomes,
    summary,
)

PRETTY = """\
x_test.rego:7:
data.x_test.test_eq: FAIL (532.926µs)
  one: FAIL
--------------------------------------------------------------------------------
FAILURES
--------------------------------------------------------------------------------
data.x_test.test_eq: FAIL (532.926µs)

  one: FAIL

    x_test.rego:10:
      \tgot == tc.wanted
      \t|      |
      \t|      tc.wanted: 2
      \t1

--------------------------------------------------------------------------------
PASS: 1/2
FAIL: 1/2
"""


def entry(package: str, name: str, **more: Any) -> dict[str, Any]:
    return {"package": package, "name": name, "location": {"file": "f.rego", "row": 3}, **more}


REPORT = json.dumps(
    [
        entry("data.mcp.main_test", "test_a"),
        entry("data.mcp", "test_b"),
        entry("data.mcpx_test", "test_c"),
        entry("data.tests.x", "test_d", fail=True, sub_results={"one": {"fail": True}, "two": {}}),
        entry("data.site.x_test", "test_e", error={"code": "eval_type_error"}),
        entry("data.site.x_test", "todo_test_f", skip=True),
    ]
)


def test_the_tests_of_a_site_are_counted_apart_from_the_librarys() -> None:
    """By their packages: a site's own may begin like the library's."""
    outcomes = read_outcomes(REPORT)
    own = [outcome for outcome in outcomes if outcome.is_own]
    assert summary(own, "yours") == "yours    1 passed, 2 failed, 1 skipped"
    library = [outcome for outcome in outcomes if not outcome.is_own]
    assert summary(library, "library") == "library  2 passed"
    assert summary([], "yours") == "yours    0 passed"


def test_a_failure_says_where_it_stands_and_which_cases_failed() -> None:
    """An error while a test runs is a failure too."""
    failed = Results(tuple(read_outcomes(REPORT))).failed
    assert [(one.name, one.place, one.cases) for one in failed] == [
        ("test_d", "f.rego:3", ("one",)),
        ("test_e", "f.rego:3", ()),
    ]


def test_programs_get_the_same() -> None:
    """With the account as OPA gives it."""
    plain = as_json(Results(tuple(read_outcomes(REPORT)), "why"))
    assert plain["own"] == {"passed": 1, "failed": 2, "skipped": 1}
    assert plain["library"] == {"passed": 2, "failed": 0, "skipped": 0}
    assert [one["test"] for one in plain["failures"]] == [
        "data.tests.x.test_d",
        "data.site.x_test.test_e",
    ]
    assert plain["account"] == "why"


def test_the_account_says_what_was_wanted_and_what_was_got_and_nothing_twice() -> None:
    """Neither how long it took, nor OPA's own counts."""
    account = account_of(PRETTY)
    assert account.startswith("x_test.test_eq: FAIL\n")
    assert "tc.wanted: 2" in account
    assert account.endswith("1")
    assert "µs" not in account
    assert "PASS" not in account


@pytest.mark.parametrize("pretty", ["", "PASS: 3/3\n", "-" * 80])
def test_without_failures_there_is_no_account(pretty: str) -> None:
    """Nor when OPA prints otherwise than it did."""
    assert account_of(pretty) == ""


@pytest.mark.parametrize("report", ["null", "[]"])
def test_no_tests_are_no_outcomes(report: str) -> None:
    """OPA says it in either way."""
    assert read_outcomes(report) == []


def test_what_is_no_report_is_refused() -> None:
    """As after a file that cannot be read."""
    with pytest.raises(ValueError, match="Expecting value"):
        read_outcomes("")


def test_a_skipped_test_has_neither_held_nor_failed() -> None:
    """It was not run."""
    skipped = Outcome("data.x", "todo_test", "f:1", is_passed=False, is_skipped=True)
    assert not skipped.is_failed
