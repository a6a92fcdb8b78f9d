"""One thing changed in a text, and nothing else."""

from __future__ import annotations

import json
import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdp.errors import ConfigError
from tipstaff.cli.clients.splice import with_member, with_section

KEYS = ("mcpServers", "files")
ENTRY: dict[str, Any] = {"url": "http://x/mcp", "args": ["a"]}
SECTION = {"url": "http://x/mcp", "bearer_token_env_var": "T"}
TITLE = ("mcp_servers", "files")
WRITTEN = '[mcp_servers.files]\nurl = "http://x/mcp"\nbearer_token_env_var = "T"\n'


def test_a_new_member_comes_last_and_in_the_indentation_of_the_text() -> None:
    """What stood there keeps its bytes, an odd number and an odd escape among them."""
    text = '{\n    "a": 1.50,\n    "mcpServers": {\n        "other": {"b": "\\u00e9"}\n    }\n}\n'
    assert with_member(text, KEYS, {"url": "u"}) == (
        '{\n    "a": 1.50,\n    "mcpServers": {\n        "other": {"b": "\\u00e9"},\n'
        '        "files": {\n            "url": "u"\n        }\n    }\n}\n'
    )


def test_a_member_that_is_there_is_replaced_where_it_stands() -> None:
    """The order of the others is kept."""
    text = '{"mcpServers": {"x": 1, "files": {"old": [1]}, "z": 2}}'
    new = with_member(text, KEYS, "new")
    assert new == '{"mcpServers": {"x": 1, "files": "new", "z": 2}}'


def test_an_object_of_one_line_is_closed_on_a_line_of_its_own() -> None:
    """What is new is laid out to be read."""
    assert with_member('{"a": 1}', ("b",), 2) == '{"a": 1,\n  "b": 2\n}'
    assert with_member("{}", ("b",), 2) == '{\n  "b": 2\n}'


@pytest.mark.parametrize("text", ["", " \n", "{}", "{ }\n", '{"mcpServers": {}}', '{"a": 1}'])
def test_objects_on_the_way_are_made(text: str) -> None:
    """Also the document itself."""
    old = json.loads(text) if text.strip() else {}
    assert json.loads(with_member(text, KEYS, ENTRY)) == {**old, "mcpServers": {"files": ENTRY}}


def test_a_text_with_the_line_ends_of_windows_keeps_them() -> None:
    """No line feed without its carriage return."""
    new = with_member('{\r\n\t"a": {}\r\n}\r\n', ("b", "c"), ENTRY)
    assert "\n" not in new.replace("\r\n", "")
    assert '\r\n\t"b": {\r\n\t\t"c": {' in new


@pytest.mark.parametrize(
    "text",
    [
        '{\n  // mine\n  "mcpServers": {}\n}',
        '{"mcpServers": {},}',
        '{"a": 1, "a": 2}',
        "[]",
        "\ufeff{}",
        '{"mcpServers": []}',
        '{"mcpServers": null}',
        "[" * 100_000,
    ],
)
def test_json_that_cannot_be_changed_without_loss_is_refused(text: str) -> None:
    """A comment would be lost, of two equal keys one."""
    with pytest.raises(ConfigError):
        with_member(text, KEYS, ENTRY)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), _JSON), st.sampled_from([None, 0, 1, "\t"]), st.booleans())
def test_whatever_the_document_only_the_member_changes(
    old: dict[str, Any], indent: Any, ascii_only: Any
) -> None:
    """And with the member taken out again, the text says what it said."""
    text = json.dumps(old, indent=indent, ensure_ascii=ascii_only)
    new = json.loads(with_member(text, ("new key",), ENTRY))
    assert new.pop("new key") == ENTRY
    assert new == {key: value for key, value in old.items() if key != "new key"}


def test_a_new_section_comes_last() -> None:
    """Behind an empty line; all that was there is the beginning of the new text."""
    old = '# mine\nmodel = "o"   # kept\n[projects."/a"]\ntrust_level = "trusted"'
    assert with_section(old, TITLE, SECTION) == f"{old}\n\n{WRITTEN}"
    assert with_section("", TITLE, SECTION) == WRITTEN


def test_a_section_is_replaced_where_it_stands_with_those_below_it() -> None:
    """Comments before it and behind its last key are not its own."""
    old = (
        "# first\n[mcp_servers.a]\ncommand = 'x'\n\n# the files\n[ mcp_servers . \"files\" ] # here\n"
        'command = "npx"\nargs = [\n  "a",\n  # inside\n]\n\n# of b\n[mcp_servers.b]\nurl = "u"\n'
        '[mcp_servers.files.env]\nA = "1"\n\n[tui]\nx = 1\n'
    )
    assert with_section(old, TITLE, SECTION) == (
        f"# first\n[mcp_servers.a]\ncommand = 'x'\n\n# the files\n{WRITTEN}"
        '\n# of b\n[mcp_servers.b]\nurl = "u"\n\n[tui]\nx = 1\n'
    )


@pytest.mark.parametrize(
    "inside",
    [
        'note = """\n[mcp_servers.files]\nurl = "no"\n# no"""\n',
        "x = 1\n[[mcp_servers_.files]]\ny = 1\n[[mcp_servers_.files]]\n",
        "note = '''\n[mcp_servers.files]\n'''\n",
        'lists = [\n["mcp_servers.files"],\n[[1]],\n]\n',
    ],
)
def test_what_only_looks_like_a_section_is_left_alone(inside: str) -> None:
    """It is text, or a list."""
    old = f"[other]\n{inside}"
    assert with_section(old, TITLE, SECTION) == f"{old}\n{WRITTEN}"
    replaced = with_section(f"{WRITTEN}{old}", TITLE, {"url": "new"})
    assert replaced == f'[mcp_servers.files]\nurl = "new"\n{old}'


def test_a_section_that_ends_in_a_text_with_a_hash_is_replaced_whole() -> None:
    """What looks like a comment is the end of its value."""
    old = '[mcp_servers.files]\nnote = """\nx\n# y"""\n'
    assert with_section(old, TITLE, SECTION) == WRITTEN


def test_toml_keeps_the_line_ends_of_windows() -> None:
    """In what is new too."""
    old = '[a]\r\nx = 1\r\n[mcp_servers.files]\r\nurl = "old"\r\n[b]\r\n'
    new = with_section(old, TITLE, SECTION)
    assert "\n" not in new.replace("\r\n", "")
    assert tomllib.loads(new)["mcp_servers"]["files"] == SECTION
    assert new.startswith("[a]\r\nx = 1\r\n")
    assert new.endswith("[b]\r\n")


@pytest.mark.parametrize(
    "text",
    [
        'mcp_servers.files.url = "u"\n',
        'mcp_servers = {files = {url = "u"}}\n',
        '[mcp_servers]\nfiles = {url = "u"}\n',
        '[mcp_servers]\nfiles.url = "u"\n',
        "mcp_servers = 1\n",
        "not = toml = at all\n",
        "[[mcp_servers]]\n",
    ],
)
def test_a_section_that_is_said_in_another_way_is_refused(text: str) -> None:
    """Rather than said twice."""
    with pytest.raises(ConfigError):
        with_section(text, TITLE, SECTION)


@given(st.dictionaries(st.sampled_from("abc"), st.text()))
def test_whatever_is_said_in_a_section_is_read_again(value: dict[str, str]) -> None:
    """Quotes, control characters, and the one that JSON and TOML do not agree on."""
    new = with_section("x = 1\n", TITLE, value)
    assert tomllib.loads(new) == {"x": 1, "mcp_servers": {"files": value}}
