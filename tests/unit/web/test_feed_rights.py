"""Promise 9 in feeds: whatever a story holds, an item gives no more words of any article than are allowed."""

import datetime as dt

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import html

from aggregator.model.core import ArticleView, AttributedSentence, Fact, MergedStory
from aggregator.model.read_model import Change
from aggregator.web.excerpts import count_words
from aggregator.web.feeds.load_items import change_items, story_items
from aggregator.web.settings import PublishSettings
from tests.support.written_stories import MORNING, a_story, an_article

Sentences = list[str]


@st.composite
def _reports(draw: st.DrawFn) -> tuple[list[ArticleView], dict[str, Sentences]]:
    """Articles of words that stand nowhere else; copies print those of another one."""
    articles: list[ArticleView] = []
    sentences: dict[str, Sentences] = {}
    for number in range(draw(st.integers(1, 5))):
        lengths = draw(st.lists(st.integers(1, 30), min_size=1, max_size=8))
        own = [" ".join(f"a{number}s{place}w{word}" for word in range(n)) for place, n in enumerate(lengths)]
        copied = draw(st.none() | st.integers(0, number - 1)) if number else None
        if copied is not None:
            original = articles[copied]
            root = original.copy_of or original.id
            own = sentences[root][: draw(st.integers(1, 8))]
        else:
            root = None
        title = " ".join(f"t{number}w{word}" for word in range(draw(st.integers(1, 15))))
        article = an_article(
            id=f"r{number}",
            outlet=f"Outlet {number}",
            title=title,
            lead=own[0],
            text="\n".join(own),
            copy_of=root,
            role="copy" if root else "report",
            nosnippet=draw(st.booleans()) and number > 2,
        )
        articles.append(article)
        sentences[article.id] = own
    return articles, sentences


@st.composite
def _written(draw: st.DrawFn, articles: list[ArticleView], sentences: dict[str, Sentences]) -> MergedStory:
    every = [
        AttributedSentence(text=text, article=article.id, outlet=article.outlet)
        for article in articles
        for text in sentences[article.id]
    ]
    some = st.lists(st.sampled_from(every), min_size=1, max_size=4)
    return MergedStory(
        title=articles[0].title,
        lead=draw(st.none() | st.sampled_from(every)),
        facts=tuple(
            Fact(said=tuple(said), outlets=len(said), of=len(articles))
            for said in draw(st.lists(some, max_size=8))
        ),
        only=tuple(every),
        timeline=(),
    )


def _given_of(article: ArticleView, sentences: Sentences, shown: str) -> int:
    """How many words of the article stand in what is shown."""
    words = set(shown.replace("…", " ").split())
    return sum(
        count_words(word) for text in (article.title, *sentences) for word in text.split() if word in words
    )


@pytest.mark.slow
@settings(deadline=None, max_examples=120)
@given(st.data(), st.integers(1, 60))
def test_no_article_gives_more_words_than_are_allowed(data: st.DataObject, allowed: int) -> None:
    articles, sentences = data.draw(_reports())
    merged = data.draw(_written(articles, sentences)) if data.draw(st.booleans()) else None
    story = a_story(*articles, summary=" ".join(sentences["r0"]))
    chosen = PublishSettings(excerpt_words=allowed, full_text="all")
    reported = {story.id: merged} if merged else {}
    item = story_items([story], reported, chosen)[0]
    shown = " ".join(html.fromstring(f"<div>{item.html.replace('<', ' <')}</div>").itertext())
    for article in articles:
        given = _given_of(article, sentences[article.id], shown)
        assert given <= allowed, (article.id, given)
        if (
            article.nosnippet
            and not any(one.copy_of == article.id for one in articles)
            and not article.copy_of
        ):
            assert given <= count_words(article.title)


@settings(deadline=None, max_examples=40)
@given(_reports(), st.integers(1, 60), st.integers(1, 20))
def test_an_item_about_one_report_stays_within_them_too(
    reports: tuple[list[ArticleView], dict[str, Sentences]], allowed: int, former_words: int
) -> None:
    former = " ".join(f"f{word}" for word in range(former_words))  # its own title until now
    articles, sentences = reports
    chosen = PublishSettings(excerpt_words=allowed, full_text="all")
    for number, article in enumerate(articles):
        change = Change(
            n=number,
            story="s",
            was="s",
            kind="report",
            at=MORNING,
            updated=MORNING + dt.timedelta(microseconds=number),
            title=article.title,
            title_before=former,
            report_count=1,
            article=msgspec.structs.replace(article, lead=" ".join(sentences[article.id])),
        )
        item = change_items([change], chosen)[0]
        shown = " ".join(html.fromstring(f"<div>{item.html.replace('<', ' <')}</div>").itertext())
        given = _given_of(article, [*sentences[article.id], former], shown)
        assert given <= allowed
        if article.nosnippet:
            assert given <= count_words(article.title) + former_words
