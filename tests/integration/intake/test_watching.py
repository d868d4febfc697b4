"""A watched folder whose files are mended, replaced, renamed, cut and taken away; on both databases."""

import os
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import select

from aggregator.admin.ingest.ingest_files import Ingest
from aggregator.admin.ingest.ingest_results import IngestSummary
from aggregator.admin.ingest.inputs import IngestServices
from aggregator.config.tuning import Tuning
from aggregator.intake.kinds import folder_kind
from aggregator.intake.kinds.folder_kind import FolderWatcher
from aggregator.intake.pipeline import Pipeline
from aggregator.intake.polling.page_fetch import PollServices
from aggregator.intake.polling.poll import Poller
from aggregator.intake.polling.poll_result import PollResult
from aggregator.intake.workers.executor import InlineExecutor
from aggregator.model.entry import Entry
from aggregator.sources.fetch.client import Client, ClientSettings
from aggregator.sources.parse.streams.folder_scan import FolderChanges, scan
from aggregator.store import codecs
from aggregator.store.engine.database import Database
from aggregator.store.intake import rejected
from aggregator.store.intake.folder_names import name_folder, with_folder_name
from aggregator.store.intake.source_rows import Source, add, all_sources
from aggregator.store.tables import article as articles
from aggregator.store.tables import entry
from tests.support.articles import FLOOD, NOON, STRIKE, Clock, Rig, record
from tests.support.polling import folder_source
from tests.support.rows import column, queried, read_by, written_by

ALL_TUNING = Tuning()
GOOD = '{"id": "%d", "title": "Report %d", "text": "Words of report %d."}\n'


class Folder:
    """A watched folder, looked at when a test says so."""

    def __init__(self, database: Database, path: Path) -> None:
        self.path = path
        self.database = database
        self.clock = Clock()
        self.watching = FolderWatcher(self.services(ALL_TUNING))
        path.mkdir()
        written_by(database, add, folder_source(path))

    def services(self, all_tuning: Tuning) -> PollServices:
        client = Client(ClientSettings(), all_tuning)
        return PollServices(
            self.database, client, InlineExecutor(), all_tuning, self.clock
        )

    def write(self, name: str, text: str | bytes, minute: int = 0) -> Path:
        """A file as it was written at `minute`, by somebody who has done."""
        file = self.path / name
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        at = NOON.timestamp() - 7200 + 60 * minute
        os.utime(file, (at, at))
        return file

    @property
    def source(self) -> Source:
        return read_by(self.database, all_sources)[0]

    def poll(self) -> PollResult:
        return self.watching.poll(self.source)

    def reported(self) -> list[str]:
        """What `doctor` shows as refused, without the folder."""
        shown = read_by(self.database, rejected.latest, 1000)
        return sorted(one.item.removeprefix(f"{self.path}/") for one in shown)

    def ingest(self, *what: Path | str) -> IngestSummary:
        services = self.services(ALL_TUNING)
        run = Ingest(
            IngestServices(
                self.database,
                services.executor,
                ALL_TUNING,
                self.clock,
                lambda: Poller(services, robots=False, pages="never"),
            ),
            become_writer=lambda: Pipeline(
                self.database, services.executor, ALL_TUNING, self.clock
            ),
        )
        for _ in run.run([str(one) for one in what]):
            pass
        services.client.close()
        return run.results.summary()


@pytest.fixture
def folder(database: Database, tmp_path: Path) -> Iterator[Folder]:
    return Folder(database, tmp_path / "desk")


def test_what_was_refused_of_a_file_goes_with_its_mending(folder: Folder) -> None:
    folder.write("a.txt", "")
    folder.write("b, c.jsonl", GOOD % (1, 1, 1) + "{broken\n" + "3\n")
    folder.poll()
    assert folder.reported() == ["a.txt", "b, c.jsonl, line 2", "b, c.jsonl, line 3"]
    assert "(and 2 more)" in str(folder.source.health_cause)

    folder.write("b, c.jsonl", GOOD % (1, 1, 1) + "\n" + GOOD % (2, 2, 2), 1)
    assert len(folder.poll().accepted) == 1
    assert folder.reported() == ["a.txt"]
    assert str(folder.source.health_cause).endswith("a.txt: there is nothing in it")

    folder.write("a.txt", FLOOD, 2)
    folder.poll()
    assert folder.reported() == []
    assert folder.source.health_cause is None


@pytest.mark.parametrize("way", ["deleted", "renamed"])
def test_what_was_refused_of_a_file_goes_with_the_file(
    folder: Folder, way: str
) -> None:
    file = folder.write("a.txt", "")
    folder.write("b.txt", FLOOD)
    folder.poll()
    assert folder.reported() == ["a.txt"]
    if way == "deleted":
        file.unlink()
    else:
        file.rename(folder.path / "z.txt")
    folder.poll()
    assert folder.reported() == ([] if way == "deleted" else ["z.txt"])


def test_who_reads_the_mended_file_does_not_matter(folder: Folder) -> None:
    assert folder.ingest(folder.write("a.jsonl", "{broken\n")).rejected_count == 1
    folder.poll()
    assert folder.reported() == ["a.jsonl, line 1"], "once, though two have read it"
    folder.write("a.jsonl", GOOD % (1, 1, 1), 1)
    folder.poll()
    assert folder.reported() == []


def test_ingesting_again_forgets_what_was_mended(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = folder.write("a.jsonl", GOOD % (1, 1, 1) + "{broken\n" * 3)
    monkeypatch.chdir(folder.path)
    assert folder.ingest(Path("a.jsonl")).rejected_count == 3
    assert folder.reported() == [f"a.jsonl, line {number}" for number in (2, 3, 4)], (
        "by the whole path"
    )
    folder.write("a.jsonl", GOOD % (1, 1, 1) + "{broken\n", 1)
    monkeypatch.chdir(folder.path.parent)
    assert folder.ingest(file).rejected_count == 1
    assert folder.reported() == ["a.jsonl, line 2"]


def test_a_name_that_begins_alike_is_another_file(database: Database) -> None:
    items = [
        "/d/a.txt",
        "/d/a.txt.gz",
        "/d/a.txt, line 3",
        "/d/a.txtual, line 3",
        "/d/a.txt, x, line 1",
    ]
    with database.write() as connection:
        for item in items:
            rejected.note(
                connection, source="s", item=item, verdict="v", reason="r", at=NOON
            )
        rejected.clear_files(connection, ["/d/a.txt"])
        left = {one.item for one in rejected.latest(connection, 10)}
    assert left == {"/d/a.txt.gz", "/d/a.txtual, line 3"}


@pytest.mark.later
def test_of_a_million_broken_lines_the_first_are_reported(folder: Folder) -> None:
    file = folder.write("a.jsonl", "{broken\n" * 3000 + GOOD % (1, 1, 1))
    polled = folder.poll()
    assert len(folder.reported()) == 1000
    assert "(and 2999 more)" in str(polled.problem)
    assert folder.source.entries_rejected == 3000
    summary = folder.ingest(file)
    assert (summary.rejected_count, len(summary.rejected), summary.known) == (
        3000,
        1000,
        1,
    )


# --- a look ends before all is read ------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def _listing_takes_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine it can take so long that a multiple of it is enough to read everything."""
    monkeypatch.setattr(folder_kind, "_READING_SHARE", 0)


def hurried(folder: Folder, seconds: float = 0.02) -> FolderWatcher:
    """One that reads for no longer than that at a time; it knows nothing of what others read."""
    all_tuning = Tuning({"net": {"fetch_deadline_seconds": seconds}})
    folder.watching = FolderWatcher(folder.services(all_tuning))
    return folder.watching


def looks(folder: Folder) -> int:
    """How many looks it takes until all is read."""
    count = 1
    folder.poll()
    while folder.source.next_due_at == folder.clock.time:
        count += 1
        folder.poll()
    return count


def titles(folder: Folder) -> list[str]:
    packed = column(folder.database, entry.c.payload)
    return sorted(str(codecs.decompress_struct(one, Entry).title) for one in packed)


def test_a_folder_of_many_files_is_read_in_several_looks(folder: Folder) -> None:
    hurried(folder)
    for n in range(300):
        folder.write(f"{n}.jsonl", GOOD % (n, n, n))
    assert len(folder.poll().accepted) < 300
    hurried(folder)
    looks(folder)
    assert len(titles(folder)) == 300
    assert folder.source.entries_new == 300
    assert folder.source.entries_known == 0, "nothing was read twice"


@pytest.mark.later
def test_reading_rests_while_placing_is_far_behind(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder_kind, "MOST_WAITING", 150)
    folder.write("a.jsonl", "".join(GOOD % (n, n, n) for n in range(260)))
    rig = Rig(folder.database, folder.clock, ALL_TUNING)
    waited: list[int] = []

    def placed(_seconds: float) -> None:
        waited.append(len(titles(folder)))
        rig.place()

    folder.watching = FolderWatcher(folder.services(ALL_TUNING)._replace(pause=placed))
    assert len(folder.poll().accepted) == 260
    assert waited == [200]


def test_a_replaced_text_is_a_revision_and_a_renamed_one_a_copy(folder: Folder) -> None:
    rig = Rig(folder.database, folder.clock, ALL_TUNING)
    folder.write("a.txt", f"Levee breaks\n\n{FLOOD}")
    folder.poll()
    rig.place()
    folder.write("a.txt", f"Levee breaks\n\n{FLOOD} A sentence was added.", 1)
    folder.poll()
    assert [one.outcome for one in rig.place()] == ["revised"]
    (folder.path / "a.txt").rename(folder.path / "b.txt")
    folder.poll()
    assert [one.outcome for one in rig.place()] == ["copy"]
    assert len(queried(folder.database, select(articles.c.id)).all()) == 2


def test_a_deleted_file_takes_no_article_along(folder: Folder) -> None:
    rig = Rig(folder.database, folder.clock, ALL_TUNING)
    file = folder.write("a.txt", f"Dock workers strike\n\n{STRIKE}")
    folder.poll()
    rig.place()
    file.unlink()
    folder.poll()
    folder.write("a.txt", f"Dock workers strike\n\n{STRIKE}", 3)
    assert folder.poll().known == 1


def test_a_folder_that_takes_long_to_look_at_is_looked_at_less_often(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.poll()
    assert folder.source.next_due_at - folder.clock.time == timedelta(seconds=10)
    moments = iter([100.0, 103.0])
    clock = SimpleNamespace(
        thread_time=lambda: next(moments, 103.0),
        monotonic=time.monotonic,
        sleep=time.sleep,
    )
    # Of the look alone: the database has a clock of its own
    monkeypatch.setattr(folder_kind, "time", clock)
    folder.poll()
    assert folder.source.next_due_at - folder.clock.time == timedelta(seconds=60)


def test_a_look_during_which_the_machine_stood_still_is_no_costly_one(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def suspended(*arguments: Any, **options: Any) -> FolderChanges:
        time.sleep(0.6)  # 12 s of rest, were it work
        return scan(*arguments, **options)

    monkeypatch.setattr(folder_kind, "scan", suspended)
    folder.poll()
    assert folder.source.next_due_at - folder.clock.time == timedelta(seconds=10)


def test_ingest_without_the_libraries_for_addresses_names_no_password(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "fsspec", None)
    found = folder.ingest(
        "s3://user:hidden@news/a.warc?key=hidden", folder.write("a.txt", FLOOD)
    )
    (rejected,) = found.rejected
    assert rejected.where == "s3://news/a.warc"
    assert "pip install" in rejected.reason
    assert "//" not in rejected.reason
    assert "hidden" not in rejected.reason + str(folder.reported())
    assert found.read == 2


def test_two_folders_of_one_name_are_two_and_a_moved_one_is_the_same(
    database: Database, tmp_path: Path
) -> None:
    first, second, moved = (tmp_path / place / "news" for place in "abc")
    first.mkdir(parents=True)
    second.mkdir(parents=True)
    with database.write() as connection:
        assert name_folder(connection, first, os.path.isdir) == "news"
        assert name_folder(connection, second, os.path.isdir) == "news#2"
        moved.parent.mkdir()
        first.rename(moved)
        assert name_folder(connection, moved, os.path.isdir) == "news"
        assert name_folder(connection, second, os.path.isdir) == "news#2"
        # One that is really called so is none of them.
        assert name_folder(connection, tmp_path / "x/news#3", bool) == "news#3"
        assert name_folder(connection, tmp_path / "y/news", bool) == "news#4"
    entry = Entry(source="news", guid="x.txt", text=FLOOD)
    assert with_folder_name(entry, second, "news#2").source == "news#2"
    spoken = record("Gazette", "1", "Levee", FLOOD, published=None)
    assert with_folder_name(spoken, second, "news#2") == spoken
