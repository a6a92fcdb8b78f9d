"""An MCP server that asks its client before it answers: `python asking_server.py ROUNDS`, over stdio.

A round is a request each for roots, for sampling and for elicitation. Its only tool tells, in its
description, what it was answered.
"""

from __future__ import annotations

import json
import sys
from typing import Any

FORM = {"type": "object", "properties": {"password": {"type": "string"}}}
ROUND = {
    "roots/list": {},
    "sampling/createMessage": {"messages": [], "maxTokens": 1},
    "elicitation/create": {"message": "Your password?", "requestedSchema": FORM},
}


def say(**message: Any) -> None:
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    sys.stdout.flush()


def main(rounds: int) -> None:
    """Until its input ends."""
    listing: Any = None
    answers: list[dict[str, Any]] = []
    for line in sys.stdin:
        message = json.loads(line)
        method, request_id = message.get("method"), message.get("id")
        if method == "initialize":
            about = {
                "serverInfo": {"name": "asking", "version": "1"},
                "capabilities": {"tools": {}},
            }
            say(id=request_id, result={**about, "protocolVersion": "2025-11-25"})
        elif method == "notifications/initialized":
            for number in range(rounds):
                for asked, params in ROUND.items():
                    say(id=f"{asked} {number}", method=asked, params=params)
        elif method == "tools/list":
            listing = request_id
        elif method is None:
            answers.append(message)
        elif request_id is not None:
            say(id=request_id, error={"code": -32601, "message": "Method not found"})
        if listing is not None and len(answers) == rounds * len(ROUND):
            tool = {"name": "told", "description": json.dumps(answers), "inputSchema": {}}
            say(id=listing, result={"tools": [tool]})


if __name__ == "__main__":
    main(int(sys.argv[1]))
