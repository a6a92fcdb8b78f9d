"""The policy in force, as files change and as OPA says: never forgotten, never said too early."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from pdp.errors import PolicyTextError, SidecarError
from pdp.policy import reload
from pdp.policy.bundle import Bundle, PolicyText, library_folder
from pdp.policy.opa import BundleStatus
from pdp.policy.reload import Reloader
from pdp.tools.catalogue import Catalogues

ALLOW, DENY = "tools: {read: {}}\n", "tools: {read: {action: deny}}\n"


class Opa:
    """Activates what is published at once, unless told otherwise."""

    def __init__(self) -> None:
        self.published = self.active = ""
        self.follows = True
        self.code = ""

    async def publish(self, revision: str, data: bytes) -> None:
        self.published = revision

    async def bundle_status(self, name: str) -> BundleStatus | None:
        if self.follows:
            self.active = self.published
        return BundleStatus(self.active, self.code, "no" if self.code else "")


class Site:
    """A folder of rules, the reloader that watches it, and an OPA with a script."""

    def __init__(self, folder: Path) -> None:
        self.rules = folder / "policy" / "servers" / "s" / "data.yaml"
        self.rules.parent.mkdir(parents=True)
        self.rules.write_text(ALLOW)
        self.opa, self.catalogues = Opa(), Catalogues()
        self.builds = 0
        self.refusal: Exception | None = None
        self.reloader = Reloader(
            folder=folder / "policy",
            library=library_folder(),
            opa=Path("opa"),
            key_file=folder / "key",
            server=self.opa,  # type: ignore[arg-type]
            engine=self.opa,  # type: ignore[arg-type]
            catalogues=self.catalogues,
        )

    async def build(self, text: PolicyText, **more: Any) -> Bundle:
        self.builds += 1
        if self.refusal is not None:
            raise self.refusal
        return Bundle(text.revision, b"", text.catalogue, None)

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not holds():
                await asyncio.sleep(0.005)

    @property
    def state(self) -> tuple[str, bool]:
        """What failed, and whether the files are newer than the policy."""
        return self.reloader.state.last_error, self.reloader.state.is_stale


@pytest.fixture
async def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    """A site whose first rules decide, watched closely."""
    one = Site(tmp_path)
    monkeypatch.setattr(reload, "build", one.build)
    await one.reloader.load()
    await one.reloader.confirm()
    watching = asyncio.ensure_future(one.reloader.watch(0.01))
    yield one
    assert not watching.done(), watching
    watching.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await watching


async def test_what_is_saved_takes_effect_with_its_catalogue(site: Site) -> None:
    """One revision for both."""
    first = site.reloader.state.revision
    assert (site.state, site.catalogues.revision) == (("", False), first)
    listing = site.rules.parents[2] / "catalog" / "s" / "data.json"
    listing.parent.mkdir(parents=True)
    listing.write_text('{"tools": {"read": {"category": "Read"}}}')
    await site.until(lambda: site.reloader.state.revision != first)
    assert site.state == ("", False)
    assert site.catalogues.revision == site.opa.published == site.reloader.state.revision
    assert site.catalogues.in_force.tool("s", "read").facts.category == "Read"


def not_utf8(rules: Path) -> None:
    rules.write_bytes(b"tools: {\xff\xfe: {}}\n")


def a_loop(rules: Path) -> None:
    rules.unlink()
    rules.symlink_to(rules)


def a_link_to_nothing(rules: Path) -> None:
    rules.unlink()
    rules.symlink_to(rules.with_name("gone"))


def a_folder_of_that_name(rules: Path) -> None:
    rules.unlink()
    rules.mkdir()


def a_pipe_of_that_name(rules: Path) -> None:
    rules.unlink()
    os.mkfifo(rules)


def a_link_to_a_folder(rules: Path) -> None:
    (rules.parent.parent / "t").symlink_to(rules.parent)


def no_folder(rules: Path) -> None:
    rules.parents[2].rename(rules.parents[3] / "away")


def too_many_files(rules: Path) -> None:
    for number in range(10_050):
        os.close(os.open(rules.parent / f"{number}.md", os.O_CREAT))


def not_yaml(rules: Path) -> None:
    rules.write_text("{{{")


def very_deep(rules: Path) -> None:
    rules.write_text("tools: " + "[" * 100_000)


BAD = [not_utf8, a_loop, a_link_to_nothing, a_folder_of_that_name, a_pipe_of_that_name,
       a_link_to_a_folder, no_folder, too_many_files, not_yaml, very_deep]  # fmt: skip


@pytest.mark.parametrize("spoil", BAD, ids=lambda one: one.__name__)
async def test_no_set_of_files_ends_the_watch_over_them(
    site: Site, spoil: Callable[[Path], None]
) -> None:
    """The old policy goes on, the status says why, and the next good save loads."""
    first, policy = site.reloader.state.revision, site.rules.parents[2]
    spoil(site.rules)
    await site.until(lambda: site.state[0] != "")
    assert site.state[1]
    assert site.reloader.state.revision == site.opa.published == first
    policy.exists() and policy.rename(policy.parent / "spoilt")
    site.rules.parent.mkdir(parents=True)
    site.rules.write_text(DENY)
    await site.until(lambda: site.reloader.state.revision != first)
    assert site.state == ("", False)


async def test_a_file_that_vanishes_while_it_is_read_is_an_error_once(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next look finds what is there."""
    first, gone = site.reloader.state.revision, site.rules.with_name("data.json")
    real = reload.read_policy

    def reading(folder: Path, library: Path) -> PolicyText:
        if gone.exists():
            gone.unlink()
            raise PolicyTextError(f"{gone}: cannot be read: No such file or directory")
        return real(folder, library)

    monkeypatch.setattr(reload, "read_policy", reading)
    site.rules.write_text(DENY)
    gone.write_text("{}")
    await site.until(lambda: site.state == ("", False) and site.reloader.state.revision != first)


@pytest.mark.parametrize(
    "refusal", [SidecarError("cannot run opa"), OSError(28, "No space"), RuntimeError("?")]
)
async def test_what_failed_for_another_reason_than_the_text_is_tried_again(
    site: Site, refusal: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody need save the files once more when the disk has room again."""
    monkeypatch.setattr(reload, "_AGAIN_SECONDS", 0.05)
    first, site.refusal = site.reloader.state.revision, refusal
    site.rules.write_text(DENY)
    await site.until(lambda: site.builds > 3)
    assert type(refusal).__name__ in site.state[0]
    site.refusal = None
    await site.until(lambda: site.reloader.state.revision != first)
    assert site.state == ("", False)


async def test_a_text_that_is_refused_is_built_once(site: Site) -> None:
    """It would be refused again."""
    builds, site.refusal = site.builds, PolicyTextError("rego_parse_error")
    site.rules.write_text(DENY)
    await site.until(lambda: site.state == ("rego_parse_error", True))
    await asyncio.sleep(0.2)
    assert site.builds == builds + 1


async def test_what_opa_activates_late_is_noticed_late(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until then the files are newer than the policy, and after a while that is an error."""
    monkeypatch.setattr(reload, "_ACTIVATION_SECONDS", 0.2)
    first, site.opa.follows = site.reloader.state.revision, False
    site.rules.write_text(DENY)
    await site.until(lambda: site.opa.published != first)
    assert site.state[1]
    await site.until(lambda: site.state[0] != "")
    assert "did not activate" in site.state[0]
    assert site.catalogues.revision == site.reloader.state.revision == first
    await asyncio.sleep(0.2)
    site.opa.follows = True
    await site.until(lambda: site.state == ("", False))
    assert site.catalogues.revision == site.reloader.state.revision == site.opa.published != first


async def test_a_bundle_that_opa_refuses_is_shown_until_it_is_active(site: Site) -> None:
    """An old complaint of OPA's does not keep a new policy from taking effect."""
    first, site.opa.follows, site.opa.code = site.reloader.state.revision, False, "bundle_error"
    site.rules.write_text(DENY)
    await site.until(lambda: "OPA refused the bundle" in site.state[0])
    site.rules.write_text("# again\n" + ALLOW)
    await site.until(lambda: site.state == ("", False))
    assert site.opa.published == site.reloader.state.revision == first
    site.rules.write_text(DENY)
    await site.until(lambda: "OPA refused the bundle" in site.state[0])
    site.opa.follows = True
    await site.until(lambda: site.state == ("", False))


async def test_an_opa_that_decides_by_an_older_policy_is_noticed(site: Site) -> None:
    """Whatever it had fetched before the files changed back."""
    first = site.reloader.state.revision
    site.rules.write_text(DENY)
    await site.until(lambda: site.reloader.state.revision != first)
    second, site.opa.follows, site.opa.active = site.opa.published, False, first
    await site.until(lambda: site.catalogues.revision == first)
    assert site.state[1]
    site.opa.active = second
    await site.until(lambda: site.state == ("", False))


async def test_a_first_bundle_that_opa_refuses_stops_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is no older policy that could decide; nor is one that never activates waited for."""
    monkeypatch.setattr(reload, "_ACTIVATION_SECONDS", 0.1)
    one = Site(tmp_path)
    monkeypatch.setattr(reload, "build", one.build)
    one.opa.follows = False
    await one.reloader.load()
    with pytest.raises(PolicyTextError, match="did not activate"):
        await one.reloader.confirm()
    one.opa.code = "bundle_error"
    with pytest.raises(PolicyTextError, match="OPA refused the bundle: no"):
        await one.reloader.confirm()


async def test_that_the_files_are_good_again_is_logged(site: Site) -> None:
    """Also where they say what they said before, so that no other policy becomes active."""
    with capture_logs() as lines:
        site.rules.write_text("tools: [")
        await site.until(lambda: site.state[0] != "")
        site.rules.write_text(ALLOW)
        await site.until(lambda: site.state == ("", False))
    told = [(line["log_level"], line["event"]) for line in lines]
    assert told == [
        ("error", "policy not loaded; the old one goes on deciding"),
        ("info", "nothing is wrong with the policy any more"),
    ]


async def test_another_look_builds_the_files_again_though_none_has_changed(site: Site) -> None:
    """What SIGHUP asks for."""
    before = site.builds
    site.reloader.look_again()
    await site.until(lambda: site.builds == before + 1)
    assert site.state == ("", False)
