"""What the README shows is run as it stands there."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from mcp import Client

from pep.config import Server
from tests.gateway import Gateway, decisions, gateway, question
from tests.mcp_servers import Counting, sdk_server
from tests.proxy_rig import asgi_upstream

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


# Ways round the first rule that the README shows.
OUTSIDE = (
    {"path": "/etc/passwd"}, {"path": "/srv/../etc/passwd"}, {"path": "/srv/a/../../etc/passwd"},
    {"path": "/srv/"}, {"path": "/srv/a\n/etc/passwd"}, {"path": "/srv/.ssh/id"}, {"path": "/srvx/a"},
    {"path": ["/etc/passwd"]}, {}, {"file_path": "/etc/passwd"},
    {"path": "/srv/a", "paths": ["/etc/passwd"]},
)  # fmt: skip


def block(language: str, number: int = 0) -> str:
    """The README's code blocks of a language, by their order."""
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)[number]


def run(*command: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=60, check=False)


async def test_its_rules_tests_and_client_do_what_it_says(tmp_path: Path) -> None:
    """One site made of nothing but its examples."""
    hours = tmp_path / "policy" / "site" / "hours"
    hours.mkdir(parents=True)
    (hours / "hours.rego").write_text(block("rego", 0))
    (hours / "hours_test.rego").write_text(block("rego", 1))
    async with (
        asgi_upstream(Counting()) as url,
        gateway(tmp_path, {"files": url}, {"files": block("yaml")}) as tipstaff,
    ):
        tested = run(sys.executable, "-m", "tipstaff", "test", "-v", cwd=tmp_path)
        client = block("python").replace("unix:.tipstaff/run/pdp.sock", tipstaff.address)
        asked = run(sys.executable, "-c", client, cwd=ROOT)
        decided = run(
            sys.executable, "-m", "tipstaff", "decide", "files", "read_file", '{"path": "/srv/x"}',
            cwd=tmp_path,
        )  # fmt: skip
        async with decisions(tipstaff.address) as service:
            refused = [
                (
                    await service.Decide(
                        question(
                            "files",
                            "read_file",
                            f"outside-{number}",
                            arguments_json=json.dumps(arguments).encode(),
                        )
                    )
                ).decision.reason.code
                for number, arguments in enumerate(OUTSIDE)
            ]
    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert "PASS data.site.hours_test.test_deletions_wait_at_night" in tested.stdout
    assert asked.stdout.split() in (
        ["EFFECT_DENY", "denied_by_rule"],
        ["EFFECT_DENY", "closed"],
    ), asked.stderr
    assert decided.returncode == 0, decided.stdout
    assert refused == ["arguments_invalid"] * len(OUTSIDE)


async def test_its_way_in_front_of_your_own_server_leads_there(tmp_path: Path) -> None:
    """The commands as they stand there, from nothing: only the server's address is another."""
    lines = re.findall(r"^    (tipstaff .*)$", README.partition("## In front of")[2], re.MULTILINE)
    register, check, up, client, log = (line.split()[1:] for line in lines)
    assert (up, log) == (["up"], ["log", "-f"])
    async with asgi_upstream(sdk_server().streamable_http_app()) as url:
        server = [url if word.startswith("http") else word for word in register]
        for words in (server, check):
            done = await asyncio.to_thread(
                run, sys.executable, "-m", "tipstaff", *words, cwd=tmp_path
            )
            assert done.returncode == 0, done.stdout + done.stderr
        gate = Gateway.registered(tmp_path)
        await gate.start()
        try:
            done = await asyncio.to_thread(
                run, sys.executable, "-m", "tipstaff", *client, cwd=tmp_path
            )
            assert done.returncode == 0, done.stdout + done.stderr
            told = json.loads((tmp_path / ".mcp.json").read_text())["mcpServers"]["files"]
            async with Client(told["url"]) as agent:
                assert (await agent.list_tools()).tools
            done = await asyncio.to_thread(
                run, sys.executable, "-m", "tipstaff", *log[:-1], cwd=tmp_path
            )
            assert "tools/list" in done.stdout
        finally:
            await gate.stop()


def test_its_client_is_ten_lines_long() -> None:
    """As promised."""
    assert len([line for line in block("python").splitlines() if line]) <= 10


def test_its_map_of_the_repository_is_the_repository() -> None:
    """Every folder it names is there, and every folder that is there is named."""
    named = set(re.findall(r"^\| `([a-z]+)/` ", README, re.MULTILINE))
    listed = run("git", "ls-files", cwd=ROOT).stdout
    there = {line.partition("/")[0] for line in listed.splitlines() if "/" in line}
    assert named == {name for name in there if not name.startswith(".")}


@pytest.mark.parametrize("path", re.findall(r"\]\(([^):]+)\)", README))
def test_its_links_lead_somewhere(path: str) -> None:
    """Within the repository."""
    assert (ROOT / path).exists()


def test_its_settings_and_targets_exist() -> None:
    """Names that the reader will type."""
    fields = {*Server.__struct_fields__, "allowed_hosts", "allowed_origins", "principal_factor"}
    assert "auth" in fields
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"`?make ([a-z]+)", README):
        assert f"\n{target}:" in makefile, target


def test_the_table_of_the_demo_shows_what_the_demo_shows() -> None:
    """Rows as the program prints them."""
    rows = re.findall(r"^ +(legacy|modern) +(\w+) +(\w+) +(\w+) +(\S+)", README, re.MULTILINE)
    policy = (ROOT / "demo/policy/servers/amazon_mq/data.yaml").read_text()
    assert rows
    for _, tool, effect, code, rule in rows:
        assert f"  {tool}:" in policy
        assert rule == f"servers.amazon_mq.tools.{tool}"
        assert (effect == "allow") == (code in {"allowed", "approved"})


def test_the_input_schema_it_points_to_is_one() -> None:
    """What a rule may ask for."""
    schema = json.loads((ROOT / "rego/schemas/input.json").read_text())
    assert {"server", "target", "arguments", "session", "time"} <= set(schema["properties"])
