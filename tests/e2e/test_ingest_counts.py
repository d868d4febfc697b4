"""The counts of `ingest` add up, and it shows its progress while another process places."""

import contextlib
import json
import os
import pty
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from aggregator.model.clock import utc_now
from aggregator.store.engine.database import Database
from aggregator.store.read.marks.read_marks import OWNER, ReadMarks
from aggregator.store.read.marks.story_streams import StoryStream
from tests.support import forked
from tests.support.articles import FLOOD, FLOOD_ELSEWHERE, STRIKE
from tests.support.daemon_process import DaemonProcess
from tests.support.terminal import DAY, Terminal, jsonl, kept, reports

ARCHIVES = Path("tests/data/archives").resolve()
CORRECTED = STRIKE.replace("Sennick", "Iskmouth")


def mixed() -> str:
    """Records of every kind: new, joining, copies, repeated, with a new text, and unreadable ones."""

    def one(id_: str, source: str, title: str, text: str) -> dict[str, Any]:
        return {
            "id": id_,
            "source": source,
            "title": title,
            "text": text,
            "published": DAY,
        }

    strike = one("3", "Herald", "Dock workers strike", STRIKE)
    good = jsonl(
        one("1", "Gazette", "Levee breaks at Pennmouth", FLOOD),
        one("2", "Herald", "Pennmouth flooded", FLOOD_ELSEWHERE),
        strike,
        strike,
        one("4", "Courier", "Dock workers strike", STRIKE),
        one("3", "Herald", "Dock workers strike in Iskmouth", CORRECTED),
        one("5", "Mirror", "Ferry sails with muted words", "w " * 80),
    )
    return good + '{"broken\n{"id": "6"}\n[1]\n'


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[DaemonProcess]:
    (tmp_path / "mixed.jsonl").write_text(mixed(), encoding="utf-8")
    made = DaemonProcess(tmp_path, {"mute": {"words": ["muted"]}})
    yield made
    made.kill()


@pytest.mark.later
@pytest.mark.parametrize("beside_daemon", [False, True])
def test_the_counts_add_up_whoever_places(
    daemon: DaemonProcess, beside_daemon: bool
) -> None:
    if beside_daemon:
        daemon.start()
    for is_known in (False, True):
        ended = daemon.command("ingest", "mixed.jsonl", "--format", "json")
        assert ended.returncode == 3, ended.stderr
        counts = json.loads(ended.stdout)
        new, known, revised = (counts[name] for name in ("new", "known", "revised"))
        rejected = counts["rejected_count"]
        assert counts["read"] == 10
        assert counts["read"] == new + known + revised + rejected + counts["waiting"]
        assert new == counts["stories_created"] + counts["joined"] + counts["copies"]
        if not is_known:
            assert (counts["copies"], revised, known, rejected) == (1, 1, 1, 4)
        assert len(counts["rejected"]) == rejected
    shown = daemon.command("ingest", "mixed.jsonl").stdout
    by_indent: dict[int, list[int]] = {}
    for indent, number in re.findall(r"^( *)\S.* ([\d,]+)$", shown, re.MULTILINE):
        by_indent.setdefault(len(indent), []).append(int(number))
    read, _extended = by_indent[0]
    assert read == sum(by_indent[2]) == 10
    assert by_indent[2][0] == sum(by_indent[4])


def test_a_terminal_shows_how_much_another_process_has_placed(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path)
    terminal.write("reports.jsonl", reports())
    other = str(ARCHIVES / "miniflux-starred.json")
    assert terminal.type("db", "upgrade").code == 0
    with terminal.as_writer():  # which ends without having placed anything
        left = terminal.type("ingest", other, "--no-wait", "--format", "json")
        assert json.loads(left.out)["waiting"] == 1
        ours, theirs = pty.openpty()
        environment = kept({"COLUMNS": "80", "TERM": "xterm"})
        with Path(os.devnull).open("r+b") as nothing:
            streams = (nothing.fileno(), nothing.fileno(), theirs)
            process = forked.start(
                ["ingest", "reports.jsonl"], tmp_path, environment, streams
            )
        os.close(theirs)
        shown = b""
        while b"0/3" not in shown:
            shown += os.read(ours, 65536)
        assert b"placed/s" in shown
    # That is how a terminal tells that its last writer has gone
    with suppress(OSError):
        while more := os.read(ours, 65536):
            shown += more
    os.close(ours)
    assert process.wait() == 0
    assert b"3/3" in shown
    assert sum(one["article_count"] for one in terminal.stories()) == 4


def test_starred_items_of_feed_readers_are_saved_stories(tmp_path: Path) -> None:
    """FreshRSS and Miniflux write one file of them; what is known already is saved, too."""
    terminal = Terminal(tmp_path)
    files = [
        str(ARCHIVES / f"{name}-starred.json") for name in ("freshrss", "miniflux")
    ]
    assert terminal.type("ingest", files[0]).code == 0
    assert terminal.type("ingest", "--saved", *files).code == 0
    assert terminal.type("ingest", "--saved", "--no-wait", *files).code == 2
    with contextlib.closing(Database(terminal.database)) as database:
        marks = ReadMarks(database, utc_now)
        rows, _ = marks.items(marks.sign_in(OWNER), StoryStream(is_starred=True), 10)
    assert {row.story for row in rows} == {one["id"] for one in terminal.stories()}


def test_what_a_feed_reader_exports_without_a_star_is_not_saved(tmp_path: Path) -> None:
    unstarred = {
        "miniflux-starred.json": ('"starred": true', '"starred": false'),
        "freshrss-starred.json": ("[]", '["user/-/state/com.google/read"]'),
    }
    for name, words in unstarred.items():
        text = (ARCHIVES / name).read_text()
        (tmp_path / name).write_text(text.replace(*words))
    terminal = Terminal(tmp_path)
    for _ in ("new", "known"):
        said = terminal.type("ingest", "--saved", *unstarred).err
        assert "saved 0 stories for the owner; without a star: 1 article" in said


def test_the_stars_of_articles_that_wait_to_be_placed_are_not_lost_in_silence(
    tmp_path: Path,
) -> None:
    """A daemon in its first reading has them already, without a story."""
    terminal = Terminal(tmp_path)
    starred = str(ARCHIVES / "freshrss-starred.json")
    assert terminal.type("db", "upgrade").code == 0
    with terminal.as_writer():
        assert terminal.type("ingest", starred, "--no-wait").code == 0
        early = terminal.type("ingest", "--saved", starred)
    assert early.code == 1
    assert "saved 0 stories" in early.err
    assert "1 article waits to be placed: type this command again" in early.err
    later = terminal.type("ingest", "--saved", starred)
    assert later.code == 0, later.err
    assert "saved 0" not in later.err
