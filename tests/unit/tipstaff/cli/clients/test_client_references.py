"""What clients put in where their files say `${…}`."""

from __future__ import annotations

from pathlib import Path

import pytest

from pdp.errors import ConfigError
from tipstaff.cli.clients.client_forms import CLIENTS, Client
from tipstaff.cli.clients.client_references import Surroundings, expanded, refers, variable

AROUND = Surroundings({"KEY": "s3cret", "EMPTY": ""}, Path("/home/ann"), Path("/srv/x"))


@pytest.mark.parametrize(
    ("client", "text", "value"),
    [
        ("claude-code", "Bearer ${KEY}", "Bearer s3cret"),
        ("claude-code", "${NONE:-http://x}/${KEY}", "http://x/s3cret"),
        ("claude-code", "${EMPTY:-x}${NONE:-}", "x"),
        ("claude-code", "$KEY ${env:KEY} ${1}", "$KEY ${env:KEY} ${1}"),
        ("cursor", "${env:KEY}${pathSeparator}${/}", "s3cret//"),
        ("vscode", "${userHome}/${workspaceFolderBasename}", "/home/ann/x"),
        ("windsurf", "${workspaceFolder} ${KEY}", "/srv/x ${KEY}"),
        ("claude-desktop", "${KEY} ${env:KEY}", "${KEY} ${env:KEY}"),
        ("codex", "${KEY}", "${KEY}"),
    ],
)
def test_each_client_knows_words_of_its_own(client: Client, text: str, value: str) -> None:
    """And leaves those of the others as they stand."""
    assert expanded(client, text, AROUND) == value


@pytest.mark.parametrize(
    ("client", "text", "word"),
    [
        ("claude-code", "${NONE}", "NONE"),
        ("claude-code", "${EMPTY}", "EMPTY"),
        ("cursor", "${env:NONE}", "NONE"),
        ("vscode", "${input:token}", "input:token, which only VS Code knows"),
        ("windsurf", "${file:/etc/token}", "file:/etc/token"),
    ],
)
def test_what_is_not_known_here_is_an_error(client: Client, text: str, word: str) -> None:
    """Which says the word, never another's value."""
    with pytest.raises(ConfigError, match=word) as caught:
        expanded(client, f"${{KEY}}${{env:KEY}}{text}", AROUND)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("client", CLIENTS)
def test_a_text_that_uses_the_environment_is_told_from_one_that_does_not(client: Client) -> None:
    """Whenever something is put in, it is."""
    for text in ("plain", "${KEY}", "${env:KEY}", "x${KEY}x", "$KEY"):
        assert refers(client, text) is ("s3cret" in expanded(client, text, AROUND))


def test_a_default_may_be_the_environments() -> None:
    """So such a text is one that uses it."""
    assert refers("claude-code", "${KEY:-x}")
    assert not refers("claude-code", "plain")


def test_a_variable_that_is_not_set_is_an_error() -> None:
    """An empty one is as good as none."""
    assert variable("KEY", AROUND) == "s3cret"
    with pytest.raises(ConfigError, match="NONE"):
        variable("NONE", AROUND)
