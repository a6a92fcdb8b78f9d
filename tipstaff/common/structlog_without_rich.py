"""Loads structlog before anybody else, without the tracebacks of rich, which no process of Tipstaff shows.

structlog loads rich where it is installed. A service that starts with it takes a tenth of a second of CPU
longer, and holds some hundred modules that it never uses.
"""

from __future__ import annotations

import sys
from typing import Any

modules: dict[str, Any] = sys.modules
is_first = "structlog" not in modules and "rich" not in modules
if is_first:
    modules["rich"] = None  # an import of it fails, as if it were not installed
try:
    import structlog as structlog  # noqa: PLC0414 - handed on
finally:
    if is_first:
        del modules["rich"]
