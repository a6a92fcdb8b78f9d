"""Bounded requests over HTTP: no redirect is followed, no setting of the environment counts. Edge: HTTP."""

from __future__ import annotations

from collections.abc import Mapping

import httpx

MAX_BYTES = 1024 * 1024


async def get(url: str, seconds: float) -> bytes:
    """The body of a 200, unencoded, a megabyte at most; raises `ValueError` or `httpx.HTTPError`."""
    async with (
        _client(seconds) as client,
        client.stream("GET", url, headers=_PLAIN) as answer,
    ):
        return await _body(answer)


async def post(
    url: str, seconds: float, form: Mapping[str, str], auth: tuple[str, str] | None = None
) -> bytes:
    """The same for a form that is sent; `auth` is a name and its secret (RFC 7617)."""
    async with (
        _client(seconds) as client,
        client.stream("POST", url, data=dict(form), auth=auth, headers=_PLAIN) as answer,
    ):
        return await _body(answer)


_PLAIN = {"accept-encoding": "identity", "accept": "application/json"}


def _client(seconds: float) -> httpx.AsyncClient:
    return httpx.AsyncClient(timeout=seconds, trust_env=False)


async def _body(answer: httpx.Response) -> bytes:
    if answer.status_code != 200:
        raise ValueError(f"answered {answer.status_code}")
    if answer.headers.get("content-encoding", "identity").lower() != "identity":
        raise ValueError("is packed, which was not asked for")
    body = bytearray()
    async for chunk in answer.aiter_raw():
        body += chunk
        if len(body) > MAX_BYTES:
            raise ValueError("is too large")
    return bytes(body)
