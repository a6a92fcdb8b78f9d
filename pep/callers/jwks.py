"""The issuer's keys, from a file or a URL, kept fresh. Edge: files and HTTP.

A file is read again when it changes. A URL is fetched at the first need, again after ten minutes, and
when a token names a key that is not known, but never twice within half a minute: a caller who makes up
key ids must not turn this proxy against the issuer. Keys that cannot be renewed are used for an hour,
and then no longer.

There is one request to the issuer at a time, and it ends within five seconds, however slowly the issuer
answers. Callers whose key is unknown all wait for that request; the others are verified with the
present keys.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from pep.errors import KeysAway

if TYPE_CHECKING:
    from tipstaff.common.signed_token import KeysById

DEADLINE_SECONDS = 5.0
_REFRESH_SECONDS = 600.0
_COOL_SECONDS = 30.0
_STALE_SECONDS = 3600.0

log = structlog.get_logger("pep.keys")


class IssuerKeys:
    """The keys of one issuer."""

    def __init__(
        self,
        source: str,
        algorithms: tuple[str, ...],
        clock: Callable[[], float],
        fetch: Callable[[str], Awaitable[bytes]] | None = None,
    ) -> None:
        """`source` is a URL or a path, not read yet; `clock` counts seconds, never back.

        `fetch` reads a URL; whatever it raises is logged, and means that there was no answer.
        """
        self._source = source
        self._algorithms = algorithms
        self._clock = clock
        self._fetch = fetch or _fetched
        self._keys: KeysById = {}
        self._passed_over: tuple[str, ...] = ()
        self._version = 0
        self._fetched_at = self._tried_at = float("-inf")
        self._stamp: tuple[int, int, int] | None = None
        self._fault = ""
        self._request: asyncio.Task[None] | None = None

    @property
    def version(self) -> int:
        """A number that grows whenever the keys may have changed."""
        return self._version

    @property
    def is_asking(self) -> bool:
        """Whether a request to the issuer is under way."""
        return self._request is not None

    async def current(self, *, is_missing: bool = False) -> KeysById:
        """The keys; `is_missing` is true when the present keys lack one that is needed. Raises `KeysAway`."""
        if not self._source.startswith(("http://", "https://")):
            self._read_file()
            return self._keys
        age = self._clock() - self._fetched_at
        if is_missing or age >= _REFRESH_SECONDS:
            self._renew()
        if self._request is not None and (is_missing or age > _STALE_SECONDS):
            # All waiting callers share the request: one that leaves does not end it.
            await asyncio.wait({self._request}, timeout=DEADLINE_SECONDS)
        if self._clock() - self._fetched_at > _STALE_SECONDS:
            raise KeysAway("The keys that tokens are checked with cannot be had")
        return self._keys

    async def close(self) -> None:
        """End the request to the issuer, if there is one."""
        if self._request is not None:
            self._request.cancel()
            await asyncio.wait({self._request})

    def _read_file(self) -> None:
        path = Path(self._source)
        try:
            status = path.stat()
            stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
            if stamp != self._stamp:
                self._stamp = stamp
                self._accept(path.read_bytes())
                self._mended()
        except (OSError, ValueError) as error:
            self._keys = {}
            if isinstance(error, OSError):
                self._stamp = None  # the file may come back unchanged
            self._complain("keys cannot be read", str(error) or type(error).__name__)
        if self._fault:
            raise KeysAway("The keys that tokens are checked with cannot be had")

    def _complain(self, event: str, fault: str) -> None:
        """Log a fault once, not for every caller who is refused because of it."""
        if fault != self._fault:
            log.error(event, source=self._source, error=fault)
        self._fault = fault

    def _mended(self) -> None:
        if self._fault:
            log.info("keys can be had again", source=self._source)
        self._fault = ""

    def _renew(self) -> None:
        """Begin a request to the issuer, unless one is under way or has just been made."""
        now = self._clock()
        if self._request is None and now - self._tried_at >= _COOL_SECONDS:
            self._tried_at = now
            self._request = asyncio.ensure_future(self._ask())

    async def _ask(self) -> None:
        try:
            async with asyncio.timeout(DEADLINE_SECONDS):
                data = await self._fetch(self._source)
            self._accept(data)
            self._fetched_at = self._clock()
            self._mended()
        except TimeoutError:
            self._complain("keys cannot be fetched", f"no answer in {DEADLINE_SECONDS:.0f} s")
        except Exception as error:  # noqa: BLE001 - whatever it was, the keys there are go on
            self._complain("keys cannot be fetched", str(error) or type(error).__name__)
        finally:
            self._request = None

    def _accept(self, data: bytes) -> None:
        """Replace the keys by those in `data`; raises `ValueError`, and then the old keys stay."""
        from tipstaff.common.signed_token import read_keys  # noqa: PLC0415 - loads cryptography

        key_set = read_keys(data, self._algorithms)
        self._keys = key_set.keys
        self._version += 1
        if key_set.passed_over != self._passed_over:
            log.warning("keys passed over", source=self._source, keys=list(key_set.passed_over))
        self._passed_over = key_set.passed_over


async def _fetched(url: str) -> bytes:
    from tipstaff.common.fetching import get  # noqa: PLC0415 - only for an issuer's keys by URL

    return await get(url, DEADLINE_SECONDS)
