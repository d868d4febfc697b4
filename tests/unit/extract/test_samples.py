"""The sample articles: every one is read as a person would read it."""

import json
import re
from datetime import UTC, datetime
from functools import cache

import pytest

from aggregator.config.tuning import Tuning
from aggregator.extract.clean_article import clean_entry
from aggregator.model.entry import Entry
from aggregator.model.prepared import CleanArticle
from aggregator.text.lines import count_words, ends_sentence
from tests.conftest import REPOSITORY

ARTICLES = REPOSITORY / "examples" / "articles"
DATA = REPOSITORY / "tests" / "data"
SEEN = datetime.fromisoformat("2026-11-20T00:00Z")
ALL_TUNING = Tuning()

# By path: headline, time of publication, byline.
EXPECTED: dict[str, tuple[str, str, str | None]] = {
    one["file"]: (one["title"], one["published"], one["author"])
    for one in map(
        json.loads, (DATA / "sample_articles.jsonl").read_text("utf-8").splitlines()
    )
}
# Lines that end like a sentence and are none of the article's.
DATE_LINE = re.compile(r".{0,24}\b2026\b.{0,20}")
FURNITURE = {
    "Related articles: Toe drains, a neglected art | Who pays for old dams?",
    "Audio | 2 Min.",
}
# Reprints of one agency's text; the fourth names no agency.
REPRINTS = {
    "Daily Siren/inferno-at-the-docks.txt": "MNA",
    "Lowland Post/fire-at-halverne-solvent-works.txt": "MNA",
    "Marenholt Courier/chemical-fire-in-halverne-harbour.txt": "MNA",
    "Vessaly Now/stay-indoors-halverne-fire.txt": None,
}
every_sample = pytest.mark.parametrize("name", EXPECTED)


@cache
def read(name: str) -> CleanArticle:
    path = ARTICLES / name
    entry = Entry(
        source="sample",
        text=path.read_text(encoding="utf-8"),
        is_saved_text=True,
        outlet=path.parent.name,
    )
    return clean_entry(entry, seen=SEEN, tuning=ALL_TUNING).article


def lines_of(name: str) -> list[str]:
    raw = (
        line.strip()
        for line in (ARTICLES / name).read_text(encoding="utf-8").split("\n")
    )
    return [line for line in raw if line]


def test_no_sample_is_forgotten() -> None:
    assert {
        f"{path.parent.name}/{path.name}" for path in ARTICLES.glob("*/*.txt")
    } == set(EXPECTED)


@pytest.mark.slow
@every_sample
def test_headline_time_and_author(name: str) -> None:
    title, published, author = EXPECTED[name]
    article = read(name)
    assert article.title == title
    assert article.published.time == datetime.fromisoformat(published).replace(
        tzinfo=UTC
    )
    assert article.published.precision == "minute"
    assert (article.author, article.verdict) == (author, "ok")


@every_sample
def test_every_sentence_is_kept_and_nothing_else(name: str) -> None:
    article = read(name)
    lines = lines_of(name)
    prose = [
        line
        for line in lines
        if ends_sentence(line)
        and count_words(line) >= 6
        and line not in (article.title, *FURNITURE)
        and not DATE_LINE.fullmatch(line)
    ]
    standfirst = ["Blasts rock city as chemical tanks go up in flames"]
    kept = [line for line in article.text.split("\n") if line not in standfirst]
    assert kept == prose


@every_sample
def test_the_agency_of_reprints(name: str) -> None:
    wire = read(name).wire
    if name not in REPRINTS:
        assert wire is None
        return
    assert wire.agency == REPRINTS[name]
    assert wire.confidence < 0.9


def test_a_live_blog_is_recognised() -> None:
    assert [name for name in EXPECTED if read(name).is_container] == [
        "Vessaly Now/live-blog-tarrowmere.txt"
    ]
