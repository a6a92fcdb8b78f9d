"""Spans of time: as options write them, and as people read them. Pure."""

from __future__ import annotations

import re

from tipstaff.cli.errors import OptionError

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_SPAN = re.compile(r"(\d{1,6})([smhd])")


def seconds(option: str, text: str, units: str = "smhd") -> int:
    """The seconds that `text` means, for example `90d`; raises `OptionError`, which names the option."""
    span = _SPAN.fullmatch(text.strip())
    if not span or span[2] not in units or not int(span[1]):
        choice = f"{', '.join(units[:-1])} or {units[-1]}"
        raise OptionError(f"{option} {text!r}: write a number and {choice}, for example 1h")
    return int(span[1]) * _UNITS[span[2]]


def words(span: float) -> str:
    """A span of seconds in at most two units: `45 s`, `12 min`, `2 h 5 min`, `3 d 4 h`."""
    whole = max(0, int(span))
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if minutes < 5 and rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if hours else f"{days} d"
