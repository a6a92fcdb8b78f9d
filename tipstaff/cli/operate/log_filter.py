"""Which records `tipstaff log` shows. Pure; `now` comes in.

Times are UTC, as they stand in the records.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any

from msgspec import Struct

from tipstaff.cli.errors import OptionError
from tipstaff.common.did_you_mean import nearest

_AGE = re.compile(r"([0-9]{1,6})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_SINCE_FORMS = "an age (30s, 10m, 2h, 7d) or a time in UTC (2026-11-26, 2026-11-26T10:00)"
_MAX_KNOWN = 10_000
# The option, and where the record has what it is about.
_FIELDS = (
    ("server", ("server",)),
    ("tool", ("target",)),
    ("effect", ("effect",)),
    ("code", ("reason", "code")),
    ("caller", ("principal", "id")),
)


class Filter(Struct, frozen=True, kw_only=True):
    """The filter of records. A text may hold `*` for anything; an empty text matches all.

    `tool` is the target: of other methods than `tools/call` a URI or the name of a prompt.
    """

    server: str = ""
    tool: str = ""
    effect: str = ""
    code: str = ""
    caller: str = ""
    since: datetime | None = None

    def fits(self, record: Mapping[str, Any]) -> bool:
        """Whether `record` is to be shown."""
        for name, pattern in self.given().items():
            if not fnmatchcase(value(record, name), pattern):
                return False
        return self.since is None or _is_since(record.get("timestamp"), self.since)

    def given(self) -> dict[str, str]:
        """The options that are set, without `since`."""
        return {name: getattr(self, name) for name, _ in _FIELDS if getattr(self, name)}


class Unmatched:
    """Finds out why no record matches: options whose value occurs in no record. Bounded."""

    def __init__(self, record_filter: Filter) -> None:
        """Look for the values of the filter."""
        self._texts = {
            name: text for name, text in record_filter.given().items() if "*" not in text
        }
        self._known: dict[str, set[str]] = {name: set() for name in self._texts}

    def note(self, record: Mapping[str, Any]) -> None:
        """Note the values of a record."""
        for name, known in self._known.items():
            if len(known) < _MAX_KNOWN:
                known.add(value(record, name))

    def reasons(self) -> Iterable[str]:
        """A sentence for each option that fits no record."""
        for name, text in self._texts.items():
            known = self._known[name] - {""}
            if text not in known:
                yield f"no record has the {name} {text}; {nearest(text, known)}"


def value(record: Mapping[str, Any], name: str) -> str:
    """The value in `record` that the option `name` filters by, "" when there is none."""
    item: Any = record
    for step in dict(_FIELDS)[name]:
        item = item.get(step) if isinstance(item, dict) else None
    return item if isinstance(item, str) else ""


def parse_since(text: str, now: datetime) -> datetime:
    """The instant that `--since` means; raises `OptionError`."""
    age = _AGE.fullmatch(text.strip())
    try:
        if age:
            return now - timedelta(**{_UNITS[age[2]]: int(age[1])})
        instant = datetime.fromisoformat(text.strip())
    except (ValueError, OverflowError) as error:
        raise OptionError(
            f"--since {text}: neither {_SINCE_FORMS.replace(' or ', ' nor ')}"
        ) from error
    if instant.tzinfo is None:
        instant = instant.replace(tzinfo=UTC)
    if instant > now:
        raise OptionError(
            f"--since {text}: lies in the future; times are UTC, and now it is {now:%Y-%m-%dT%H:%M}"
        )
    return instant


def _is_since(timestamp: Any, since: datetime) -> bool:
    try:
        return datetime.fromisoformat(timestamp) >= since
    except (ValueError, TypeError):
        return False
