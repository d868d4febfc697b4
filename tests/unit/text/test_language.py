"""Which language a text is in, where its page says another."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import msgspec
import pytest
from py3langid import langid

from aggregator.config.tuning import Tuning
from aggregator.grouping.fingerprint import prepared_again
from aggregator.intake.jobs import (
    FeedJob,
    FingerprintJob,
    PrepareResult,
    fingerprints,
    read_feed,
)
from aggregator.model.entry import ParsedFeed
from aggregator.model.prepared import CleanArticle
from aggregator.sources.source_limits import source_tuning
from aggregator.text.language import find_language, language_of_feed
from tests.support.extracting import TUNING
from tests.support.rss import item, rss
from tests.support.tables import each_row


@each_row(
    "language",
    "what is declared of a short text holds unless its script is another",
    "title",
    "declared",
    "language",
)
def test_what_is_declared_of_a_short_text_holds_unless_its_script_is_another(
    title: str, declared: str, language: str
) -> None:
    assert find_language(title, "", declared, TUNING) == language


@each_row(
    "language",
    "a short text that is clearly of another language outweighs the declaration",
    "title",
    "text",
    "declared",
    "language",
)
def test_a_short_text_that_is_clearly_of_another_language_outweighs_the_declaration(
    title: str, text: str, declared: str, language: str
) -> None:
    assert find_language(title, text, declared, TUNING) == language


@each_row(
    "language",
    "a long text of a neighbouring language is of that",
    "text",
    "declared",
    "language",
)
def test_a_long_text_of_a_neighbouring_language_is_of_that(
    text: str, declared: str, language: str
) -> None:
    """Of these neighbours there are no stop words."""
    assert find_language("", text, declared, TUNING) == language


def test_words_of_the_declared_language_need_no_model(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(langid, "IDENTIFIER", None)
    assert find_language("The mayor of Lindmar resigns", "", "en-US", TUNING) == "en"
    assert langid.IDENTIFIER is None


@pytest.mark.parametrize(
    ("title", "text"),
    [
        ("Open Street Map", ""),  # names and terms have no stop words at all
        (
            "Civil rights leader Jesse Jackson dies, aged 84",
            "The two-time Democratic presidential hopeful remembered for powerful speeches died peacefully.",
        ),
    ],
)
def test_what_is_declared_needs_no_model_where_no_words_are_of_another_language(
    title: str, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(langid, "IDENTIFIER", None)
    assert find_language(title, text, "en-US", TUNING) == "en"
    assert langid.IDENTIFIER is None


def test_a_long_text_with_more_words_of_another_language_is_not_what_is_declared() -> (
    None
):
    text = "Il sindaco ha detto che il ponte sul fiume resta chiuso: lavori di notte, on e off, per mesi."
    assert (
        find_language("Nuovo ponte per la città di Lindmar", text, "en-US", TUNING)
        == "it"
    )


@pytest.mark.later
def test_an_article_that_lost_its_text_keeps_its_language_and_needs_no_model(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The process that places would keep the model: 80 MB. `recluster` has the language found by workers."""
    monkeypatch.setattr(langid, "IDENTIFIER", None)
    article = CleanArticle(
        verdict="stub", title="Introduzione alla tranvia con Lindmar", language="en"
    )
    assert prepared_again(article, Tuning()).article.language == "en"
    assert langid.IDENTIFIER is None
    job = FingerprintJob(articles=(article,))
    again = msgspec.msgpack.decode(
        fingerprints(msgspec.msgpack.encode(job)), type=PrepareResult
    )
    assert again.prepared[0].article.language == "it"


@pytest.mark.parametrize(
    ("head", "language"), [("", "en"), ("<language>de-AT</language>", "de")]
)
def test_a_feed_without_a_language_has_that_of_its_entries(
    head: str, language: str
) -> None:
    titles = (
        "The AI Paradox",
        "Thinking is a commodity",
        "Getting the day back",
        "Five years without a phone",
    )
    items = (
        item(title, "<p>What I have learned from all of it</p>") for title in titles
    )
    data = rss(*items, title="T", more=head).encode()
    seen = datetime.fromisoformat("2026-02-18T00:00Z")
    job = FeedJob(data=data, source="feed-1", seen=seen, tuning=source_tuning(Tuning()))
    parsed = msgspec.msgpack.decode(
        read_feed(msgspec.msgpack.encode(job)), type=ParsedFeed
    )
    assert parsed.language == language


def test_few_titles_together_tell_more_than_each_alone() -> None:
    titles = "Sourdough without a scale", "Why rye bread sinks"
    assert find_language(titles[1], "", None, TUNING) == "pcm"
    feed = language_of_feed(titles, TUNING)
    assert [find_language(title, "", feed, TUNING) for title in titles] == ["en", "en"]
    assert language_of_feed(["2:1", ""], TUNING) is None


@each_row("language", "stop words tell only their own language", "language", "text")
def test_stop_words_tell_only_their_own_language(language: str, text: str) -> None:
    assert find_language("", text, None, TUNING) == language


FEW_STOP_WORDS = """House OKs measure designed to end controller furloughs. Lawmakers approved emergency
spending Friday, ending airport delays caused by automatic budget cuts. Senate leaders passed the bill
Thursday night; President Obama promised to sign it. Transportation officials said towers near Chicago, New
York and Los Angeles would return to full strength by Sunday evening, airlines said."""


def test_a_text_with_few_stop_words_needs_no_model(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The model takes 80 MB and .6 s, which who reads English only is spared."""
    monkeypatch.setattr(langid, "IDENTIFIER", None)
    assert find_language("", FEW_STOP_WORDS, None, TUNING) == "en"
    assert langid.IDENTIFIER is None


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("af", "Die burgemeester het gesê dat die brug in die week gesluit is en dat hy so gou moontlik weer "
         "oop is. Wat van die mense is wat in die stad was, is nie bekend nie, want die pad was of is toe."),
        ("es", "The Backstreet Boys at the Sphere in Las Vegas: a perfect blend of the old and the new. Los "
         "cantantes de la banda dieron el viernes un concierto que los seguidores de la ciudad no van a "
         "olvidar, y el público se fue con la idea de que es el mejor de los últimos años."),
    ],
)  # fmt: skip
def test_some_english_words_make_no_english_text(language: str, text: str) -> None:
    assert find_language("", text, None, TUNING) == language


@pytest.mark.later
def test_threads_share_one_language_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """With `work.executor: inline` feeds are read in the fetch threads; a model takes 80 MB."""
    loaded = []
    load = langid._load_identifier

    def counted() -> langid.LanguageIdentifier:
        loaded.append(threading.get_ident())
        return load()

    monkeypatch.setattr(langid, "IDENTIFIER", None)
    monkeypatch.setattr(langid, "_load_identifier", counted)
    text = "La nave ha urtato il molo martedì mattina, undici persone sono in ospedale"
    with ThreadPoolExecutor(8) as threads:
        found = list(
            threads.map(lambda _: find_language("", text, None, TUNING), range(8))
        )
    assert found == ["it"] * 8
    assert len(loaded) == 1
