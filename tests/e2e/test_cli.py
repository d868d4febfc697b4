"""The console script as people type it: real processes, real files, a real server on loopback.

Whatever is wrong with the input, there is one clear line about it and never a stack trace.
"""

import csv
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text as sql

from tests.support.articles import FLOOD, STRIKE
from tests.support.loopback import LoopbackServer, Ranged, Response, free_port
from tests.support.programs import run_program
from tests.support.rows import executed
from tests.support.rss import item, rss
from tests.support.tables import each_row
from tests.support.terminal import SCRIPT, Said, Terminal, kept, reports
from tests.support.waiting import PATIENCE_SECONDS


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    return Terminal(tmp_path)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Terminal:
    """Two stories, for commands that only read."""
    terminal = Terminal(tmp_path_factory.mktemp("filled"))
    terminal.write("reports.jsonl", reports())
    assert terminal.type("ingest", "reports.jsonl").code == 0
    return terminal


# --- help, options, exit codes -----------------------------------------------------------------------------


@pytest.mark.later
def test_a_start_of_the_program_itself_does_as_the_forked_ones(
    filled: Terminal,
) -> None:
    for arguments in (
        ["--version"],
        ["stories", "--format", "jsonl"],
        ["stories", "--limit", "0"],
        ["-h"],
    ):
        started = subprocess.run(
            [SCRIPT, *arguments],
            cwd=filled.folder,
            env=kept({}),
            capture_output=True,
            check=False,
        )
        assert filled.type(*arguments) == (
            started.returncode,
            started.stdout,
            started.stderr.decode(),
        )


def test_the_program_starts_without_its_heavy_libraries() -> None:
    code = "import sys, aggregator.cli.application; print(*sorted(sys.modules))"
    loaded = run_program([sys.executable, "-c", code], check=True).stdout.split()
    heavy = "sqlalchemy alembic pydantic numpy lxml trafilatura fastapi rich httpx yaml"
    assert not {*heavy.split()} & {*loaded}


@pytest.mark.later
@pytest.mark.parametrize(
    "typed",
    [
        "stories --format json",
        "search flood",
        "story STORY",
        "sources list",
        "config check",
    ],
)
def test_a_command_that_reads_loads_nothing_that_prepares_or_places(
    filled: Terminal, typed: str
) -> None:
    code = (
        "import atexit, sys; from aggregator.cli.application import main;"
        "atexit.register(lambda: print(*sys.modules, file=sys.stderr)); main(sys.argv[1:])"
    )
    story = json.loads(filled.type("stories", "--format", "json").out)["stories"][0][
        "id"
    ]
    command = [sys.executable, "-c", code, *typed.replace("STORY", story).split()]
    ended = run_program(command, cwd=filled.folder, env=kept({}))
    heavy = {
        "numpy",
        "scipy",
        "datasketch",
        "trafilatura",
        "lxml",
        "py3langid",
        "fastapi",
        "alembic",
    }
    heavy |= {"sqlalchemy.dialects.postgresql", "aggregator.cli.evaluate_command"}
    assert "sqlalchemy" in ended.stderr.split(), ended.stderr
    heavy |= {"aggregator.stories.rendering"}
    assert not heavy & set(ended.stderr.split())


@pytest.mark.later
def test_global_options_stand_before_or_after_the_command(
    filled: Terminal, tmp_path: Path
) -> None:
    where = [
        "--database",
        "aggregator.db",
        "--config",
        "config.yaml",
        "-v",
        "--log-format",
        "json",
    ]
    before = filled.type(*where, "stories", "--format", "jsonl")
    after = filled.type("stories", *where, "--format", "jsonl")
    glued = filled.type(
        "stories",
        "--format=jsonl",
        "--database=aggregator.db",
        "--config=config.yaml",
        "-vv",
    )
    assert before.out == after.out == glued.out != b""
    assert filled.type("db", "stats", "--database", "aggregator.db").code == 0


@each_row("cli", "exit codes", "typed", "code")
def test_exit_codes(terminal: Terminal, typed: str, code: int) -> None:
    """LONG is a name of three hundred letters."""
    arguments = typed.replace("LONG", "x" * 300).split()
    said = terminal.type(*arguments)
    assert said.code == code, said.err
    if arguments[0] == "extract":
        assert said.out.count(b": ") >= len(arguments) - 1, "a line for each input"
    elif code in (1, 2, 5) and arguments[0] != "doctor":
        assert said.out == b""
        assert 0 < len(said.err) < 700


def test_a_database_of_a_newer_program_ends_with_4(terminal: Terminal) -> None:
    assert terminal.type("db", "upgrade").code == 0
    executed(terminal.database, sql("UPDATE alembic_version SET version_num = '9999'"))
    for command in (["stories"], ["db", "upgrade"], ["ingest", "config.yaml"], ["run"]):
        said = terminal.type(*command)
        assert (said.code, said.err.count("\n")) == (4, 1)
        assert "newer aggregator" in said.err


# --- first run ---------------------------------------------------------------------------------------------


@pytest.mark.later
@each_row(
    "cli",
    "before there is a database commands say so and make none",
    "typed",
    "code",
    "lines",
)
def test_before_there_is_a_database_commands_say_so_and_make_none(
    terminal: Terminal, typed: str, code: int, lines: int
) -> None:
    """`lines`: of what reads, which says how to begin."""
    said = terminal.type(*typed.split())
    assert (said.code, said.out, len(said.err.splitlines())) == (
        code,
        b"",
        lines or 1,
    ), said.err
    how = "Create one with `aggregator ingest FOLDER` or `aggregator run`.\n"
    begin = f"There is no database at {terminal.folder}/aggregator.db yet. {how}"
    assert said.err.startswith(begin) or not lines
    assert [path.name for path in terminal.folder.iterdir()] == ["config.yaml"]


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (
            ["stories"],
            "No stories yet; no sources yet: type `aggregator sources add URL`",
        ),
        (["search", "levee"], "No articles found."),
        (["sources", "list"], "sources add URL"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else None,
)
def test_while_the_database_is_empty_commands_say_what_to_do(
    terminal: Terminal, command: list[str], words: str
) -> None:
    terminal.type("db", "upgrade")
    said = terminal.type(*command)
    assert (said.code, said.out) == (0, b"")
    assert words in said.err


def test_before_there_is_a_database_feeds_and_lists_are_empty_but_valid(
    terminal: Terminal,
) -> None:
    assert json.loads(terminal.type("stories", "--format", "json").out) == {
        "stories": [],
        "next": None,
    }
    assert terminal.type("stories", "--format", "jsonl").out == b""
    assert b"<rss" in terminal.type("feed").out
    assert terminal.type("doctor").code == 0


def test_without_a_config_file_the_built_in_settings_hold(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path)
    (tmp_path / "config.yaml").unlink()
    assert terminal.type("config", "check").code == 0
    terminal.write("a.txt", f"Levee breaks at Pennmouth\n\n{FLOOD}\n")
    assert terminal.type("ingest", "a.txt").code == 0
    assert (tmp_path / "aggregator.db").exists()


# --- what is printed for programs --------------------------------------------------------------------------


def test_json_jsonl_and_csv_say_the_same(filled: Terminal) -> None:
    page = json.loads(filled.type("stories", "--format", "json").out)
    lines = filled.type("stories", "--format", "jsonl").lines
    rows = list(
        csv.DictReader(io.StringIO(filled.type("stories", "--format", "csv").text))
    )
    assert page["stories"] == lines == filled.stories()
    assert page["next"] is None
    assert [row["id"] for row in rows] == [one["id"] for one in lines]
    for row, one in zip(rows, lines, strict=True):
        assert int(row["articles"]) == one["article_count"]
        assert row["updated"] == one["updated"]
        assert row["title"].removeprefix("'") == one["title"]
    assert any(row["title"].startswith("'=") for row in rows), "no cell is a formula"


@pytest.mark.later
@pytest.mark.parametrize("form", [(), ("--articles",)])
def test_it_is_said_how_many_stories_are_left_out(
    filled: Terminal, form: tuple[str, ...]
) -> None:
    total = len(filled.type("stories", "--format", "jsonl").lines)
    assert total > 1
    for format_ in ("csv", "jsonl", "json"):
        cut = filled.type("stories", *form, "--format", format_, "--limit", "1")
        assert f"1 of {total} stories; --limit shows more" in cut.err
        assert not filled.type(
            "stories", *form, "--format", format_, "--limit", str(total)
        ).err
    assert not filled.type("stories", *form, "--limit", "1").err


def test_articles_are_rows_with_the_story_that_they_are_in(filled: Terminal) -> None:
    stories = filled.type("stories", "--format", "jsonl").lines
    wanted = [
        article | {"story": story["id"], "story_title": story["title"]}
        for story in stories
        for article in story["articles"]
    ]
    lines = filled.type("stories", "--articles", "--format", "jsonl").lines
    assert lines == wanted
    page = json.loads(filled.type("stories", "--articles", "--format", "json").out)
    assert page == {"articles": wanted, "next": None}
    rows = list(
        csv.DictReader(
            io.StringIO(filled.type("stories", "--articles", "--format", "csv").text)
        )
    )
    assert [list(row) for row in rows] == [list(line) for line in lines], (
        "a new key is a new column"
    )
    for row, line in zip(rows, lines, strict=True):
        for name, value in line.items():
            assert row[name].removeprefix("'") == ("" if value is None else value), name
    one_story = filled.type(
        "stories", "--articles", "--limit", "1", "--format", "jsonl"
    ).lines
    assert [line["id"] for line in one_story] == [
        article["id"] for article in stories[0]["articles"]
    ]
    table = filled.type("stories", "--articles").text.splitlines()
    assert table[0].split() == ["story", "id", "published", "outlet", "title"]
    assert len(table) == len(wanted) + 1


@each_row("cli", "a misspelt word is answered with the nearest one", "command", "words")
def test_a_misspelt_word_is_answered_with_the_nearest_one(
    filled: Terminal, command: list[str], words: str
) -> None:
    said = filled.type(*command)
    assert (said.code, said.out, said.err) == (0, b"", f"{words}\n")


def test_where_there_is_room_a_search_names_articles(filled: Terminal) -> None:
    flood = next(one for one in filled.stories() if one["article_count"] == 2)
    assert flood["articles"][0]["id"] in filled.type_on_screen(80, "search", "Arrel")


def test_a_story_names_its_articles_as_explain_takes_them(filled: Terminal) -> None:
    flood = next(one for one in filled.stories() if one["article_count"] == 2)
    shown = (
        filled.type("story", flood["id"])
        .text.split("\nArticle ids ")[1]
        .splitlines()[1:]
    )
    expected = sorted(
        (article["id"], "report", article["outlet"]) for article in flood["articles"]
    )
    # Names and linked stories follow
    shown = shown[: shown.index("")] if "" in shown else shown
    assert [(line.split()[1], *line.split()[-2:]) for line in shown] == expected
    assert filled.type("explain", shown[0].split()[1]).code == 0


def test_the_feed_is_written_whole_or_not_at_all(filled: Terminal) -> None:
    printed = filled.type("feed").out
    assert filled.type("feed", "--output", "feed.xml").out == b""
    file = filled.folder / "feed.xml"
    assert file.read_bytes() == printed
    assert printed.count(b"<item>") == 2
    for one in filled.stories():
        assert f"tag:aggregator,2026:story/{one['id']}".encode() in printed
    before = file.stat()
    assert filled.type("feed", "--output", "feed.xml").code == 0
    after = file.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns), (
        "nothing changed"
    )
    assert filled.type("feed", "--limit", "1", "--output", "feed.xml").code == 0
    assert file.read_bytes().count(b"<item>") == 1
    file.unlink()
    assert [
        path for path in filled.folder.iterdir() if path.name.startswith(".feed")
    ] == []


def test_a_feed_in_every_format_of_stories_changes_and_saved_queries(
    filled: Terminal,
) -> None:
    config = filled.write(
        "queries.yaml", "queries:\n  wet: {query: levee, title: Water, items: 1}\n"
    )
    here = ["--config", str(config), "--database", "aggregator.db"]
    atom = filled.type("feed", "--format", "atom", "--saved", "wet", *here)
    assert atom.code == 0, atom.err
    assert atom.out.count(b"<entry") == 1
    assert b"<title>Water</title>" in atom.out
    many = filled.write("many.yaml", "queries:\n  all: {min_reports: 9}\n")
    of_saved = [
        "stories",
        "--config",
        str(many),
        "--database",
        "aggregator.db",
        "--saved",
        "all",
    ]
    every = filled.type(*of_saved, "--min-reports", "1", "--format", "jsonl").lines
    assert every, "what is typed overrides the saved query"
    assert filled.type(*of_saved, "--format", "jsonl").lines == []
    assert b'rel="self" href="http://127.0.0.1:8080/feeds/wet.atom"' in atom.out
    missing = filled.type("feed", "--saved", "nosuch", *here)
    assert (missing.code, "config.yaml has: wet" in missing.err) == (2, True)


# --- ingest ------------------------------------------------------------------------------------------------


def summary(said: Said) -> dict[str, Any]:
    return json.loads(said.out)


def test_a_file_of_a_folder_is_known_by_itself(terminal: Terminal) -> None:
    terminal.write("saved/x.txt", f"Levee breaks at Pennmouth\n\n{FLOOD}\n")
    assert summary(terminal.type("ingest", "saved", "--format", "json"))["new"] == 1
    for one in ("saved/x.txt", "saved/../saved/x.txt", str(terminal.folder / "saved")):
        again = summary(terminal.type("ingest", one, "--format", "json"))
        assert (again["new"], again["known"]) == (0, 1), one


@pytest.mark.later
def test_standard_input_takes_records_and_one_text(terminal: Terminal) -> None:
    records = terminal.type("ingest", "-", "--format", "json", stdin=reports().encode())
    assert summary(records)["new"] == 3
    assert (
        summary(
            terminal.type("ingest", "-", "--format", "json", stdin=reports().encode())
        )["known"]
        == 3
    )
    ferry = "Ferry to Isk sails again\n\n" + STRIKE.replace("Dock", "Ferry").replace(
        "Sennick", "Isk"
    )
    text = terminal.type("ingest", "-", "--format", "json", stdin=ferry.encode())
    assert summary(text)["new"] == 1
    nothing = terminal.type("ingest", "-", stdin=b"")
    assert (nothing.code, nothing.err) == (
        3,
        "rejected stdin: there is nothing in it\n",
    )


@pytest.mark.later
def test_a_feed_and_an_article_by_address(
    terminal: Terminal, server: LoopbackServer
) -> None:
    feed = rss(item("Levee breaks", FLOOD, guid=1, link=server.url("/a")))
    server.routes["/feed"] = Response(body=feed, content_type="application/rss+xml")
    paragraphs = "".join(f"<p>{line}</p>" for line in STRIKE.split("\n"))
    page = "<html><head><title>Dock workers strike</title></head><body><article><h1>Dock workers strike</h1>"
    server.routes["/strike"] = Response(
        body=f"{page}{paragraphs}</article></body></html>", content_type="text/html"
    )
    server.routes["/robots.txt"] = "User-agent: *\nAllow: /\n"
    feed = terminal.type("ingest", server.url("/feed"), "--format", "json")
    assert (feed.code, summary(feed)["new"]) == (0, 1), feed.err
    article = terminal.type("ingest", server.url("/strike"), "--format", "json")
    assert (article.code, summary(article)["new"]) == (0, 1), article.err
    again = terminal.type(
        "ingest", server.url("/feed"), server.url("/strike"), "--format", "json"
    )
    assert (summary(again)["new"], summary(again)["known"]) == (0, 2)


@pytest.mark.later
def test_bad_input_is_named_line_by_line_and_the_rest_goes_on(
    terminal: Terminal, server: LoopbackServer
) -> None:
    bad = {
        "empty.txt": b"",
        "blank.txt": b" \n\t\n",
        "image.txt": b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40,
        "huge.txt": b"word " * (20 * 1024 * 1024 // 5),
        "broken.xml": b"<rss><channel><item><title>x</ti",
        "page.xml": b"<html><body>This is no feed.</body></html>",
        "empty.jsonl": b"",
        "nosuffix": b"\x00\x01\x02" * 500,
    }
    for name, content in bad.items():
        terminal.write(name, content)
    first, _, last = reports().splitlines()
    terminal.write(
        "some.jsonl", f'{first}\n{{"id": 1, "title":\n[]\n"x"\n{{}}\n{last}\n'
    )
    terminal.write(
        "latin.txt",
        f"Levee breaks at Pennmouth\n\n{FLOOD}\n".encode() + b"\xff\xfe caf\xe9\n",
    )
    addresses = [
        server.url("/gone"),
        f"http://127.0.0.1:{free_port()}/feed",
        "http://nosuchhost.invalid/",
    ]
    what = [*bad, "nowhere.txt", "some.jsonl", *addresses, "latin.txt"]
    said = terminal.type("ingest", *what, "--format", "json")
    assert said.code == 3
    result = summary(said)
    assert result["new"] == 3, "two good lines and the text in a wrong encoding"
    rejected = [one["where"] for one in result["rejected"]]
    assert sorted(rejected) == sorted(
        [
            *bad,
            "nowhere.txt",
            *(f"some.jsonl, line {number}" for number in (2, 3, 4, 5)),
            *addresses,
        ]
    )
    spoken = terminal.type("ingest", *what)
    assert spoken.code == 3
    for where in rejected:
        (line,) = [
            line
            for line in spoken.err.splitlines()
            if line.startswith(f"rejected {where}: ")
        ]
        assert 10 < len(line.removeprefix(f"rejected {where}: ")) < 300
    assert len(spoken.err.splitlines()) == len(rejected)
    assert re.search(r"^ *rejected +\d+$", spoken.text, re.MULTILINE)


def test_an_unreadable_name_and_an_unreadable_folder(terminal: Terminal) -> None:
    name = b"caf\xe9.txt"
    (Path(os.fsdecode(os.fsencode(terminal.folder) + b"/" + name))).write_text(
        f"Levee breaks\n\n{FLOOD}\n"
    )
    said = terminal.type("ingest", name, "--format", "json")
    assert (said.code, summary(said)["new"]) == (0, 1)
    assert (
        terminal.type("extract", name, "--format", "jsonl").lines[0]["verdict"] == "ok"
    )
    (terminal.folder / "nothing").mkdir()
    assert terminal.type("ingest", "nothing", "--format", "json").code == 0


# --- extract -----------------------------------------------------------------------------------------------


def test_extract_answers_for_every_input(
    terminal: Terminal, server: LoopbackServer
) -> None:
    terminal.write("d/one.txt", f"Levee breaks at Pennmouth\n\n{FLOOD}\n")
    terminal.write("d/sub/two.txt", f"Dock workers strike\n\n{STRIKE}\n")
    terminal.write("d/empty.txt", "")
    terminal.write("image.html", b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40)
    terminal.write(
        "feed.xml", "<rss version='2.0'><channel><title>x</title></channel></rss>"
    )
    terminal.write("r.jsonl", reports().splitlines()[0] + "\nnonsense\n")
    terminal.write("short.txt", "Ferries stop\n\nToo few words.")
    (terminal.folder / "nothing").mkdir()
    server.routes["/wall"] = Response(
        403, body="<html><title>Just a moment...</title></html>"
    )
    files = ["image.html", "feed.xml", "r.jsonl", "short.txt", "nowhere.txt"]
    inputs = ["./d/one.txt", "d", "d/", *files, "nothing"]
    inputs += [
        server.url("/wall"),
        server.url("/gone"),
        f"http://127.0.0.1:{free_port()}/",
    ]
    lines = terminal.type("extract", *inputs, "--format", "jsonl").lines
    keys = {
        "what",
        "verdict",
        "title",
        "text",
        "published",
        "language",
        "author",
        "outlet",
        "wire",
    }
    assert all(keys <= set(line) for line in lines)
    found: dict[str, Any] = {}
    for line in lines:
        found.setdefault(line["what"], line)
    below = ["d/one.txt", "d/sub/two.txt", "d/empty.txt"]
    expected = {
        *below,
        "r.jsonl, line 1",
        "r.jsonl, line 2",
        *(set(inputs) - {"d", "d/", "r.jsonl"}),
    }
    assert set(found) == expected
    assert len(lines) == len(expected) + len(below)
    assert found["./d/one.txt"]["verdict"] == found["d/sub/two.txt"]["verdict"] == "ok"
    assert found["d/sub/two.txt"]["outlet"] == "sub"
    assert "levee" in found["./d/one.txt"]["text"]
    assert found["d/empty.txt"]["verdict"] == "empty"
    assert found["image.html"]["verdict"] == "binary"
    assert found["short.txt"]["text"] or found["short.txt"]["title"], (
        "what was found, whatever the verdict"
    )
    assert not (terminal.folder / "aggregator.db").exists(), "nothing is stored"


def test_extract_reads_an_archive_at_an_address(
    terminal: Terminal, server: LoopbackServer
) -> None:
    address = server.url("/2026/reports.jsonl")
    server.routes["/2026/reports.jsonl"] = Ranged(reports().encode())
    lines = terminal.type("extract", address, "--format", "jsonl").lines
    assert {line["verdict"] for line in lines} == {"ok"}
    assert [line["what"] for line in lines] == [
        f"{address}, line {n + 1}" for n in range(len(lines))
    ]
    missing, refused = terminal.type(
        "extract",
        server.url("/none.jsonl"),
        f"{address}?key=hidden",
        "--format",
        "jsonl",
    ).lines
    assert (missing["what"], "no such file" in missing["reason"]) == (
        server.url("/none.jsonl"),
        True,
    )
    assert (refused["what"], "download it" in refused["reason"]) == (address, True)
    assert "hidden" not in refused["reason"]


def test_extract_reads_standard_input_and_says_so_as_typed(terminal: Terminal) -> None:
    said = terminal.type(
        "extract", "-", "--format", "jsonl", stdin=f"Levee breaks\n\n{FLOOD}\n".encode()
    )
    assert [line["what"] for line in said.lines] == ["-"]
    assert (
        "Levee breaks"
        in terminal.type(
            "extract", "-", stdin=f"Levee breaks\n\n{FLOOD}\n".encode()
        ).text
    )


# --- sources -----------------------------------------------------------------------------------------------


def test_checking_feeds_stores_nothing(
    terminal: Terminal, server: LoopbackServer
) -> None:
    terminal.write("ok.xml", rss(*(item(str(n), guid="same") for n in range(3))))
    terminal.write("page.html", "<html><body>no feed</body></html>")
    what = ["ok.xml", "page.html", "nowhere.xml", server.url("/gone")]
    said = terminal.type("sources", "check", *what, "--format", "jsonl")
    assert said.code == 3
    assert [line["what"] for line in said.lines] == what
    described = {
        "format": "rss20",
        "title": "Gazette",
        "entries": 3,
        "newest": ["0", "1", "2"],
    }
    assert said.lines[0] == described | {"what": "ok.xml", "problem": None}
    assert all(line["problem"] for line in said.lines[1:])
    assert not (terminal.folder / "aggregator.db").exists()


# --- config, doctor ----------------------------------------------------------------------------------------


def test_config_check_names_every_mistake_by_its_line(terminal: Terminal) -> None:
    terminal.write(
        "config.yaml", "log:\n  level: loud\nfetch:\n  interval: 15\nsorces: []\n"
    )
    lines = ["config.yaml:2", "config.yaml:4", "config.yaml:5"]
    for command in (
        ["config", "check"],
        ["config", "show"],
        ["stories"],
        ["ingest", "x"],
    ):
        said = terminal.type(*command)
        assert said.code == 2
        assert [line.split(": ")[1] for line in said.err.splitlines()] == lines
    said = terminal.type("doctor", "--format", "jsonl")
    assert said.code == 1
    reported = [line for line in said.lines if line["level"] == "problem"]
    assert [one["what"].split(": ")[0] for one in reported] == lines
    assert all("aggregator config check" in one["advice"] for one in reported)
    folder = "~nobody-of-this-name/x"
    terminal.write(
        "config.yaml",
        f"database: postgresql://me@localhost/x\nbackup: {{folder: {folder}}}\n",
    )
    said = terminal.type("config", "check")
    assert (said.code, f"backup.folder: {folder[:-2]}" in said.err) == (2, True), (
        "as the daemon would end"
    )


def test_config_check_warns_of_a_scheduler_that_others_may_use(
    terminal: Terminal,
) -> None:
    terminal.write("config.yaml", "work: {executor: 'dask://10.0.0.5:8786'}\n")
    said = terminal.type("config", "check")
    assert (said.code, "run programs" in said.err, "dask+tls" in said.err) == (
        0,
        True,
        True,
    )
    terminal.write("config.yaml", "work: {executor: 'dask+tls://10.0.0.5:8786'}\n")
    assert "warning" not in terminal.type("config", "check").err


def test_config_show_is_a_config(terminal: Terminal) -> None:
    shown = terminal.type("config", "show")
    assert shown.code == 0
    terminal.write("again.yaml", shown.out)
    terminal.configure("sources:\n  - folder: here\n")
    shown_again = terminal.type("config", "show").text
    unset = "queries: {}\nwebhooks: []\nnotify: []\n"
    assert f"sources:\n- folder: here\n{unset}" in shown_again, (
        "nothing that is unset has a key"
    )
    terminal.configure()
    assert terminal.type("config", "show", "--config", "again.yaml").out == shown.out


@pytest.mark.later
def test_doctor_names_a_missing_folder_once(terminal: Terminal) -> None:
    terminal.configure("server:\n  port: 0\nsources:\n  - folder: nowhere\n")
    running = subprocess.Popen(
        [SCRIPT, "run"], cwd=terminal.folder, stderr=subprocess.PIPE
    )
    for line in running.stderr:
        if b"no such folder" in line:
            assert line.count(str(terminal.folder / "nowhere").encode()) == 1
            break
    running.terminate()
    running.communicate(timeout=PATIENCE_SECONDS)
    (listed,) = terminal.type("sources", "list", "--format", "jsonl").lines
    assert (listed["state"], listed["problem"]) == (
        "failing",
        "there is no such folder",
    )
    ill = terminal.type("doctor")
    assert ill.text.count("nowhere: there is no such folder") == 1
    assert "sources check" not in ill.text
    assert "`aggregator ingest .`" in terminal.type("sources", "check", ".").text
