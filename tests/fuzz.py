"""`make fuzz`: throws random messages and streams at the parsers for a given time.

Each is held against a reference: Python's own json for messages, a reading character by character
for events, lenient readers for whole answers (`fuzz_answers`). A difference, or any exception that
is no refusal, ends it with the input that made it. Now and then random callers and children meet in
the pool of processes (`fuzz_pool`).
"""

from __future__ import annotations

import contextlib
import json
import random
import sys
import time
from typing import Any

import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pep.errors import AnswerUnreadable, Refusal
from pep.front.relay import EventFilter
from pep.mcp import jsonrpc
from pep.mcp.admit import admit_line
from pep.mcp.inspect import Finding, Kind, inspect, kept
from pep.mcp.message_bytes import may_matter
from pep.mcp.sse import Splitter
from tests.fuzz_answers import answer
from tests.fuzz_pool import pool
from tests.relay_script import play
from tests.unit.pep.mcp.test_sse import reference

_SCRAPS = [
    b'{"jsonrpc":"2.0",', b'"id":1', b'"id":"1"', b'"method":"tools/call"', b'"params":{', b'"name":"a"',
    b'"name":"secret"', b'"arguments":{}', b'"result":{', b'"tools":[', b'{"name":"secret"}',
    b'{"name":"a"}', b'"inputRequests":{', b'"_meta":{', b"}", b"]", b",", b":", b"[", b"{", b'"',
    b"\\u0074ools", b"\\u006e", b"\\", b"\xc5\xbf", b"\xe2\x80\xa8", b"\xef\xbb\xbf", b"\xff", b"\x00",
    b"NaN", b"1e999", b"-0", b"1.0", b"null", b"true", b" ", b"\t", b"Tools", b"Name", b"/* */",
]  # fmt: skip
_LINES = [b"\n", b"\r\n", b"\r", b"data: ", b"data:", b"data", b"id: 1", b"event: message", b": ", b"\n\n",
          b"\r\n\r\n", b"\r\r", b"retry: 1", b"\x0b", b"\xc2\x85"]  # fmt: skip


def no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) != len(pairs):
        raise ValueError("duplicate")
    return dict(pairs)


def whole(dice: random.Random) -> bytes:
    """A message that is nearly right: a good one with a few bytes changed."""
    names = [dice.choice(["a", "secret", "b"]) for _ in range(dice.randrange(4))]
    good = dice.choice([
        {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "a", "arguments": {}}},
        {"jsonrpc": "2.0", "id": 1, "method": "prompts/get", "params": {"name": "a", "arguments": None}},
        {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": None},
        {"jsonrpc": "2.0", "id": 1, "result": {"tools": [{"name": name} for name in names]}},
        {"jsonrpc": "2.0", "id": 1, "result": {"inputRequests": {"x": {"method": "roots/list"}}}},
    ])  # fmt: skip
    data = bytearray(json.dumps(good).encode())
    for _ in range(dice.randrange(3)):
        at = dice.randrange(len(data))
        data[at : at + dice.randrange(3)] = dice.choice(_SCRAPS)
    return bytes(data)


def message(dice: random.Random) -> None:
    """The client's side: what is accepted is what every strict reader reads."""
    data = whole(dice) if dice.random() < 0.7 else b"".join(dice.choices(_SCRAPS, k=12))
    try:
        envelope = jsonrpc.open_envelope(data)
    except Refusal:
        return
    value = json.loads(data.decode("utf-8"), object_pairs_hook=no_duplicates)
    if envelope.reply_to is jsonrpc.NO_REPLY:
        assert "id" not in value or "method" not in value
    elif envelope.reply_to is not None:
        assert (type(envelope.reply_to), envelope.reply_to) == (type(value["id"]), value["id"])
    try:
        parsed = jsonrpc.read(envelope)
    except Refusal:
        return
    assert value["jsonrpc"] == "2.0"
    if not isinstance(parsed, jsonrpc.Response):
        assert (parsed.method, parsed.params) == (value["method"], value.get("params", {}))
    if isinstance(parsed, jsonrpc.Request | jsonrpc.Response):
        assert (type(parsed.id), parsed.id) == (type(value["id"]), value["id"])
    with contextlib.suppress(Refusal):
        admitted = admit_line(parsed)
        if admitted.row is not None and admitted.row.arguments:
            # Null, absent and empty are one to a server, and so to the judge.
            judged = json.loads(admitted.arguments or b"{}")
            assert judged == (value["params"].get(admitted.row.arguments) or {})


def hide(data: bytes) -> bytes:
    """What a screen does that hides `secret`."""
    if not may_matter(data):
        return data
    found = inspect(data)
    if not isinstance(found, Finding) or found.kind is not Kind.LIST:
        return data
    return kept(data, found, tuple(one.target != "secret" for one in found.questions), 1000)


def shows_secret(data: bytes) -> bool:
    """Whether a reader that takes what it can get sees the hidden entry in a list."""
    try:
        value = json.loads(data.decode("utf-8", "replace"), strict=False)
    except (ValueError, RecursionError):
        return False
    result = value.get("result") if isinstance(value, dict) else None
    entries = result.get("tools") if isinstance(result, dict) else None
    named = [entry.get("name") for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []  # fmt: skip
    return "secret" in named


def stream(dice: random.Random) -> None:
    """The server's side: cut as the specification cuts, and nothing hidden gets through."""
    parts = [
        dice.choice([*_LINES, b"data: " + whole(dice) + b"\n\n", whole(dice)]) for _ in range(8)
    ]
    data = b"".join(parts)
    splitter, events, screened, start = Splitter(), [], bytearray(), 0

    shown = EventFilter(request_id=1)
    while start < len(data):
        end = start + dice.randrange(1, 40)
        splitter.add(data[start:end])
        events += splitter.events()
        screened += play(shown.feed(data[start:end]), judge=hide).result
        start = end
    events += splitter.end()
    screened += play(shown.end(), judge=hide).result
    assert b"".join(event.raw for event in events) == data
    expected = [one for one in reference(data) if one]
    assert [event.data for event in events if event.data][: len(expected)] == expected
    for one in reference(bytes(screened)):
        assert not shows_secret(one), one


def inspected(dice: random.Random) -> None:
    """One message of the server, alone."""
    data = whole(dice)
    try:
        after = hide(data)
    except AnswerUnreadable:
        return
    assert not shows_secret(after), after


def every_part(dice: random.Random) -> None:
    """One input for each part; for the pool, which takes the longest, now and then."""
    for one in (message, inspected, stream, answer):
        one(dice)
    if dice.random() < 0.2:
        pool(dice)


def by_hypothesis(seconds: float) -> int:
    """The same, chosen by Hypothesis, which shrinks what it finds; how many, until the time is up."""
    ends, tried = time.monotonic() + seconds, 0

    @settings(
        max_examples=2000, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(st.randoms(use_true_random=False))
    def examples(dice: random.Random) -> None:
        nonlocal tried
        tried += 1
        every_part(dice)

    while time.monotonic() < ends:
        examples()
    return tried


def main(seconds: float, seed: int) -> int:
    """How many inputs were tried, until the time is up."""
    ends, tried = time.monotonic() + seconds, 0
    while time.monotonic() < ends:
        dice = random.Random(seed + tried)
        try:
            every_part(dice)
        except BaseException:
            print(f"seed {seed + tried}", file=sys.stderr)
            raise
        tried += 1
    return tried


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    wanted = float(sys.argv[1]) if len(sys.argv) > 1 else 600.0
    print(f"by chance: {4 * main(wanted / 2, int(time.time()))} inputs, no crash, no difference")
    print(f"by Hypothesis: {4 * by_hypothesis(wanted / 2)} inputs, no crash, no difference")
