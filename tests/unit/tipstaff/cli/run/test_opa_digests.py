"""The digests of OPA: what stands in the source is well formed, and can be written from files."""

from __future__ import annotations

import hashlib
import importlib.util
import re
from pathlib import Path
from typing import Any

from tipstaff.cli.run import opa_digests
from tipstaff.cli.run.opa_digests import MODULE, MODULE_SUM, OPA_VERSION, RELEASE_SHA256

ROOT = Path(__file__).parents[5]


def tool() -> Any:
    spec = importlib.util.spec_from_file_location("tool", ROOT / "tools" / "opa_digests.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_digest_is_one() -> None:
    """A slip of the pen would refuse the right file for ever."""
    assert MODULE.endswith(f"@v{OPA_VERSION}")
    assert re.fullmatch(r"h1:[A-Za-z0-9+/]{43}=", MODULE_SUM)
    assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in RELEASE_SHA256.values())


def test_the_table_is_written_from_the_files_of_a_release(tmp_path: Path) -> None:
    """And again; other files are passed over."""
    (tmp_path / "opa_linux_amd64_static").write_bytes(b"a")
    (tmp_path / "opa_linux_amd64_static.sha256").write_bytes(b"b")
    table = tool().digests(tmp_path)
    assert table == {"opa_linux_amd64_static": hashlib.sha256(b"a").hexdigest()}
    source = Path(opa_digests.__file__).read_text()
    assert tool().written(source, dict(RELEASE_SHA256)) == source
    once = tool().written(source, table)
    found: dict[str, Any] = {}
    exec(compile(once, "x", "exec"), found)
    assert dict(found["RELEASE_SHA256"]) == table
    assert tool().written(once, table) == once
