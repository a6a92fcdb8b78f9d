"""Where in a TOML text a key stands."""

from __future__ import annotations

import pytest

from tipstaff.cli.configuration.toml_lines import TomlLines

TEXT = """\
# top
state_dir = "x"

[pep]
listen = "a"
  tls.key = "b"
"quoted key" = 1

[ servers . files ]
headers = {X-A = "1",
}
[servers.files.environment]
A = 1
[[servers."other one"]]
"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (["state_dir"], 2),
        (["pep"], 4),
        (["pep", "listen"], 5),
        (["pep", "tls", "key"], 6),
        (["pep", "quoted key"], 7),
        (["servers"], 9),
        (["servers", "files"], 9),
        (["servers", "files", "headers", "X-A"], 10),
        (["servers", "files", "environment", "A"], 13),
        (["servers", "other one"], 14),
        (["pep", "no such key"], 4),
        (["no such section", "key"], 1),
        ([], 1),
    ],
)
def test_a_key_is_found_where_it_or_its_section_stands(path: list[str], line: int) -> None:
    """However it is written."""
    assert TomlLines(TEXT).of(path) == line
