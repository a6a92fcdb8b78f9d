"""A server over stdio that does as the call says: well behaved, silent, deaf, or talking nonsense.

`hang` answers nothing, `deaf` reads no more, `flood` writes without end, `heard` tells what it has
heard. Every other tool writes the lines in its argument first, `$ID` in them being the call's own id.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

COMMAND = (sys.executable, "-S", __file__)


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def result_of(method: str, name: str, heard: list[Any]) -> dict[str, Any]:
    if method == "initialize":
        server = {"name": "child", "version": "1"}
        return {"protocolVersion": "2025-11-25", "capabilities": {}, "serverInfo": server}
    if method == "tools/list":
        return {"tools": []}
    more = {"heard": heard} if name == "heard" else {}
    return {"content": [], "resultType": "complete", "pid": os.getpid(), **more}


def main() -> None:
    heard: list[Any] = []
    for line in sys.stdin:
        message = json.loads(line)
        heard.append(message)
        params = message.get("params", {})
        name = params.get("name", "")
        if "id" not in message or "method" not in message or name == "hang":
            continue
        if name == "deaf":
            time.sleep(600)
        while name == "flood":
            os.write(1, b"{}\n[\n" * 10_000)
        own_id = json.dumps(message["id"])
        for said in params.get("arguments", {}).get("lines", []):
            say(said.replace("$ID", own_id))
        result = result_of(message["method"], name, heard)
        say(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}))


if __name__ == "__main__":
    main()
