"""Login at the console by a real identity provider on this machine: who comes in, and all who do not."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from pdp.api.v1 import types_pb2
from tests.console_rig import Browser, Site, console_before
from tests.gateway import Gateway
from tests.openid_issuer import CLIENT, SECRET, Provider
from tests.proxy_rig import asgi_upstream

PEOPLE = """
[[approvals.people]]
id = "ann"
[[approvals.people]]
id = "ann@example.org"
"""
OPENID = """
[console.openid]
issuer = "{url}"
client_id = "{client}"
client_secret = "file:secret"
"""
RULES = {"tools": {"pay": {"action": "require_approval"}}}
pytestmark = pytest.mark.asyncio(loop_scope="module")


class Desk:
    """The console, and the provider that it believes."""

    def __init__(self, site: Site, provider: Provider) -> None:
        self.site = site
        self.provider = provider
        self._clients: list[httpx.AsyncClient] = []

    def browser(self) -> Browser:
        self._clients.append(httpx.AsyncClient(base_url=self.site.url, timeout=10))
        return Browser(self._clients[-1])

    async def close(self) -> None:
        while self._clients:
            await self._clients.pop().aclose()

    async def begin(self, browser: Browser) -> dict[str, str]:
        """Go to the provider, log in there, and bring back what it gives."""
        answer = await browser.get("/login/openid")
        assert answer.status_code == 303, answer.text
        return self.provider.authorize(answer.headers["location"])

    async def finish(self, browser: Browser, fields: dict[str, str]) -> httpx.Response:
        return await browser.client.get("/login/openid/return", params=fields)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def whole(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Desk]:
    provider = Provider()
    async with asgi_upstream(provider) as url:
        provider.url = url.removesuffix("/mcp")
        folder = tmp_path_factory.mktemp("openid")
        openid = OPENID.format(url=provider.url, client=CLIENT)
        gateway = Gateway(folder, {"bank": "http://127.0.0.1:9/mcp"}, PEOPLE + openid)
        gateway.rules("bank", RULES)
        secret = os.open(folder / "secret", os.O_WRONLY | os.O_CREAT, 0o600)
        os.write(secret, SECRET.encode())
        os.close(secret)
        async with console_before(gateway, person="ann") as site:
            yield Desk(site, provider)


@pytest_asyncio.fixture(loop_scope="module")
async def desk(whole: Desk) -> AsyncIterator[Desk]:
    whole.provider.twist = ""
    whole.provider.claims = {}
    yield whole
    await whole.close()


async def is_in(browser: Browser) -> bool:
    return (await browser.get("/?again=1")).status_code == 200


async def test_who_is_logged_in_there_is_logged_in_here_and_answers_under_that_name(
    desk: Desk,
) -> None:
    """It is on record how that was proven; the cookie of the way is gone."""
    held = await desk.site.hold("pay")
    browser = desk.browser()
    assert "/login/openid" in (await browser.get("/login")).text
    answer = await desk.finish(browser, await desk.begin(browser))
    assert answer.status_code == 200
    cookies = answer.headers.get_list("set-cookie")
    assert any("tipstaff-console=" in each and "SameSite=Strict" in each for each in cookies)
    assert any("tipstaff-console-login=;" in each for each in cookies)
    assert await is_in(browser)
    form = await browser.form(held.approval.id)
    assert (await browser.post(f"/a/{held.approval.id}/grant", **form)).status_code == 303
    (line,) = [
        record
        for record in desk.site.tipstaff.approval_records()
        if record.get("answer") and record["approval_id"] == held.approval.id
    ]
    assert (line["by"], line["proven_by"]) == ("ann", "oidc")


TWISTS = (
    "wrong nonce", "no nonce", "another audience", "a second audience", "another party", "another issuer",
    "expired", "of the future", "without time", "a name that is none", "a name that is no text", "unsigned",
    "signed by the public key", "signed by another", "signed by an unknown key", "no token", "nonsense",
    "away /token", "away /jwks", "huge /token", "huge /jwks", "redirect /token", "redirect /jwks",
)  # fmt: skip


@pytest.mark.parametrize("twist", TWISTS)
async def test_what_the_provider_does_not_prove_lets_nobody_in(desk: Desk, twist: str) -> None:
    """The page says that it did not work, and nothing of what was sent."""
    browser = desk.browser()
    fields = await desk.begin(browser)
    desk.provider.twist = twist
    answer = await desk.finish(browser, fields)
    assert answer.status_code == 401
    assert fields["code"] not in answer.text
    assert 'role="alert"' in answer.text
    assert not await is_in(browser)
    assert "/elsewhere" not in desk.provider.asked


async def test_only_the_browser_that_began_can_finish_and_once(desk: Desk) -> None:
    """Nor with a state of nobody, and with an answer of another issuer."""
    mine, theirs = desk.browser(), desk.browser()
    fields = await desk.begin(theirs)
    assert (await desk.finish(mine, fields)).status_code == 401
    assert not await is_in(mine)
    assert (await desk.finish(theirs, fields)).status_code == 401
    for wrong in (
        {"state": "a" * 43}, {"state": ""}, {"iss": "https://other.example"}, {"iss": ""},
        {"code": ""}, {"code": "code-of-nobody"}, {"error": "access_denied"},
    ):  # fmt: skip
        fields = await desk.begin(theirs)
        assert (await desk.finish(theirs, {**fields, **wrong})).status_code == 401, wrong
        assert not await is_in(theirs)
    fields = await desk.begin(theirs)
    assert (await desk.finish(theirs, fields)).status_code == 200
    again = desk.browser()
    again.client.cookies.update(theirs.client.cookies)
    again.client.cookies.delete("tipstaff-console", domain="127.0.0.1")
    assert (await desk.finish(again, fields)).status_code == 401


async def test_whom_nobody_has_named_does_not_come_in(desk: Desk) -> None:
    """Though the provider knows them."""
    browser = desk.browser()
    desk.provider.claims = {"sub": "mallory"}
    answer = await desk.finish(browser, await desk.begin(browser))
    assert (answer.status_code, "none of those" in answer.text) == (401, True)
    assert not await is_in(browser)


@pytest.mark.parametrize(
    "twist", ["another issuer's discovery", "plain token endpoint", "away /.well-known/openid-configuration"]
)  # fmt: skip
async def test_a_provider_that_is_away_or_another_keeps_nobody_out_who_has_an_address(
    tmp_path: Any, twist: str
) -> None:
    """And sends no browser anywhere."""
    provider = Provider()
    provider.twist = twist
    async with asgi_upstream(provider) as url:
        provider.url = url.removesuffix("/mcp")
        openid = OPENID.format(url=provider.url, client=CLIENT)
        gateway = Gateway(tmp_path, {"bank": "http://127.0.0.1:9/mcp"}, PEOPLE + openid)
        gateway.rules("bank", RULES)
        (tmp_path / "secret").touch(0o600)
        (tmp_path / "secret").write_text(SECRET)
        async with console_before(gateway, person="ann") as site:
            async with httpx.AsyncClient(base_url=site.url) as client:
                answer = await client.get("/login/openid")
                assert (answer.status_code, 'role="alert"' in answer.text) == (503, True)
            async with site.browser("ann") as ann:
                assert await is_in(ann)


async def test_who_is_taken_off_the_list_is_out(desk: Desk) -> None:
    """At the next request, and not before the configuration can be used again."""
    browser = desk.browser()
    await desk.finish(browser, await desk.begin(browser))
    config = desk.site.tipstaff.config
    text = config.read_text()
    try:
        config.write_text(text + "[nonsense\n")
        assert await is_in(browser)
        config.write_text(text.replace('id = "ann"\n', 'id = "bob"\n'))
        assert not await is_in(browser)
    finally:
        config.write_text(text)
    assert not await is_in(browser)


async def test_nobody_of_the_provider_comes_in_when_nobody_is_named_any_more(desk: Desk) -> None:
    """Then those may come in who can make an address here, and not everybody whom the provider knows."""
    browser = desk.browser()
    fields = await desk.begin(browser)
    config = desk.site.tipstaff.config
    text = config.read_text()
    try:
        config.write_text(text.replace(PEOPLE, "").partition("[console.openid]")[0])
        assert (await desk.finish(browser, fields)).status_code == 401
        assert not await is_in(browser)
    finally:
        config.write_text(text)


async def test_who_came_by_another_name_begins_at_the_one_to_come_back_to(desk: Desk) -> None:
    """The cookie of the way belongs to that name."""
    host = desk.site.url.replace("127.0.0.1", "localhost").removeprefix("http://")
    answer = await desk.browser().client.get("/login/openid", headers={"Host": host})
    assert answer.headers["location"] == f"{desk.site.url}/login/openid"
    assert "set-cookie" not in answer.headers


async def test_no_secret_is_in_a_page_or_a_log(desk: Desk) -> None:
    """Of the provider, of codes, of states."""
    browser = desk.browser()
    fields = await desk.begin(browser)
    answer = await desk.finish(browser, fields)
    said = answer.text + (await browser.get("/audit")).text
    audit = (desk.site.tipstaff.folder / "state" / "console-audit.jsonl").read_text()
    for secret in (SECRET, fields["state"], fields["code"] + '"'):
        assert secret not in said
        assert secret not in audit
    held = (await desk.site.hold("pay")).effect
    assert held == types_pb2.EFFECT_HOLD
