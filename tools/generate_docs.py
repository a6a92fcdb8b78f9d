"""Writes the reference pages that are generated from code. `--check` only says whether they are new."""

from __future__ import annotations

import sys
from pathlib import Path

from pdp.api.reasons import REASONS

DOCS = Path(__file__).parent.parent / "docs"
_REASON_CODES = """\
# Reason codes

Every decision carries a reason: a code to match on, and a sentence to read. A code never changes its
meaning. Rules in a site's Rego add codes of their own.

Generated from `pdp/api/reasons.py` by `make docs`.

| code | meaning |
|---|---|
"""


def pages() -> dict[Path, str]:
    """Each page with its text."""
    rows = "".join(f"| `{code}` | {meaning} |\n" for code, meaning in REASONS.items())
    return {DOCS / "reason-codes.md": _REASON_CODES + rows}


def main(*, check: bool) -> int:
    """Write the pages, or say which are old; returns the exit code."""
    old = [
        path
        for path, text in pages().items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    for path in old:
        if check:
            print(f"{path.name} is older than the code: run `make docs`")
        else:
            path.write_text(pages()[path], encoding="utf-8")
            print(f"wrote {path.name}")
    return 1 if check and old else 0


if __name__ == "__main__":
    sys.exit(main(check="--check" in sys.argv))
