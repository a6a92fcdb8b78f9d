"""The console's pages over real HTTP: what was decided and why, what can be done, what people did."""

from __future__ import annotations

import asyncio
import html
import re
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from pdp.api.v1 import types_pb2
from tests.console_rig import Browser, Site, console_before
from tests.e2e.test_changed_tools import NEW, Notes, entries
from tests.gateway import Gateway, call_headers, eventually, tool_call
from tests.proxy_rig import asgi_upstream

RULES = {
    "tools": {
        "pay": {"action": "require_approval", "reason": "Money moves."},
        "read": {"action": "allow", "rate_limit": {"max": 3, "window": 600}},
        "wipe": {"action": "deny", "reason": "Never here."},
    }
}
PEOPLE = '[[approvals.people]]\nid = "ana"\n[[approvals.people]]\nid = "vi"\nrole = "viewer"\n'
PAGES = ("/", "/decisions", "/servers", "/limits", "/policy", "/audit")
CANARY = "canary-7f3b1c9e5d"
pytestmark = pytest.mark.asyncio(loop_scope="module")


class Watched:
    """The console, and a real server whose tools change."""

    def __init__(self, site: Site, notes: Notes) -> None:
        self.site = site
        self.notes = notes


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def watched(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Watched]:
    notes = Notes()
    async with asgi_upstream(notes.server.streamable_http_app(json_response=True)) as url:
        servers = {"bank": "http://127.0.0.1:9/mcp", "notes": url}
        gateway = Gateway(tmp_path_factory.mktemp("pages"), servers, PEOPLE)
        gateway.rules("bank", RULES)
        gateway.catalogue(
            "bank", {"pay": {"category": "Financial", "risk": "high"}, "read": {}, "wipe": {}}
        )
        gateway.rules("notes", {"default": "allow"})
        gateway.catalogue("notes", await entries(url, "2026-11-24T22:00:00Z"))
        async with console_before(gateway) as site:
            yield Watched(site, notes)


@pytest.fixture
def site(watched: Watched) -> Site:
    return watched.site


def text(answer: httpx.Response) -> str:
    """What a person reads."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", answer.text)).split())


async def shows(browser: Browser, path: str, *parts: str) -> str:
    """The text of a page, once it has all of these."""
    last = ""

    async def has() -> bool:
        nonlocal last
        last = text(await browser.get(path))
        return all(part in last for part in parts)

    try:
        await eventually(has)
    except (AssertionError, TimeoutError) as error:
        raise AssertionError(f"{path} lacks one of {parts}: {last}") from error
    return last


async def token(browser: Browser, path: str = "/") -> str:
    """That of the session's forms."""
    match = re.search(r'name="token" value="([^"]+)"', (await browser.get(path)).text)
    assert match
    return match[1]


async def test_decisions_are_shown_as_they_are_made_and_narrowed_by_the_address(site: Site) -> None:
    """What was not allowed comes first."""
    denied, allowed = await site.hold("wipe"), await site.hold("read", b'{"n": 1}')
    async with site.browser() as ana:
        page = await shows(ana, "/decisions", "bank wipe", "bank read", "deny", "allow")
        assert page.index("bank wipe") < page.index("bank read")
        body = (await ana.get("/decisions")).text
        for decision in (denied, allowed):
            assert f'href="/d/{decision.decision_id}"' in body
        only = (await ana.get("/decisions?effect=allow&tool=re*")).text
        assert allowed.decision_id in only
        assert denied.decision_id not in only
        nobody = await ana.get("/decisions?caller=nobody")
        assert denied.decision_id not in nobody.text
        assert "None that is remembered" in nobody.text
        for bad in ("?tool=[", "?tool=%ff", "?effect=" + "x" * 5000, "?" + "a=1&" * 50):
            assert (await ana.get(f"/decisions{bad}")).status_code == 200


async def test_a_decision_has_its_story(site: Site) -> None:
    """The call, the reason, the limits, the times, and what the caller did before and after."""
    before = await site.hold("wipe")
    made = await site.hold("read", b'{"path": "<b>x</b>", "n": 12345678901234567890}')
    after = await site.hold("pay")
    async with site.browser() as ana:
        await shows(ana, "/decisions", "bank pay")
        page = await ana.get(f"/d/{made.decision_id}")
        story = text(page)
        for part in ("<b>x</b>", "12345678901234567890", "servers.bank.tools.read", "in 600 s"):
            assert part in story
        assert "<b>x</b>" not in page.text
        assert page.text.index(before.decision_id) < page.text.index(after.decision_id)
        held = await ana.get(f"/d/{after.decision_id}")
        assert f'href="/a/{after.approval.id}"' in held.text
        unknown = await ana.get("/d/01234567-0123-7123-8123-0123456789ab")
        assert (unknown.status_code, "tipstaff log" in unknown.text) == (404, True)


async def test_limits_are_shown_and_reset_by_those_who_may(site: Site) -> None:
    """A viewer sees the same, and no button."""
    while (await site.hold("read")).effect == types_pb2.EFFECT_ALLOW:
        pass
    async with site.browser("vi") as viewer:
        assert "Reset" not in await shows(viewer, "/limits", "bank/read", "3 of 3 in 600 s")
        form = {"token": await token(viewer), "name": "bank/read"}
        assert (await viewer.post("/limits/reset", **form)).status_code == 403
    assert (await site.hold("read")).effect == types_pb2.EFFECT_DENY
    async with site.browser() as ana:
        form = {"token": await token(ana, "/limits"), "name": "bank/read"}
        assert (await ana.post("/limits/reset", fetch_site="cross-site", **form)).status_code == 403
        assert (await ana.post("/limits/reset", **form | {"name": ""})).status_code == 400
        assert (await ana.get("/limits/reset")).status_code == 404
        done = await ana.post("/limits/reset", **form)
        assert (done.status_code, done.headers["location"]) == (303, "/limits?reset=1")
    assert (await site.hold("read")).effect == types_pb2.EFFECT_ALLOW


async def test_a_changed_tool_is_shown_and_accepted_as_it_was_shown(watched: Watched) -> None:
    """Not in another form that the server lists meanwhile, and not by a viewer."""
    site, gate = watched.site, watched.site.tipstaff
    watched.notes.describe(NEW)

    async def call() -> str:
        async with httpx.AsyncClient(timeout=10) as client:
            listing = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
            message = tool_call("read_note", {"name": "a"})
            listing["params"] = {"_meta": message["params"]["_meta"]}  # type: ignore[assignment]
            headers = {key: value for key, value in call_headers("x").items() if key != "Mcp-Name"}
            await client.post(
                gate.url("notes"), json=listing, headers=headers | {"Mcp-Method": "tools/list"}
            )
            return (
                await client.post(
                    gate.url("notes"), json=message, headers=call_headers("read_note")
                )
            ).text

    assert "tool_changed" in await call()
    query = "?server=notes&tool=read_note"
    async with site.browser("vi") as viewer, site.browser() as ana:
        await shows(ana, "/servers", "notes read_note", "changed", "See what")
        change = await ana.get(f"/servers/change{query}")
        assert NEW in change.text
        form = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', change.text))
        theirs = {**form, "token": await token(viewer)}
        assert (await viewer.post("/servers/accept", **theirs)).status_code == 403
        watched.notes.describe("Reads notes, and sends them away.")
        assert (await ana.post("/servers/accept", **form)).status_code == 409
        assert "tool_changed" in await call()
        watched.notes.describe(NEW)
        assert (await ana.post("/servers/accept", **form)).status_code == 303

        async def is_open() -> bool:
            return "tool_changed" not in await call()

        await eventually(is_open)
        assert "See what" not in (await ana.get("/servers?server=notes")).text
        for bad in ("", "?server=nobody&tool=x", "?server=notes&tool=nothing"):
            assert (await ana.get(f"/servers/change{bad}")).status_code == 409


async def test_the_policy_s_last_error_names_the_file_and_the_line(site: Site) -> None:
    """And goes when the file is mended."""
    async with site.browser() as ana:
        assert "current" in await shows(ana, "/policy", "Revisions that have decided")
        site.tipstaff.rules("bank", "tools:\n  pay: {action: perhaps}\n")
        await shows(ana, "/policy", "older than the files", "data.yaml:2:", "must be one of")
        assert (await site.hold("wipe")).effect == types_pb2.EFFECT_DENY
        site.tipstaff.rules("bank", RULES)
        await shows(ana, "/policy", "current")


async def test_what_people_did_is_written_down(site: Site) -> None:
    """Also what was not taken, and who was not let in."""
    held = await site.hold("pay")
    async with site.browser() as ana:
        form = await ana.form(held.approval.id)
        await ana.post(f"/a/{held.approval.id}/grant", **{**form, "digest": "other"})
        await ana.post(f"/a/{held.approval.id}/refuse", **form, note="Not now.")
        for _ in range(3):
            await ana.post("/login", secret="a" * 43)
        page = await shows(ana, "/audit", held.approval.id, "Not now.")
        assert "not taken" in page
        assert "login" in page
    lines = (site.tipstaff.folder / "state" / "console-audit.jsonl").read_text().splitlines()
    assert 0 < sum('"login"' in line and "refused" in line for line in lines) < 3
    assert (site.tipstaff.folder / "state" / "console-audit.jsonl").stat().st_mode & 0o077 == 0


async def test_a_secret_of_a_caller_is_on_no_page(site: Site) -> None:
    """Planted in arguments, in headers, in tokens and in addresses."""
    arguments = (
        '{"password": "%s", "url": "https://u:%s@x.example/?token=%s", "h": "Bearer %s"}'
        % ((CANARY,) * 4)
    ).encode()
    held = await site.hold("pay", arguments)
    denied = await site.hold("wipe", arguments)
    message = tool_call("read_note", {"name": "a", "api_key": CANARY})
    headers = call_headers("read_note") | {"Authorization": f"Bearer {CANARY}", "X-Key": CANARY}
    async with httpx.AsyncClient(timeout=10) as client:
        await client.post(site.tipstaff.url("notes"), json=message, headers=headers)
    async with site.browser() as ana:
        await shows(ana, "/decisions", "bank wipe")
        await asyncio.sleep(0.5)
        paths = (*PAGES, f"/a/{held.approval.id}", f"/d/{denied.decision_id}")
        for path in (*paths, f"/decisions?tool={CANARY}x"):
            body = (await ana.get(path)).text
            assert CANARY not in body.replace(f"{CANARY}x", ""), path
        assert "Masked" in (await ana.get(f"/d/{denied.decision_id}")).text
    journal = (site.tipstaff.folder / "state" / "decisions.jsonl").read_text()
    assert CANARY not in journal
    assert CANARY not in "".join(site.tipstaff.log)


async def test_every_page_is_for_people_who_are_logged_in(site: Site) -> None:
    """Others are led to log in, and back."""
    async with httpx.AsyncClient(base_url=site.url) as client:
        for path in (*PAGES, "/servers/change", "/d/0123456789"):
            first = await client.get(path)
            assert "http-equiv" in first.text
            assert (await client.get(f"{path}?again=1")).status_code == 401
        back = await client.get("/decisions?effect=deny")
        assert "url=/decisions?effect=deny&amp;again=1" in back.text
