"""Waits for the next message of a stream. Edge: asyncio."""

from __future__ import annotations

import asyncio

from pep.upstreams.stream import Stream


async def next_message(
    stream: Stream, seen: int, seconds: float | None
) -> tuple[int, bytes] | None:
    """Wait `seconds` for the first message after `seen` messages; returns the new count and the message.

    `None` when there is none, which is final when the stream is done. Raises `LostError`.
    """
    message = stream.after(seen)  # the last message is forgotten before the wait
    if message is None and not stream.has_news(seen):
        await _news(stream, seen, seconds)
        message = stream.after(seen)
    return message


async def _news(stream: Stream, seen: int, seconds: float | None) -> None:
    news = asyncio.Event()
    stream.wakers.add(news.set)
    try:
        async with asyncio.timeout(seconds):
            while not stream.has_news(seen):
                news.clear()
                await news.wait()
    except TimeoutError:
        pass
    finally:
        stream.wakers.discard(news.set)
