"""One word many thousand times: articles, feeds, sentences and stories take time by their length alone."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from msgspec.structs import replace

from aggregator.config.tuning import Tuning
from aggregator.extract.clean_article import clean_entry
from aggregator.grouping.fingerprint import fingerprinter
from aggregator.model.entry import Entry
from aggregator.model.prepared import CleanArticle
from aggregator.sources.parse.feeds.entry_builder import FeedContext
from aggregator.sources.parse.feeds.read_feed import read_feed
from aggregator.sources.source_limits import source_tuning
from aggregator.text.sentences import split_sentences
from tests.support.articles import FLOOD, NOON
from tests.support.patterns import LIMIT, seconds
from tests.support.stories_examples import story_text, view
from tests.support.tables import rows

ALL_TUNING = Tuning()
WORDS = rows("long_texts", "words")
FEW = (".", "。", "ア", "a@a.", "Aa ", "12:30 ")
LANGUAGES = (None, "en", "de", "fr", "ru", "zh", "ja", "ar", "ko")


def cleaned(page: bytes | None = None, **given: Any) -> object:
    return clean_entry(
        Entry(source="s", **given), page=page, seen=NOON, tuning=ALL_TUNING
    ).article


def an_article(words: str) -> object:
    return cleaned(title="Flood", text=FLOOD + words)


def an_untitled_article(words: str) -> object:
    return cleaned(text=f"{words}\n{FLOOD}")


def a_title(words: str) -> object:
    return cleaned(title=words, outlet=words, author=words[:900], text=FLOOD)


def a_saved_text(words: str) -> object:
    return cleaned(text=f"Flood\n{words}\n{FLOOD}\n{words}", is_saved_text=True)


def lines(words: str) -> object:
    return cleaned(title="Flood", text="\n".join((FLOOD, *words.split(" "), FLOOD)))


def a_page(words: str) -> object:
    page = (
        f"<html><head><title>{words}</title><meta name=author content='{words}'></head><body><article>"
        f"<h1>Flood</h1><p>{FLOOD}</p><p>{words}</p><p>9.30 p.m.: {words}</p></article></body></html>"
    )
    return cleaned(page.encode(), url="https://x.example/1")


def a_feed(words: str) -> object:
    feed = (
        f"<rss version='2.0'><channel><title>{words}</title><item><title>{words}</title><link>{words}</link>"
        f"<author>{words}</author><pubDate>{words}</pubDate><description>{words}</description></item>"
        "</channel></rss>"
    )
    return read_feed(
        feed.encode(),
        FeedContext(source="s", seen=NOON, tuning=source_tuning(ALL_TUNING)),
    )


def the_terms(words: str) -> object:
    make = fingerprinter(ALL_TUNING.to_json()).fingerprint
    return [
        make(
            CleanArticle(verdict="ok", title="Flood", text=FLOOD + words, language=tag)
        )
        for tag in LANGUAGES
    ]


def a_story(words: str) -> object:
    texts = (FLOOD + words, f"{FLOOD}\n{words}", words)
    views = [
        view(f"a{n}", f"o{n}", title="Flood", text=text, lead="")
        for n, text in enumerate(texts)
    ]
    return [
        story_text([replace(one, language=tag) for one in views]) for tag in LANGUAGES
    ]


READERS = (
    an_article,
    an_untitled_article,
    a_title,
    a_saved_text,
    lines,
    a_page,
    a_feed,
    the_terms,
    a_story,
    split_sentences,
)


@pytest.mark.later
@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.__name__)
@pytest.mark.parametrize(
    ("words", "chars"),
    [(FEW, 8_000), pytest.param(WORDS, 50_000, marks=pytest.mark.torture)],
    ids=["few", "many"],
)
def test_long_texts_take_time_by_their_length(
    reader: Callable[[str], object], words: tuple[str, ...], chars: int
) -> None:
    assert not growing(reader, words, chars)


def growing(
    reader: Callable[[str], object], words: tuple[str, ...], chars: int
) -> list[str]:
    """The words of which four times as many took too long: CPU time, the least of some."""
    reader(FLOOD)  # tables are read once
    found: list[str] = []
    for word in words:
        short, long = (word * (length // len(word)) for length in (chars, 4 * chars))
        limit = chars / 500  # seconds of CPU, many times what any of these takes
        for times in (2, 5, 12):  # a slow moment of the machine is asked again
            least, most = (
                min(seconds(partial(reader, text), limit) for _ in range(times))
                for text in (short, long)
            )
            is_slow = most > 0.2 and (
                most == math.inf or math.log(most / least, 4) > LIMIT
            )
            if not is_slow:
                break
        if is_slow:
            found.append(f"{word!r}: {least:.3f} s, then {most:.3f}")
    return found
