"""The agency behind a text, on cases in 21 languages: tests/data/wire_cases.jsonl, written for this test.

A case holds the lines of a text, what its feed or page declares (author, sources), and the agency: `several`
where the text is of none of several agencies alone, `counts: false` where an agency is named but is not the
origin. Where "quoted", nothing may be marked: a voice in the text, a picture's credit, a place, a person.
"""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from aggregator.config.tuning import Tuning
from aggregator.extract.clean_article import clean_entry
from aggregator.extract.extract_limits import ExtractTuning
from aggregator.extract.wire.agencies import copied_wire
from aggregator.extract.wire.wire import BY_LINE, SHARED, find_wire
from aggregator.model.entry import Entry
from aggregator.model.prepared import Wire
from tests.support.tables import each_row

ALL_TUNING = Tuning()
TUNING = ALL_TUNING.section("text", ExtractTuning)
COUNTS_FROM = 0.55  # config/tuning.yaml, placing.wire_confidence
CASES = [
    json.loads(line)
    for line in (Path(__file__).parents[2] / "data" / "wire_cases.jsonl")
    .read_text("utf-8")
    .splitlines()
]
NOON = datetime.fromisoformat("2025-03-06T12:00Z")
TITLE = "Harbour bridge closed over cracks in two cables"
# Known and left: "dpa/Ada Lorne" looks like a picture's credit, "ZEIT ONLINE, dpa, AFP" names the outlet
# itself, "© APA" may be another body of these initials, "PTI News" is a desk unknown to us.
MISSED = {"dpa/Ada Lorne", "ZEIT ONLINE, dpa, AFP, ade", "© APA", "PTI News"}


def found_in(case: dict[str, Any]) -> Wire | None:
    more = {"title": case.get("title"), "sources": case.get("sources", ())}
    return find_wire(case["lines"], TUNING, case["lines"], case.get("author"), **more)


def is_right(case: dict[str, Any], wire: Wire | None) -> bool:
    if case["where"] == "quoted" or wire is None:
        return wire is None and case["where"] == "quoted"
    if case.get("several"):
        return wire.agency is None
    return wire.agency == case["agency"] and (
        wire.confidence >= COUNTS_FROM
    ) == case.get("counts", True)


def test_every_agency_is_found_but_the_few_we_know_of_and_no_quoted_one_is_marked() -> (
    None
):
    wrong = [case for case in CASES if not is_right(case, found_in(case))]
    assert "quoted" not in {case["where"] for case in wrong}
    marks = {
        mark
        for case in wrong
        for mark in (*case["lines"], case.get("author"))
        if len(mark or "") < 30
    }
    assert marks - {None} == MISSED
    assert len(wrong) == len(MISSED)
    kinds = {"author": "byline", "meta": "metadata"}
    found = [(case["where"], wire.kind) for case in CASES if (wire := found_in(case))]
    assert sum(kinds.get(where, where) != kind for where, kind in found) <= 4, (
        "places that look like others"
    )


@pytest.mark.later
def test_the_whole_way_of_an_entry_says_the_same() -> None:
    """Title, furniture and paragraphs told apart first; nothing quoted is marked, no agency is another."""
    lost = []
    for case in CASES:
        if case.get("sources"):
            continue
        given = {"title": case.get("title", TITLE), "author": case.get("author")}
        entry = Entry(source="cases", text="\n\n".join(case["lines"]), **given)
        wire = clean_entry(entry, seen=NOON, tuning=ALL_TUNING).article.wire
        if case["where"] == "quoted":
            assert wire is None, case
        elif not is_right(case, wire):
            assert wire is None or wire.agency is None, case
            lost.append(case)
    assert len(lost) <= 0.05 * len(CASES), [case["id"] for case in lost]


def test_the_evidence_is_words_of_the_text() -> None:
    for case in CASES:
        wire = found_in(case)
        if wire is None or wire.kind != "credit":
            continue
        assert any(
            wire.evidence.strip("()（） ")[:2] in line for line in case["lines"]
        ), wire


TEXT = [
    "The harbour bridge was closed on Monday.",
    "Ferries will carry commuters, the port said.",
]


def test_what_names_one_agency_goes_before_what_names_several() -> None:
    wire = find_wire(TEXT, TUNING, [*TEXT, "(dpa/AFP)", "Source: dpa"], "News Agencies")
    assert (wire.agency, wire.kind) == ("dpa", "credit")


def test_who_contributed_goes_behind_who_wrote() -> None:
    lines = [*TEXT, "© 2025 AFP", "The Associated Press contributed to this report."]
    wire = find_wire(TEXT, TUNING, lines, None)
    assert (wire.agency, wire.confidence) == ("AFP", BY_LINE)


def test_an_agency_that_contributed_beside_the_outlets_own_is_shared() -> None:
    line = "Harbour Post's Ada Lorne, Bo Marsh and The Associated Press contributed to this report."
    wire = find_wire(TEXT, TUNING, [*TEXT, line])
    assert (wire.agency, wire.confidence) == ("AP", SHARED)


def test_a_pictures_copyright_above_the_text_is_not_the_texts() -> None:
    for line in ("© AFP", "© 2025 AFP"):
        assert find_wire(TEXT, TUNING, [line, *TEXT]) is None
        assert find_wire(TEXT, TUNING, [*TEXT, line]) is not None


def test_meta_data_tell_of_an_agency_by_name_or_site() -> None:
    wire = find_wire(
        TEXT, TUNING, TEXT, sources=["The Harbour Post", "www.reuters.com"]
    )
    assert wire == Wire(agency="Reuters", evidence="www.reuters.com", kind="metadata")
    address = "https://www.reuters.com/world/bridge-closed/"
    wire = find_wire(TEXT, TUNING, TEXT, sources=[address])
    assert wire == Wire(agency="Reuters", evidence=address, kind="metadata")
    assert (
        find_wire(TEXT, TUNING, TEXT, sources=["https://post.example/afp.com/bridge"])
        is None
    )


def test_a_page_that_names_its_source_is_heard() -> None:
    body = "".join(f"<p>{line} {line}</p>" for line in TEXT * 4)
    page = f"""<html><head><title>{TITLE}</title><meta name="syndication-source" content="AFP">
        </head><body><article><h1>{TITLE}</h1>{body}</article></body></html>"""
    entry = Entry(source="cases", title=TITLE, url="https://post.example/bridge")
    wire = clean_entry(
        entry, page=page.encode(), page_url=entry.url, seen=NOON, tuning=ALL_TUNING
    ).article.wire
    assert wire == Wire(agency="AFP", evidence="AFP", kind="metadata")


@each_row(
    "wire_cases",
    "a copy is of the agency that its original is of",
    "outlet",
    "wire",
    "agency",
)
def test_a_copy_is_of_the_agency_that_its_original_is_of(
    outlet: str | None, wire: str | None, agency: str | None
) -> None:
    copied = copied_wire("abc", outlet, wire)
    assert (copied and copied.agency) == agency
    if copied is not None:
        assert copied.kind == "copy"
        assert copied.confidence >= COUNTS_FROM
        assert "abc" in copied.evidence


@pytest.mark.parametrize(
    "paragraph",
    [
        "HALVERNE (MNA) — The bridge was closed on Monday.",
        "PORT-SENNICK, Vessaly (QXA) - The bridge was closed on Monday.",
        "ST. ANSELM (OPN).- The bridge was closed on Monday.",
    ],
)
def test_an_unlisted_agency_in_a_dateline(paragraph: str) -> None:
    wire = find_wire(["Bridge shut, ferries run", paragraph], TUNING)
    assert wire.kind == "dateline"
    assert wire.agency in ("MNA", "QXA", "OPN")
    assert wire.confidence < 0.9


@pytest.mark.parametrize(
    "paragraph",
    [
        "The mayor told the agency (MNA) — that the bridge is closed.",
        "HALVERNE (WXYZ) — The bridge was closed on Monday.",  # a station's call sign
        "HALVERNE (CNN) — The bridge was closed on Monday.",
        "HALVERNE (TP) — The bridge was closed on Monday.",  # the outlet's own initials
        "NATO (NAC) members met on Monday to talk about the bridge.",
        "Shares of the port (NYSE) — fell on Monday after the bridge was closed.",
    ],
)
def test_a_code_that_is_no_agency(paragraph: str) -> None:
    assert find_wire([paragraph], TUNING, outlet="Tern Plover") is None


def test_an_unlisted_agency_counts_in_the_first_paragraph_only() -> None:
    paragraphs = [
        "The bridge was closed on Monday, the port said.",
        "HALVERNE (MNA) — It will open again.",
    ]
    assert find_wire(paragraphs, TUNING) is None
