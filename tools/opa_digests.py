"""Writes the SHA-256 of OPA's release files into tipstaff/cli/run/opa_digests.py.

    python tools/opa_digests.py FOLDER

FOLDER holds the files of one release under their own names (opa_linux_amd64_static and the like), got
and compared by more than one way.
"""

from __future__ import annotations

import hashlib
import re
import sys
from pathlib import Path

TABLE = Path(__file__).parents[1] / "tipstaff" / "cli" / "run" / "opa_digests.py"
_NAME = re.compile(r"opa_(linux|darwin)_(amd64|arm64)(_static)?")
_LINE = re.compile(r"RELEASE_SHA256: .*\Z", re.DOTALL)


def digests(folder: Path) -> dict[str, str]:
    """Each release file of the folder with its SHA-256."""
    files = sorted(path for path in folder.iterdir() if _NAME.fullmatch(path.name))
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def written(source: str, table: dict[str, str]) -> str:
    """The source of the module with another table."""
    rows = "".join(f'        "{name}": "{digest}",\n' for name, digest in table.items())
    inside = f"\n    {{\n{rows}    }}\n" if rows else "{}"
    return _LINE.sub(f"RELEASE_SHA256: Mapping[str, str] = MappingProxyType({inside})\n", source)


def main() -> int:
    """Write the table; 1 when there is nothing to write."""
    table = digests(Path(sys.argv[1])) if len(sys.argv) == 2 else {}
    if not table:
        print(__doc__, file=sys.stderr)
        return 1
    TABLE.write_text(written(TABLE.read_text(encoding="utf-8"), table), encoding="utf-8")
    for name, digest in table.items():
        print(f"{digest}  {name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
