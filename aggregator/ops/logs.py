"""Logs: one record, one line, for people or for programs, on standard error."""

import datetime as dt
import json
import logging
import sys

_OWN_LEVEL = {
    "alembic": logging.WARNING,
    "apscheduler": logging.WARNING,
    "asyncio": logging.WARNING,
    "httpx": logging.WARNING,
    "httpcore": logging.WARNING,
    "uvicorn": logging.WARNING,  # it tells that it starts and stops, and so do we
}


def set_up(level: str, form: str) -> None:
    """Send the program's records to standard error, as `text` or `json`."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if form == "json" else _Text())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name, own in _OWN_LEVEL.items():
        logging.getLogger(name).setLevel(max(own, root.level))


def one_line(text: str) -> str:
    """No stranger's title may start a line of its own or colour the terminal."""
    return "".join(sign if sign.isprintable() else " " for sign in text)


class _Text(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        when = dt.datetime.fromtimestamp(record.created, dt.UTC).strftime("%Y-%m-%d %H:%M:%S")
        line = f"{when} {record.levelname.lower():7} {one_line(record.getMessage())}"
        return line + _trace(self, record)


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        when = dt.datetime.fromtimestamp(record.created, dt.UTC).isoformat(timespec="milliseconds")
        line = {
            "time": when.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "room": record.name.removeprefix("aggregator."),
            "message": one_line(record.getMessage()),
        }
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def _trace(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    return "\n" + formatter.formatException(record.exc_info) if record.exc_info else ""
