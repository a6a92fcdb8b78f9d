"""`tipstaff decide`: tries a call before an agent makes it, and says why it comes out so."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.commands import run_aside
from tests.gateway import Gateway, gateway

RULES = {
    "tools": {
        "spend": {"rate_limit": {"max": 2, "window": 600}},
        "drop": {"action": "deny", "reason": "Never."},
    }
}
SITE = """\
package site.mine

# A claim that only some callers have.
deny contains {"code": "not_for_guests", "message": "Guests pay nothing."} if {
	input.principal.claims.role == "guest"
}

# What is no reason code, but only for one argument.
deny contains {"code": input.arguments.code, "message": "x"}
"""
TOOLS = {"spend": {"category": "Financial"}, "drop": {"category": "Destructive"}}


pytestmark = pytest.mark.asyncio(loop_scope="module")


@contextlib.asynccontextmanager
async def bank(folder: Path) -> AsyncIterator[Gateway]:
    """A running gateway in front of a bank that nobody reaches."""
    path = folder / "policy" / "site" / "mine" / "mine.rego"
    path.parent.mkdir(parents=True)
    path.write_text(SITE)
    catalogue = folder / "policy" / "catalog" / "bank" / "data.json"
    catalogue.parent.mkdir(parents=True)
    catalogue.write_text(json.dumps({"tools": TOOLS}))
    async with gateway(folder, {"bank": "http://127.0.0.1:9/mcp"}, {"bank": RULES}) as one:
        yield one


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Gateway]:
    async with bank(tmp_path_factory.mktemp("site")) as one:
        yield one


async def run(site: Gateway, *arguments: str, command: str = "decide") -> tuple[int, str, str]:
    """Exit code, output and errors of the command."""
    words = (command, *arguments, "-c", str(site.config))
    done = await run_aside(*words, COLUMNS="100")
    return done.returncode, done.stdout, done.stderr


async def asked(site: Gateway, *arguments: str) -> dict[str, Any]:
    _, output, errors = await run(site, "--json", *arguments)
    assert errors == ""
    answer: dict[str, Any] = json.loads(output)
    return answer


async def test_a_dry_run_charges_and_records_nothing_however_often_it_is_asked(
    tmp_path: Path,
) -> None:
    """The limit has two; after five trials two real questions still pass, and the next does not."""
    async with bank(tmp_path) as site:
        await _try_and_ask(site)


async def _try_and_ask(site: Gateway) -> None:
    trials = [await asked(site, "bank", "spend", "--dry-run") for _ in range(5)]
    assert {(one["effect"], one["limits"][0]["remaining"]) for one in trials} == {("allow", 1)}
    assert {one["decision_id"] for one in trials} == {""}
    assert site.records() == []
    assert "No limit holds anything." in (await run(site, "list", command="limits"))[1]
    real = [await asked(site, "bank", "spend") for _ in range(3)]
    assert [one["effect"] for one in real] == ["allow", "allow", "deny"]
    refused = await asked(site, "bank", "spend", "--dry-run")
    assert (refused["effect"], refused["reason"]["code"]) == ("deny", "rate_limited")
    assert len(site.records()) == 3


async def test_people_see_what_why_by_which_rule_and_what_is_left(site: Gateway) -> None:
    """Whose the limit is, too: the question named no session."""
    code, output, _ = await run(site, "bank", "spend", "--dry-run")
    assert code == 0
    lines = output.splitlines()
    assert lines[0] == "allow  allowed  (dry run: nothing was charged or recorded)"
    assert any(line.split() == "rule servers.bank.tools.spend".split() for line in lines)
    assert "  limit     bank/spend allows 2 per 600 s per caller, 1 left" in lines
    assert "decision" not in output
    session = (await run(site, "bank", "spend", "--dry-run", "--session", "s"))[1]
    assert "bank/spend allows 2 per 600 s per session, 1 left" in session


async def test_claims_are_what_rules_see_and_name_the_caller(site: Gateway) -> None:
    """A rule about them can be tried without a token."""
    guest = await asked(site, "bank", "spend", "--claims", '{"sub": "a", "role": "guest"}')
    assert guest["reason"]["code"] == "not_for_guests"
    assert site.records()[-1]["principal"]["id"] == "jwt:a"
    member = ("bank", "spend", "--claims", '{"role": "member"}', "--principal", "jwt:b")
    assert (await asked(site, *member))["effect"] == "allow"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--claims", "{"), "--claims: not JSON"),
        (("--claims", "[]"), "--claims: not a JSON object"),
        (("--claims", '{"role": "x"}'), "neither sub nor client_id; say who calls: --principal"),
        (("{",), "the arguments: not JSON"),
        (("3",), "the arguments: not a JSON object"),
    ],
)
async def test_what_cannot_be_asked_is_refused_with_its_place(
    tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    """Before any service is asked."""
    code, output, errors = await run(Gateway(tmp_path, {}), "bank", "spend", *arguments)
    assert (code, output) == (2, "")
    assert message in errors


@pytest.mark.parametrize("dry", [(), ("--dry-run",)])
async def test_the_cause_of_an_answer_that_cannot_be_used_is_told(
    site: Gateway, dry: tuple[str, ...]
) -> None:
    """Where one looks, and not only in the records."""
    code, output, _ = await run(site, "bank", "spend", '{"code": 3}', *dry)
    assert code == 1
    assert "policy_invalid_result" in output
    (cause,) = [line for line in output.splitlines() if line.startswith("  cause")]
    assert "code" in cause
    if not dry:
        assert site.records()[-1]["fault"].split()[0] in cause
        shown = (await run(site, "-v", command="log"))[1]
        assert cause.split(maxsplit=1)[1][:40] in shown


async def test_a_name_that_is_none_is_told_with_the_nearest(site: Gateway) -> None:
    """Of tools from the catalogue of the service, of servers from the configuration too."""
    tool = (await run(site, "bank", "spendd", "--dry-run"))[2]
    assert "bank has no tool spendd in its catalogue; did you mean `spend`?" in tool
    server = (await run(site, "bnak", "spend", "--dry-run"))[2]
    assert "there is no server bnak; did you mean `bank`?" in server
