"""What the program writes to standard error, as processes of their own write it."""

import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.programs import run_program

SPEAK = """
import logging, sys, threading, warnings
from aggregator.config.logging import set_up
set_up(sys.argv[1], sys.argv[2])
log = logging.getLogger("aggregator.daemon.poll_scheduler")
log.debug("a title\\nwith \\x1b[31mlines\\u2028in it")
log.info("%s: 3 new", "https://me:hunter2@news.example/feed",
         extra={"event": "source_polled", "source": "s1", "story": None})
log.warning("slow")
try:
    raise ValueError("key=hunter2\\nsecond line")
except ValueError:
    log.exception("it failed")
warnings.warn("an old call", DeprecationWarning, stacklevel=1)
thread = threading.Thread(target=lambda: 1 / 0, name="placing")
thread.start()
thread.join()
raise KeyError("hunter2 is not said here, but would be")
"""


def said(level: str, form: str, **environment: str) -> list[str]:
    ended = run_program(
        [sys.executable, "-W", "always", "-c", SPEAK, level, form],
        env=os.environ | environment,
    )
    assert (ended.returncode, ended.stdout) == (1, "")
    return ended.stderr.splitlines()


def test_json_is_one_record_a_line_whatever_goes_wrong() -> None:
    records = [json.loads(line) for line in said("debug", "json")]
    assert [record["level"] for record in records] == [
        *("debug", "info", "warning", "error", "warning", "critical", "critical")
    ]
    assert all(
        {"time", "level", "logger", "message"} <= record.keys() for record in records
    )
    assert all(
        re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", record["time"])
        for record in records
    )
    assert records[0]["message"] == "a title with  [31mlines in it"
    assert records[1]["message"] == "https://***@news.example/feed: 3 new"
    assert (records[1]["event"], records[1]["source"]) == ("source_polled", "s1")
    assert [record.get("event") for record in records[4:]] == [
        None,
        "thread_died",
        "exception_uncaught",
    ]
    assert "story" not in records[1], "what is not known is not there"
    assert records[1]["logger"] == "daemon.poll_scheduler"
    assert "ValueError: key=***\nsecond line" in records[3]["trace"]
    assert "DeprecationWarning: an old call" in records[4]["message"]
    assert records[5]["message"] == "placing ended by ZeroDivisionError"
    assert "ZeroDivisionError" in records[5]["trace"]
    assert "KeyError" in records[6]["trace"]


def test_text_is_for_people_and_the_level_chooses() -> None:
    lines = said("warning", "text")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d warning slow", lines[0])
    assert "error   it failed" in lines[1]
    assert lines[2] == "Traceback (most recent call last):"
    assert not [line for line in lines if "3 new" in line or "hunter2\\n" in line]
    named = [line.partition(" event=")[2] for line in lines if " event=" in line]
    assert named == ["thread_died", "exception_uncaught"], (
        "records of this program have an event"
    )


def test_a_line_of_text_ends_with_its_event() -> None:
    (line,) = [line for line in said("info", "text") if "3 new" in line]
    assert line.endswith(": 3 new event=source_polled")


@pytest.mark.parametrize("form", ["text", "json"])
def test_in_the_journal_every_line_begins_with_its_level(form: str) -> None:
    reader, journal = socket.socketpair()
    there = os.fstat(journal.fileno())
    ended = subprocess.run(
        [sys.executable, "-c", SPEAK, "debug", form],
        env=os.environ | {"JOURNAL_STREAM": f"{there.st_dev}:{there.st_ino}"},
        stderr=journal.fileno(),
        check=False,
    )
    journal.close()
    received = b""
    while piece := reader.recv(65536):
        received += piece
    reader.close()
    lines = received.decode().splitlines()
    assert ended.returncode == 1
    assert all(re.match("<[2-7]>", line) for line in lines)
    assert lines[0].startswith("<7>")
    assert "slow" in next(line for line in lines if line.startswith("<4>"))
    assert not re.match(r"<\d>\d{4}-", lines[0]), "the journal has a time of its own"
    if form == "json":
        assert json.loads(lines[1][3:])["message"].endswith("3 new")


def test_another_stream_than_the_journals_gets_no_marks() -> None:
    assert not [
        line
        for line in said("debug", "json", JOURNAL_STREAM="1:2")
        if line.startswith("<")
    ]


@given(st.text(max_size=200), st.text(max_size=50))
@settings(max_examples=200)
def test_any_words_make_one_line_of_json(words: str, source: str) -> None:
    import logging

    from aggregator.config.logging import _Json

    record = logging.LogRecord(
        "aggregator.x", logging.INFO, __file__, 1, "%s", (words,), None
    )
    record.source = source
    line = _Json(with_priority=False).format(record)
    assert len(line.splitlines()) == 1
    assert json.loads(line)["logger"] == "x"


@pytest.mark.later
def test_a_configuration_with_mistakes_is_reported_as_json_too(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("server: {prot: 1}\nfetsch: 2\n")
    ended = subprocess.run(
        [sys.executable, "-m", "aggregator", "run", "--log-format", "json"],
        cwd=tmp_path, capture_output=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 2
    records = [json.loads(line) for line in ended.stderr.splitlines()]
    assert [record["message"].split(" ")[0] for record in records] == [
        "config.yaml:1:",
        "config.yaml:2:",
    ]
