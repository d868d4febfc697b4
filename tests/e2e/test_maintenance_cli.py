"""Commands that change what is stored, as people type them: alone, beside a daemon, and killed in between."""

import json
import os
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from aggregator.store import commands
from aggregator.store.engine.process_lock import open_process_lock
from aggregator.store.maintenance.row_stream import PASSING
from aggregator.store.tables import command, metadata
from tests.support import forked
from tests.support.articles import NOON
from tests.support.daemon_process import PROGRAM, DaemonProcess
from tests.support.deep_checks import faults
from tests.support.fresh import sqlite_file
from tests.support.rows import queried
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
from tests.support.waiting import PATIENCE_SECONDS, wait_until

TEXTS_FOR_A_SECOND = {"retention": {"text_after": "1s"}}
AT_ONCE = {"retention": {"steady_days": 0.0}}
WRONG_COUNT = "UPDATE story SET outlet_count = 77 WHERE redirect_to IS NULL"
LOST_ARTICLE = "INSERT INTO sketch (article, hashes) VALUES (999999, x'')"
STRICT = {"events": {"threshold": 30.0}}


@pytest.fixture(scope="module")
def ingested(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database as `aggregator ingest` leaves it."""
    folder = tmp_path_factory.mktemp("ingested")
    done = DaemonProcess(folder, {}).command("ingest", str(TRIPWIRE))
    assert done.returncode == 0, done.stderr
    return folder / "stories.db"


class Bench:
    """The program on a copy of that database, and a look at its rows."""

    def __init__(self, folder: Path, ingested: Path) -> None:
        shutil.copy(ingested, folder / "stories.db")
        self.folder = folder
        self.program = DaemonProcess(folder, {}, tuning=AT_ONCE)
        self.database = sqlite_file(folder / "stories.db")

    def correct(self, *words: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        done = self.program.command("correct", *words)
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr
        return done

    def requests(self) -> list[tuple[str, str | None]]:
        rows = queried(
            self.database,
            select(command.c.state, command.c.result).order_by(command.c.command_no),
        )
        return [(row.state, row.result) for row in rows]

    def corrections(self) -> list[dict[str, Any]]:
        return json.loads(self.correct("list", "--format", "json").stdout)

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


@pytest.mark.later
def test_a_correction_says_what_it_did_and_how_to_take_it_back(
    bench: Bench, tmp_path: Path
) -> None:
    goat, bridge = by_title(bench.database, "goat cheese", "Hollin Bridge")
    before = partition(bench.database)
    merged = bench.correct("merge", goat, bridge)
    assert f"merged {goat} into {bridge}" in merged.stdout
    assert "aggregator correct undo 1" in merged.stderr
    shown = bench.program.command("story", goat)
    assert shown.stderr == f"{goat} was merged into {bridge}\n"
    assert shown.stdout == bench.program.command("story", bridge).stdout
    one = members(bench.database, bridge)[1]
    split = json.loads(bench.correct("split", bridge, one, "--format", "json").stdout)
    assert split["n"] == 2
    assert split["stories"][0] == bridge
    listed = bench.correct("list").stdout.splitlines()
    assert [line.split()[0] for line in listed] == ["1", "2"]
    mine = tmp_path / "mine.jsonl"
    bench.correct("export", "--output", str(mine))
    assert {
        json.loads(line)["cluster"] for line in mine.read_text().splitlines()
    } == set(split["stories"])
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
def test_recluster_shows_the_difference_first(bench: Bench) -> None:
    assert (
        "stories changed                0"
        in bench.program.command("recluster", "--dry-run").stdout
    )
    bench.program.tuning = STRICT
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


@pytest.mark.later
def test_forgetting_asks_first_and_says_what_goes(bench: Bench) -> None:
    program, database = bench.program, bench.database
    (bridge,) = by_title(database, "Hollin Bridge")
    one, *others = members(database, bridge)
    before = assigned(database)
    dry = program.command("forget", one, "--dry-run")
    assert (dry.returncode, "would be forgotten" in dry.stdout) == (0, True)
    for words, said in (
        ([one], "--yes"),
        (["nobody", "--yes"], "nothing is stored of nobody"),
        ([], ""),
    ):
        refused = program.command("forget", *words)
        assert (refused.returncode, said in refused.stderr) == (2, True), refused.stderr
    assert assigned(database) == before
    done = program.command("forget", one, "--yes", "--format", "json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["articles"] == 1
    assert members(database, bridge) == others
    assert program.command("forget", "--list").stdout.startswith(one)
    assert "it was removed" in program.command("explain", one).stderr
    again = program.command("ingest", str(TRIPWIRE))
    assert "forgotten" in again.stdout + again.stderr
    assert members(database, bridge) == others
    stones = json.loads(program.command("forget", "--list", "--format", "json").stdout)
    assert [(stone["article"], stone["refused"]) for stone in stones] == [(one, 1)]
    assert what_is_wrong(database) == []


def texts(bench: Bench) -> tuple[int, int]:
    """How many articles have a text, and in how many stories."""
    asked = "SELECT count(*), count(DISTINCT story) FROM article WHERE text <> ''"
    with closing(sqlite3.connect(bench.folder / "stories.db")) as connection:
        articles, stories = connection.execute(asked).fetchone()
        return int(articles), int(stories)


@pytest.mark.later
def test_pruning_says_what_is_due_and_does_it(bench: Bench) -> None:
    program = bench.program

    def due() -> dict[str, int]:
        said = program.command("db", "prune", "--dry-run", "--format", "json")
        return json.loads(said.stdout)

    young = due()
    assert (young["texts"], young["stories"]) == (0, 0)
    before = texts(bench)
    assert before[0] > 40
    asked = program.command("db", "prune")
    assert (asked.returncode, texts(bench)) == (0, before), "no age is configured"
    program.configure(TEXTS_FOR_A_SECOND)
    program.wait_for(
        lambda: due()["texts"] >= before[1], "all to be older than a second"
    )
    assert texts(bench) == before, "nothing was changed"
    done = program.command("db", "prune")
    assert done.returncode == 0, done.stderr
    assert texts(bench) == (0, 0)
    assert program.command("search", "goat cheese").stdout
    # An age that the program itself takes
    program.configure({"retention": {"text_after": "never"}})
    assert program.faults() == []


def damage(file: Path, sql: str) -> None:
    with closing(sqlite3.connect(file, timeout=30)) as connection:
        connection.execute(sql)
        connection.commit()


@pytest.mark.later
def test_a_check_counts_finds_and_repairs(bench: Bench) -> None:
    def typed(*arguments: str) -> tuple[int, str, str]:
        environment = {"PATH": os.environ["PATH"], "NO_COLOR": "1"}
        ended = forked.run(["db", "check", *arguments], bench.folder, environment)
        return ended.code, ended.out.decode(), ended.err.decode()

    file = bench.folder / "stories.db"
    code, out, words = typed()
    assert (code, words.splitlines()[-1]) == (0, "no faults")
    assert "entries received =" in out
    damage(file, WRONG_COUNT)
    damage(file, LOST_ARTICLE)
    code, out, words = typed()
    assert code == 1
    assert "rows of sketch" in out
    assert "aggregator db check --repair" in out
    assert "make a copy" in words
    code, out, words = typed("--repair", "--format", "json")
    assert code == 0, out
    reported = json.loads(out)
    assert reported["repaired"] is True
    assert reported["faults"] == []
    assert (
        reported["balance"]["seen"]
        == reported["balance"]["stored"] + reported["balance"]["known"]
    )
    assert faults(bench.database) == []
    damage(file, "DELETE FROM entry WHERE entry_no = 1")
    code, out, words = typed("--repair")
    assert code == 1
    assert "that were stored are missing" in out
    assert "restore a backup" in out


# --- beside a daemon ---------------------------------------------------------------------------------------


@pytest.mark.later
def test_a_daemon_carries_out_what_commands_ask(bench: Bench) -> None:
    goat, bridge = by_title(bench.database, "goat cheese", "Hollin Bridge")
    with bench.database.write() as connection:  # requests that would break the writer
        commands.enqueue(connection, NOON, "correct", '{"kind":"merge","stories":7}')
        commands.enqueue(connection, NOON, "recluster", "not even JSON")
    with bench.program as daemon:
        daemon.wait_for(
            lambda: all(state == "refused" for state, _ in bench.requests()),
            "two answers",
        )
        merged = bench.correct("merge", goat, bridge)
        assert f"merged {goat} into {bridge}" in merged.stdout
        assert daemon.read_json(f"/api/v1/stories/{bridge}")["article_count"] == 6
        refused = bench.correct("merge", goat, bridge, code=2)
        assert "one story already" in refused.stderr
        assert "queued as command 5" in bench.correct("undo", "--no-wait").stderr
        daemon.wait_for(
            lambda: redirects(bench.database)[goat] is None,
            "the correction to be undone",
        )
        done = json.loads(daemon.command("recluster", "--format", "json").stdout)
        assert (done["written"], done["changed_stories"]) == (True, 0)
        states = [state for state, _ in bench.requests()]
        assert states == ["refused", "refused", "done", "refused", "done", "done"]
        it_repairs_nothing(bench)
        it_forgets(bench, goat)
        it_deletes_texts(bench)
        assert daemon.stop() == 0
    assert what_is_wrong(bench.database) == []


def it_repairs_nothing(bench: Bench) -> None:
    assert bench.program.command("db", "check").returncode == 0
    refused = bench.program.command("db", "check", "--repair")
    assert (refused.returncode, "stop the daemon" in refused.stderr) == (6, True)


def it_forgets(bench: Bench, story: str) -> None:
    daemon = bench.program
    assert daemon.get(f"/stories/{story}").status_code == 200
    for one in members(bench.database, story):
        done = daemon.command("forget", one, "--yes")
        assert (done.returncode, "forgotten" in done.stdout) == (0, True), done.stderr
    assert daemon.get(f"/stories/{story}").status_code == 410
    assert daemon.get(f"/api/v1/stories/{story}").status_code == 410
    assert story not in daemon.get("/feeds/stories.rss").text


def it_deletes_texts(bench: Bench) -> None:
    """By itself, and when it is asked."""
    bench.program.configure(TEXTS_FOR_A_SECOND)
    bench.program.reload()
    bench.program.wait_for(lambda: texts(bench) == (0, 0), "texts to be deleted")
    asked = bench.program.command("db", "prune")
    assert (asked.returncode, "done" in asked.stderr) == (0, True), asked.stderr


@pytest.mark.torture
def test_a_daemon_that_is_killed_does_what_is_asked_once(bench: Bench) -> None:
    (bridge,) = by_title(bench.database, "Hollin Bridge")
    placed = members(bench.database, bridge)
    bench.program.start()
    for round_, one in enumerate(placed[:3]):
        bench.correct("split", bridge, one, "--no-wait")
        time.sleep(0.3 * round_)  # before, while and after it is carried out
        bench.program.kill()
        bench.program.start()
        bench.program.wait_for(
            lambda: bench.requests()[-1][0] != "waiting", "the request to be answered"
        )
    assert bench.program.stop() == 0
    assert [state for state, _ in bench.requests()] == ["done"] * 3
    assert len(bench.corrections()) == 3
    now = assigned(bench.database)
    assert len({now[one] for one in placed[:3]} | {bridge}) == 4
    assert what_is_wrong(bench.database) == []


@pytest.mark.torture
def test_who_waits_takes_the_place_of_a_writer_that_ends(bench: Bench) -> None:
    goat, bridge = by_title(bench.database, "goat cheese", "Hollin Bridge")
    lock = open_process_lock(bench.database)
    assert lock.acquire()
    process = subprocess.Popen(
        [*PROGRAM, "correct", "merge", goat, bridge],
        cwd=bench.folder,
        stdout=subprocess.PIPE,
        text=True,
    )
    wait_until(bench.requests, "the request")
    lock.release()
    reported, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 0
    assert f"merged {goat} into {bridge}" in reported
    assert bench.requests()[0][0] == "done"
