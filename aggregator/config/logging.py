"""Log records as text or JSON on standard error, with secrets redacted.

Each record of this program names its event (docs/monitoring.md); the text format ends with it.
A JSON record is always one line. Under systemd's journal each line begins with its priority (sd-daemon(3)),
so that `journalctl -p warning` works.
"""

import json
import logging
import os
import sys
import threading
from datetime import UTC, datetime
from types import TracebackType

from aggregator.config.messages import redact

# These keys of `extra=` become keys of a JSON record.
FIELDS = ("event", "source", "entry", "article", "story", "webhook", "job")

LIBRARY_LEVELS = {
    "alembic": logging.WARNING,
    "apscheduler": logging.WARNING,
    "asyncio": logging.WARNING,
    "httpx": logging.WARNING,
    "httpcore": logging.WARNING,
    "mcp": logging.WARNING,  # logs each call that the client got wrong
    # logs tracebacks of broken connections, which this program logs as messages
    "sqlalchemy.pool": logging.CRITICAL,
    "uvicorn": logging.WARNING,  # logs start and stop, as this program does
}
# The priorities of syslog
_PRIORITIES = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}


def set_up(level: str, form: str) -> None:
    """Log to standard error as `text` or `json`; may be called again.

    Uncaught exceptions and Python warnings become records, too.
    """
    handler = logging.StreamHandler(sys.stderr)
    formatter = _Json if form == "json" else _Formatter
    handler.setFormatter(formatter(with_priority=goes_to_journal()))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name, least in LIBRARY_LEVELS.items():
        logging.getLogger(name).setLevel(max(least, root.level))
    logging.captureWarnings(capture=True)
    sys.excepthook = _on_uncaught
    threading.excepthook = _on_uncaught_in_thread


def writes_json() -> bool:
    """Return whether the log is JSON, so that all other output to standard error should be JSON, too."""
    return any(
        isinstance(handler.formatter, _Json) for handler in logging.getLogger().handlers
    )


def goes_to_journal() -> bool:
    """Return whether standard error is connected to systemd's journal."""
    device, _, number = os.environ.get("JOURNAL_STREAM", "").partition(":")
    try:
        status = os.fstat(sys.stderr.fileno())
    except (OSError, ValueError, AttributeError):  # closed, or not a file
        return False
    return (device, number) == (str(status.st_dev), str(status.st_ino))


def one_line(text: str) -> str:
    """Replace line breaks and control characters by spaces, so that untrusted text cannot forge lines or colours."""
    return "".join(char if char.isprintable() else " " for char in text)


class _Formatter(logging.Formatter):
    def __init__(self, *, with_priority: bool) -> None:
        super().__init__()
        self.with_priority = with_priority

    def format(self, record: logging.LogRecord) -> str:
        level = record.levelname.lower()
        trace = []
        if record.exc_info:
            lines = redact(self.formatException(record.exc_info)).split("\n")
            trace = [one_line(line) for line in lines]
        prefix = f"<{_PRIORITIES.get(level, 6)}>" if self.with_priority else ""
        message = one_line(redact(record.getMessage()))
        lines = self.lines(record, level, message, trace)
        return "\n".join(prefix + line for line in lines)

    def lines(
        self, record: logging.LogRecord, level: str, message: str, trace: list[str]
    ) -> list[str]:
        """Return the lines of a record as text."""
        first = f"{level:7} {message}"
        if not self.with_priority:  # the journal has the time
            time = datetime.fromtimestamp(record.created, UTC)
            first = f"{time:%Y-%m-%d %H:%M:%S} {first}"
        if event := getattr(record, "event", None):
            first += f" event={event}"
        return [first, *trace]


class _Json(_Formatter):
    def lines(
        self, record: logging.LogRecord, level: str, message: str, trace: list[str]
    ) -> list[str]:
        """Return the line of a record as JSON."""
        when = datetime.fromtimestamp(record.created, UTC).isoformat(
            timespec="milliseconds"
        )
        line = {
            "time": when.replace("+00:00", "Z"),
            "level": level,
            "logger": record.name.removeprefix("aggregator."),
            "message": message,
        }
        for name in FIELDS:
            if value := getattr(record, name, None):
                line[name] = one_line(redact(str(value)))
        if trace:
            line["trace"] = "\n".join(trace)
        return [json.dumps(line, ensure_ascii=False)]


def _on_uncaught(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
    else:
        logging.getLogger("aggregator").critical(
            "%s",
            kind.__name__,
            exc_info=(kind, error, trace),
            extra={"event": "exception_uncaught"},
        )


def _on_uncaught_in_thread(hook: threading.ExceptHookArgs) -> None:
    if hook.exc_value is not None and not issubclass(hook.exc_type, SystemExit):
        name = hook.thread.name if hook.thread else "a thread"
        logging.getLogger("aggregator").critical(
            "%s ended by %s",
            name,
            hook.exc_type.__name__,
            exc_info=(hook.exc_type, hook.exc_value, hook.exc_traceback),
            extra={"event": "thread_died"},
        )
