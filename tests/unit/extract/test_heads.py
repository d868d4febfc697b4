"""The head of a saved text whose outlet is known: masthead, slogan and topic go, the headline stays."""

import pytest

from aggregator.extract.plain.boilerplate import is_navigation
from aggregator.extract.plain.bylines import read_signature, stated_byline
from aggregator.extract.plain.outlet_names import split_title, stands_in
from aggregator.extract.plain.saved_text import read_saved_text
from aggregator.extract.plain.titled_text import SavedText
from tests.support.extracting import TUNING
from tests.support.tables import each_row

BODY = (
    "The old harbour bridge was closed on Monday after inspectors found cracks in it, the port said.\n"
    "Traffic is led over the northern road until the repairs are done. Nobody was hurt."
)
TITLE = "Harbour bridge closed over cracks in two pillars"


def read(text: str, outlet: str | None = "The Tern & Plover") -> SavedText:
    return read_saved_text(text, TUNING, outlet=outlet)


@each_row("heads", "mastheads", "line", "outlet", "is_one")
def test_mastheads(line: str, outlet: str, is_one: bool) -> None:
    assert stands_in(outlet, line) == is_one


@pytest.mark.parametrize(
    "above",
    [
        "The Tern & Plover",
        "THE TERN & PLOVER\nThe weekly for people who live by the tide",
        "Tern and Plover\nLe journal des gens de mer",
        "Tern and Plover\nFor skippers, pilots and lighthouse keepers",
        "Tern and Plover | Evening edition\nHarbour",
        "Tern and Plover\nLIVE",
    ],
)
@pytest.mark.parametrize(
    "below",
    [
        "By Ada Lorne\n6 March 2025, 10:15",
        "Ada Lorne, harbour editor\n6 March 2025, 10:15",
    ],
)
def test_what_stands_above_the_headline_goes(above: str, below: str) -> None:
    saved = read(f"{above}\n\n{TITLE}\n{below}\n\n{BODY}")
    assert saved.title == TITLE
    assert "\n".join(saved.paragraphs) == BODY
    assert (saved.author, saved.outlet) == ("Ada Lorne", "The Tern & Plover")


def test_a_standfirst_is_not_taken_for_the_headline() -> None:
    deck = "Inspectors found cracks in two of the pillars of the old bridge"
    saved = read(
        f"The Tern & Plover\n\nHarbour bridge shut for repairs\n{deck}\nAda Lorne\n\n{BODY}"
    )
    assert saved.title == "Harbour bridge shut for repairs"
    assert saved.paragraphs[0] == deck


def test_a_headline_in_capitals_keeps_its_standfirst() -> None:
    saved = read(
        f"CRACKS SHUT OLD BRIDGE\nInspectors find faults in two of its pillars\nAda Lorne\n\n{BODY}"
    )
    assert saved.title == "CRACKS SHUT OLD BRIDGE"
    assert saved.paragraphs[0] == "Inspectors find faults in two of its pillars"


def test_the_headline_beside_the_masthead() -> None:
    assert read(f"Tern & Plover | {TITLE}\n\n{BODY}").title == TITLE
    assert split_title(f"{TITLE} - Tern and Plover", "Tern & Plover") == (
        TITLE,
        "Tern and Plover",
    )


def test_a_masthead_alone_is_no_headline() -> None:
    assert read(f"The Tern & Plover\n\n{BODY}").title.startswith(
        "The old harbour bridge was closed"
    )


def test_rows_of_links_at_the_end_go_and_tables_stay() -> None:
    saved = read(
        f"{TITLE}\n\n{BODY}\n\nLetters | Tide tables\n\nMore from the harbour\nAbout us | Shop | Jobs"
    )
    assert "\n".join(saved.paragraphs) == BODY
    table = "Monday | 06:12 | 18:40"
    assert table in read(f"{TITLE}\n\n{BODY}\n{table}\n{BODY}").paragraphs
    assert not is_navigation("The bridge | which was old | is closed.")


@each_row("heads", "stated bylines", "line", "name")
def test_stated_bylines(line: str, name: str | None) -> None:
    assert stated_byline(line) == name


@each_row("heads", "signatures", "line", "name")
def test_signatures(line: str, name: str | None) -> None:
    assert read_signature(line) == name
