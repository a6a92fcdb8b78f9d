"""The digest of a tool's definition, which tells a listed definition from the accepted one.

It counts the members that say what a tool is and does (MCP 2026-07-28, `Tool`). It leaves out `icons`,
pictures for people whose URLs may be signed anew for every list; `_meta`, which may differ from response
to response; and `execution`, which says how a call is run.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

PATTERN = r"sha256:[0-9a-f]{64}\Z"
MEMBERS = ("name", "title", "description", "inputSchema", "outputSchema", "annotations")


def digest(definition: Mapping[str, Any]) -> str:
    """`sha256:` and 64 hexadecimal digits, of the counted members of a tool as its server lists it.

    The order of keys and the spelling of strings do not count; the order of lists does, and so does
    whether a member is absent, null or empty. Raises `ValueError` for what is not strict JSON.
    """
    counted = {key: definition[key] for key in MEMBERS if key in definition}
    text = json.dumps(
        counted, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
