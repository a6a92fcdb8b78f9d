"""What the documentation shows can be used as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pdp.api.model import ApprovalState
from pdp.approvals import life, webhook_target
from pdp.rules.server_rules import validate
from pep.config import Server
from tipstaff.cli.configuration.config import load

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "docs").rglob("*.md"))


def blocks(page: str, language: str) -> list[str]:
    """The page's code blocks of a language."""
    text = (ROOT / "docs" / page).read_text()
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def test_the_rules_it_shows_are_rules() -> None:
    """Without a problem."""
    (rules,) = blocks("limits.md", "yaml")
    assert set(validate(rules, "limits.md", None)) == {"tools", "limits", "initialize"}


def test_every_key_of_a_limit_is_explained() -> None:
    """And no other."""
    text = (ROOT / "docs" / "limits.md").read_text()
    table = text.partition("| key | meaning |")[2].partition("\n\n")[0]
    explained = set(
        re.findall(r"`(\w+)`", " ".join(re.findall(r"^\| ([^|]+) \|", table, re.MULTILINE)))
    )
    assert explained == {
        "max", "window", "scope", "algorithm", "burst", "cost", "shadow", "on_store_error",
    }  # fmt: skip


def test_the_settings_it_shows_are_settings(tmp_path: Path) -> None:
    """All of its sections together."""
    file = tmp_path / "tipstaff.toml"
    certificates = '[tls]\ncertificate = "c"\nkey = "k"\nclient_ca = "ca"\n'
    file.write_text("\n".join([*blocks("callers.md", "toml"), certificates]))
    config = load(file)
    (server,) = config.pep.servers
    assert isinstance(server, Server)
    assert config.pep.audience(server) == "https://gate.example/files/mcp"


def test_the_people_and_the_webhook_it_shows_are_settings(tmp_path: Path) -> None:
    """Which could be sent."""
    file = tmp_path / "tipstaff.toml"
    file.write_text("\n".join(blocks("approvals.md", "toml")))
    approvals = load(file).pdp.approvals
    assert [person.id for person in approvals.people] == ["ana", "bo"]
    assert webhook_target.target(approvals.webhook).host == "hooks.example"


def test_the_life_of_an_approval_is_drawn_as_it_is() -> None:
    """An arrow for each transition of the table, and none besides."""
    (drawing,) = blocks("approvals.md", "mermaid")
    arrows = set(re.findall(r"(\w+) --> (\w+):", drawing))
    assert arrows == {(before.value, after.value) for (before, _), after in life.LIFE.items()}


def test_every_state_of_an_approval_is_explained() -> None:
    """By what it means to an equal call."""
    text = (ROOT / "docs" / "approvals.md").read_text()
    table = text.partition("| state | what it means")[2].partition("\n\n")[0]
    cells = " ".join(re.findall(r"^\| ([^|]+) \|", table, re.MULTILINE))
    assert set(re.findall(r"`(\w+)`", cells)) == {state.value for state in ApprovalState}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_its_links_lead_somewhere(page: Path) -> None:
    """Within the repository."""
    for path in re.findall(r"\]\(([^):#]+)\)", page.read_text()):
        assert (page.parent / path).exists(), path


@pytest.mark.parametrize(
    "page", [*PAGES, ROOT / "README.md", ROOT / "CONTRIBUTING.md"], ids=lambda page: page.name
)
def test_the_files_it_names_are_there(page: Path) -> None:
    """By their path from the top of the repository."""
    roots = ("pdp", "pep", "tipstaff", "rego", "tests", "tools", "bench", "demo", "proto", "docs")
    for path in re.findall(r"`([\w./-]+\.(?:py|rego|md|proto|json|lua))`", page.read_text()):
        if path.partition("/")[0] in roots and "/" in path:
            assert (ROOT / path).exists(), path


def test_every_page_is_in_the_index() -> None:
    """Who comes to the folder finds them all."""
    index = (ROOT / "docs" / "README.md").read_text()
    listed = set(re.findall(r"\]\(([\w./-]+\.md)\)", index))
    assert listed == {
        page.relative_to(ROOT / "docs").as_posix() for page in PAGES if page.name != "README.md"
    }
