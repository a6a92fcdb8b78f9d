"""The issuer's keys, from a file or a URL, kept fresh. Edge: files and HTTP.

A file is read again when it changes. A URL is asked at the first need, again after ten minutes, and
when a token names a key that is not known, but never twice within half a minute: a caller who makes
up key ids must not turn this proxy against the issuer. Keys that cannot be renewed are used for an
hour, and then no longer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import httpx
import structlog

from pep.errors import KeysAway
from pep.jwt_bearer import Keys, read_keys

_REFRESH_SECONDS = 600.0
_COOL_SECONDS = 30.0
_STALE_SECONDS = 3600.0
_TIMEOUT_SECONDS = 5.0
_MAX_BYTES = 1024 * 1024

log = structlog.get_logger("pep.keys")


class IssuerKeys:
    """The keys of one issuer."""

    def __init__(
        self, source: str, algorithms: tuple[str, ...], clock: Callable[[], float]
    ) -> None:
        """Read nothing yet. `source` is a URL or a path; `clock` counts seconds, never back."""
        self._source = source
        self._algorithms = algorithms
        self._clock = clock
        self._keys: Keys = {}
        self._version = 0
        self._fetched_at = self._tried_at = float("-inf")
        self._stamp: tuple[int, int] | None = None
        self._lock = asyncio.Lock()

    @property
    def version(self) -> int:
        """Grows whenever the keys may have changed."""
        return self._version

    async def current(self, *, is_missing: bool = False) -> Keys:
        """The keys; `is_missing` says that those before lacked one. Raises `KeysAway`."""
        if not self._source.startswith(("http://", "https://")):
            self._read_file()
            return self._keys
        async with self._lock:
            await self._refresh(self._clock(), is_missing=is_missing)
        if self._clock() - self._fetched_at > _STALE_SECONDS:
            raise KeysAway("The keys that tokens are checked with cannot be had")
        return self._keys

    def _read_file(self) -> None:
        path = Path(self._source)
        try:
            status = path.stat()
            stamp = (status.st_mtime_ns, status.st_size)
            if stamp == self._stamp:
                return
            self._accept(path.read_bytes())
        except (OSError, ValueError) as error:
            log.error("keys cannot be read", source=self._source, error=str(error))
            self._keys, self._stamp = {}, None
            raise KeysAway("The keys that tokens are checked with cannot be had") from error
        self._stamp = stamp

    async def _refresh(self, now: float, *, is_missing: bool) -> None:
        is_due = is_missing or now - self._fetched_at >= _REFRESH_SECONDS
        if not is_due or now - self._tried_at < _COOL_SECONDS:
            return
        self._tried_at = now
        try:
            self._accept(await self._fetch())
        except (httpx.HTTPError, ValueError) as error:
            log.error("keys cannot be fetched", source=self._source, error=str(error))
            return
        self._fetched_at = now

    async def _fetch(self) -> bytes:
        async with (
            httpx.AsyncClient(timeout=_TIMEOUT_SECONDS, trust_env=False) as client,
            client.stream("GET", self._source) as answer,
        ):
            if answer.status_code != 200:
                raise ValueError(f"answered {answer.status_code}")
            body = bytearray()
            async for chunk in answer.aiter_bytes():
                body += chunk
                if len(body) > _MAX_BYTES:
                    raise ValueError("is too large")
            return bytes(body)

    def _accept(self, data: bytes) -> None:
        self._keys = read_keys(data, self._algorithms)
        self._version += 1
