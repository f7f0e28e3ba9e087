"""Log lines that nobody can forge: what others wrote into a message stays on its line.

Names of objects, answers of products and texts of exceptions may contain line breaks, control
characters of terminals, and characters that turn the direction of the text. They are escaped, and
long texts are cut, in messages, in the fields of JSON lines and in exceptions. The lines of an
exception are indented, so that none looks like a line of the log.
"""

from __future__ import annotations

import logging
from typing import Any

from pythonjsonlogger.json import JsonFormatter

from fleet_telemetry.objects.text import printable

_LONGEST_MESSAGE = 8192
_LONGEST_FIELD = 1024
_LONGEST_EXCEPTION = 16384
_MOST_ITEMS = 32
_FORMAT = "%(asctime)s %(levelname)s %(name)s %(message)s"
# What a record has without extra fields.
_OWN_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def set_up_logging(log_format: str, log_level: str) -> None:
    """Log to standard error: ``log_format`` is ``json`` or ``text``."""
    handler = logging.StreamHandler()
    handler.setFormatter(log_formatter(log_format))
    logging.basicConfig(level=log_level.upper(), handlers=[handler])
    # kopf logs each event that it handles.
    logging.getLogger("kopf").setLevel(logging.WARNING)


def log_formatter(log_format: str) -> logging.Formatter:
    """The formatter, ``json`` or ``text``."""
    return _Json(_FORMAT) if log_format == "json" else _Text(_FORMAT)


class _Text(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return super().format(_safe(record))

    def formatException(self, ei: Any) -> str:  # noqa: N802  # as the library calls it
        return _indented(super().formatException(ei))

    def formatStack(self, stack_info: str) -> str:  # noqa: N802  # as the library calls it
        return _indented(super().formatStack(stack_info))


class _Json(JsonFormatter):
    def format(self, record: logging.LogRecord) -> str:
        return super().format(_safe(record))

    def formatException(self, ei: Any) -> str:  # noqa: N802  # as the library calls it
        return _indented(logging.Formatter.formatException(self, ei))


def _safe(record: logging.LogRecord) -> logging.LogRecord:
    """A copy, because other handlers get the same record."""
    safe = logging.makeLogRecord(vars(record))
    try:
        message = record.getMessage()
    except (TypeError, ValueError, KeyError):
        message = f"a log message that cannot be formatted: {record.msg!r}"
    safe.msg = printable(message, _LONGEST_MESSAGE)
    safe.args = None
    for name in vars(record).keys() - _OWN_FIELDS:
        setattr(safe, name, _field(getattr(record, name)))
    # Another formatter may have left its own.
    safe.exc_text = None
    return safe


def _field(value: object) -> object:
    if isinstance(value, str):
        return printable(value, _LONGEST_FIELD)
    if isinstance(value, (list, tuple)):
        return [_field(item) for item in value[:_MOST_ITEMS]]
    return value if isinstance(value, (int, float, type(None))) else _field(str(value))


def _indented(text: str) -> str:
    lines = text[:_LONGEST_EXCEPTION].split("\n")
    return "\n".join(f"    {printable(line, _LONGEST_EXCEPTION)}" for line in lines)
