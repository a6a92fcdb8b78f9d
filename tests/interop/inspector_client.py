"""The Inspector's command line: `python inspector_client.py URL ERA`.

Every run of it is a session of its own, with one request.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

NODE = Path(__file__).parents[2] / ".tools" / "node"
PACKAGE = NODE / "node_modules" / "@modelcontextprotocol" / "inspector"
INSPECTOR = (NODE / "bin" / "node", PACKAGE / "clients" / "launcher" / "build" / "index.js")
TOOL_ERROR = 5  # its exit code


def main(url: str, era: str) -> None:
    """List, call, be denied, call again."""
    with tempfile.TemporaryDirectory(prefix="inspector") as home:

        def run(*arguments: str, codes: tuple[int, ...] = (0,)) -> dict:
            ended = subprocess.run(
                [*INSPECTOR, "--cli", url, "--transport", "http", "--protocol-era", era,
                 "--quiet", "--format", "json", "--method", *arguments],
                env={**os.environ, "HOME": home}, stdin=subprocess.DEVNULL,
                capture_output=True, check=False,
            )  # fmt: skip
            if ended.returncode not in codes:
                raise SystemExit(f"{arguments}: {ended.returncode}: {ended.stderr.decode()}")
            return json.loads(ended.stdout)["result"]

        def call(tool: str, *codes: int, **arguments: object) -> dict:
            given = ("--tool-name", tool, "--tool-args-json", json.dumps(arguments))
            return run("tools/call", *given, codes=codes or (0,))

        tools = [tool["name"] for tool in run("tools/list")["tools"]]
        first = call("add", left=1, right=2)
        denied = call("delete_everything", 0, TOOL_ERROR, path="/")
        again = call("add", left=2, right=3)
    print(json.dumps({
        "version": era, "tools": tools, "first": first["content"][0]["text"],
        "denied": denied["content"][0]["text"], "is_error": denied.get("isError", False),
        "again": again["content"][0]["text"],
    }))  # fmt: skip


main(*sys.argv[1:])
