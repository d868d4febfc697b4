"""Records with ids: none is lost in silence, whatever the file calls its keys."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.terminal import Terminal, jsonl

GATE = "The lock gate of Pennmouth was mended on Monday by the crew of the harbour, and it holds."
FERRY = "The ferry ran aground near the western pier, and forty people were taken off by boats."
GOATS = "Eleven goats vanished from a meadow near Lindmar while shepherds watched the fireworks."
BEES = "The council of Orm counts its bees every spring, and there are more hives than ever before."


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    return Terminal(tmp_path)


def csv(*rows: tuple[str, str, str, str]) -> str:
    return "\n".join(
        [
            "id,headline,body,link",
            *(",".join(f'"{cell}"' for cell in row) for row in rows),
        ]
    )


def ingested(terminal: Terminal, name: str) -> dict[str, Any]:
    counts: dict[str, Any] = json.loads(
        terminal.type("ingest", name, "--format", "json").out
    )
    assert counts["rejected_count"] == 0
    return counts


def ids_kept(terminal: Terminal) -> list[str]:
    return sorted(
        one["record_id"]
        for one in terminal.type("stories", "--articles", "--format", "jsonl").lines
    )


REPRINTS = [
    ("11", "Lock gate mended", GATE),
    ("12", "Lock gate mended", GATE),
    ("13", "Lock gate mended", GATE),
]


@pytest.mark.parametrize(
    "kind", ["table", "records of another program", "records with own keys"]
)
def test_records_with_one_text_and_different_ids_are_kept_once_each(
    terminal: Terminal, kind: str
) -> None:
    records = [*REPRINTS, ("14", "Ferry aground", FERRY)]
    names = (
        ("id", "title", "text")
        if kind == "records with own keys"
        else ("id", "headline", "body")
    )
    if kind == "table":
        terminal.write("a.file", csv(*((*record, "") for record in records)))
    else:
        terminal.write(
            "a.file",
            jsonl(*(dict(zip(names, record, strict=True)) for record in records)),
        )
    terminal.write(
        "a.csv" if kind == "table" else "a.jsonl",
        (terminal.folder / "a.file").read_bytes(),
    )
    name = "a.csv" if kind == "table" else "a.jsonl"
    counts = ingested(terminal, name)
    assert (counts["new"], counts["copies"], counts["known"]) == (4, 2, 0)
    assert ids_kept(terminal) == ["11", "12", "13", "14"]
    again = ingested(terminal, name)
    assert (again["new"], again["known"], again["revised"]) == (0, 4, 0), (
        "the same file adds nothing"
    )


def test_rows_that_all_have_the_address_of_the_site_are_articles_of_their_own(
    terminal: Terminal,
) -> None:
    home = "https://kite.example/"
    terminal.write("a.csv", csv(("1", "Goats", GOATS, home), ("2", "Bees", BEES, home)))
    assert ingested(terminal, "a.csv")["new"] == 2
    assert ids_kept(terminal) == ["1", "2"]


def test_two_files_that_number_alike_are_different_articles(terminal: Terminal) -> None:
    terminal.write("one/a.csv", csv(("1", "Goats", GOATS, ""), ("2", "Bees", BEES, "")))
    terminal.write(
        "two/a.csv", csv(("1", "Lock gate", GATE, ""), ("2", "Ferry", FERRY, ""))
    )
    for name in ("one/a.csv", "two/a.csv"):
        assert ingested(terminal, name)["new"] == 2
    assert ids_kept(terminal) == ["1", "1", "2", "2"]


def test_an_address_that_has_another_article_now_keeps_both_ids(
    terminal: Terminal,
) -> None:
    live = "https://kite.example/live"
    rows = [{"id": "a", "title": "Goats", "text": GOATS * 3, "url": live}]
    rows += [{"id": "b", "title": "Bees", "text": BEES * 3, "url": live}]
    terminal.write("a.jsonl", jsonl(*rows))
    for _ in range(2):
        ingested(terminal, "a.jsonl")
        assert ids_kept(terminal) == ["a", "b"]


def test_dates_and_ids_that_cannot_be_read_are_in_the_notes(terminal: Terminal) -> None:
    records = [
        {"id": ["a", "b"], "title": "Goats", "text": GOATS, "published": "yesterday"}
    ]
    records += [{"id": True, "title": "Bees", "text": BEES, "published": "2999-01-01"}]
    terminal.write("a.jsonl", jsonl(*records))
    expected = ["`id`: 2 ids not kept, e.g. `['a', 'b']`, `True`"]
    expected += ["`published`: 2 dates not understood, e.g. `yesterday`, `2999-01-01`"]
    assert sorted(ingested(terminal, "a.jsonl")["notes"]) == expected
    said = terminal.type("extract", "a.jsonl").err
    assert all(note in said.replace("\n", " ") for note in expected)
