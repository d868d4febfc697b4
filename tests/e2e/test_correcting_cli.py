"""`aggregator correct` and `recluster` as people type them: alone, beside a daemon, and killed in between."""

import json
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from aggregator.store.engine.database import Database
from aggregator.store.engine.writer_lease import open_writer_lease
from aggregator.store.maintenance.row_stream import PASSING
from aggregator.store.stories import commands
from aggregator.store.tables import command, metadata
from tests.support.articles import NOON
from tests.support.daemon_process import PROGRAM, DaemonProcess
from tests.support.story_checks import (
    TRIPWIRE,
    assigned,
    by_title,
    members,
    partition,
    redirects,
    rows_of,
    what_is_wrong,
)
from tests.support.waiting import PATIENCE_SECONDS

STRICT = {"tuning": {"events": {"threshold": 30.0}}}


@pytest.fixture(scope="module")
def ingested(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database as `aggregator ingest` leaves it."""
    folder = tmp_path_factory.mktemp("ingested")
    program = DaemonProcess(folder, {})
    done = program.command("ingest", str(TRIPWIRE))
    assert done.returncode == 0, done.stderr
    return folder / "stories.db"


class Bench:
    """The program on a copy of that database, and a look at its rows."""

    def __init__(self, folder: Path, ingested: Path) -> None:
        shutil.copy(ingested, folder / "stories.db")
        self.folder = folder
        self.program = DaemonProcess(folder, {})
        self.database = Database(f"sqlite:///{folder / 'stories.db'}")

    def correct(self, *words: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        done = self.program.command("correct", *words)
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr
        return done

    def requests(self) -> list[tuple[str, str | None]]:
        with self.database.read() as connection:
            rows = connection.execute(
                select(command.c.state, command.c.result).order_by(command.c.command_no)
            )
            return [(row.state, row.result) for row in rows]

    def corrections(self) -> list[dict[str, Any]]:
        listed: list[dict[str, Any]] = json.loads(self.correct("list", "--format", "json").stdout)
        return listed

    def everything(self) -> dict[str, object]:
        kept = (table for table in metadata.sorted_tables if table.name not in PASSING)
        return {table.name: rows_of(self.database, table) for table in kept}


@pytest.fixture
def bench(tmp_path: Path, ingested: Path) -> Iterator[Bench]:
    made = Bench(tmp_path, ingested)
    yield made
    made.program.kill()
    made.database.close()


# --- alone -------------------------------------------------------------------------------------------------


def test_help_teaches_what_to_type(bench: Bench) -> None:
    reported = bench.program.command("correct", "--help").stdout
    assert all(word in reported for word in ("merge", "split", "move", "undo", "list", "export"))
    merging = bench.program.command("correct", "merge", "--help").stdout
    assert "aggregator correct merge STORY ANOTHER-STORY" in merging
    assert "never again" in " ".join(bench.program.command("correct", "split", "--help").stdout.split())
    assert "--dry-run" in bench.program.command("recluster", "--help").stdout


def test_a_correction_says_what_it_did_and_how_to_take_it_back(bench: Bench, tmp_path: Path) -> None:
    goat, bridge = by_title(bench.database, "goat cheese", "Hollin Bridge")
    before = partition(bench.database)
    merged = bench.correct("merge", goat, bridge)
    assert f"merged {goat} into {bridge}" in merged.stdout
    assert "aggregator correct undo 1" in merged.stderr
    one = members(bench.database, bridge)[1]
    split = json.loads(bench.correct("split", bridge, one, "--format", "json").stdout)
    assert split["n"] == 2
    assert split["stories"][0] == bridge
    listed = bench.correct("list").stdout.splitlines()
    assert [line.split()[0] for line in listed] == ["1", "2"]
    mine = tmp_path / "mine.jsonl"
    bench.correct("export", "--output", str(mine))
    assert {json.loads(line)["cluster"] for line in mine.read_text().splitlines()} == set(split["stories"])
    assert bench.program.command("eval", str(mine)).returncode == 0
    assert bench.correct("export").stdout.encode() == mine.read_bytes()
    bench.correct("undo")
    bench.correct("undo", "1")
    assert partition(bench.database) == before
    assert redirects(bench.database)[goat] is None
    assert all(made["undone_at"] for made in bench.corrections())
    assert "undone" in bench.correct("list").stdout
    assert bench.correct("export").stdout == ""
    assert what_is_wrong(bench.database) == []


@pytest.mark.torture
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["merge", "nowhere", "elsewhere"], "there is no story nowhere; `aggregator stories` lists them"),
        (["merge", "{goat}"], "aggregator correct merge STORY STORY"),
        (["merge", "{goat}", "{goat}"], "one story already"),
        (["split", "{goat}", "{cheese}"], "nothing would be left"),
        (["split", "{bridge}", "{cheese}"], "is not in story"),
        (["move", "nobody", "{goat}"], "there is no article nobody"),
        (["undo"], "there is no correction to undo"),
        (["undo", "0"], "there is no correction 0"),
        (["merge", "{goat}", "{bridge}", "--format", "xml"], "'xml' is not one of 'text', 'json'"),
    ],
)
def test_what_cannot_be_done_ends_with_2_and_words(bench: Bench, words: list[str], said: str) -> None:
    goat, bridge = by_title(bench.database, "goat cheese", "Hollin Bridge")
    named = {"goat": goat, "bridge": bridge, "cheese": members(bench.database, goat)[0]}
    before = bench.everything()
    done = bench.correct(*(word.format(**named) for word in words), code=2)
    assert said in " ".join(done.stderr.split())
    assert bench.everything() == before


def test_where_there_is_no_database_none_is_made(tmp_path: Path) -> None:
    program = DaemonProcess(tmp_path, {})
    for words in (["correct", "merge", "a", "b"], ["recluster"]):
        done = program.command(*words)
        assert (done.returncode, done.stdout) == (2, "")
        assert "aggregator ingest FOLDER" in done.stderr
    assert not (tmp_path / "stories.db").exists()


@pytest.mark.torture
def test_recluster_shows_the_difference_first(bench: Bench) -> None:
    assert "stories changed                0" in bench.program.command("recluster", "--dry-run").stdout
    bench.program.configure(STRICT)
    before = partition(bench.database)
    dry = bench.program.command("recluster", "--dry-run").stdout
    assert "nothing was written" in dry
    assert partition(bench.database) == before
    done = json.loads(bench.program.command("recluster", "--format", "json").stdout)
    assert done["written"]
    assert f"stories changed        {done['changed_stories']:9}" in dry
    assert len(partition(bench.database)) == done["stories_after"] > len(before)
    assert not list(bench.folder.glob(".recluster*"))
    assert bench.program.command("recluster", "--since", "yesterday").returncode == 2


@pytest.mark.torture
def test_a_recluster_that_was_killed_goes_on_and_gives_the_same(bench: Bench, ingested: Path) -> None:
    bench.program.configure(STRICT)
    process = subprocess.Popen(
        [*PROGRAM, "recluster"], cwd=bench.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    ends = time.monotonic() + PATIENCE_SECONDS
    while not list(bench.folder.glob(".recluster-*.seeded")):
        assert time.monotonic() < ends
        assert process.poll() is None, "it ended before it could be killed"
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait(20)
    assert list(bench.folder.glob(".recluster-*.db"))
    assert bench.program.command("recluster").returncode == 0
    assert not list(bench.folder.glob(".recluster*"))
    assert what_is_wrong(bench.database) == []
    undisturbed = bench.folder / "undisturbed"
    undisturbed.mkdir()
    other = Bench(undisturbed, ingested)
    other.program.configure(STRICT)
    assert other.program.command("recluster").returncode == 0
    assert partition(other.database) == partition(bench.database)
    other.database.close()


# --- beside a daemon ---------------------------------------------------------------------------------------


def test_a_daemon_carries_corrections_out_and_the_command_says_the_same(bench: Bench) -> None:
    goat, bridge = by_title(bench.database, "goat cheese", "Hollin Bridge")
    with bench.program as daemon:
        merged = bench.correct("merge", goat, bridge)
        assert f"merged {goat} into {bridge}" in merged.stdout
        assert daemon.get(f"/api/v1/stories/{bridge}").json()["article_count"] == 6
        refused = bench.correct("merge", goat, bridge, code=2)
        assert "one story already" in refused.stderr
        assert "queued as command 3" in bench.correct("undo", "--no-wait").stderr
        daemon.wait_for(lambda: redirects(bench.database)[goat] is None, "the correction to be undone")
        done = json.loads(daemon.command("recluster", "--format", "json").stdout)
        assert (done["written"], done["changed_stories"]) == (True, 0)
        assert daemon.stop() == 0
    assert [state for state, _ in bench.requests()] == ["done", "refused", "done", "done"]
    assert what_is_wrong(bench.database) == []


@pytest.mark.torture
def test_a_daemon_that_is_killed_does_what_is_asked_once(bench: Bench) -> None:
    (bridge,) = by_title(bench.database, "Hollin Bridge")
    placed = members(bench.database, bridge)
    bench.program.start()
    for round_, one in enumerate(placed[:3]):
        bench.correct("split", bridge, one, "--no-wait")
        assert bench.program.process is not None
        time.sleep(0.3 * round_)  # before, while and after it is carried out
        bench.program.process.send_signal(signal.SIGKILL)
        bench.program.process.wait(20)
        bench.program.start()
        bench.program.wait_for(lambda: bench.requests()[-1][0] != "waiting", "the request to be answered")
    assert bench.program.stop() == 0
    assert [state for state, _ in bench.requests()] == ["done"] * 3
    assert len(bench.corrections()) == 3
    now = assigned(bench.database)
    assert len({now[one] for one in placed[:3]} | {bridge}) == 4
    assert what_is_wrong(bench.database) == []


@pytest.mark.torture
def test_what_was_left_for_a_writer_that_went_away_is_done_first_by_the_next(bench: Bench) -> None:
    """An ingest is a writer, too, and answers nobody."""
    goat, bridge, marathon = by_title(bench.database, "goat cheese", "Hollin Bridge", "Lund marathon")
    lock = open_writer_lease(bench.database)
    assert lock.acquire()
    bench.correct("merge", goat, bridge, "--no-wait")
    bench.correct("merge", goat, "nowhere", "--no-wait")
    lock.release()
    done = bench.correct("merge", goat, marathon)
    assert f"merged {marathon} into {bridge}" in done.stdout
    assert [state for state, _ in bench.requests()] == ["done", "refused"]
    assert [made["detail"]["words"] for made in bench.corrections()] == [
        f"merged {goat} into {bridge}",
        f"merged {marathon} into {bridge}",
    ]


@pytest.mark.torture
def test_who_waits_takes_the_place_of_a_writer_that_ends(bench: Bench) -> None:
    goat, bridge = by_title(bench.database, "goat cheese", "Hollin Bridge")
    lock = open_writer_lease(bench.database)
    assert lock.acquire()
    process = subprocess.Popen(
        [*PROGRAM, "correct", "merge", goat, bridge], cwd=bench.folder, stdout=subprocess.PIPE, text=True
    )
    ends = time.monotonic() + PATIENCE_SECONDS
    while not bench.requests():
        assert time.monotonic() < ends
        time.sleep(0.05)
    lock.release()
    reported, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 0
    assert f"merged {goat} into {bridge}" in reported
    assert bench.requests()[0][0] == "done"


def test_a_request_that_breaks_the_writer_is_refused_and_asked_no_more(bench: Bench) -> None:
    with bench.database.write() as connection:
        commands.enqueue(connection, NOON, "correct", '{"kind":"merge","stories":7}')
        commands.enqueue(connection, NOON, "recluster", "not even JSON")
    with bench.program as daemon:
        daemon.wait_for(lambda: all(state == "refused" for state, _ in bench.requests()), "two answers")
        assert daemon.stop() == 0
