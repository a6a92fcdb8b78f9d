"""People at the console in a real browser, agents at the proxy, a server that counts what reaches it."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import signal
import time
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
import pytest_asyncio
from mcp.server.mcpserver import MCPServer

from pdp.api.v1 import types_pb2
from tests.browser import Browser, Tab, browser
from tests.console_rig import Site, console_before
from tests.e2e.test_changed_tools import entries
from tests.gateway import Gateway, call_headers, eventually, tool_call
from tests.proxy_rig import META, asgi_upstream

HELD = {"action": "require_approval", "reason": "Ask first."}
RULES: dict[str, Any] = {
    "tools": {
        "drop": {**HELD},
        "brief": {**HELD, "approval": {"decide_within": 4}},
        "scarce": {**HELD, "rate_limit": {"max": 1, "window": 3600, "scope": "tool"}},
        "turn": {**HELD},
        "moved": {**HELD},
    }
}
PEOPLE = """
[[approvals.people]]
id = "ana"
principals = ["token:ana-agent"]
[[approvals.people]]
id = "bo"
[[approvals.people]]
id = "vi"
role = "viewer"
"""
ATTACK = {"path": "<img src=x onerror=alert(1)>", "name": "a\u202eb"}
WAITING = "[aria-label='Calls that wait for an answer']"
PAGES = ("/", "/decisions", "/servers", "/limits", "/policy", "/audit", "/login", "/a/a-0123456789")
pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(180)]
_numbers = itertools.count(1)


class Steps:
    """A server of the SDK whose tools count what they did."""

    def __init__(self) -> None:
        self.server = MCPServer("steps")
        self.ran: list[tuple[str, int]] = []
        for name in RULES["tools"]:
            self.server.add_tool(self._tool(name), name=name, description=f"Does {name}.")

    def count(self, number: int) -> int:
        """How often the call with this argument has reached the server."""
        return sum(number == each for _, each in self.ran)

    def redescribe(self, name: str, description: str) -> None:
        self.server.remove_tool(name)
        self.server.add_tool(self._tool(name), name=name, description=description)

    def _tool(self, tool: str) -> Any:
        def step(number: int, path: str = "", name: str = "") -> str:
            self.ran.append((tool, number))
            return f"did {number}"

        return step


class Stage:
    """All of it."""

    def __init__(self, site: Site, steps: Steps, people: Browser, agent: httpx.AsyncClient) -> None:
        self.site = site
        self.steps = steps
        self.people = people
        self.agent = agent
        self._logged_in: set[str] = set()
        self._open: list[Tab] = []

    def call(self, tool: str, number: int, **more: Any) -> asyncio.Future[httpx.Response]:
        """An agent's call, which may wait."""
        message = tool_call(tool, {"number": number, **more}, request_id=number)
        url = self.site.tipstaff.url("steps")
        return asyncio.ensure_future(self.agent.post(url, json=message, headers=call_headers(tool)))

    async def tab(self, person: str = "ana") -> Tab:
        """A new tab of somebody who has logged in."""
        tab = await self.people.tab(person)
        self._open.append(tab)
        if person in self._logged_in:
            await tab("go", url=f"{self.site.url}/")
            return tab
        self._logged_in.add(person)
        await tab("go", url=f"{self.site.url}/login#t={await self.site.way_in(person)}")
        await tab("arrive", url=f"{self.site.url}/")
        return tab

    async def close_tabs(self) -> None:
        """As people do when they are done."""
        while self._open:
            await self._open.pop()("close")

    async def restart_console(self) -> None:
        """End the console, which forgets who was logged in, and start it again."""
        await self.site.stop()
        self._logged_in.clear()
        await self.site.start()

    async def at(self, tab: Tab, number: int) -> None:
        """Open the call with this argument, once it waits."""
        await tab("go", url=f"{self.site.url}/")
        row = await self.waiting(number)
        await tab("wait", at=f"{WAITING} a[href='/a/{row}']")
        await tab("click", at=f"{WAITING} a[href='/a/{row}']")
        await tab("arrive", url=f"{self.site.url}/a/*")

    async def waiting(self, number: int) -> str:
        """The identifier of the call with this argument, once it waits."""
        found: list[str] = []

        async def is_there() -> bool:
            found[:] = [
                each["approval"]["id"]
                for each in self.site.tipstaff.records()
                if each["effect"] == "hold" and each.get("arguments", {}).get("number") == number
            ]
            return bool(found)

        await eventually(is_there)
        return found[-1]


@pytest_asyncio.fixture(loop_scope="module")
async def stage(whole: Stage) -> AsyncIterator[Stage]:
    yield whole
    await whole.close_tabs()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def whole(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    steps = Steps()
    app = steps.server.streamable_http_app(json_response=True)
    async with asgi_upstream(app) as url:
        gateway = Gateway(tmp_path_factory.mktemp("browser"), {"steps": url}, PEOPLE)
        gateway.rules("steps", RULES)
        gateway.catalogue("steps", await entries(url, "2026-11-24T22:00:00Z"))
        async with (
            console_before(gateway) as site,
            browser() as people,
            httpx.AsyncClient(timeout=60) as agent,
        ):
            yield Stage(site, steps, people, agent)


@pytest.fixture
def number() -> int:
    return next(_numbers)


async def granted(tab: Tab) -> None:
    """Click Grant, as soon as it can be clicked."""
    await tab("enabled", at="button.grant")
    await tab("click", at="button.grant")


async def test_a_call_is_seen_within_a_second_granted_and_done_once(
    stage: Stage, number: int
) -> None:
    """The page had been open; nothing of the caller is markup; Grant cannot be clicked at once."""
    tab = await stage.tab()
    await asyncio.sleep(0.5)
    began = time.monotonic()
    answer = stage.call("drop", number, **ATTACK)
    await tab("wait", at=f"{WAITING} a")
    assert time.monotonic() - began < 1.5
    await tab("click", at=f"{WAITING} a")
    await tab("arrive", url=f"{stage.site.url}/a/*")
    assert await tab("disabled", at="button.grant")
    assert (await tab("focused")).startswith("BODY")
    shown = await tab("text", at=".arguments")
    assert "<img src=x" in shown
    assert "⟨U+202E⟩" in shown
    await granted(tab)
    await tab("wait", at=".state-used, .state-granted")
    assert f"did {number}" in (await asyncio.wait_for(answer, 10)).text
    assert stage.steps.count(number) == 1
    assert await tab("complaints") == []


async def test_a_refusal_by_keyboard_reaches_the_agent_with_its_note(
    stage: Stage, number: int
) -> None:
    """A change elsewhere meanwhile does not lose what is written."""
    tab = await stage.tab()
    answer = stage.call("drop", number)
    approval = await stage.waiting(number)
    await tab("wait", at=f"{WAITING} a[href='/a/{approval}']")
    await tab("focus", at=f"{WAITING} a[href='/a/{approval}']")
    await tab("press", key="Enter")
    await tab("arrive", url=f"{stage.site.url}/a/*")
    note = "form[action$='/refuse'] textarea"
    await tab("focus", at=note)
    await tab("type", text="Not today.")
    other = stage.call("drop", number + 1000)
    await asyncio.sleep(1.5)
    assert await tab("value", at=note) == "Not today."
    await tab("press", key="Tab")
    await tab("press", key="Enter")
    await tab("wait", at=".state-refused")
    assert "Not today." in (await asyncio.wait_for(answer, 10)).text
    assert stage.steps.count(number) == 0
    await gone(other)


async def test_a_call_that_nobody_answers_expires(stage: Stage, number: int) -> None:
    """The page that was open says so by itself, and the agent is told."""
    tab = await stage.tab()
    answer = stage.call("brief", number)
    await stage.at(tab, number)
    await tab("wait", at=".state-expired")
    assert await tab("count", at="button.grant") == 0
    assert "expired" in (await asyncio.wait_for(answer, 10)).text.lower()
    assert stage.steps.count(number) == 0


async def test_a_grant_is_for_these_arguments_and_one_call(stage: Stage, number: int) -> None:
    """Another argument is held anew, and so is the same call made again."""
    tab = await stage.tab()
    answer = stage.call("drop", number)
    await stage.at(tab, number)
    await granted(tab)
    assert f"did {number}" in (await asyncio.wait_for(answer, 10)).text
    changed, replayed = stage.call("drop", number, path="other"), stage.call("drop", number)
    await asyncio.sleep(1)
    assert not changed.done()
    assert not replayed.done()
    assert stage.steps.count(number) == 1
    await gone(changed, replayed)


async def test_two_tabs_that_click_at_once_grant_once(stage: Stage, number: int) -> None:
    """Both see the call granted, though neither page had heard of the other's click."""
    tabs = [await stage.tab(), await stage.tab("bo")]
    answer = stage.call("drop", number)
    for tab in tabs:
        await stage.at(tab, number)
        await tab("enabled", at="button.grant")
        await tab("delay", at="**/a/*", milliseconds=3000)
    await asyncio.gather(*(tab("click", at="button.grant") for tab in tabs))
    for tab in tabs:
        await tab("wait", at=".state-used, .state-granted")
    assert f"did {number}" in (await asyncio.wait_for(answer, 10)).text
    assert stage.steps.count(number) == 1


async def test_a_page_that_has_been_answered_elsewhere_changes_nothing(
    stage: Stage, number: int
) -> None:
    """The second is told what the first has said; a digest of another call is stale."""
    one, two = await stage.tab(), await stage.tab("bo")
    answer = stage.call("drop", number)
    await stage.at(one, number)
    await stage.at(two, number)
    await two("fill", at="form[action$='/grant'] textarea", text="I was writing.")
    await one("click", at="button.refuse")
    await one("wait", at=".state-refused")
    await granted(two)
    await two("wait", at="[role=alert]")
    assert "refused already by ana" in await two("text", at="[role=alert]")
    assert stage.steps.count(number) == 0
    assert "refused" in (await asyncio.wait_for(answer, 10)).text.lower()


async def test_nobody_grants_for_their_own_agent(stage: Stage, number: int) -> None:
    """Another person may."""
    principal = types_pb2.Principal(id="token:ana-agent", kind="token")
    arguments = b'{"number": %d}' % number
    await stage.site.hold("drop", arguments, "steps", principal=principal)
    ana, bo = await stage.tab(), await stage.tab("bo")
    await stage.at(ana, number)
    await granted(ana)
    await ana("wait", at="[role=alert]")
    await ana("wait", at=".state-pending")
    await stage.at(bo, number)
    await granted(bo)
    await bo("wait", at=".state-granted")


async def test_a_viewer_sees_and_cannot_answer(stage: Stage, number: int) -> None:
    """Nor by a form of their own making."""
    await stage.site.hold("drop", b'{"number": %d}' % number, "steps")
    tab = await stage.tab("vi")
    await stage.at(tab, number)
    assert await tab("count", at="form[action^='/a/']") == 0
    token = await tab("attribute", at="input[name=token]", name="value")
    url = f"/a/{await stage.waiting(number)}/grant"
    assert await tab("post", url=url, body=urlencode({"token": token})) == 403
    ana = await stage.tab()
    assert await ana("post", url=url, body=urlencode({"token": token})) == 403
    assert (
        await stage.site.hold("drop", b'{"number": %d}' % number, "steps")
    ).effect == types_pb2.EFFECT_HOLD


async def test_a_call_waits_over_a_restart_of_each_process(stage: Stage, number: int) -> None:
    """Of the console, of the decision service, of the proxy; the page goes on by itself."""
    tab = await stage.tab()
    answer = stage.call("drop", number)
    approval = await stage.waiting(number)
    await stage.restart_console()
    for service in ("tipstaff pdp", "tipstaff pep"):
        end(stage.site.tipstaff, service)
        await asyncio.sleep(0.5)

        async def decides() -> bool:
            return bool(await stage.site.tipstaff.revision())

        await eventually(decides, 20)
    with contextlib.suppress(httpx.TransportError):
        await asyncio.wait_for(answer, 20)

    async def reaches() -> bool:
        with contextlib.suppress(httpx.TransportError):
            url = f"http://127.0.0.1:{stage.site.tipstaff.port}/healthz"
            return (await stage.agent.get(url)).status_code == 200
        return False

    await eventually(reaches, 20)
    again = stage.call("drop", number)
    tab = await stage.tab()
    await tab("go", url=f"{stage.site.url}/a/{approval}")
    await granted(tab)
    await tab("wait", at=".state-used, .state-granted")
    assert f"did {number}" in (await asyncio.wait_for(again, 20)).text
    assert stage.steps.count(number) == 1


async def test_a_definition_that_changes_while_a_call_waits_closes_it(
    stage: Stage, number: int
) -> None:
    """A grant of the old one is for nothing, also after the new one is accepted in the page."""
    tab = await stage.tab()
    answer = stage.call("moved", number)
    await stage.at(tab, number)
    stage.steps.redescribe("moved", "Does something else.")
    await stage.agent.post(
        stage.site.tipstaff.url("steps"),
        json={"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": META}},
        headers=call_headers("x") | {"Mcp-Method": "tools/list"},
    )
    await granted(tab)
    text = (await asyncio.wait_for(answer, 60)).text
    assert f"did {number}" not in text
    assert stage.steps.count(number) == 0
    await tab("go", url=f"{stage.site.url}/servers")
    await tab("click", at="a[href^='/servers/change']")
    await tab("wait", at=".line-new")
    assert "something else" in await tab("text", at=".diff")
    await tab("enabled", at="button.grant")
    await tab("click", at="button.grant")
    await tab("arrive", url=f"{stage.site.url}/servers")
    await asyncio.sleep(1.5)
    held = stage.call("moved", number)
    await asyncio.sleep(1)
    assert not held.done()
    assert stage.steps.count(number) == 0
    await gone(held)


async def test_a_limit_that_is_exhausted_at_release_keeps_the_call_back(
    stage: Stage, number: int
) -> None:
    """Whoever granted it."""
    tab = await stage.tab()
    first, second = stage.call("scarce", number), stage.call("scarce", number + 1000)
    for each, answer in ((number, first), (number + 1000, second)):
        await stage.at(tab, each)
        await granted(tab)
        await asyncio.wait_for(answer, 20)
    assert stage.steps.count(number) == 1
    assert stage.steps.count(number + 1000) == 0
    assert "rate" in second.result().text.lower()


async def test_rules_that_turn_to_deny_win_over_a_grant(stage: Stage, number: int) -> None:
    """The call is judged again when it is released."""
    tab = await stage.tab()
    answer = stage.call("turn", number)
    await stage.at(tab, number)
    before = await stage.site.tipstaff.revision()
    denying = {"tools": {**RULES["tools"], "turn": {"action": "deny", "reason": "Not any more."}}}
    stage.site.tipstaff.rules("steps", denying)
    await stage.site.tipstaff.wait_for_change(before)
    with contextlib.suppress(AssertionError):
        await granted(tab)
    assert "Not any more." in (await asyncio.wait_for(answer, 60)).text
    assert stage.steps.count(number) == 0
    before = await stage.site.tipstaff.revision()
    stage.site.tipstaff.rules("steps", RULES)
    await stage.site.tipstaff.wait_for_change(before)


async def test_decisions_that_are_made_while_the_page_is_asked_for_appear_too(
    stage: Stage, number: int
) -> None:
    """The page that comes was made before them."""
    tab = await stage.tab()
    await tab("delay", at="**/decisions", milliseconds=1500)
    await tab("go", url=f"{stage.site.url}/decisions")
    await tab("away")
    await asyncio.sleep(0.5)
    for extra in (10_000, 20_000):
        held = await stage.site.hold("drop", b'{"number": %d}' % (number + extra), "steps")
        await asyncio.sleep(0.5)
    await tab("wait", at=f"a[href='/d/{held.decision_id}']")


async def test_decisions_appear_by_themselves_unless_somebody_is_at_them(
    stage: Stage, number: int
) -> None:
    """Or has said to pause."""
    tab = await stage.tab()
    await tab("press", key="g")
    await tab("press", key="d")
    await tab("arrive", url=f"{stage.site.url}/decisions")
    await tab("away")

    async def made(extra: int) -> str:
        held = await stage.site.hold("drop", b'{"number": %d}' % (number + extra), "steps")
        return f"a[href='/d/{held.decision_id}']"

    first = await made(1000)
    await tab("wait", at=first)
    await tab("focus", at=first)
    second = await made(2000)
    await asyncio.sleep(2)
    assert await tab("count", at=second) == 0
    assert "A#" in await tab("focused")
    await tab("focus", at="#pause")
    await tab("wait", at=second)
    await tab("click", at="#pause")
    third = await made(3000)
    await asyncio.sleep(2)
    assert await tab("count", at=third) == 0
    await tab("click", at="#pause")
    await tab("away")
    await tab("wait", at=third)
    await tab("click", at=third)
    await tab("arrive", url=f"{stage.site.url}/d/*")
    assert str(number + 3000) in await tab("text", at=".arguments")
    assert await tab("complaints") == []


async def test_every_page_is_for_everybody(stage: Stage, number: int) -> None:
    """WCAG 2.2 AA by axe, light and dark, wide and narrow; and a walk by keyboard reaches everything."""
    held = await stage.site.hold("drop", b'{"number": %d, "long": "%s"}' % (number, b"x" * 600), "steps")  # fmt: skip
    tab = await stage.tab()
    change = "/servers/change?server=steps&tool=drop"
    paths = (*PAGES, f"/a/{held.approval.id}", f"/d/{held.decision_id}", change, "/d/0123456789")
    findings = []
    for scheme, width in (("light", 1280), ("dark", 320)):
        await tab("look", scheme=scheme, width=width)
        for path in paths:
            await tab("go", url=stage.site.url + path)
            if held.approval.id in path or path == change:
                await tab("enabled", at="button.grant")
            findings += [f"{scheme} {width} {path}: {each}" for each in await tab("check")]
    assert findings == []
    for path in PAGES[:6]:
        await tab("go", url=stage.site.url + path)
        await tab("press", key="Tab")
        await tab("press", key="Enter")
        seen = []
        for _ in range(12):
            await tab("press", key="Tab")
            seen.append(await tab("focused"))
        assert len({each.partition("#")[0] for each in seen} - {"BODY"}) >= 1
    assert await tab("complaints") == []


def end(gateway: Gateway, what: str) -> None:
    """Kill one service; `tipstaff up` starts it again."""
    (pid,) = [pid for pid, line in gateway.descendants().items() if what in line]
    os.kill(pid, signal.SIGKILL)


async def gone(*calls: asyncio.Future[httpx.Response]) -> None:
    """Agents that do not wait any longer."""
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
