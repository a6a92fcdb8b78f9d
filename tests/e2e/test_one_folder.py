"""Several Tipstaffs that want one state folder: one has it, and no gateway decides by old rules."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from tests.commands import ended
from tests.gateway import (
    READY,
    Gateway,
    below,
    call_headers,
    eventually,
    gateway,
    processes,
    tool_call,
)
from tests.mcp_servers import Counting
from tests.proxy_rig import asgi_upstream, free_port
from tests.wrapped import Wrapped, wrapped
from tipstaff.common.die_with_parent import bound_to_this_process

OPEN = {"tools": {"read": {}}}
CLOSED = {"tools": {"read": {"action": "deny", "reason": "Closed."}}}


class Site:
    """A running gateway, and its one server."""

    def __init__(self, gate: Gateway, client: httpx.AsyncClient) -> None:
        self.gate = gate
        self._client = client

    async def code(self) -> str:
        """`allowed`, or why a call through the proxy is refused."""
        answer = await self._client.post(
            self.gate.url("s"), json=tool_call("read"), headers=call_headers("read")
        )
        body = answer.json()
        if "error" in body:
            return str((body["error"].get("data") or {}).get("reason_code", body["error"]["code"]))
        decision = body["result"].get("_meta", {}).get("tipstaff/decision")
        return str(decision["code"]) if decision else "allowed"

    async def is_closed(self) -> bool:
        return await self.code() == "denied_by_rule"

    async def is_ready(self) -> bool:
        """Whether `/healthz` says that calls are judged by the rules of the files."""
        answer = await self._client.get(f"http://127.0.0.1:{self.gate.port}/healthz")
        return answer.status_code == 200

    async def close(self) -> None:
        """An emergency deny, which must take effect; and back again."""
        self.gate.rules("s", CLOSED)
        await eventually(self.is_closed, 10)
        self.gate.rules("s", OPEN)
        await eventually(self._is_open, 10)

    async def _is_open(self) -> bool:
        return await self.code() == "allowed"

    def parts(self) -> dict[str, tuple[int, int]]:
        """What a running service uses: each file with its inode and the time of its last change."""
        run = self.gate.folder / "state" / "run"
        files = [run, *run.rglob("*"), self.gate.folder / "state" / "limits.db"]
        return {str(path): (path.stat().st_ino, path.stat().st_ctime_ns) for path in files}


# One gateway for the tests that leave it as it was; each brings a folder of its own for the second Tipstaff.
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    async with (
        asgi_upstream(Counting()) as url,
        gateway(tmp_path_factory.mktemp("site"), {"s": url}, {"s": OPEN}) as gate,
        httpx.AsyncClient(timeout=30, verify=False) as client,
    ):
        yield Site(gate, client)


def services(folder: Path) -> list[int]:
    """The decision services whose configuration is in `folder`."""
    return [
        pid
        for pid, _, line in processes()
        if str(folder) in line and "tipstaff pdp" in line and " -S -c " not in line
    ]


@pytest.mark.parametrize("command", ["up", "pdp"])
async def test_a_second_one_in_the_folder_is_refused_and_the_first_goes_on_by_new_rules(
    site: Site, command: str
) -> None:
    """It says whom to stop, and has touched nothing: an emergency deny takes effect."""
    before = site.parts()
    code, said = await ended(command, "-c", str(site.gate.config))
    assert site.gate.process is not None
    assert code == 2
    assert f"another Tipstaff, pid {site.gate.process.pid} (tipstaff up)" in said
    assert f"uses {site.gate.folder / 'state'}: stop it, or set another state_dir" in said
    assert site.parts() == before
    assert await site.code() == "allowed"
    await site.close()


@pytest.mark.parametrize("way", ["link", "relative", "other configuration"])
async def test_a_folder_has_one_tipstaff_however_it_is_named(
    site: Site, tmp_path: Path, way: str
) -> None:
    """Through a link, by a relative path, or from a configuration with other ports and rules."""
    other, running = tmp_path / "other", site.gate.folder / "state"
    other.mkdir()
    state = {
        "link": "link",
        "relative": os.path.relpath(running, other),
        "other configuration": str(running),
    }[way]
    (other / "link").symlink_to(running)
    second = Gateway(other, {"s": "http://127.0.0.1:9/mcp"})
    second.rules("s", OPEN)
    text = second.config.read_text().replace('state_dir = "state"', f'state_dir = "{state}"')
    second.config.write_text(text)
    before = site.parts()
    code, said = await ended("up", "-c", "tipstaff.toml", cwd=other)
    assert (code, "another Tipstaff, pid" in said) == (2, True)
    assert site.parts() == before
    await site.close()


async def test_one_that_is_refused_for_its_port_leaves_the_others_alone(
    site: Site, tmp_path: Path
) -> None:
    """Its own state folder, but the port of the running gateway."""
    other = tmp_path / "other"
    other.mkdir()
    second = Gateway(other, {"s": "http://127.0.0.1:9/mcp"})
    second.rules("s", OPEN)
    text = second.config.read_text().replace(f":{second.port}", f":{site.gate.port}")
    second.config.write_text(text)
    before = site.parts()
    code, said = await ended("up", "-c", str(second.config))
    assert (code, "the port is in use" in said) == (2, True)
    assert site.parts() == before
    assert not services(other)
    await site.close()


async def test_a_socket_on_which_a_service_listens_is_not_taken_from_it(tmp_path: Path) -> None:
    """Two state folders, one `[pdp] listen`: the second is refused, the first goes on."""
    socket = tmp_path / "shared.sock"
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        folder.mkdir()
    settings = f'[pdp]\nlisten = "unix:{socket}"\n'
    second = Gateway(folders[1], {"s": "http://127.0.0.1:9/mcp"}, settings)
    second.rules("s", OPEN)
    async with (
        asgi_upstream(Counting()) as url,
        gateway(folders[0], {"s": url}, {"s": OPEN}, settings) as gate,
        httpx.AsyncClient(timeout=30, verify=False) as client,
    ):
        inode = socket.stat().st_ino
        code, said = await ended("up", "-c", str(second.config))
        assert code == 2
        assert f"another Tipstaff, pid {gate.process.pid if gate.process else 0}" in said
        assert socket.stat().st_ino == inode
        await Site(gate, client).close()


async def test_a_file_in_the_place_of_a_socket_is_left_alone(tmp_path: Path) -> None:
    """Only a socket that nobody listens on is replaced."""
    place = tmp_path / "notes"
    place.write_text("mine")
    gate = Gateway(tmp_path, {"s": "http://127.0.0.1:9/mcp"}, f'[pdp]\nlisten = "unix:{place}"\n')
    gate.rules("s", OPEN)
    code, said = await ended("up", "-c", str(gate.config))
    assert (code, "is no socket" in said) == (2, True)
    assert place.read_text() == "mine"


async def test_after_a_crash_the_next_one_starts_at_once(tmp_path: Path) -> None:
    """The kernel has given the lock up; the stale sockets are replaced."""
    async with asgi_upstream(Counting()) as url:
        first = Gateway(tmp_path, {"s": url})
        first.rules("s", OPEN)
        await first.start()
        assert first.process is not None
        family = set(first.descendants())
        first.process.kill()
        await first.process.wait()
        await eventually(lambda: _gone(family), 5)
        assert (tmp_path / "state" / "run" / "pdp.sock").exists()
        first.rules("s", CLOSED)
        async with (
            gateway(tmp_path, {"s": url}, {}) as gate,
            httpx.AsyncClient(timeout=30, verify=False) as client,
        ):
            assert await Site(gate, client).is_closed()


@pytest.mark.parametrize("is_other", [False, True], ids=["one configuration", "two configurations"])
async def test_of_two_that_begin_at_once_one_runs_and_after_its_crash_the_other_by_the_newest_rules(
    tmp_path: Path, *, is_other: bool
) -> None:
    """Whoever says that it is ready decides by its own files as they are, whatever died before it."""
    async with asgi_upstream(Counting()) as url, httpx.AsyncClient(timeout=30) as client:
        first = Gateway(tmp_path, {"s": url})
        second = Gateway(_made(tmp_path / "other"), {"s": url}) if is_other else first
        if is_other:
            text = second.config.read_text()
            second.config.write_text(text.replace('"state"', f'"{tmp_path / "state"}"', 1))
        for gate in (first, second):
            gate.rules("s", OPEN)
        begun = [await _begin(gate) for gate in (first, second)]
        try:
            running = await asyncio.wait_for(_first_to_be_up(begun), 60)
            (loser,) = [process for process in begun if process is not running]
            assert await asyncio.wait_for(loser.wait(), 60) == 2
            family = set(below(running.pid))
            running.kill()
            await running.wait()
            await eventually(lambda: _gone(family), 10)
        finally:
            for process in begun:
                if process.returncode is None:
                    process.kill()
        heir = second if running is begun[0] else first
        heir.rules("s", CLOSED)
        await heir.start()
        try:
            site = Site(heir, client)
            assert await site.is_ready()
            assert await site.is_closed()
            await site.close()
        finally:
            await heir.stop()


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


async def _begin(gate: Gateway) -> asyncio.subprocess.Process:
    """`tipstaff up`, not waited for."""
    return await asyncio.create_subprocess_exec(
        *bound_to_this_process([sys.executable, "-m", "tipstaff", "up", "-c", str(gate.config)]),
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT, env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip


async def _first_to_be_up(
    begun: list[asyncio.subprocess.Process],
) -> asyncio.subprocess.Process:
    """The one of them that says that it runs; the others end instead."""

    async def is_up(process: asyncio.subprocess.Process) -> asyncio.subprocess.Process | None:
        assert process.stdout is not None
        async for line in process.stdout:
            if READY in line.decode():
                return process
        return None

    results = [await each for each in asyncio.as_completed([is_up(one) for one in begun])]
    (running,) = [process for process in results if process is not None]
    return running


async def test_a_wrapper_beside_up_shares_its_service_and_its_new_rules(site: Site) -> None:
    """One decision service; what is edited holds for both."""
    async with wrapped(site.gate.config) as wrapper:
        before = site.parts()
        assert await wrapper.call() == "allowed"
        assert len(services(site.gate.folder)) == 1
        site.gate.rules("s", CLOSED)
        await eventually(site.is_closed)
        assert await wrapper.call() == "denied_by_rule"
        assert site.parts() == before
    await site.close()


async def test_when_the_service_of_up_crashes_beside_a_wrapper_up_starts_it_again(
    site: Site,
) -> None:
    """The wrapper does not take the folder from it; meanwhile nothing is allowed by old rules."""
    async with wrapped(site.gate.config) as wrapper:
        assert await wrapper.call() == "allowed"
        site.gate.rules("s", CLOSED)
        await eventually(site.is_closed)
        site.gate.kill("tipstaff pdp")
        codes = set()
        for _ in range(200):
            codes |= {await wrapper.call(), await site.code()}
            if codes >= {"pdp_unavailable", "denied_by_rule"} and await site.is_closed():
                break
            await asyncio.sleep(0.05)
        assert codes <= {"pdp_unavailable", "denied_by_rule"}, codes
        await eventually(site.is_closed, 15)
        (service,) = services(site.gate.folder)
        assert service in site.gate.descendants()
        await site.close()


@pytest.mark.parametrize("way", ["leaves", "crashes", "its service crashes"])
async def test_wrappers_share_one_service_and_the_next_takes_it_over(
    tmp_path: Path, way: str
) -> None:
    """Started at the same instant. No session is lost, and no call is allowed by older rules."""
    alone = Gateway(tmp_path, {})
    alone.rules("s", OPEN)
    async with contextlib.AsyncExitStack() as stack:
        wrappers = [await stack.enter_async_context(wrapped(alone.config)) for _ in range(3)]
        assert await asyncio.gather(*(one.call() for one in wrappers)) == ["allowed"] * 3
        (service,) = services(tmp_path)
        (owner,) = [one for one in wrappers if one.process and service in below(one.process.pid)]
        others = [one for one in wrappers if one is not owner]
        alone.rules("s", CLOSED)
        await eventually(lambda: _is(others[0], "denied_by_rule"))
        await _end(owner, service, way)
        began = asyncio.get_running_loop().time()
        for wrapper in others:
            await eventually(lambda w=wrapper: _is_never_allowed(w), 20)
        assert asyncio.get_running_loop().time() - began < 10
        assert len(services(tmp_path)) == 1
        alone.rules("s", OPEN)
        for wrapper in others:
            await eventually(lambda w=wrapper: _is(w, "allowed"))


async def _end(owner: Wrapped, service: int, way: str) -> None:
    assert owner.process is not None
    if way == "leaves":
        await owner.close()
    elif way == "crashes":
        owner.process.kill()
        await owner.process.wait()
    else:
        os.kill(service, signal.SIGKILL)


async def _is_never_allowed(wrapper: Wrapped) -> bool:
    """Whether the service is back; until then its absence is the answer."""
    code = await wrapper.call()
    assert code in {"denied_by_rule", "pdp_unavailable"}
    return code == "denied_by_rule"


async def _is(wrapper: Wrapped, code: str) -> bool:
    return await wrapper.call() == code


async def test_up_beside_a_wrapper_that_has_the_service_says_whom_to_stop(tmp_path: Path) -> None:
    """The wrapper goes on."""
    gate = Gateway(tmp_path, {"s": "http://127.0.0.1:9/mcp"})
    gate.rules("s", OPEN)
    async with wrapped(gate.config) as wrapper:
        assert await wrapper.call() == "allowed"
        assert wrapper.process is not None
        code, said = await ended("up", "-c", str(gate.config))
        assert code == 2
        assert f"another Tipstaff, pid {wrapper.process.pid} (tipstaff wrap s)" in said
        assert await wrapper.call() == "allowed"


async def test_a_wrapper_of_another_configuration_is_not_judged_by_these_rules(
    site: Site, tmp_path: Path
) -> None:
    """One state folder, two policies: it says so and ends, its server never started."""
    other = tmp_path / "other"
    other.mkdir()
    second = Gateway(other, {})
    second.rules("s", CLOSED)
    text = second.config.read_text()
    second.config.write_text(text.replace('"state"', f'"{site.gate.folder / "state"}"', 1))
    async with wrapped(second.config) as wrapper:
        code, said = await wrapper.refusal()
    assert code == 2
    assert "another Tipstaff, pid" in said
    assert str(site.gate.config) in said


async def test_a_service_refuses_a_wrapper_of_another_configuration(site: Site) -> None:
    """Also one that was there before: it would have reconnected to these rules by itself."""
    from pep.judge.decision_client import DecisionClient
    from tests.calls import call

    client = DecisionClient(site.gate.address, 2000, configuration="/elsewhere/tipstaff.toml")
    running = asyncio.ensure_future(client.run())
    try:
        assert not await client.wait_connected(1.5)
        assert (await client.decide(call(server="s", target="read"))).effect.value == "deny"
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await client.close()


async def _gone(pids: set[int]) -> bool:
    return not pids & {pid for pid, _, _ in processes()}


@pytest.mark.parametrize("folder", ["state", "state/run"])
async def test_a_folder_that_others_can_enter_is_refused(tmp_path: Path, folder: str) -> None:
    """It says what to do; nothing is made in it."""
    gate = Gateway(tmp_path, {"s": "http://127.0.0.1:9/mcp"})
    gate.rules("s", OPEN)
    (tmp_path / "state").mkdir(mode=0o700)
    path = tmp_path / folder
    path.mkdir(exist_ok=True)
    path.chmod(0o755)
    code, said = await ended("up", "-c", str(gate.config))
    assert code == 2
    assert f"chmod 700 {path}" in said
    assert list(path.rglob("*")) == []


async def test_nothing_that_is_made_can_be_read_by_others_whatever_the_umask(
    tmp_path: Path,
) -> None:
    """Folders, locks, keys, sockets, counters with their side files, records, tokens, logs."""
    mask = os.umask(0)
    try:
        async with gateway(
            tmp_path, {"s": "http://127.0.0.1:9/mcp"}, {"s": {"tools": {"read": {"rate_limit": {"max": 5, "window": 60}}}}}
        ) as gate:  # fmt: skip
            await ended("decide", "-c", str(gate.config), "s", "read")
            await ended("token", "create", "ci", "-c", str(gate.config))
            names = _check_private(tmp_path / "state")
        assert {"limits.db-wal", "limits.db-shm", "tokens.json", "bundle.key", "lock"} <= names
        async with wrapped(gate.config) as wrapper:
            assert await wrapper.call() == "allowed"
            assert "wrap.log" in _check_private(tmp_path / "state")
    finally:
        os.umask(mask)


def _check_private(state: Path) -> set[str]:
    files = [state, *state.rglob("*")]
    open_ones = {
        str(path): oct(path.stat().st_mode) for path in files if path.stat().st_mode & 0o077
    }
    assert open_ones == {}
    return {path.name for path in files}


async def test_a_log_that_is_a_link_is_not_written(tmp_path: Path) -> None:
    """What it leads to is somebody's file."""
    alone = Gateway(tmp_path, {})
    alone.rules("s", OPEN)
    (tmp_path / "state").mkdir(mode=0o700)
    (tmp_path / "mine").write_text("mine")
    (tmp_path / "state" / "wrap.log").symlink_to(tmp_path / "mine")
    async with wrapped(alone.config) as wrapper:
        code, said = await wrapper.refusal()
    assert (code, "wrap.log" in said) == (2, True)
    assert (tmp_path / "mine").read_text() == "mine"


async def test_no_child_has_a_secret_of_another_in_its_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server's credentials reach the proxy alone, and of the proxy's servers their own."""
    secrets = {"BEARER": "planted-bearer", "HEADER": "planted-header", "OTHER": "planted-other"}
    for name, value in {**secrets, "CHILD": "planted-child"}.items():
        monkeypatch.setenv(name, value)
    path = tmp_path / "server.py"
    path.write_text("import time\ntime.sleep(60)\n")
    servers = {
        "s": {
            "url": f"http://127.0.0.1:{free_port()}/mcp",
            "bearer": "env:BEARER",
            "headers": {"X-Key": "env:HEADER"},
        },
        "c": {"command": (sys.executable, str(path)), "environment": {"KEY": "env:CHILD"}},
    }
    async with gateway(tmp_path, servers, {"s": OPEN, "c": {"default": "allow"}}) as gate:
        async with httpx.AsyncClient() as client:
            with contextlib.suppress(httpx.HTTPError):
                await client.post(
                    gate.url("c"), json=tool_call("x"), headers=call_headers("x"), timeout=1
                )
        found = {_role(line): _planted(pid) for pid, line in gate.descendants().items()}
    assert found == {
        "pdp": set(),
        "opa": set(),
        "pep": {"bearer", "header", "child"},
        "server": {"child"},
    }


async def test_the_service_of_a_wrapper_does_not_get_the_credentials_of_its_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client wrote them for the server; no configuration of ours names them."""
    monkeypatch.setenv("GITHUB_TOKEN", "planted-token")
    alone = Gateway(tmp_path, {})
    alone.rules("s", OPEN)
    async with wrapped(alone.config) as wrapper:
        assert await wrapper.call() == "allowed"
        assert wrapper.process is not None
        (service,) = services(tmp_path)
        for pid in {service, *below(service)}:
            assert _planted(pid) == set()


def _role(line: str) -> str:
    named = re.search(r"tipstaff (pdp|pep)|(opa) run|(server)\.py", line)
    return next(filter(None, named.groups())) if named else line


def _planted(pid: int) -> set[str]:
    text = Path(f"/proc/{pid}/environ").read_bytes().decode()
    return set(re.findall(r"planted-(\w+)", text))
