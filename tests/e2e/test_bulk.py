"""`aggregator ingest --bulk`: several archives are placed as one would be."""

from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from aggregator.store.engine.database import Database
from aggregator.store.intake import rejected
from aggregator.store.tables import article
from tests.support.articles import FLOOD, FLOOD_ELSEWHERE, STRIKE
from tests.support.daemon_process import DaemonProcess
from tests.support.rows import queried
from tests.support.rss import item, rss
from tests.support.terminal import Terminal, jsonl


def report(id_: str, source: str, title: str, text: str, hour: int) -> dict[str, Any]:
    time = f"2026-10-12T{hour:02}:00:00Z"
    return {
        "id": id_,
        "source": source,
        "title": title,
        "text": text,
        "published": time,
    }


# Of the flood the second outlet reports first, so the order decides which report founds the story.
GAZETTE = (
    report("1", "Gazette", "Levee breaks at Pennmouth", FLOOD, 12),
    report("2", "Gazette", "Dock workers strike", STRIKE, 8),
)
HERALD = (report("3", "Herald", "Pennmouth flooded", FLOOD_ELSEWHERE, 10),)
IN_ORDER = (GAZETTE[1], HERALD[0], GAZETTE[0])


@pytest.fixture
def terminals(tmp_path: Path) -> list[Terminal]:
    made = []
    for name in ("bulk", "whole", "plain"):
        (tmp_path / name).mkdir()
        made.append(Terminal(tmp_path / name))
    return made


@pytest.mark.later
def test_archives_are_placed_as_one_that_is_sorted_by_time(
    terminals: list[Terminal],
) -> None:
    bulk, whole, plain = terminals
    for terminal in (bulk, plain):
        terminal.write("gazette.jsonl", jsonl(*GAZETTE))
        terminal.write("herald.jsonl", jsonl(*HERALD))
    whole.write("all.jsonl", jsonl(*IN_ORDER))
    assert bulk.type("ingest", "--bulk", "gazette.jsonl", "herald.jsonl").code == 0
    assert plain.type("ingest", "gazette.jsonl", "herald.jsonl").code == 0
    assert whole.type("ingest", "all.jsonl").code == 0
    ids = [[story["id"] for story in one.stories()] for one in terminals]
    assert len(ids[0]) == 2
    assert ids[0] == ids[1] != ids[2]


@pytest.mark.later
def test_entries_of_saved_feeds_are_placed_in_the_order_of_their_times(
    tmp_path: Path,
) -> None:
    saved = Terminal(tmp_path)
    for name, reports in (("gazette", GAZETTE), ("herald", HERALD)):
        items = [
            item(
                one["title"],
                one["text"],
                published=datetime.fromisoformat(one["published"]),
            )
            for one in reports
        ]
        saved.write(f"{name}.xml", rss(*items, title=name.title()))
    assert saved.type("ingest", "--bulk", "gazette.xml", "herald.xml").code == 0
    placed = queried(
        f"sqlite:///{saved.folder / 'aggregator.db'}",
        select(article.c.title).order_by("inbox_no"),
    )
    assert placed.scalars().all() == [one["title"] for one in IN_ORDER]


@pytest.mark.later
def test_files_of_a_folder_and_standard_input_are_sorted_too(
    terminals: list[Terminal],
) -> None:
    bulk, whole, _ = terminals
    bulk.write("dump/gazette.jsonl", jsonl(*GAZETTE))
    whole.write("all.jsonl", jsonl(*IN_ORDER))
    assert (
        bulk.type(
            "ingest", "--bulk", "dump", "-", "missing", stdin=jsonl(*HERALD).encode()
        ).code
        == 3
    )
    assert whole.type("ingest", "all.jsonl").code == 0
    assert [one["id"] for one in bulk.stories()] == [
        one["id"] for one in whole.stories()
    ]


@pytest.mark.later
def test_what_was_rejected_is_kept_however_the_archives_are_read_in_turns(
    terminals: list[Terminal],
) -> None:
    bulk = terminals[0]

    def news(source: str) -> str:
        return jsonl(
            *(
                report(f"{n}", source, f"{source} {n}", f"{source} {n}", n // 10)
                for n in range(150)
            )
        )

    bulk.write("gazette.jsonl", "{broken\n" + news("Gazette"))
    bulk.write("herald.jsonl", news("Herald"))
    assert bulk.type("ingest", "--bulk", "gazette.jsonl", "herald.jsonl").code == 3
    url = f"sqlite:///{bulk.folder / 'aggregator.db'}"
    with closing(Database(url)) as database, database.read() as connection:
        assert [Path(one.item).name for one in rejected.latest(connection, 5)] == [
            "gazette.jsonl, line 1"
        ]


def test_a_folder_without_readable_files_is_reported(terminals: list[Terminal]) -> None:
    terminal = terminals[0]
    terminal.write("dump/feed", "<rss/>")
    ended = terminal.type("ingest", "dump")
    assert (ended.code, "there was nothing to read" in ended.err) == (0, True)


def test_neither_it_nor_a_second_daemon_runs_beside_a_daemon(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(jsonl(*GAZETTE), encoding="utf-8")
    with DaemonProcess(tmp_path, {}) as daemon:
        refused = daemon.command("ingest", "--bulk", "a.jsonl")
        second = daemon.command("run")
    assert (second.returncode, "is in use by another daemon" in second.stderr) == (
        6,
        True,
    )
    assert refused.returncode == 2
    assert "stop the daemon first" in refused.stderr
