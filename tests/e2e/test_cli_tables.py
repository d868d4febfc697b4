"""Tables, JSON and CSV of the command line: as wide as the terminal, exact for programs, in any number."""

import csv
import io
import json
import os
from contextlib import closing

import pytest
from rich.cells import cell_len

from aggregator.cli import output
from aggregator.config.story_query import StoryFilter, StoryQuery
from aggregator.publish.sanitise import encode_json
from aggregator.publish.story_json import page_of
from aggregator.store.engine.database import Database
from aggregator.store.read.reader import StoryReader
from aggregator.web.list_query import read_next
from tests.support.articles import FLOOD, FLOOD_ELSEWHERE, NOON, Clock, Rig, record
from tests.support.story_checks import fill, small_set
from tests.support.terminal import DAY, Terminal, jsonl, on_screen

CHINESE = "台北發生強烈地震,多棟建築物倒塌,消防局說至少三百人被疏散,鐵路和機場暫停運作,學校停課一天"
LONG = "The council of the harbour town votes on a new roster for dockers, the third in as many years of talks"
HOSTILE = [
    '=HYPERLINK("http://evil.example","x")', "+1+1", "-2+3", "@SUM(A1)", "＝1+1", "＋1", "－1", "＠a",
    'He said "no", twice', "Line one, comma",
]  # fmt: skip


@pytest.fixture(scope="module")
def listed(tmp_path_factory: pytest.TempPathFactory) -> Terminal:
    """Stories with long, Chinese and hostile headlines."""
    terminal = Terminal(tmp_path_factory.mktemp("listed"))
    titles = [CHINESE, LONG, *HOSTILE]
    texts = [
        f"{title} {' '.join(f'w{n}x{k}' for k in range(60))}"
        for n, title in enumerate(titles)
    ]
    records = [
        {
            "id": str(n),
            "source": f"Outlet{n}",
            "title": title,
            "text": body,
            "published": DAY,
        }
        for n, (title, body) in enumerate(zip(titles, texts, strict=True))
    ]
    terminal.write("records.jsonl", jsonl(*records))
    assert terminal.type("ingest", "records.jsonl").code == 0
    return terminal


@pytest.mark.parametrize("columns", [60, 80, 200])
def test_a_list_is_as_wide_as_the_terminal_and_headlines_wrap(
    listed: Terminal, columns: int
) -> None:
    lines = listed.type_on_screen(columns, "stories").splitlines()
    assert max(map(cell_len, lines)) <= columns
    for one in listed.stories():
        assert sum(line.startswith(f"{one['id']} ") for line in lines) == 1
    for title in (CHINESE, LONG):
        assert (title in "\n".join(lines)) == (columns == 200)
        assert title[:4] in "\n".join(lines)


def test_piped_a_row_is_a_line_with_all_of_it(listed: Terminal) -> None:
    lines = listed.type("stories").text.splitlines()
    assert lines[0].split() == ["id", "last", "report", "art", "out", "rep", "title"]
    assert any(line.endswith(LONG) for line in lines)
    assert any(line.endswith(CHINESE) for line in lines)


def test_prose_wraps_where_chinese_words_have_no_blanks(listed: Terminal) -> None:
    (quake,) = (one["id"] for one in listed.stories() if one["title"] == CHINESE)
    reported = listed.type_on_screen(60, "story", quake)
    assert max(map(cell_len, reported.splitlines())) <= 60
    assert CHINESE in "".join(line.strip() for line in reported.splitlines())


def _raw_screen(terminal: Terminal, *arguments: str, **environment: str) -> bytes:
    own = {k: v for k, v in os.environ.items() if k != "NO_COLOR"} | {
        "TERM": "xterm",
        "COLUMNS": "80",
    }
    return on_screen(terminal.folder, arguments, own | environment)[1]


def test_colours_are_for_terminals_that_want_them(listed: Terminal) -> None:
    assert b"\x1b[" in _raw_screen(listed, "doctor")
    assert b"\x1b[" not in _raw_screen(listed, "doctor", NO_COLOR="1")
    assert b"\x1b[" not in listed.type("doctor").out


def test_no_cell_of_a_csv_is_a_formula(listed: Terminal) -> None:
    data = listed.type("stories", "--format", "csv").out
    assert data.count(b"\r\n") == len(listed.stories()) + 1 == data.count(b"\n")
    rows = list(csv.DictReader(io.StringIO(data.decode("utf-8"), newline="")))
    assert sorted(row["title"].removeprefix("'") for row in rows) == sorted(
        [CHINESE, LONG, *HOSTILE]
    )
    assert all(not row["title"].startswith(tuple("=+-@＝＋－＠\t\r\n")) for row in rows)
    assert sum(row["title"].startswith("'") for row in rows) == 8
    assert {row["articles"] for row in rows} == {"1"}, "numbers stay numbers"


@pytest.mark.later
def test_any_number_of_stories_is_read_piece_by_piece(database: Database) -> None:
    fill(database)
    reading = StoryReader(database)
    everything = reading.stories(StoryFilter(limit=1000))
    for limit, at_once in ((1000, 3), (7, 3), (7, 100), (1, 1)):
        pages = list(reading.pages(StoryFilter(limit=limit), at_once))
        assert [one for page in pages for one in page.stories] == list(
            everything.stories[:limit]
        )
        assert max(len(page.stories) for page in pages) <= at_once
        assert (pages[-1].next is None) == (limit > len(everything.stories))


def test_what_changes_meanwhile_is_neither_lost_nor_listed_twice(
    database: Database,
) -> None:
    """All pages are of one state, also where a story is bumped to the front between two of them."""
    fill(database)
    reading = StoryReader(database)
    before = [one.id for one in reading.stories(StoryFilter(limit=1000)).stories]
    pages = reading.pages(StoryFilter(limit=1000), 5)
    reported = [one.id for one in next(pages).stories]
    rig = Rig(database, Clock(NOON.replace(year=2027)))
    last = small_set()[0]
    rig.take(
        record(
            "Another Outlet",
            "new",
            last.title,
            f"{last.text} And more of it.",
        )
    )
    reported += [one.id for page in pages for one in page.stories]
    assert reported == before


def test_the_json_of_many_pages_is_the_json_of_one(listed: Terminal) -> None:
    with closing(Database(listed.database)) as database:
        page = StoryReader(database).stories(StoryFilter(limit=5))
    said = listed.type("stories", "--limit", "5", "--format", "json")
    following = json.loads(said.out)["next"]
    assert read_next(following, StoryQuery())[1] == page.next
    assert said.out == encode_json(page_of(page.stories, following)) + b"\n"
    ids = [one["id"] for one in json.loads(said.out)["stories"]]
    rest = listed.type(
        "stories", "--next", json.loads(said.out)["next"], "--format", "jsonl"
    ).lines
    assert ids + [one["id"] for one in rest] == [one["id"] for one in listed.stories()]
    assert listed.type("stories", "--next", "nonsense").code == 2


def test_rows_flow_through_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    """More rows than are looked at for the widths: one header, none lost."""
    output.table(("n", "word"), ((n, "x" * (n % 7)) for n in range(1203)))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["n", "word"]
    assert [int(line.split()[0]) for line in lines[1:]] == list(range(1203))


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> Terminal:
    """A story of two reports beside Chinese and long headlines, whose outlets have long names."""
    terminal = Terminal(tmp_path_factory.mktemp("several"))
    titles = ["Levee breaks at Pennmouth", LONG, CHINESE, f"{LONG} {LONG}"]
    texts = [
        FLOOD,
        FLOOD_ELSEWHERE,
        CHINESE * 5 + " levee",
        "word " * 200 + "levee " + "other " * 200,
    ]
    records = [
        {
            "id": str(n),
            "source": f"{CHINESE if n == 2 else LONG} {n}",
            "title": title,
            "text": body,
        }
        | {"published": DAY}
        for n, (title, body) in enumerate(zip(titles, texts, strict=True))
    ]
    terminal.write("records.jsonl", jsonl(*records))
    assert terminal.type("ingest", "records.jsonl").code == 0
    return terminal


@pytest.mark.later
@pytest.mark.parametrize("columns", [40, 80, 120])
@pytest.mark.parametrize("word", ["levee", "台北"])
def test_a_search_lists_reports_below_their_story(
    several: Terminal, word: str, columns: int
) -> None:
    found = several.type("search", word, "--format", "jsonl").lines
    shown = several.type_on_screen(columns, "search", word)
    lines = shown.splitlines()
    assert max(map(cell_len, lines)) <= columns
    stories = {one["story"] for one in found}
    flat = " ".join(shown.split())
    for one in found:
        assert flat.count(one["story"]) == 1
        assert one["title"].replace(" ", "") in flat.replace(" ", ""), (
            "no headline is cut"
        )
        assert one["id"] in shown
    assert len(shown.split("\n\n")) == len(stories)
    snippets = [
        line
        for line in lines
        if line.startswith("    ") and (word in line or word.title() in line)
    ]
    assert len(snippets) >= len(found), "the words that were found are on the screen"


def test_piped_a_report_is_a_line_below_its_story(several: Terminal) -> None:
    found = several.type("search", "levee", "--format", "jsonl").lines
    lines = several.type("search", "levee").text.splitlines()
    for one in found:
        (line,) = (line for line in lines if line.strip().startswith(one["id"]))
        assert one["snippet"].strip() in line
