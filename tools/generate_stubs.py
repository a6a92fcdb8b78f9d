"""Generates the Python stubs of the contract into pdp/api/v1, or with --check compares them.

Descriptors keep their canonical file names (tipstaff/decision/v1/...), so only the import lines of
the generated modules are changed: the stubs live in `pdp.api.v1`.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "proto"
TARGET = ROOT / "pdp" / "api" / "v1"


def main() -> int:
    """Write the stubs, or check them; returns the exit code."""
    wanted = generate()
    if "--check" in sys.argv:
        stale = [name for name, text in wanted.items() if _current(name) != text]
        if stale:
            print(f"stubs are out of date: {', '.join(sorted(stale))}; run `make proto`")
        return 1 if stale else 0
    TARGET.mkdir(parents=True, exist_ok=True)
    for name, text in wanted.items():
        (TARGET / name).write_text(text, encoding="utf-8")
    print(f"wrote {len(wanted)} files to {TARGET.relative_to(ROOT)}")
    return 0


def generate() -> dict[str, str]:
    """File name to text of every stub."""
    protos = sorted(str(path.relative_to(SOURCE)) for path in SOURCE.rglob("*.proto"))
    with tempfile.TemporaryDirectory() as folder:
        outputs = [f"--{kind}_out={folder}" for kind in ("python", "pyi", "grpc_python")]
        command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{SOURCE}", *outputs, *protos]
        subprocess.run(command, check=True)
        found = {
            path.name: path.read_text(encoding="utf-8").replace(
                "from tipstaff.decision.v1 import", "from pdp.api.v1 import"
            )
            for path in Path(folder).rglob("*.py*")
            if path.name != "types_pb2_grpc.py"  # it holds no service
        }
    found["__init__.py"] = '"""Stubs generated from proto/. Never edited: run `make proto`."""\n'
    return found


def _current(name: str) -> str | None:
    path = TARGET / name
    return path.read_text(encoding="utf-8") if path.exists() else None


if __name__ == "__main__":
    sys.exit(main())
