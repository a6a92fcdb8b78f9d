"""The configuration file: resolved, shown, and refused with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from pdp.errors import ConfigError
from tipstaff.cli.configuration.config import load
from tipstaff.cli.configuration.config_shown import as_json, show
from tipstaff.cli.configuration.config_text import starter


def written(folder: Path, text: str) -> Path:
    path = folder / "tipstaff.toml"
    path.write_text(text)
    return path


def refusal(folder: Path, text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load(written(folder, text))
    return str(caught.value)


def test_an_empty_file_is_all_defaults_beside_it(tmp_path: Path) -> None:
    """Whatever is relative is relative to the file, not to where one stands."""
    config = load(written(tmp_path, ""))
    assert config.state_dir == tmp_path / ".tipstaff"
    assert config.pdp.policy.dir == str(tmp_path / "policy")
    assert config.pdp.journal.path == str(tmp_path / ".tipstaff" / "decisions.jsonl")
    assert config.pdp.limits.path == str(tmp_path / ".tipstaff" / "limits.db")
    assert config.pdp.policy.changes == str(tmp_path / ".tipstaff" / "changed.json")
    assert config.pep.listen == "127.0.0.1:8700"
    assert config.pep.servers == ()


def test_what_is_set_is_kept(tmp_path: Path) -> None:
    """Absolute paths too."""
    config = load(
        written(
            tmp_path,
            """
            state_dir = "/var/lib/tipstaff"
            [pdp]
            listen = "127.0.0.1:9000"
            labels = {site = "lab"}
            [policy]
            changes = "seen/changed.json"
            [journal]
            path = "/var/log/decisions.jsonl"
            [servers.files]
            url = "http://127.0.0.1:9/mcp"
            denial = "error"
            """,
        )
    )
    assert config.pdp.listen == "127.0.0.1:9000"
    assert config.pdp.labels == {"site": "lab"}
    assert config.pdp.journal.path == "/var/log/decisions.jsonl"
    assert config.pdp.limits.path == "/var/lib/tipstaff/limits.db"
    assert config.pdp.policy.changes == str(tmp_path / "seen" / "changed.json")
    (server,) = config.pep.servers
    assert (server.name, server.denial) == ("files", "error")


def test_what_is_shown_is_a_configuration_that_means_the_same(tmp_path: Path) -> None:
    """Every setting with its value, ready to be pasted."""
    first = load(written(tmp_path, starter([("files", "http://x/mcp")])))
    again = load(written(tmp_path, show(first)))
    assert as_json(again) == as_json(first)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = 1\n", ":1: x: there is no such key; known are: approvals, batching"),
        (
            "\n[pdp]\nlisten_ = 'a'\n",
            ":3: pdp.listen_: there is no such key; did you mean `listen`",
        ),
        (
            "\nlisten = 'a'\n",
            ":2: listen: there is no such key here; it stands in [pdp] or in [pep]",
        ),
        ("[pep]\nstate_dir = 'x'\n", ":2: pep.state_dir: there is no such key here; it stands at"),
        ("[server.x]\nurl = 'a'\n", ":1: server: there is no such key; did you mean `servers`"),
        (
            "[limits]\nstore = 'sqlit'\n",
            ":2: limits.store: 'sqlit' is none of `memory`, `redis`, `sqlite`; did you mean `sqlite`?",
        ),
        (
            "[servers.a]\nurl = 'http://x'\naccept = ['tokn']\n",
            ":3: servers.a.accept: 'tokn' is none of `anonymous`, `jwt`, `mtls`, `token`; did you mean `token`?",
        ),
        (
            "[limits]\nprincipal_factor = 0\n",
            ":2: limits.principal_factor: must be a whole number, at least 1, not 0",
        ),
        ("[opa]\ntimeout_ms = 1.5\n", ":2: opa.timeout_ms: must be a whole number, at least 1"),
        ("[opa]\ntimeout_ms = '1'\n", "must be a whole number, at least 1, without quotes"),
        (
            "[policy]\npoll_seconds = 0\n",
            ":2: policy.poll_seconds: must be a number, above 0, not 0",
        ),
        (
            "[jwt]\nleeway_seconds = 900\n",
            ":2: jwt.leeway_seconds: must be a whole number, at least 0 and at most 300, not 900",
        ),
        (
            "[pdp]\nreflection = 'yes'\n",
            ":2: pdp.reflection: must be true or false, without quotes",
        ),
        ("[pep]\nlisten = 8700\n", ":2: pep.listen: must be a text in quotes"),
        ("[servers.a]\ncommand = 'npx x'\n", ':2: servers.a.command: must be a list: ["…"]'),
        (
            "[servers.a]\nurl = 'http://x'\n[servers.a.headers]\nX-A = 7\n",
            ":4: servers.a.headers.X-A: must be a text in quotes",
        ),
        ("[pdp]\ntls = 'c'\n", ":2: pdp.tls: must be a section"),
        (
            "[servers.a]\n\nidle_seconds = 5\nurl = 'http://u:p@x/mcp'\n",
            ":4: servers.a.url: server 'a': url must not hold credentials",
        ),
        ("pep = 1\n", ":1: pep: must be a section"),
        ("servers = 1\n", ":1: servers: must be sections"),
        ("[servers]\na = 1\n", ":2: servers.a: must be a section"),
        ("[servers.a]\nname = 'b'\n", ":2: servers.a.name: the section's title is the name"),
        ("[servers.a]\n", ":1: servers.a:"),
        ("[servers.a]\nurl = 'x'\n", ":2: servers.a.url: server 'a': url must begin with http"),
        ("[servers.a]\nurl = 'http://x'\nauth = 'both'\n", ":3: servers.a.auth:"),
        ("state_dir = 1\n", ":1: state_dir: must be a path"),
        ("state_dir = ''\n", ":1: state_dir: must be a path"),
        ("[pdp]\nlisten = 'x'\n", ":2: pdp.listen: must be unix:PATH or HOST:PORT"),
        ("\n[pep]\nlisten = 'x'\n", ":3: pep.listen: listen 'x': write HOST:PORT"),
        ("a = [\n", ":2: not TOML"),
        ("\n\na = = 1\n", ":3: not TOML"),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_place(
    tmp_path: Path, text: str, said: str
) -> None:
    """File, line, key, and what to do."""
    found = refusal(tmp_path, text)
    assert said in found
    assert str(tmp_path / "tipstaff.toml") in found


def test_a_file_that_is_not_there_or_not_text_says_what_makes_one(tmp_path: Path) -> None:
    """`tipstaff init`."""
    with pytest.raises(ConfigError, match="tipstaff init"):
        load(tmp_path / "tipstaff.toml")
    (tmp_path / "tipstaff.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="cannot read"):
        load(tmp_path / "tipstaff.toml")


def test_sockets_of_a_deep_folder_stand_elsewhere(tmp_path: Path) -> None:
    """A unix socket's path may have about a hundred characters; each state folder has its own."""
    deep = tmp_path / ("d" * 100)
    deep.mkdir()
    config = load(written(deep, ""))
    other = load(written(deep, "state_dir = 'other'\n"))
    assert len(config.pdp.listen) < 100
    assert config.run_folder != other.run_folder
    assert not str(config.run_folder).startswith(str(deep))


def test_a_long_state_folder_has_one_place_of_sockets_however_it_is_named(tmp_path: Path) -> None:
    """Through a link, or by a way round."""
    deep = tmp_path / ("d" * 100)
    deep.mkdir()
    (tmp_path / "link").symlink_to(deep)
    folders = {
        load(written(tmp_path, f"state_dir = '{name}/s'\n")).run_folder
        for name in (deep.name, "link", f"{deep.name}/../{deep.name}", deep)
    }
    assert len(folders) == 1


TLS = """
[pdp.tls]
certificate = "c.pem"
key = "/k.pem"
client_ca = "ca.pem"
clients = ["proxy"]
"""


def test_certificates_are_files_beside_the_configuration(tmp_path: Path) -> None:
    """And are shown as they are meant."""
    text = f'[pdp]\nlisten = "gate.example:9000"\n{TLS}'
    text += '[pep.pdp_tls]\nserver_ca = "ca.pem"\ncertificate = "c.pem"\nkey = "k.pem"\n'
    config = load(written(tmp_path, text))
    assert config.pdp.tls.certificate == str(tmp_path / "c.pem")
    assert config.pdp.tls.key == "/k.pem"
    assert config.pdp.tls.clients == ("proxy",)
    assert config.pep.pdp_tls.server_ca == str(tmp_path / "ca.pem")
    again = load(written(tmp_path, show(config)))
    assert as_json(again) == as_json(config)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[pdp]\nlisten = '0.0.0.0:9000'\n", ":2: pdp.listen: other machines can reach"),
        ("[pdp]\nlisten = '[::]:9000'\n", "write [pdp.tls] with certificate, key and client_ca"),
        ("[pdp]\nlisten = 'gate.example:9000'\n", "[pep.pdp_tls] with server_ca"),
        (f"[pdp]\nlisten = 'unix:/x'\n{TLS}", "no effect on a unix socket"),
        ("[pdp.tls]\ncertificate = 'c'\n", "certificate, key and client_ca belong together"),
        ("[pdp.tls]\nclients = ['c']\n", "certificate, key and client_ca belong together"),
        ("[pep.pdp_tls]\nserver_ca = 'c'\n", "server_ca, certificate and key belong together"),
        ("[pdp.tls]\ncertificat = 'c'\n", ":2: pdp.tls.certificat: there is no such key; did"),
    ],
)
def test_a_service_that_others_reach_needs_certificates_and_all_of_them(
    tmp_path: Path, text: str, said: str
) -> None:
    """What to write is said."""
    assert said in refusal(tmp_path, text)


def test_all_that_is_wrong_is_told_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    """One mend, not one try after the other."""
    text = """\
[pep]
lisen = "x"
max_body_bytes = 0
[servers.a]
url = "http://x/mcp"
accept = ["tokn"]
headers = {Host = "env:A"}
[servers.b]
command = "npx x"
[policies]
[opa]
gogc = "1"
"""
    lines = [line.partition("tipstaff.toml:")[2] for line in refusal(tmp_path, text).splitlines()]
    assert [line.split(": ")[0] + " " + line.split(": ")[1] for line in lines] == [
        "2 pep.lisen",
        "3 pep.max_body_bytes",
        "6 servers.a.accept",
        "9 servers.b.command",
        "10 policies",
        "12 opa.gogc",
    ]


def test_a_server_that_others_can_call_is_named_with_its_line(tmp_path: Path) -> None:
    """What sections need of each other is told of the server."""
    text = '[pep]\nlisten = "0.0.0.0:1"\n[servers.a]\nurl = "http://x/mcp"\n'
    assert ":3: servers.a: server 'a': others can reach 0.0.0.0:1" in refusal(tmp_path, text)


def test_the_file_of_a_secret_is_looked_for_beside_the_configuration(tmp_path: Path) -> None:
    """Like every other path, wherever one stands; what is no such reference stays as it is."""
    text = """
[limits]
url = "file:redis"
[servers.a]
url = "http://x/mcp"
bearer = "file:secrets/token"
headers = {X-A = "file:/etc/key", X-B = "env:B"}
[servers.b]
command = ["x"]
environment = {A = "file:a", B = "plain"}
"""
    config = load(written(tmp_path, text))
    first, second = config.pep.servers
    assert config.pdp.limits.url == f"file:{tmp_path}/redis"
    assert first.bearer == f"file:{tmp_path}/secrets/token"
    assert first.headers == {"X-A": "file:/etc/key", "X-B": "env:B"}
    assert second.environment == {"A": f"file:{tmp_path}/a", "B": "plain"}
