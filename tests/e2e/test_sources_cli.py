"""`aggregator sources` as a person types it, beside what test_cli.py has; in this process, to be quick."""

import csv
import io
import json
from pathlib import Path

import pytest
from msgspec.structs import replace
from rich.cells import cell_len

from aggregator.store.intake.source_rows import Source, add
from tests.support.articles import NOON, STRIKE
from tests.support.fresh import sqlite_at
from tests.support.loopback import LoopbackServer, Response
from tests.support.rows import written_by
from tests.support.rss import item, rss
from tests.support.terminal import Prompt, Terminal

BROKEN = "http 404: not found, and a long account of what was asked, when and by whom, as servers give it"


@pytest.fixture
def terminal(
    tmp_path: Path,
    capfdbinary: pytest.CaptureFixture[bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> Prompt:
    monkeypatch.chdir(tmp_path)
    return Prompt(tmp_path, capfdbinary)


def has(terminal: Terminal, *sources: Source) -> None:
    with sqlite_at(terminal.folder / "aggregator.db") as database:
        for one in sources:
            written_by(database, add, one)


def source(word: str, **more: object) -> Source:
    values = {
        "name": word,
        "interval_seconds": 600,
        "next_due_at": NOON,
        "kind": "feed",
    } | more
    return Source(id=f"id-of-{word}", address=f"https://{word}.example/feed", **values)  # type: ignore[arg-type]


@pytest.fixture
def stocked(terminal: Terminal) -> Terminal:
    has(
        terminal,
        source("well", health="ok", last_success_at=NOON),
        source(
            "ill", health="failing", health_cause=BROKEN, failures=2, folder="Ports"
        ),
        source("asleep", paused=True),
    )
    return terminal


def test_the_list_fits_a_terminal_and_names_what_is_wrong(stocked: Terminal) -> None:
    shown = stocked.type_on_screen(80, "sources", "list")
    assert max(map(len, shown.partition("\n\n")[0].splitlines())) <= 80
    for words in ("well", "ill", "asleep", "paused", "failing", "404"):
        assert words in shown
    piped = stocked.type("sources", "list")
    assert len(piped.text.splitlines()) == 4, "a line for each, whatever the cause says"
    assert "3 sources: " in piped.err
    assert "--failing" in piped.err


def test_a_cause_is_not_cut_on_a_narrow_terminal(terminal: Terminal) -> None:
    moved = "https://gazette.example/feeds/all-of-the-news-of-the-north-and-the-south/index.xml?format=xml"
    has(
        terminal,
        source(
            "ill",
            health="failing",
            health_cause=f"http 404: {moved} is not there",
            failures=2,
        ),
    )
    shown = terminal.type_on_screen(60, "sources", "list", "--failing")
    assert f"\nill: http 404: {moved} is not there\n" in shown.replace("\r", "")


@pytest.mark.parametrize("columns", [80, 120])
def test_nothing_of_a_source_is_lost(terminal: Terminal, columns: int) -> None:
    names = {
        "a": "Short",
        "b": "The Courier and Advertiser of Pennmouth and all the other towns of the district",
        "c": "台北發生強烈地震多棟建築物倒塌消防局說至少三百人被疏散鐵路和機場暫停運作",
    }
    has(terminal, *(source(word, name=name) for word, name in names.items()))
    shown = terminal.type_on_screen(columns, "sources", "list")
    assert max(map(cell_len, shown.splitlines())) <= columns
    for word in names:
        assert f"id-of-{word}" in shown
    assert all(word in shown for word in names["b"].split())


def test_the_list_in_every_format(stocked: Terminal) -> None:
    lines = stocked.type("sources", "list", "--format", "jsonl").lines
    assert (
        json.loads(stocked.type("sources", "list", "--format", "json").out)["sources"]
        == lines
    )
    rows = list(
        csv.DictReader(
            io.StringIO(stocked.type("sources", "list", "--format", "csv").text)
        )
    )
    assert [row["name"] for row in rows] == [line["name"] for line in lines]
    states = {line["name"]: line["state"] for line in lines}
    assert states == {"well": "ok", "ill": "failing", "asleep": "paused"}
    (ill,) = stocked.type("sources", "list", "--failing", "--format", "jsonl").lines
    assert (ill["name"], ill["cause"], ill["folder"]) == ("ill", "http 404", "Ports")
    assert stocked.type("sources", "list", "--format", "yaml").code == 2


def test_one_source_is_shown(stocked: Terminal) -> None:
    shown = stocked.type("sources", "show", "ill")
    assert "404" in shown.text
    assert "no text of this source has a problem" in shown.err
    assert stocked.type("sources", "show", "nobody").code == 2


def test_nothing_is_in_trouble(terminal: Terminal) -> None:
    has(terminal, source("well", health="ok"))
    assert (
        "1 source, none with problems"
        in terminal.type("sources", "list", "--failing").err
    )


def test_doctor_says_what_to_type_for_a_source(stocked: Terminal) -> None:
    said = stocked.type("doctor")
    assert "source ill" in said.text
    assert "aggregator sources check https://ill.example/feed" in said.text
    assert "source well" not in said.text


def test_a_source_is_paused_resumed_and_removed_by_any_of_its_names(
    stocked: Terminal,
) -> None:
    assert stocked.type("sources", "pause", "well").code == 0
    listed = stocked.type("sources", "list", "--format", "jsonl").lines
    (well,) = [one for one in listed if one["name"] == "well"]
    assert (well["state"], well["next_due"]) == ("paused", None)
    resumed = stocked.type("sources", "resume", "https://well.example/feed")
    assert (resumed.code, "polls it within seconds" in resumed.err) == (0, True)
    assert stocked.type("sources", "remove", "id-of-well").code == 0
    assert len(stocked.type("sources", "list", "--format", "jsonl").lines) == 2
    nobody = stocked.type("sources", "pause", "nobody")
    assert (nobody.code, "sources list" in nobody.err) == (2, True)


def test_a_source_of_the_file_is_changed_in_the_file_at_the_line_that_is_named(
    terminal: Terminal,
) -> None:
    mine = (
        "sources:\n  - folder: here\n\n  # mine\n  - feed: https://one.example/feed\n"
    )
    terminal.write("config.yaml", mine)
    has(terminal, source("one", name=None, origin="config"))
    for command in ("remove", "pause"):
        said = terminal.type("sources", command, "https://one.example/feed")
        assert said.code == 2
        assert "config.yaml, line 5" in said.err


def test_a_source_that_the_file_dropped_is_resumed_as_ones_own(
    terminal: Terminal,
) -> None:
    has(terminal, source("old", origin="config", paused=True))
    assert terminal.type("sources", "resume", "old").code == 0
    (old,) = terminal.type("sources", "list", "--format", "jsonl").lines
    assert (old["origin"], old["state"]) == ("user", "new")


def test_adding_tells_what_was_found_and_when_it_is_asked(
    terminal: Terminal, server: LoopbackServer
) -> None:
    feed = rss(item("x", published=NOON.replace(year=2020, month=11, day=20, hour=8)))
    links = "".join(
        f"<link rel='alternate' type='application/rss+xml' title='{title}' href='{path}'>"
        for path, title in (("/comments/feed", "Comments"), ("/feed", "Gazette"))
    )
    server.routes |= {
        "/feed": Response(body=feed),
        "/comments/feed": Response(body=feed),
        "/": Response(
            body=f"<html><head>{links}</head></html>", content_type="text/html"
        ),
    }
    given = {
        "name": "gz",
        "folder": "Ports",
        "interval": "15m",
        "language": "en-GB",
        "outlet": "Gazette",
    }
    options = [word for name, value in given.items() for word in (f"--{name}", value)]
    said = terminal.type("sources", "add", server.url("/"), *options)
    assert said.code == 0, said.err
    for words in ("added gz", "/feed (declared by the page)", "1 entry, the newest of 2020-11-20 08:00 UTC",
                  "/comments/feed", "then every 15m"):  # fmt: skip
        assert words in said.err
    (listed,) = terminal.type("sources", "list", "--format", "jsonl").lines
    assert (listed["interval_seconds"], listed["language"], listed["outlet"]) == (
        900,
        "en",
        "Gazette",
    )
    for wrong in (
        ("--interval", "15"),
        ("--interval", "99999999d"),
        ("--language", "1"),
    ):
        assert terminal.type("sources", "add", server.url("/feed"), *wrong).code == 2


def test_samples_are_removed_by_the_name_that_the_summary_says(
    terminal: Terminal,
) -> None:
    read = terminal.type("ingest", "--samples")
    command = read.err.split("`aggregator ")[1].split("`")[0].split()
    refused = terminal.type(*command)
    assert (refused.code, "--yes" in refused.err) == (2, True)
    assert len(terminal.type("stories", "--format", "jsonl").lines) > 5
    assert "forgotten" in terminal.type(*command, "--yes").text
    assert terminal.type("stories", "--format", "jsonl").lines == []
    nobody = terminal.type("sources", "remove", "nobody", "--articles")
    assert (nobody.code, "nothing is stored of nobody" in nobody.err) == (2, True)


def test_a_source_is_removed_with_its_articles_unless_the_file_lists_it(
    terminal: Terminal,
) -> None:
    terminal.write("mine/strike.txt", f"Dock workers strike\n\n{STRIKE}")
    address = str(terminal.folder / "mine")
    values = {
        "kind": "folder",
        "interval_seconds": 600,
        "next_due_at": NOON,
        "folder_name": "mine",
    }
    mine = Source(id="mine", address=address, **values)  # type: ignore[arg-type]
    command = "sources", "remove", address, "--articles", "--yes"
    for origin, code in (("config", 2), ("user", 0)):
        has(terminal, replace(mine, origin=origin))
        assert terminal.type("ingest", address).code == 0
        assert terminal.type(*command).code == code
        assert len(terminal.stories()) == (code != 0)
        assert len(terminal.type("sources", "list", "--format", "jsonl").lines) == (
            code != 0
        )
