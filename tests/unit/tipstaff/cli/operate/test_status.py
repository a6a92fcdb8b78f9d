"""What `tipstaff status` makes of what the services say."""

from __future__ import annotations

import argparse
import io
import json
from pathlib import Path
from typing import Any

import pytest

from tests.ports import free_port
from tipstaff.cli import console
from tipstaff.cli.operate import status

SERVER = '[servers.a]\nurl = "http://127.0.0.1:9/mcp"\n'
READY = {"url": "http://x/healthz", "runs": True, "ready": True}
POLICY = {
    "address": "unix:/x", "runs": True, "ready": True, "stale": False,
    "revision": "abc", "age_seconds": 1.0, "last_error": "",
    "questions": 200, "known_answers": 150,
}  # fmt: skip


@pytest.fixture
def site(tmp_path: Path) -> Path:
    path = tmp_path / "tipstaff.toml"
    path.write_text(SERVER)
    return path


def shown(
    monkeypatch: pytest.MonkeyPatch,
    site: Path,
    proxy: Any,
    policy: Any,
    *,
    as_json: bool = False,
    pending: int | None = 0,
) -> tuple[int, str]:
    """The exit code and the text when the services say this."""
    monkeypatch.setattr(status, "_pending", lambda _: pending)
    monkeypatch.setattr(status, "_proxy", lambda _: proxy)
    monkeypatch.setattr(status, "_policy", lambda _: policy)
    stream = io.StringIO()
    monkeypatch.setattr(console.out, "_file", stream)
    code = status.command(argparse.Namespace(config=site, json=as_json))
    return code, stream.getvalue()


@pytest.mark.parametrize(
    ("proxy", "policy", "code", "text"),
    [
        ({}, {}, 0, "abc, confirmed 1 s ago"),
        ({}, {}, 0, "75% known       of 200 answers, from earlier calls"),
        ({}, {"questions": 0, "known_answers": 0}, 0, "current"),
        (
            {"runs": False, "ready": False},
            {},
            1,
            "does not run    nobody answers at http://x/healthz",
        ),
        ({"ready": False, "code": "policy_stale", "reason": "Old."}, {}, 1, "policy_stale: Old."),
        ({}, {"runs": False, "ready": False, "stale": True}, 1, "nobody answers at unix:/x"),
        (
            {},
            {"stale": True, "last_error": "data.yaml:3: no"},
            1,
            "not loaded      data.yaml:3: no",
        ),
        ({}, {"ready": False, "revision": ""}, 1, "decision service  not ready"),
    ],
)
def test_what_is_not_well_is_told_and_is_exit_code_1(
    site: Path, monkeypatch: pytest.MonkeyPatch, proxy: Any, policy: Any, code: int, text: str
) -> None:
    """A line each."""
    given = {**READY, **proxy}, {**POLICY, **policy}
    found, told = shown(monkeypatch, site, *given)
    assert found == code
    assert text in told


def test_a_site_without_servers_needs_no_proxy(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only wrappers ask there."""
    site.write_text("")
    code, told = shown(monkeypatch, site, None, POLICY)
    assert code == 0
    assert "no server is registered" in told


def test_a_revision_with_markup_or_controls_is_shown_and_not_obeyed(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Errors quote files."""
    policy = {**POLICY, "stale": True, "last_error": "[bold]\x1b[2J"}
    _, told = shown(monkeypatch, site, READY, policy)
    assert "[bold]" in told
    assert "\x1b[2J" not in told


def test_programs_get_the_same_as_json(
    site: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every part by its name."""
    shown(monkeypatch, site, READY, POLICY, as_json=True)
    plain = json.loads(capsys.readouterr().out)
    assert plain["proxy"] == READY
    assert plain["policy"] == POLICY
    assert plain["approvals"] == {"pending": 0}
    assert plain["configuration"] == {"file": str(site), "advice": "", "needs_restart": []}
    assert plain["services"] == []
    assert plain["console"] is None


def test_a_console_that_does_not_answer_is_told_and_is_no_fault(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Calls are judged without it."""
    site.write_text(f"{SERVER}[console]\nport = {free_port()}\n")
    code, told = shown(monkeypatch, site, READY, POLICY)
    assert code == 0
    assert "console           does not run    nobody answers at http://127.0.0.1:" in told


@pytest.mark.parametrize(
    ("pending", "text"),
    [
        (0, "approvals         none"),
        (1, "one call waits for an answer: tipstaff approvals list"),
        (3, "3 calls wait for an answer"),
        (None, "the service does not tell"),
    ],
)
def test_calls_that_wait_for_people_are_counted_and_are_no_fault(
    site: Path, monkeypatch: pytest.MonkeyPatch, pending: int | None, text: str
) -> None:
    """Somebody has work; the site is well."""
    code, told = shown(monkeypatch, site, READY, POLICY, pending=pending)
    assert code == 0
    assert text in told
