"""The policy in force: built from files, activated by OPA, built again when a file changes.

A set of files that fails any step never activates: the old one keeps deciding, and the status and the
log give the reason for as long. The active revision is the one in OPA's own status, which is polled
while the process lives: a late activation is noticed late, not never.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Hashable
from pathlib import Path

import structlog
from msgspec import Struct

from pdp.errors import PolicyTextError
from pdp.policy.bundle import Bundle, build, read_policy
from pdp.policy.bundle_server import BundleServer
from pdp.policy.opa import OpaEngine
from pdp.policy.sidecar import BUNDLE
from pdp.rules.folder import fingerprint
from pdp.tools.catalogue import Catalogues

_ACTIVATION_SECONDS = 20.0
# How often OPA's status is polled once the wanted revision is active; every answer names its revision, too.
_SETTLED_SECONDS = 2.0
_POLL_SECONDS = 0.02
# How soon a build that failed for another reason than the text is tried again.
_AGAIN_SECONDS = 5.0
# The largest share of the time that scanning the files may take.
_LOOKING = 0.1

log = structlog.get_logger("pdp.reload")


class PolicyState(Struct):
    """The status of the policy: the active revision, when it was last confirmed, what failed.

    `is_stale` means that the files differ from the active revision, or cannot be read.
    """

    revision: str = ""
    confirmed_at: float = 0.0
    last_error: str = ""
    is_stale: bool = True


class Reloader:
    """Keeps the active policy equal to the files of one folder."""

    def __init__(
        self,
        *,
        folder: Path,
        library: Path,
        opa: Path,
        key_file: Path,
        server: BundleServer,
        engine: OpaEngine,
        catalogues: Catalogues,
    ) -> None:
        """Load nothing yet: see `load` and `watch`."""
        self._folder = folder
        self._library = library
        self._opa = opa
        self._key_file = key_file
        self._server = server
        self._engine = engine
        self._catalogues = catalogues
        self._seen: Hashable = None
        self._expected = ""
        self._published_at = 0.0
        self._again_at = math.inf
        self._text_error = self._opa_error = ""
        self.state = PolicyState()

    async def load(self) -> None:
        """Build the files as they are now and hand them to OPA; raises `PdpError`, or `OSError`."""
        self._seen = await asyncio.to_thread(fingerprint, self._folder)
        await self._publish(await self._build())

    def look_again(self) -> None:
        """Build the files again at the next scan, changed or not."""
        self._again_at = 0.0

    async def confirm(self) -> None:
        """Wait until OPA has activated the loaded policy; raises `PolicyTextError`."""
        await self._until_active(_ACTIVATION_SECONDS, gives_up=True)
        if self.state.revision != self._expected:
            raise PolicyTextError(self._opa_error)

    async def watch(self, every_seconds: float) -> None:
        """Reload whenever a file changes, and follow OPA, until cancelled."""
        loop = asyncio.get_running_loop()
        pause = every_seconds
        look_at = 0.0
        while True:
            await asyncio.sleep(pause)
            began = loop.time()
            seen = await asyncio.to_thread(fingerprint, self._folder)
            pause = max(every_seconds, (loop.time() - began) / _LOOKING)
            if seen != self._seen or loop.time() >= self._again_at:
                self._seen = seen
                await self._reload()
            is_new = loop.time() < self._published_at + _ACTIVATION_SECONDS
            if self.state.revision != self._expected or loop.time() >= look_at:
                await self._until_active(every_seconds if is_new else 0.0)
                look_at = loop.time() + _SETTLED_SECONDS

    async def _reload(self) -> None:
        self._again_at = math.inf
        self.state.is_stale = True
        try:
            bundle = await self._build()
        except PolicyTextError as error:
            self._text_error = str(error)
        except Exception as error:  # no set of files may end the watch over them
            text = f"{type(error).__name__}: {error}"
            if text != self._text_error:
                log.exception("the policy cannot be built")
            self._text_error = text
            self._again_at = asyncio.get_running_loop().time() + _AGAIN_SECONDS
        else:
            await self._publish(bundle)
        self._tell()

    async def _build(self) -> Bundle:
        text = await asyncio.to_thread(read_policy, self._folder, self._library)
        bundle = await build(text, opa=self._opa, library=self._library, key_file=self._key_file)
        self._catalogues.add(bundle.revision, bundle.catalogue, bundle.reads)
        return bundle

    async def _publish(self, bundle: Bundle) -> None:
        """Publish the bundle, also when it is active already: OPA may be about to activate another."""
        self._text_error = self._opa_error = ""
        self._expected = bundle.revision
        self._published_at = asyncio.get_running_loop().time()
        await self._server.publish(bundle.revision, bundle.data)

    async def _until_active(self, seconds: float, *, gives_up: bool = False) -> None:
        """Poll OPA until the wanted revision is active, for `seconds` at most; `gives_up` stops at a refused bundle."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while True:
            is_refused = await self._follow()
            if self.state.revision == self._expected or (gives_up and is_refused):
                return
            if loop.time() >= deadline:
                return
            await asyncio.sleep(_POLL_SECONDS)

    async def _follow(self) -> bool:
        """Update the state from OPA's bundle status; returns whether OPA has refused a bundle."""
        status = await self._engine.bundle_status(BUNDLE)
        now = asyncio.get_running_loop().time()
        active = "" if status is None else status.active_revision
        if active and self._catalogues.of(active) is not None:
            self.state.confirmed_at = now
            if active != self.state.revision:
                self._catalogues.put_in_force(active)
                self.state.revision = active
                log.info("policy active", revision=active)
        is_refused = status is not None and status.code == "bundle_error"
        if self.state.revision == self._expected:
            self._opa_error = ""
        elif status is not None and is_refused:
            details = b" ".join(status.errors).decode(errors="replace")
            self._opa_error = f"OPA refused the bundle: {status.message} {details}".strip()
        elif now >= self._published_at + _ACTIVATION_SECONDS:
            self._opa_error = f"OPA did not activate the policy in {_ACTIVATION_SECONDS:.0f} s"
        self._tell()
        return is_refused

    def _tell(self) -> None:
        """Update the status; an error is logged once."""
        error = self._text_error or self._opa_error
        if error and error != self.state.last_error:
            log.error("policy not loaded; the old one goes on deciding", error=error)
        if self.state.last_error and not error:
            log.info("nothing is wrong with the policy any more", revision=self.state.revision)
        self.state.last_error = error
        self.state.is_stale = bool(error) or self.state.revision != self._expected
