"""Saved answers, read from files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tipstaff.cli.errors import ListingError
from tipstaff.survey.asking.introspect import read_listing


def test_a_saved_answer_is_read_with_all_that_is_in_it(tmp_path: Path) -> None:
    """Unknown members, large numbers and letters from anywhere."""
    tool = {
        "name": "a", "inputSchema": {"properties": {"n": {"maximum": 2**70, "x-unit": "µm"}}},
        "annotations": None, "vendor/x": [1.0, -0.0, 1e-7],
    }  # fmt: skip
    begun = {"protocolVersion": "2025-06-18", "serverInfo": {"name": "s", "vendor": 1}}
    path = tmp_path / "s.json"
    path.write_text(json.dumps({"initialize": begun, "tools": [tool]}))
    found = read_listing(path)
    assert json.dumps(found.tools) == json.dumps([tool])
    assert found.server_info == {"name": "s", "vendor": 1}
    assert (found.era, found.version) == ("legacy", "2025-06-18")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is not JSON"),
        (b"event: message\ndata: {}\n", "is not JSON"),
        (b'{"tools": [], "tools": []}', "is not JSON: duplicate key 'tools'"),
        (b'{"tools": [NaN]}', "is not JSON: NaN"),
        (b'\xff\xfe{"tools": []}', "is not JSON: not UTF-8"),
        (b'{"tool": []}', "has no tools; expected"),
        (b'[{"name": 1}]', r"tools\[0\] has no proper name: 1"),
    ],
)
def test_a_file_that_is_no_list_is_named_with_what_is_wrong(
    tmp_path: Path, content: bytes, said: str
) -> None:
    """Never taken for an empty one."""
    path = tmp_path / "s.json"
    path.write_bytes(content)
    with pytest.raises(ListingError, match=f"^{path}: {said}"):
        read_listing(path)


def test_a_file_that_cannot_be_read_is_named_with_the_reason(tmp_path: Path) -> None:
    """Missing, or a folder."""
    with pytest.raises(ListingError, match=r"missing\.json: cannot be read: No such file"):
        read_listing(tmp_path / "missing.json")
    with pytest.raises(ListingError, match="cannot be read: Is a directory"):
        read_listing(tmp_path)
