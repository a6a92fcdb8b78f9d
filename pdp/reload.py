"""The policy in force: built from files, activated by OPA, built again when a file changes.

A set of files that fails any step never activates: the old one keeps deciding, and the status and
the log say why. The sidecar's word, not ours, says which revision is active.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import structlog
from msgspec import Struct

from pdp.bundle import Bundle, build, fingerprint, read_policy
from pdp.bundle_server import BundleServer
from pdp.catalogue import Catalogue
from pdp.errors import PolicyTextError
from pdp.opa import OpaEngine
from pdp.sidecar import BUNDLE

_ACTIVATION_SECONDS = 20.0

log = structlog.get_logger("pdp.reload")


class PolicyState(Struct):
    """What the status tells: the active revision, when it was last confirmed, what failed."""

    revision: str = ""
    confirmed_at: float = 0.0
    last_error: str = ""


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
        activated: Callable[[Catalogue], None],
    ) -> None:
        """Load nothing yet: see `load` and `watch`."""
        self._folder = folder
        self._library = library
        self._opa = opa
        self._key_file = key_file
        self._server = server
        self._engine = engine
        self._activated = activated
        self._seen: object = None
        self.state = PolicyState()

    async def load(self) -> Bundle:
        """Build the files as they are now and hand them to OPA; raises `PolicyTextError`."""
        self._seen = fingerprint(self._folder)
        text = await asyncio.to_thread(read_policy, self._folder, self._library)
        bundle = await build(text, opa=self._opa, library=self._library, key_file=self._key_file)
        await self._server.publish(bundle.revision, bundle.data)
        return bundle

    async def confirm(self, bundle: Bundle) -> None:
        """Wait until OPA says that `bundle` is active; raises `PolicyTextError`."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _ACTIVATION_SECONDS
        while loop.time() < deadline:
            status = await self._engine.bundle_status(BUNDLE)
            if status is not None and status.active_revision == bundle.revision:
                self.state = PolicyState(bundle.revision, loop.time())
                self._activated(Catalogue(bundle.catalogue, bundle.claims_read))
                log.info("policy active", revision=bundle.revision)
                return
            if status is not None and status.code == "bundle_error":
                details = b" ".join(status.errors).decode(errors="replace")
                raise PolicyTextError(f"OPA refused the bundle: {status.message} {details}".strip())
            await asyncio.sleep(0.02)
        raise PolicyTextError(f"OPA did not activate the policy in {_ACTIVATION_SECONDS:.0f} s")

    async def watch(self, every_seconds: float) -> None:
        """Reload whenever a file changes, until cancelled."""
        while True:
            await asyncio.sleep(every_seconds)
            if await asyncio.to_thread(fingerprint, self._folder) == self._seen:
                continue
            try:
                await self._reload()
            except (PolicyTextError, OSError) as error:
                self.state.last_error = str(error)
                log.error("policy not loaded; the old one goes on deciding", error=str(error))

    async def _reload(self) -> None:
        bundle = await self.load()
        if bundle.revision == self.state.revision:
            self.state.last_error = ""
            return
        await self.confirm(bundle)
