"""A feed's articles stay its own while it fails; they follow it where its site has really moved.

The Gazette has standing and lists the articles of a day. A rival lists the same texts under its own addresses, and
replaces them by advertisements. Beside each attack is the move that looks like it and must be followed.
"""

from collections.abc import Callable, Iterator

import pytest

from aggregator.store.engine.database import Database
from aggregator.store.tables import source
from tests.support.articles import trust
from tests.support.gazette import CHANGES, DAY, HOST
from tests.support.listed_feeds import Item, ListedFeeds
from tests.support.loopback import redirect
from tests.support.polling import feed_source
from tests.support.rows import executed
from tests.support.rss import item as rss_item
from tests.support.rss import rss
from tests.support.site_feeds import address_of

HERALD = "herald.test"
# Feeds of other outlets, which make the failure of one feed its own
OTHERS = ("valley.example", "coast.example", "hills.example")
CASINO = (
    "Golden Harbour casino gives two hundred free spins with the first deposit, and winners get their money "
    "within an hour of their win, day and night."
)
BRIEF = Item("Bakers strike", "The bakers of Tarn strike for their sleep.", "b")


def at_herald(item: Item) -> Item:
    """Return an article of the Gazette under a GUID and an address of the Herald's site."""
    moved = CHANGES["another domain"](item)
    assert moved.link is not None
    return moved._replace(link=moved.link.replace("gazette.test", HERALD))


MOVED = [at_herald(item) for item in DAY]
Days = Callable[[ListedFeeds], None]


@pytest.fixture
def feeds(database: Database) -> Iterator[ListedFeeds]:
    """The Gazette and three other feeds have been read; the Gazette has standing."""
    with ListedFeeds(database) as feeds:
        feeds.add(HOST, *OTHERS)
        believe(feeds, HOST)
        for host in OTHERS:
            feeds.poll(host, BRIEF._replace(link=f"http://{host}/bakers"))
        feeds.poll(HOST, *DAY)
        yield feeds


def believe(feeds: ListedFeeds, host: str) -> None:
    """Let a feed have standing."""
    trust(feeds.database, [feed_source(address_of(host)).id])
    feeds.rig.restart()


def of_the_day(feeds: ListedFeeds) -> list[tuple[str, str | None, str | None]]:
    """Return title, outlet and address of the articles of the Gazette's day, as readers see them."""
    titles = {item.title for item in DAY}
    return sorted(
        (article.title, article.outlet, article.url)
        for article in feeds.articles()
        if article.title in titles and article.copy_of is None
    )


def texts_of_the_day(feeds: ListedFeeds) -> set[str]:
    """Return the texts of the articles that are at addresses of the Gazette."""
    return {
        " ".join(article.text.split())
        for article in feeds.articles()
        if article.url and HOST in article.url and "bakers" not in article.url
    }


def advertise(feeds: ListedFeeds) -> None:
    """Let the Herald list the texts of the Gazette, and replace them by advertisements a day later."""
    feeds.poll(HERALD, *MOVED)
    feeds.time.run(24 * 3600)
    feeds.poll(
        HERALD, *(item._replace(text=CASINO, title="Free spins") for item in MOVED)
    )


def failed_once(feeds: ListedFeeds) -> None:
    feeds.fail(HOST)


def failed_for_a_day(feeds: ListedFeeds) -> None:
    feeds.fail(HOST, days=1)


def failed_for_three_days(feeds: ListedFeeds) -> None:
    feeds.fail(HOST, days=3)


def paused_by_its_reader(feeds: ListedFeeds) -> None:
    of_host = source.c.address == address_of(HOST)
    executed(feeds.database, source.update().where(of_host).values(paused=True))


def removed_by_its_reader(feeds: ListedFeeds) -> None:
    feeds.remove(HOST)


def network_of_the_reader_failed(feeds: ListedFeeds) -> None:
    feeds.fail(HOST, *OTHERS, days=3)
    believe(feeds, HERALD)


@pytest.mark.parametrize(
    "day",
    [
        failed_once,
        failed_for_a_day,
        failed_for_three_days,
        paused_by_its_reader,
        removed_by_its_reader,
        network_of_the_reader_failed,
    ],
)
def test_a_new_feed_that_lists_the_texts_of_a_feed_gets_none_of_its_articles(
    feeds: ListedFeeds, day: Days
) -> None:
    before, texts = of_the_day(feeds), texts_of_the_day(feeds)
    day(feeds)
    feeds.add(HERALD)
    advertise(feeds)
    assert of_the_day(feeds) == before, "the Gazette's articles keep outlet and link"
    assert texts_of_the_day(feeds) == texts, "and their words"
    if day is not network_of_the_reader_failed:  # there the Herald is believed
        for story in feeds.stories():
            outlets = {article.outlet for article in story.articles}
            assert HOST not in outlets or "spins" not in str(feeds.told(story))


def failed_for_three_days_for_a_believed_feed(feeds: ListedFeeds) -> None:
    feeds.fail(HOST, days=3)
    believe(feeds, HERALD)


def removed_for_a_believed_feed(feeds: ListedFeeds) -> None:
    feeds.remove(HOST)
    believe(feeds, HERALD)


def redirected_for_ever(feeds: ListedFeeds) -> None:
    feeds.serve_page(HERALD, "/feed", rss(title="Gazette"))
    feeds.poll_feed(HOST, redirect(address_of(HERALD), 301))


def declared_by_the_old_feed(feeds: ListedFeeds) -> None:
    link = f"<atom:link rel='self' href='{address_of(HERALD)}' xmlns:atom='http://www.w3.org/2005/Atom'/>"
    items = (
        rss_item(
            item.title,
            item.text,
            guid=item.guid,
            link=item.link or "",
            published=item.published,
        )
        for item in DAY
    )
    feeds.poll_feed(HOST, rss(*items, title=HOST, more=link))
    feeds.rig.place()


@pytest.mark.parametrize(
    "day",
    [
        failed_for_three_days_for_a_believed_feed,
        removed_for_a_believed_feed,
        redirected_for_ever,
        declared_by_the_old_feed,
    ],
)
def test_articles_follow_their_feed_to_another_site(
    feeds: ListedFeeds, day: Days
) -> None:
    """All its GUIDs and addresses are new there."""
    before = feeds.bumps()
    day(feeds)
    feeds.add(HERALD)
    for _ in range(2):
        feeds.poll(HERALD, *MOVED)
        assert feeds.bumps() == before, "no article is shown again, no story brought up"
    assert {url for _, _, url in of_the_day(feeds)} == {item.link for item in MOVED}


@pytest.mark.parametrize("how", ["removed", "failing"])
def test_articles_follow_their_feed_where_nobody_has_standing_yet(
    sqlite: Database, how: str
) -> None:
    with ListedFeeds(sqlite) as feeds:
        feeds.add(HOST)
        feeds.poll(HOST, *DAY)
        before = feeds.bumps()
        if how == "removed":
            feeds.remove(HOST)
        else:
            feeds.fail(HOST, days=3)
        feeds.add(HERALD)
        feeds.poll(HERALD, *MOVED)
        assert feeds.bumps() == before
        assert {url for _, _, url in of_the_day(feeds)} == {item.link for item in MOVED}


def test_a_feed_of_the_same_site_takes_over_from_one_that_fails(
    feeds: ListedFeeds,
) -> None:
    before = feeds.bumps()
    feeds.fail(HOST)
    feeds.add(f"feeds.{HOST}")
    feeds.poll(f"feeds.{HOST}", *map(CHANGES["all keys"], DAY))
    assert feeds.bumps() == before


def test_links_follow_a_feed_that_its_server_redirects_to_another_site(
    feeds: ListedFeeds,
) -> None:
    """The source stays the same, and reads what it is led to."""
    before = feeds.bumps()
    items = (
        rss_item(
            item.title,
            item.text,
            guid=item.guid,
            link=item.link or "",
            published=item.published,
        )
        for item in MOVED
    )
    feeds.serve_page(HERALD, "/feed", rss(*items, title="Gazette"))
    feeds.poll_feed(HOST, redirect(address_of(HERALD), 301))
    feeds.rig.place()
    assert feeds.bumps() == before
    assert {url for _, _, url in of_the_day(feeds)} == {item.link for item in MOVED}


def test_the_gazette_takes_its_articles_back_when_it_answers_again(
    feeds: ListedFeeds,
) -> None:
    """It lists what it listed before, and the believed feed has replaced the texts by advertisements."""
    before, texts = of_the_day(feeds), texts_of_the_day(feeds)
    failed_for_three_days_for_a_believed_feed(feeds)
    feeds.add(HERALD)
    advertise(feeds)
    assert of_the_day(feeds) != before
    feeds.poll(HOST, *DAY)
    assert of_the_day(feeds) == before, "outlet and link are the Gazette's again"
    assert texts_of_the_day(feeds) == texts, "and so are the words"
    feeds.time.run(24 * 3600)
    feeds.poll(HERALD, *(item._replace(text=f"{CASINO} Now.") for item in MOVED))
    assert texts_of_the_day(feeds) == texts, "the Herald changes them no more"


def test_a_rival_that_calls_the_gazettes_address_its_own_gets_nothing(
    feeds: ListedFeeds,
) -> None:
    """Only the word of the feed that is left counts."""
    before = of_the_day(feeds)
    feeds.fail(HOST)
    feeds.add(HERALD)
    link = f"<atom:link rel='self' href='{address_of(HOST)}' xmlns:atom='http://www.w3.org/2005/Atom'/>"
    items = [
        rss_item(
            item.title,
            item.text,
            guid=item.guid,
            link=item.link or "",
            published=item.published,
        )
        for item in MOVED
    ]
    feeds.poll_feed(HERALD, rss(*items, title=HERALD, more=link))
    feeds.rig.place()
    assert of_the_day(feeds) == before
