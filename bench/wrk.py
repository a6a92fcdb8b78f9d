"""The load, made by wrk: one script for each kind of call, one JSON line for each run."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from bench.load import message
from bench.peers import TOKEN

# The answers are looked at one by one: a broken script makes every lane look faster.
SCRIPT = """
local text = [==[%s]==]
local expected = "%s"
wrk.method = "POST"
wrk.headers["content-type"] = "application/json"
wrk.headers["accept"] = "application/json, text/event-stream"
wrk.headers["mcp-protocol-version"] = "2026-07-28"
wrk.headers["mcp-method"] = "tools/call"
wrk.headers["mcp-name"] = "%s"
wrk.body = text
%s
local threads = {}
function setup(thread) table.insert(threads, thread) end
function init(args) wrong = 0 end
function response(status, headers, body)
  if status ~= 200 or not string.find(body, expected, 1, true) then wrong = wrong + 1 end
end
done = function(summary, latency, requests)
  local bad = summary.errors.status + summary.errors.read + summary.errors.timeout + summary.errors.connect
  for _, thread in ipairs(threads) do bad = bad + thread:get("wrong") end
  io.write(string.format('{"calls": %%d, "seconds": %%f, "p50": %%f, "p99": %%f, "bad": %%d}\\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50), latency:percentile(99), bad))
end
"""
# Every call differs from every other in an argument that the site's rule reads.
VARIED = """
local number = math.floor(os.time() % 100000) * 1000000
request = function()
  number = number + 1
  return wrk.format(nil, nil, nil, (text:gsub('"count": 3', '"count": ' .. number, 1)))
end
"""
ARGUMENTS = {
    "broker_id": "b-1234", "region": "eu-central-1", "count": 3, "rest": {"text": "x" * 800},
}  # fmt: skip


def scripts(folder: Path) -> dict[str, Path]:
    """The scripts by kind: a call that is allowed, with a token or without, that is denied, that differs each time."""
    token = f'wrk.headers["authorization"] = "Bearer {TOKEN}"'
    return {
        "allow": script(folder / "allow.lua"),
        "token": script(folder / "token.lua", more=token),
        "deny": script(folder / "deny.lua", tool="remove", expected="Nothing is removed"),
        "varied": script(folder / "varied.lua", more=VARIED),
    }


def opa_script(folder: Path) -> Path:
    """The script for a question to OPA."""
    body = json.dumps({"input": {"calls": [question()]}})
    return script(folder / "opa.lua", body=body, expected='\\"effect\\":\\"allow\\"')


def script(
    path: Path, *, tool: str = "echo", body: str = "", expected: str = '\\"ok\\"', more: str = ""
) -> Path:
    """Write a script: a call of `tool`, or another `body`, whose answer holds `expected`; `more` is Lua that varies it."""
    path.write_text(SCRIPT % (body or message(tool, ARGUMENTS), expected, tool, more))
    return path


def run(url: str, script: Path, in_flight: int, seconds: int) -> dict[str, float]:
    """Load `url`; returns calls, seconds, p50 and p99 in µs, and how many answers were wrong."""
    printed = subprocess.run(
        ["wrk", "-t1", f"-c{in_flight}", f"-d{seconds}s", "--timeout", "10s", "-s", str(script), url],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    figures: dict[str, float] = json.loads(printed.splitlines()[-1])
    return figures


def question() -> dict[str, Any]:
    """The whole input of one call, as it is documented."""
    tool = {
        "category": "",
        "risk": "",
        "confidence": 0,
        "marks": [],
        "pinned": False,
        "changed": False,
    }
    return {
        "server": "bench", "method": "tools/call", "phase": "call", "direction": "to_server", "target": "echo",
        "reference": "", "arguments": ARGUMENTS, "annotations": {}, "tool": tool,
        "principal": {"id": "anonymous:127.0.0.1", "kind": "anonymous", "claims": {}},
        "session": {"id": "anonymous:127.0.0.1", "kind": "principal"}, "client": {"name": "", "version": ""},
        "protocol": {"era": "modern", "version": "2026-07-28"}, "transport": "http", "time": 1,
        "request_id": "r", "is_retry": False,
    }  # fmt: skip
