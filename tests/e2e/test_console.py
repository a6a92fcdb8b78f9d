"""The console over real HTTP, before a real gateway: answers are taken from its own pages, and from nobody else."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from pdp.api.v1 import types_pb2
from tests.console_rig import Browser, Site, console_before
from tests.gateway import Gateway

RULES = {
    "tools": {
        "pay": {"action": "require_approval", "reason": "Money moves."},
        "wipe": {"action": "require_approval"},
        "note": {"action": "require_approval", "approval": {"note": "on_refuse"}},
    }
}
CATALOGUE = {"wipe": {"category": "Destructive", "risk": "critical"}, "pay": {}, "note": {}}
PEOPLE = '[[approvals.people]]\nid = "ana"\n[[approvals.people]]\nid = "vi"\nrole = "viewer"\n'
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    gateway = Gateway(
        tmp_path_factory.mktemp("console"), {"bank": "http://127.0.0.1:9/mcp"}, PEOPLE
    )
    gateway.rules("bank", RULES)
    gateway.catalogue("bank", CATALOGUE)
    async with console_before(gateway) as served:
        yield served


async def test_a_person_sees_a_call_and_grants_it(site: Site) -> None:
    """And the call goes on, once."""
    arguments = b'{"to": "<script>alert(1)</script>", "amount": 77}'
    held = await site.hold("pay", arguments)
    async with site.browser() as ana:
        inbox = await ana.get("/")
        assert held.approval.id in inbox.text
        page = await ana.get(f"/a/{held.approval.id}")
        assert "77" in page.text
        assert "<script>alert" not in page.text
        form = await ana.form(held.approval.id)
        answer = await ana.post(f"/a/{held.approval.id}/grant", **form)
        assert (answer.status_code, answer.headers["location"]) == (303, f"/a/{held.approval.id}")
        assert "granted" in (await ana.get(f"/a/{held.approval.id}")).text
        again = await ana.post(f"/a/{held.approval.id}/grant", **form)
        assert again.status_code == 303
    assert (await site.hold("pay", arguments)).effect == types_pb2.EFFECT_ALLOW
    assert (await site.hold("pay", arguments)).effect == types_pb2.EFFECT_HOLD
    (line,) = [
        r
        for r in site.tipstaff.approval_records()
        if r.get("answer") and r["approval_id"] == held.approval.id
    ]
    assert (line["by"], line["proven_by"]) == ("ana", "console")


async def test_a_refusal_is_taken_with_its_note_and_two_tabs_do_not_fight(site: Site) -> None:
    """The second is told what the first has done, and keeps its note."""
    held = await site.hold("note")
    async with site.browser() as ana:
        form = await ana.form(held.approval.id)
        missing = await ana.post(f"/a/{held.approval.id}/refuse", **form)
        assert (missing.status_code, "note" in missing.text) == (400, True)
        answer = await ana.post(f"/a/{held.approval.id}/refuse", **form, note="Not now.")
        assert answer.status_code == 303
        late = await ana.post(f"/a/{held.approval.id}/grant", **form, note="but I")
        assert late.status_code == 409
        assert "refused already by ana" in late.text


FORGED: dict[str, dict[str, str]] = {
    "of another site": {"Sec-Fetch-Site": "cross-site"},
    "of another host of the site": {"Sec-Fetch-Site": "same-site"},
    "typed into the address bar": {"Sec-Fetch-Site": "none"},
    "of another origin": {"Origin": "http://evil.example"},
    "of nobody who says so": {},
    "to another name": {"Host": "evil.example", "Sec-Fetch-Site": "same-origin"},
    "that is no form": {"Sec-Fetch-Site": "same-origin", "Content-Type": "text/plain"},
}


@pytest.mark.parametrize("case", FORGED)
async def test_a_forged_form_grants_nothing(site: Site, case: str) -> None:
    """Though the browser sends the cookie and knows the token."""
    arguments = b'{"forged": "%s"}' % case.encode()
    held = await site.hold("pay", arguments)
    async with site.browser() as ana:
        form = await ana.form(held.approval.id)
        path = f"/a/{held.approval.id}/grant"
        answer = await ana.client.post(path, data=form, headers=FORGED[case])
        assert answer.status_code in {403, 415, 421}
    assert (await site.hold("pay", arguments)).effect == types_pb2.EFFECT_HOLD


async def test_a_form_of_another_session_or_page_grants_nothing(site: Site) -> None:
    """A stale page gets 409, a foreign token 403, and nothing at all is asked by GET."""
    arguments = b'{"stale": 1}'
    held, other = await site.hold("pay", arguments), await site.hold("pay", b'{"stale": 2}')
    path = f"/a/{held.approval.id}/grant"
    async with site.browser() as ana, site.browser() as bo:
        form, foreign = await ana.form(held.approval.id), await bo.form(held.approval.id)
        stale = {**form, "digest": (await ana.form(other.approval.id))["digest"]}
        assert (await ana.post(path, **stale)).status_code == 409
        assert (await ana.post(path, token=form["token"])).status_code == 409
        assert (await ana.post(path, **{**form, "token": foreign["token"]})).status_code == 403
        assert (await ana.post(path, digest=form["digest"])).status_code == 403
        assert (await ana.get(path)).status_code == 404
        assert (await ana.client.put(path, data=form)).status_code == 405
    assert (await site.hold("pay", arguments)).effect == types_pb2.EFFECT_HOLD


async def test_a_viewer_looks_and_does_not_answer(site: Site) -> None:
    """Whatever the viewer sends."""
    arguments = b'{"viewer": 1}'
    held = await site.hold("pay", arguments)
    async with site.browser("vi") as viewer:
        page = await viewer.get(f"/a/{held.approval.id}")
        assert "/grant" not in page.text
        token = (await viewer.form(held.approval.id))["token"]
        digest = re.search(r"sha256:[0-9a-f]+", page.text)
        assert digest
        for what in ("grant", "refuse", "withdraw"):
            answer = await viewer.post(
                f"/a/{held.approval.id}/{what}", token=token, digest=digest[0]
            )
            assert answer.status_code == 403
    assert (await site.hold("pay", arguments)).effect == types_pb2.EFFECT_HOLD


async def test_a_critical_call_wants_the_tool_s_name(site: Site) -> None:
    """Typed by the person; the note is not lost over it."""
    held = await site.hold("wipe")
    async with site.browser() as ana:
        form = await ana.form(held.approval.id)
        path = f"/a/{held.approval.id}/grant"
        for confirm in ("", "Wipe", "pay"):
            answer = await ana.post(path, **form, confirm=confirm, note="careful")
            assert (answer.status_code, "careful" in answer.text) == (400, True)
        assert (await ana.post(path, **form, confirm=" wipe ")).status_code == 303


async def test_a_way_in_is_used_once_and_only_by_those_who_may(site: Site) -> None:
    """And nobody comes in without."""
    async with httpx.AsyncClient(base_url=site.url, verify=False) as client:
        browser = Browser(client)
        secret = await site.way_in()
        assert (
            await browser.post("/login", fetch_site="cross-site", secret=secret)
        ).status_code == 403
        first = await browser.post("/login", secret=secret)
        cookie = first.headers["set-cookie"]
        for part in ("HttpOnly", "SameSite=Strict", "Path=/"):
            assert part in cookie
        client.cookies.clear()
        assert (await browser.post("/login", secret=secret)).status_code == 401
        assert (await browser.post("/login", secret="a" * 43)).status_code == 401
        assert (await browser.get("/?again=1")).status_code == 401
        assert (await browser.get("/events/approvals")).status_code == 401
        assert (await browser.post("/a/a-0123456789/grant", token="x")).status_code == 401
        assert await site.way_in("nobody") == ""


async def test_a_visit_from_a_link_goes_on_and_who_logs_out_is_out(site: Site) -> None:
    """The first request of such a visit comes without the cookie."""
    async with site.browser() as ana:
        cookies = dict(ana.client.cookies)
        ana.client.cookies.clear()
        first = await ana.get("/a/a-0123456789")
        assert "url=/a/a-0123456789?again=1" in first.text
        ana.client.cookies.update(cookies)
        assert (await ana.get("/a/a-0123456789?again=1")).status_code == 404
        token = re.search(r'name="token" value="([^"]+)"', (await ana.get("/")).text)
        assert token
        assert (await ana.post("/logout", token=token[1])).status_code == 303
        ana.client.cookies.update(cookies)
        assert (await ana.get("/?again=1")).status_code == 401


async def test_every_answer_has_the_header_lines_that_keep_others_out(site: Site) -> None:
    """Pages, errors, files."""
    async with site.browser() as ana:
        for path in ("/", "/nothing", "/static/console.js", "/static/../app.py", "/login"):
            answer = await ana.get(path)
            policy = answer.headers["content-security-policy"]
            assert "script-src 'self'" in policy
            assert "trusted-types 'none'" in policy
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert "server" not in answer.headers


async def test_a_page_hears_of_changes_and_a_session_has_so_many_streams(site: Site) -> None:
    """One more is told to poll."""
    async with site.browser() as ana, contextlib.AsyncExitStack() as stack:
        streams: list[Any] = [
            await stack.enter_async_context(ana.client.stream("GET", "/events/approvals"))
            for _ in range(4)
        ]
        assert [stream.status_code for stream in streams] == [200] * 4
        assert (await ana.get("/events/approvals")).status_code == 204
        lines = streams[0].aiter_lines()
        assert await anext(lines) == ": hello"
        held = await site.hold("pay")
        heard = [await asyncio.wait_for(anext(lines), 2) for _ in range(3)]
        assert f"data: {held.approval.id}" in heard
