"""An entry whose words, or whose GUID, are replaced at its address and date is the same article.

The first rows are public reports of other readers' users, with invented words; the others are their siblings.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import NamedTuple

import pytest

from aggregator.store.engine.database import Database
from tests.support.listed_feeds import Item, ListedFeeds
from tests.support.tables import mapping

HOST = "kite.example"
BRIDGE = "bridge.test"
# Where a feed is, and its format; the addresses are those of HOST.
FEEDS = [
    (HOST, "rss"),
    *(
        pytest.param(host, form, marks=pytest.mark.later)
        for host, form in ((HOST, "atom"), (HOST, "json"), (BRIDGE, "rss"))
    ),
]


@pytest.fixture
def feeds(sqlite: Database) -> Iterator[ListedFeeds]:
    """On SQLite, where nothing but the rules is asked; what comes next is no first reading."""
    with ListedFeeds(sqlite) as feeds:
        feeds.add(HOST, BRIDGE)
        for host in (HOST, BRIDGE):
            feeds.poll(host, OTHER)
        yield feeds


@pytest.fixture
def everywhere(database: Database) -> Iterator[ListedFeeds]:
    """On both databases."""
    with ListedFeeds(database) as feeds:
        feeds.add(HOST)
        feeds.poll(HOST, OTHER)
        yield feeds


class Words(NamedTuple):
    """A headline and a text."""

    title: str
    text: str


OTHER = Item(
    "Bakers of Tarn strike for sleep",
    "Nobody wants to knead at two in the morning any more, their union says.",
    "other",
    f"http://{HOST}/bakers",
    5,
)
REPLACED = {
    name: [Words(*words) for words in listed]
    for name, listed in mapping("replaced_text", "replaced").items()
}
WITHDRAWN = {
    name: Words(*words) for name, words in mapping("replaced_text", "withdrawn").items()
}
ACCUSATION = Words(
    "Choir master of Sund accused of theft",
    "The choir master of Sund is accused of taking money from the till of the choir, members say.",
)


def said(words: Words, guid: str | None = "k80") -> Item:
    return Item(words.title, words.text, guid, f"http://{HOST}/article", 1)


def listing(feeds: ListedFeeds) -> list[tuple[str, str]]:
    """Return title and text of all articles but the other one."""
    return [
        (article.title, " ".join(article.text.split()))
        for article in feeds.articles()
        if article.title != OTHER.title
    ]


@pytest.mark.parametrize(("host", "form"), FEEDS)
@pytest.mark.parametrize("name", REPLACED)
def test_a_text_that_is_replaced_at_its_guid_address_and_date_is_the_same_article(
    feeds: ListedFeeds, name: str, host: str, form: str
) -> None:
    before, after = REPLACED[name]
    feeds.poll(host, said(before), OTHER, form=form)
    (first,) = (story for story in feeds.stories() if story.title == before.title)
    feeds.time.run(2 * 3600)
    for _ in range(2):
        feeds.poll(host, said(after), OTHER, form=form)
        assert listing(feeds) == [after]
    newest = feeds.stories()[0]
    assert (newest.id, newest.title, newest.article_count) == (first.id, after.title, 1)


def test_the_first_full_text_of_an_article_brings_its_story_up_once(
    everywhere: ListedFeeds,
) -> None:
    before, after = REPLACED["more soon"]
    everywhere.poll(HOST, said(before), OTHER)
    everywhere.time.run(2 * 3600)
    everywhere.poll(HOST, said(after), OTHER)
    bumped = everywhere.stories()[0]
    assert bumped.title == after.title
    assert bumped.updated >= everywhere.time.now - timedelta(minutes=1)
    everywhere.time.run(2 * 3600)
    everywhere.poll(HOST, said(after), OTHER)
    assert everywhere.stories()[0].updated == bumped.updated


@pytest.mark.parametrize(("host", "form"), FEEDS)
@pytest.mark.parametrize("name", WITHDRAWN)
def test_a_withdrawal_replaces_what_it_withdraws_and_is_said_first(
    feeds: ListedFeeds, name: str, host: str, form: str
) -> None:
    withdrawal = WITHDRAWN[name]
    feeds.poll(host, said(ACCUSATION), OTHER, form=form)
    for _ in range(2):
        feeds.poll(host, said(withdrawal), OTHER, form=form)
        assert listing(feeds) == [withdrawal]
    (story,) = (story for story in feeds.stories() if story.title != OTHER.title)
    told = feeds.told(story)
    assert withdrawal.text.split(".")[0] in told.lead[0].text
    assert "accused" not in str(told)


def test_a_withdrawal_is_no_independent_report(feeds: ListedFeeds) -> None:
    feeds.poll(HOST, said(ACCUSATION), OTHER)
    feeds.add("valley.example")
    report = Item(
        "Choir master of Sund is accused of theft",
        "Members of the choir of Sund accuse their choir master of taking money from its till. The choir "
        "master of Sund denies it, and the members of the choir want to see the books of the last year.",
        "v",
        "http://valley.example/choir",
        1,
    )
    feeds.poll("valley.example", report)
    feeds.poll(HOST, said(WITHDRAWN["we have deleted"]), OTHER)
    counts = [
        story.report_count for story in feeds.stories() if story.title != OTHER.title
    ]
    assert sum(counts) == 1


HEADLINES = {
    name: [Words(*words) for words in listed]
    for name, listed in mapping("replaced_text", "headlines").items()
}


@pytest.mark.parametrize(("host", "form"), FEEDS)
@pytest.mark.parametrize("language", HEADLINES)
def test_a_guid_that_follows_the_headline_with_one_address_is_one_article(
    feeds: ListedFeeds, language: str, host: str, form: str
) -> None:
    """The feed lists nothing else, and its addresses have a parameter."""
    link = f"https://www.{HOST}/en/morn/a-71234567?maca=en-rss-en-top-1022-rdf"
    for number, words in enumerate(HEADLINES[language]):
        feeds.poll(host, said(words, f"hash{number}abc")._replace(link=link), form=form)
        assert listing(feeds) == [words]
    titles = {story.title for story in feeds.stories()}
    assert titles == {HEADLINES[language][-1].title, OTHER.title}
