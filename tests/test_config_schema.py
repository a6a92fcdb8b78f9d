"""The JSON Schema of `tipstaff.toml` that editors use, and the loader, agree."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdp.errors import ConfigError
from tests.test_docs import PAGES, ROOT, blocks
from tipstaff import schemas
from tipstaff.cli.configuration.config import load, parse
from tipstaff.cli.configuration.config_shown import as_json
from tipstaff.cli.configuration.config_text import starter

SCHEMA = json.loads(schemas.TIPSTAFF_TOML.read_text(encoding="utf-8"))
VALIDATOR = jsonschema_rs.validator_for(SCHEMA)
SERVER = {"url": "http://127.0.0.1:9/mcp"}
# What only the loader can say: how keys go together, and what a text must look like.
ONLY_THE_LOADER = (
    "belong together", "has no effect without", "url must", "cannot be a header", "write HOST:PORT",
    "cannot be accepted", "unix:PATH or HOST:PORT", "keys come over https", "other machines can reach",
    "others can reach", "[jwt] needs", "[tls] needs", "hands the caller", "a command gets no header",
    "certificates have no effect", "url is not a URL", "must have openid in it", "must be an https URL",
    "everybody whom this provider knows",
)  # fmt: skip
VALUES = st.recursive(
    st.booleans() | st.integers(-2, 400) | st.sampled_from([0.5, -1.5, 1e9 + 0.5]) | st.text("ab:/", max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=4,
)  # fmt: skip


def toml(value: Any) -> str:
    """An inline value."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(value)


def sections() -> list[tuple[str, str]]:
    """Every section and key that the schema has, and a key that there is not."""
    properties = SCHEMA["properties"]
    found = [(name, key) for name, part in properties.items() for key in part.get("properties", {})]
    nested = [("pdp.tls", key) for key in properties["pdp"]["properties"]["tls"]["properties"]]
    servers = properties["servers"]["additionalProperties"]["properties"]
    return [
        *found,
        *nested,
        *(("servers.s", key) for key in servers),
        ("pep", "nokey"),
        ("", "nokey"),
    ]


def is_accepted(text: str) -> bool:
    """By the loader, as far as a schema could tell."""
    try:
        parse(text, Path("/site/tipstaff.toml"))
    except ConfigError as error:
        return any(words in str(error) for words in ONLY_THE_LOADER)
    return True


@given(place=st.sampled_from(sections()), value=VALUES)
def test_a_value_is_right_for_the_schema_exactly_when_it_is_for_the_loader(
    place: tuple[str, str], value: Any
) -> None:
    """Of every key."""
    section, key = place
    more = 'url = "http://127.0.0.1:9/mcp"\n' if section == "servers.s" and key not in {"url", "command"} else ""  # fmt: skip
    title = f"[{section}]\n" if section else ""
    text = f"{title}{more}{key} = {toml(value)}\n"
    is_valid = VALIDATOR.is_valid(tomllib.loads(text))
    if section == "servers.s" and not value:
        return  # an empty url or command is as none, which a schema need not say
    assert is_valid == is_accepted(text), text


@pytest.mark.parametrize("name", ["files", "a" * 63, "Files", "1a", "a-b", "a" * 64, ""])
def test_the_names_of_servers_are_those_of_the_loader(name: str) -> None:
    """Lower-case letters, digits and `_`."""
    text = f'[servers."{name}"]\nurl = "http://x/mcp"\n'
    assert VALIDATOR.is_valid(tomllib.loads(text)) == is_accepted(text)


@pytest.mark.parametrize(
    "text", ["[servers.a]\n", '[servers.a]\nurl = "http://x"\ncommand = ["x"]\n']
)
def test_a_server_has_a_url_or_a_command(text: str) -> None:
    """One of them."""
    assert not VALIDATOR.is_valid(tomllib.loads(text))
    with pytest.raises(ConfigError, match="either url or command"):
        parse(text, Path("/site/tipstaff.toml"))


def test_what_tipstaff_writes_and_shows_is_valid(tmp_path: Path) -> None:
    """The starter, and every example of the documentation."""
    VALIDATOR.validate(tomllib.loads(starter([("files", "http://x/mcp")])))
    names = [page.relative_to(ROOT / "docs").as_posix() for page in PAGES]
    examples = [block for name in names for block in blocks(name, "toml")]
    assert examples
    for example in examples:
        VALIDATOR.validate(tomllib.loads(example))


def test_every_setting_is_in_the_schema_with_its_default(tmp_path: Path) -> None:
    """And says what it means."""
    (tmp_path / "tipstaff.toml").write_text('[servers.s]\nurl = "http://x/mcp"\n')
    plain = as_json(load(tmp_path / "tipstaff.toml"))
    properties = SCHEMA["properties"]
    assert set(plain) == set(properties)
    server = properties["servers"]["additionalProperties"]["properties"]
    parts = {**{name: properties[name]["properties"] for name in plain if name not in {"state_dir", "servers"}}, "s": server}  # fmt: skip
    for name, settings in {**plain, **plain["servers"]}.items():
        if name not in parts:
            continue
        assert set(settings) == set(parts[name])
        assert all(part["description"] for part in parts[name].values())
