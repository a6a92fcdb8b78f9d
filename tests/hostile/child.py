"""A hostile MCP server over stdio: answers each request with the next attack of a shuffled round.

What it should never have received goes into the file that RECORD in its environment names. It ends
with its input, and after five minutes in any case.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.hostile import ASKED, DENIED_TOOL, TOOLS

_LONGEST_LINE = 17 * 1024 * 1024
Attack = Callable[[dict[str, Any]], None]


def say(*lines: bytes) -> None:
    sys.stdout.buffer.write(b"".join(line + b"\n" for line in lines))
    sys.stdout.buffer.flush()


def answer(request_id: Any, **result: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": request_id, "result": result}).encode()


def ask(request_id: Any) -> bytes:
    content = {"type": "text", "text": ASKED}
    params = {"messages": [{"role": "user", "content": content}], "maxTokens": 9}
    question = {"jsonrpc": "2.0", "id": request_id, "method": "sampling/createMessage"}
    return json.dumps({**question, "params": params}).encode()


def _odd_ids(request: dict[str, Any]) -> None:
    for odd in (True, 1.5, [1], {"a": 1}, None, 10**400, "x" * 100_000):
        say(answer(odd, content=[]))
    say(answer(request["id"], content=[]))


def _others(request: dict[str, Any]) -> None:
    own = request["id"] if isinstance(request["id"], int) else 0
    say(*(answer(own + step, tools=TOOLS) for step in range(-20, 20)))


def _notices(request: dict[str, Any]) -> None:
    params = {"progressToken": request["id"], "progress": 1, "message": "x" * 1000}
    note = {"jsonrpc": "2.0", "method": "notifications/progress", "params": params}
    say(*[json.dumps(note).encode()] * 500, answer(request["id"], content=[]))


def _odd_tokens(request: dict[str, Any]) -> None:
    for token in ([1], {"a": 1}, True, 1.5, "1", 10**30):
        params = {"progressToken": token, "progress": 1, "_meta": {"progressToken": token}}
        say(json.dumps({"jsonrpc": "2.0", "method": "notifications/progress", "params": params}).encode())  # fmt: skip
    say(answer(request["id"], content=[]))


def _hang(_: dict[str, Any]) -> None:
    """Say nothing to this request, ever."""


def _deaf(_: dict[str, Any]) -> None:
    time.sleep(5)


def _die(_: dict[str, Any]) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _noise(request: dict[str, Any]) -> None:
    sys.stderr.write("x" * 200_000 + "\n")
    sys.stderr.flush()
    say(b"banner", b"\xff\xfe", b"[1]", b"{}", b"null", b'{"id":', b"\x00" * 50)
    say(answer(request["id"], content=[]))


ATTACKS: dict[str, Attack] = {
    "an answer": lambda request: say(answer(request["id"], content=[])),
    "a list with what is hidden": lambda request: say(answer(request["id"], tools=TOOLS)),
    "two answers": lambda request: say(*[answer(request["id"], tools=TOOLS)] * 2),
    "a denied question": lambda request: say(ask(9), answer(request["id"], content=[])),
    "a question under the request's id": lambda request: say(ask(request["id"])),
    "a very long line": lambda _: say(b"x" * _LONGEST_LINE),
    "odd ids": _odd_ids,
    "answers to others": _others,
    "many notices": _notices,
    "odd tokens": _odd_tokens,
    "silence": _hang,
    "deafness": _deaf,
    "death": _die,
    "noise": _noise,
}


def main() -> None:
    signal.alarm(300)
    record = Path(os.environ["RECORD"])
    dice = random.Random(os.getpid())
    round_of: list[str] = []
    for line in sys.stdin.buffer:
        request = json.loads(line)
        if DENIED_TOOL.encode() in line or ("method" not in request and "result" in request):
            with record.open("ab") as file:
                file.write(b"reached the child: " + line[:300] + b"\n")
        if "id" not in request or "method" not in request:
            continue
        if request["method"] == "initialize":
            about = {"name": "pipe", "version": "1"}
            say(answer(request["id"], protocolVersion="2025-11-25", capabilities={}, serverInfo=about))  # fmt: skip
            continue
        round_of = round_of or dice.sample(list(ATTACKS), len(ATTACKS))
        ATTACKS[round_of.pop()](request)


if __name__ == "__main__":
    main()
