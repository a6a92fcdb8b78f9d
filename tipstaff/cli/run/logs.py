"""Operational logs of every process and command: one renderer, without local variables, secrets masked.

A traceback says where a fault was, never what the variables held there: they hold headers, bodies and
tokens. Whatever else is said goes through one filter on its way out: the secrets that the configuration
gave this process are looked for as they are, everything else that has the form of a secret by
`tipstaff.common.masking`; and nothing is longer than a person reads.

Libraries speak by the standard library's logging, and the interpreter by its hooks; both end here.
"""

from __future__ import annotations

import logging
import re
import sys
import threading
import time
from collections.abc import MutableMapping
from types import TracebackType
from typing import Any

from tipstaff.cli.known_secrets import without_known
from tipstaff.cli.run.bounded_lines import BoundedLines
from tipstaff.common.masking import masked, masked_credentials, masked_text
from tipstaff.common.structlog_without_rich import structlog
from tipstaff.common.visible_text import visible_lines

_LONGEST_TEXT, _LONGEST_TRACEBACK = 4096, 32 * 1024

# Who calls is no secret: `jwt:alice` is a name, though it reads like a secret behind its key.
_IDENTITY = "principal"
_ENDS_PLAIN_WORDS = re.compile(r"[(<\n]")

_Event = MutableMapping[str, Any]


def configure() -> None:
    """Set up this process, once: readable lines on a terminal, one JSON line each elsewhere."""
    if structlog.is_configured():
        return
    structlog.configure(
        processors=[
            BoundedLines(time.monotonic),
            *processors(for_people=sys.stderr.isatty()),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, handlers=[_Library()], force=True)
    sys.excepthook = _uncaught
    threading.excepthook = lambda fault: _say(
        "fault in a thread", (fault.exc_type, fault.exc_value, fault.exc_traceback)
    )
    sys.unraisablehook = lambda fault: _say(
        "fault in a clean-up", (fault.exc_type, fault.exc_value, fault.exc_traceback)
    )


def processors(*, for_people: bool) -> list[Any]:
    """The processors of a log line, in order."""
    renderer: Any = structlog.processors.JSONRenderer(ensure_ascii=True)
    if for_people:
        plain = structlog.dev.plain_traceback
        renderer = structlog.dev.ConsoleRenderer(exception_formatter=plain)
    return [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _mask,
        *([_show] if for_people else []),
        renderer,
    ]


def _mask(logger: Any, method: str, event: _Event) -> _Event:
    """Mask secrets in the values of a line, and bound their length."""
    del logger, method
    plain = {name: _plain(name, value) for name, value in event.items()}
    hidden: _Event = masked(plain)
    if isinstance(plain.get(_IDENTITY), str):
        hidden[_IDENTITY] = masked_credentials(plain[_IDENTITY])
    return hidden


def _show(_: Any, __: str, event: _Event) -> _Event:
    """Make what is logged visible on a terminal: a server's own words are among it."""
    for name, value in event.items():
        if isinstance(value, str):
            event[name] = visible_lines(value)
    return event


def _plain(name: str, value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    text = without_known(value if isinstance(value, str) else str(value))
    longest = _LONGEST_TRACEBACK if name == "exception" else _LONGEST_TEXT
    if len(text) <= longest:
        return text
    half, text = longest // 2, masked_text(text)  # half a secret has no form any more
    return f"{text[:half]} … {text[-half:]}"


class _Library(logging.Handler):
    """Passes log records of libraries to our logger."""

    def emit(self, record: logging.LogRecord) -> None:
        """Log the record as one of our lines."""
        try:
            text = record.getMessage()
        except (TypeError, ValueError):  # its arguments, which do not fit it, are not shown
            text = str(record.msg)
        if record.name == "asyncio":
            # What follows are representations of tasks, handles and transports, which show the
            # arguments of the functions that they call.
            text = _ENDS_PLAIN_WORDS.split(text, 1)[0]
        log = structlog.get_logger(record.name)
        log.log(record.levelno, text, logger=record.name, exc_info=record.exc_info or None)


def _uncaught(kind: type[BaseException], fault: BaseException, trace: TracebackType | None) -> None:
    if not issubclass(kind, KeyboardInterrupt):
        _say("unexpected fault", (kind, fault, trace))


def _say(event: str, fault: tuple[Any, ...]) -> None:
    structlog.get_logger("tipstaff").critical(event, exc_info=fault)
