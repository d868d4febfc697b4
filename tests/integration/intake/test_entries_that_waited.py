"""Entries that waited for their pages while their article became another one, was forgotten, or was deleted."""

from collections.abc import Iterator

import pytest

from aggregator.grouping.deletion.retention import Retention, RetentionPlan
from aggregator.store.engine.database import Database
from tests.support.articles import FLOOD, STRIKE
from tests.support.gazette import LEVEE
from tests.support.listed_feeds import ListedFeeds
from tests.support.loopback import Response

HOST, BRIDGE = "gazette.example", "bridge.test"
DAY = 24 * 3600
MISSING = "Two are missing still."
STRIKES = LEVEE._replace(title="Dockers strike in Sennick", text=STRIKE, hours=-1)


@pytest.fixture
def feeds(database: Database) -> Iterator[ListedFeeds]:
    """A feed whose pages are fetched."""
    with ListedFeeds(database, pages="always") as feeds:
        feeds.add(HOST, pages="always")
        yield feeds


def hold_back_pages(feeds: ListedFeeds) -> None:
    """From now on the page of an entry does not come, and the entry waits for it."""
    feeds.serve_page(HOST, "/news/levee", Response(503))


def end_waiting(feeds: ListedFeeds) -> None:
    """Let the page be gone, so that its entry is placed with its own words."""
    feeds.serve_page(HOST, "/news/levee", Response(404))
    for _ in range(4):
        feeds.time.run(DAY)
        feeds.fetch_pages()
    feeds.rig.place()


@pytest.mark.parametrize("is_forgotten", [False, True])
def test_a_change_follows_the_article_that_its_first_version_turns_out_to_be(
    feeds: ListedFeeds, is_forgotten: bool
) -> None:
    """It is known from another feed, under other keys; if it is forgotten meanwhile, nothing brings it back."""
    feeds.add(BRIDGE, pages="never")
    feeds.poll(BRIDGE, LEVEE._replace(guid="b", text=f"{FLOOD} The post.", hours=3))
    feeds.read(HOST, LEVEE)
    hold_back_pages(feeds)
    feeds.poll(HOST, LEVEE._replace(text=f"{FLOOD} {MISSING}"))
    (known,) = feeds.articles()
    if is_forgotten:
        feeds.forget(known.id)
    end_waiting(feeds)
    kept = [text.endswith(MISSING) for text in feeds.texts()]
    assert kept == ([] if is_forgotten else [True])


def test_news_under_a_used_guid_that_was_forgotten_does_not_come_back_by_a_change(
    feeds: ListedFeeds,
) -> None:
    feeds.poll(HOST, LEVEE)
    feeds.read(HOST, STRIKES)
    hold_back_pages(feeds)
    feeds.poll(HOST, STRIKES._replace(text=f"{STRIKE} {MISSING}"))
    _, strike = feeds.articles()
    feeds.forget(strike.id)
    end_waiting(feeds)
    assert [article.title for article in feeds.articles()] == [LEVEE.title]


def test_news_under_a_used_guid_outlives_what_had_that_guid_before(
    feeds: ListedFeeds,
) -> None:
    """What had it is deleted by age while a change of the news waits."""
    feeds.poll(HOST, LEVEE)
    feeds.time.run(10 * DAY)
    feeds.read(HOST, STRIKES)
    hold_back_pages(feeds)
    feeds.poll(HOST, STRIKES._replace(text=f"{STRIKE} {MISSING}"))
    delete_older_than(feeds, 5 * DAY)
    assert [article.title for article in feeds.articles()] == [STRIKES.title]
    end_waiting(feeds)
    (text,) = feeds.texts()
    assert text.endswith(MISSING)


def test_a_change_of_an_article_that_was_deleted_by_age_shows_it_not_again(
    feeds: ListedFeeds,
) -> None:
    """Nor does it say that somebody has forgotten the article."""
    feeds.poll(HOST, LEVEE)
    feeds.time.run(10 * DAY)
    hold_back_pages(feeds)
    feeds.poll(HOST, LEVEE._replace(text=f"{FLOOD} {MISSING}"))
    delete_older_than(feeds, 5 * DAY)
    feeds.serve_page(HOST, "/news/levee", Response(404))
    feeds.time.run(DAY)
    feeds.fetch_pages()
    (placed,) = feeds.rig.place()
    assert (placed.outcome, placed.reason) == ("unchanged", None)
    assert feeds.articles() == []


def test_an_entry_that_waits_longer_than_articles_are_kept_is_shown(
    feeds: ListedFeeds,
) -> None:
    hold_back_pages(feeds)
    feeds.read(HOST, LEVEE)
    feeds.time.run(10 * DAY)
    delete_older_than(feeds, DAY)
    end_waiting(feeds)
    assert [article.title for article in feeds.articles()] == [LEVEE.title]


def delete_older_than(feeds: ListedFeeds, seconds: int) -> None:
    """Delete the stories whose newest article was placed so long ago, as `prune` does."""
    plan = RetentionPlan(stories_after=seconds)
    job = Retention(feeds.rig.pipeline.placer, plan, is_asked=True)
    while job.step():
        pass
