"""References to secrets: where they lead, and what is said when they lead nowhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from pdp.config import ApprovalsConfig, Limits, PdpConfig, Webhook
from pdp.errors import ConfigError
from pep.config import PepConfig, Server
from tipstaff.cli.configuration.secret import resolved_pdp, resolved_pep, secret, secrets_of, shown
from tipstaff.common.masking import MASK


def test_a_reference_leads_to_the_environment_or_to_a_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A line end at the end of a file is no part of a secret."""
    monkeypatch.setenv("PLANTED", "one")
    (tmp_path / "s").write_text("two\n")
    assert secret("env:PLANTED", "k") == "one"
    assert secret(f"file:{tmp_path / 's'}", "k") == "two"


def test_a_plain_value_is_itself() -> None:
    """Also one with a colon."""
    assert secret("redis://127.0.0.1:6379/0", "k") == "redis://127.0.0.1:6379/0"


def test_a_reference_that_leads_nowhere_names_its_setting(tmp_path: Path) -> None:
    """An empty secret is none."""
    (tmp_path / "empty").write_text("\n")
    for value in ("env:SURELY_NOT_SET", "file:/nonexistent/x", f"file:{tmp_path / 'empty'}"):
        with pytest.raises(ConfigError, match=r"^limits\.url: "):
            secret(value, "limits.url")


def test_the_url_of_the_store_may_be_a_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    """It holds a password."""
    monkeypatch.setenv("STORE", "redis://:pw@127.0.0.1/1")
    config = PdpConfig(limits=Limits(store="redis", url="env:STORE"))
    assert resolved_pdp(config).limits.url == "redis://:pw@127.0.0.1/1"


def test_credentials_for_a_server_must_be_references(monkeypatch: pytest.MonkeyPatch) -> None:
    """Resolved just before the proxy starts; the message names the setting and no value."""
    monkeypatch.setenv("PLANTED", "abc")
    monkeypatch.setenv("BROKEN", "a\nb")
    good = Server("s", "http://x/mcp", bearer="env:PLANTED", headers={"X-Key": "env:PLANTED"})
    (server,) = resolved_pep(PepConfig(servers=(good,))).servers
    assert server.credentials == ((b"authorization", b"Bearer abc"), (b"x-key", b"abc"))
    for value, said in (("abc", "env:NAME or file:PATH"), ("env:BROKEN", "header line")):
        bad = Server("s", "http://x/mcp", headers={"X-Key": value})
        with pytest.raises(ConfigError, match=rf"^servers\.s\.headers\.X-Key: .*{said}"):
            resolved_pep(PepConfig(servers=(bad,)))


def test_what_a_process_must_not_say_is_what_its_settings_hold() -> None:
    """Whatever kind of setting it stands in; also the password alone, as an error may quote it."""
    server = Server("files", "http://h/mcp", bearer="one-secret", headers={"X-Key": "two-secret"})
    child = Server("child", command=("x",), environment={"KEY": "three-secret"})
    assert set(secrets_of(PepConfig(servers=(server, child)))) >= {
        "one-secret",
        "two-secret",
        "three-secret",
    }
    url = "redis://:four%2Fsecret@127.0.0.1/1"
    assert set(secrets_of(PdpConfig(limits=Limits(store="redis", url=url)))) >= {
        url,
        "four/secret",
    }
    assert set(secrets_of(PdpConfig(limits=Limits(url="redis://[")))) == {"redis://["}
    webhook = Webhook(url="https://h/five-secret", secret="six-secret")
    hidden = set(secrets_of(PdpConfig(approvals=ApprovalsConfig(webhook=webhook))))
    assert hidden >= {"https://h/five-secret", "six-secret"}


def test_what_a_webhook_is_signed_with_stands_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its url may; both are replaced before the service begins."""
    monkeypatch.setenv("HOOK_URL", "https://h/x")
    monkeypatch.setenv("HOOK_KEY", "seven-secret")
    webhook = Webhook(url="env:HOOK_URL", secret="env:HOOK_KEY")
    resolved = resolved_pdp(PdpConfig(approvals=ApprovalsConfig(webhook=webhook)))
    assert resolved.approvals.webhook == Webhook(url="https://h/x", secret="seven-secret")
    bad = ApprovalsConfig(webhook=Webhook(url="https://h/x", secret="planted"))
    with pytest.raises(ConfigError, match=r"^approvals\.webhook\.secret: ") as caught:
        resolved_pdp(PdpConfig(approvals=bad))
    assert "planted" not in str(caught.value)


def test_settings_are_shown_without_secrets_that_stand_in_them() -> None:
    """References stay: they say where the secret is. So does what is no secret."""
    told = {
        "url": "https://u:planted@h/mcp?api_key=planted",
        "command": ("run", "--token", "planted", "--port", "1"),
        "bearer": "planted",
        "headers": {"X-Key": "planted", "X-Other": "file:/run/key"},
        "environment": {"API_KEY": "planted", "REGION": "eu-1", "TOKEN": "env:NAME"},
        "auth": "strip",
    }
    found = shown(
        {
            "limits": {"url": "redis://:planted@h/0", "store": "redis"},
            "jwt": {"jwks": "https://planted@h/keys"},
            "approvals": {
                "path": "a.db",
                "webhook": {"url": "https://h/x?token=planted", "secret": "planted"},
            },
            "pep": {"rounds_key": "planted", "listen": "127.0.0.1:1"},
            "console": {"port": 1, "openid": {"client_id": "c", "client_secret": "planted"}},
            "servers": {"files": told},
        }
    )
    assert "planted" not in str(found)
    assert found["limits"]["store"] == "redis"
    assert found["approvals"]["path"] == "a.db"
    assert found["servers"]["files"]["command"] == ["run", "--token", MASK, "--port", "1"]
    assert found["servers"]["files"]["headers"]["X-Other"] == "file:/run/key"
    assert found["servers"]["files"]["environment"] == {
        "API_KEY": MASK,
        "REGION": "eu-1",
        "TOKEN": "env:NAME",
    }
    assert found["servers"]["files"]["auth"] == "strip"


def test_the_key_of_rounds_is_a_secret_of_some_length(monkeypatch: pytest.MonkeyPatch) -> None:
    """A short one could be guessed from a state, which every client sees."""
    monkeypatch.setenv("ROUNDS", "k" * 32)
    assert resolved_pep(PepConfig(rounds_key="env:ROUNDS")).rounds_key == "k" * 32
    monkeypatch.setenv("ROUNDS", "k" * 31)
    with pytest.raises(ConfigError, match="at least 32"):
        resolved_pep(PepConfig(rounds_key="env:ROUNDS"))
    with pytest.raises(ConfigError, match="no configuration"):
        resolved_pep(PepConfig(rounds_key="k" * 32))
