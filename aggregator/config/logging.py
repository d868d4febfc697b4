"""Logs: one record, for people or for programs, on standard error; nobody's secrets in it.

A JSON record is always one line, whatever went wrong. Under systemd's journal each line begins with its level
as the journal understands it (man 3 sd-daemon), so that `journalctl -p warning` works; the journal takes the
mark off.
"""

import datetime as dt
import json
import logging
import os
import sys
import threading
from types import TracebackType

from aggregator.config.messages import redact

# What a record may carry beside its words (`extra=` of the call), as keys of its JSON.
FIELDS = ("source", "entry", "article", "story", "hook", "job")

_OWN_LEVEL = {
    "alembic": logging.WARNING,
    "apscheduler": logging.WARNING,
    "asyncio": logging.WARNING,
    "httpx": logging.WARNING,
    "httpcore": logging.WARNING,
    "sqlalchemy.pool": logging.CRITICAL,  # traces of connections that broke; we tell what broke in words
    "uvicorn": logging.WARNING,  # it tells that it starts and stops, and so do we
}
_NUMBER_OF = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}  # syslog's


def set_up(level: str, form: str) -> None:
    """Send the program's records to standard error, as `text` or `json`; may be called again.

    What nobody caught, and warnings of Python, become records too.
    """
    handler = logging.StreamHandler(sys.stderr)
    with_priority = goes_to_journal()
    handler.setFormatter(
        _Json(with_priority=with_priority) if form == "json" else _Text(with_priority=with_priority)
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name, own in _OWN_LEVEL.items():
        logging.getLogger(name).setLevel(max(own, root.level))
    logging.captureWarnings(capture=True)
    sys.excepthook = _on_uncaught
    threading.excepthook = _on_uncaught_in_thread


def writes_json() -> bool:
    """Whether `set_up` was asked for JSON: then everything on standard error should be that."""
    return any(isinstance(handler.formatter, _Json) for handler in logging.getLogger().handlers)


def goes_to_journal() -> bool:
    """Whether standard error leads straight to systemd's journal."""
    device, _, number = os.environ.get("JOURNAL_STREAM", "").partition(":")
    try:
        there = os.fstat(sys.stderr.fileno())
    except (OSError, ValueError, AttributeError):  # closed, or no file at all
        return False
    return (device, number) == (str(there.st_dev), str(there.st_ino))


def one_line(text: str) -> str:
    """No stranger's title may start a line of its own or colour the terminal."""
    return "".join(sign if sign.isprintable() else " " for sign in text)


class _Formatter(logging.Formatter):
    def __init__(self, *, with_priority: bool) -> None:
        super().__init__()
        self._with_priority = with_priority

    def _priority_prefix(self, record: logging.LogRecord) -> str:
        return f"<{_NUMBER_OF.get(record.levelname.lower(), 6)}>" if self._with_priority else ""

    def _message(self, record: logging.LogRecord) -> str:
        return one_line(redact(record.getMessage()))

    def _trace(self, record: logging.LogRecord) -> list[str]:
        if not record.exc_info:
            return []
        lines = redact(self.formatException(record.exc_info)).split("\n")
        return [one_line(line) for line in lines]


class _Text(_Formatter):
    def format(self, record: logging.LogRecord) -> str:
        prefix = self._priority_prefix(record)
        when = dt.datetime.fromtimestamp(record.created, dt.UTC).strftime("%Y-%m-%d %H:%M:%S ")
        first = f"{'' if self._with_priority else when}{record.levelname.lower():7} {self._message(record)}"
        return "\n".join(prefix + line for line in (first, *self._trace(record)))


class _Json(_Formatter):
    def format(self, record: logging.LogRecord) -> str:
        when = dt.datetime.fromtimestamp(record.created, dt.UTC).isoformat(timespec="milliseconds")
        line = {
            "time": when.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "room": record.name.removeprefix("aggregator."),
            "message": self._message(record),
        }
        given = {name: getattr(record, name, None) for name in FIELDS}
        line |= {name: one_line(redact(str(value))) for name, value in given.items() if value}
        if record.exc_info:
            line["trace"] = "\n".join(self._trace(record))
        return self._priority_prefix(record) + json.dumps(line, ensure_ascii=False)


def _on_uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
    else:
        logging.getLogger("aggregator").critical("%s", kind.__name__, exc_info=(kind, error, trace))


def _on_uncaught_in_thread(given: threading.ExceptHookArgs) -> None:
    if given.exc_value is not None and not issubclass(given.exc_type, SystemExit):
        name = given.thread.name if given.thread else "a thread"
        trace = (given.exc_type, given.exc_value, given.exc_traceback)
        logging.getLogger("aggregator").critical(
            "%s ended by %s", name, given.exc_type.__name__, exc_info=trace
        )
