"""Which article an entry is where several sources tell of it: what readers are promised.

docs/decisions/0020 lists these promises. Feeds are served on loopback and polled; only stories are looked at.
"""

import itertools
import json
from collections.abc import Iterator

import pytest

from aggregator.store import api_tokens
from aggregator.store.engine.database import Database
from aggregator.web.api.push_endpoint import PushEndpoint
from tests.support.articles import FLOOD, FLOOD_ELSEWHERE, STRIKE
from tests.support.gazette import DAY, HOST, LEVEE
from tests.support.listed_feeds import Item, ListedFeeds
from tests.support.rows import read_by, written_by
from tests.support.site_feeds import ALL_TUNING

BRIDGE, PLANET = "bridge.test", "planet.test"
WORDS = " ".join(FLOOD.split())
LIE = "A lie about the lower town that nobody but this feed tells its readers."
NUMBERS = itertools.count()
TRACKED = f"http://www.{HOST}/news/levee?utm_source=rss&at_medium=feed"


@pytest.fixture
def feeds(sqlite: Database) -> Iterator[ListedFeeds]:
    """On SQLite, where nothing but the rules is asked."""
    with ListedFeeds(sqlite) as feeds:
        yield feeds


@pytest.fixture
def everywhere(database: Database) -> Iterator[ListedFeeds]:
    """On both databases."""
    with ListedFeeds(database) as feeds:
        yield feeds


# --- one address -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("link", [LEVEE.link, TRACKED], ids=["same", "tracked"])
@pytest.mark.parametrize(
    "hosts", [(HOST, BRIDGE), (BRIDGE, HOST), (BRIDGE, PLANET)], ids="-".join
)
def test_an_address_that_two_feeds_list_is_one_article(
    everywhere: ListedFeeds, hosts: tuple[str, str], link: str
) -> None:
    everywhere.add(*hosts)
    everywhere.poll(hosts[0], LEVEE)
    for _ in range(2):
        everywhere.poll(hosts[1], LEVEE._replace(guid="other", link=link))
        (article,) = everywhere.articles()
        assert article.url == LEVEE.link
    if HOST in hosts:
        assert article.outlet == HOST


def test_another_feed_does_not_change_the_words_of_an_article(
    feeds: ListedFeeds,
) -> None:
    feeds.add(HOST, BRIDGE)
    feeds.poll(HOST, LEVEE)
    listed = LEVEE._replace(guid="b")
    for text in (FLOOD, f"{FLOOD} {LIE}", LIE):
        feeds.poll(BRIDGE, listed._replace(text=text))
        assert feeds.texts()[0] == WORDS
        (story,) = (one for one in feeds.stories() if one.title == LEVEE.title)
        assert "lie" not in str(feeds.told(story))


def test_another_feed_that_lists_an_address_first_cannot_occupy_it(
    feeds: ListedFeeds,
) -> None:
    feeds.add(HOST, PLANET)
    advertisement = LEVEE._replace(title="Buy this now", text=STRIKE, guid="p")
    feeds.poll(PLANET, advertisement)
    feeds.poll(HOST, LEVEE)
    feeds.poll(PLANET, advertisement._replace(text=f"{STRIKE} {LIE}"))
    assert (LEVEE.title, WORDS) in {
        (article.title, " ".join(article.text.split())) for article in feeds.articles()
    }


def test_the_site_of_an_article_takes_over_its_words(everywhere: ListedFeeds) -> None:
    everywhere.add(BRIDGE, HOST)
    ending = "The post Levee breaks appeared first on Gazette."
    listed = LEVEE._replace(guid="b", text=f"{FLOOD} {ending}", title="Levee breaks")
    everywhere.poll(BRIDGE, listed)
    everywhere.poll(HOST, LEVEE)
    everywhere.poll(BRIDGE, listed._replace(text=f"{FLOOD} {ending} {LIE}"))
    assert everywhere.texts() == [WORDS]
    (article,) = everywhere.articles()
    assert (article.title, article.outlet) == (LEVEE.title, HOST)


def test_the_same_title_and_time_under_one_address_is_one_article(
    feeds: ListedFeeds,
) -> None:
    """An aggregator has two sentences of its own, the site the report."""
    feeds.add(BRIDGE, PLANET, HOST)
    feeds.poll(BRIDGE, LEVEE._replace(guid="b", text="Water in the lower town."))
    feeds.poll(PLANET, LEVEE._replace(guid="p", text=FLOOD_ELSEWHERE))
    feeds.poll(HOST, LEVEE)
    assert feeds.texts() == [WORDS]


def test_a_column_of_another_site_is_new_each_day_in_each_feed_that_lists_it(
    feeds: ListedFeeds,
) -> None:
    """Its address and its words are always the same."""
    feeds.add(BRIDGE, PLANET)
    for day in range(3):
        feeds.time.run(24 * 3600)
        for host in (BRIDGE, PLANET):
            column = Item(
                "Weather today",
                "Sunny spells and light wind.",
                f"{host}-{day}",
                f"http://{HOST}/weather",
                -24 * day,
            )
            feeds.poll(host, column)
        assert len(feeds.articles()) == day + 1


def test_an_address_within_a_search_engines_address_is_no_claim(
    feeds: ListedFeeds,
) -> None:
    feeds.add(HOST, "www.google.com")
    feeds.poll(HOST, LEVEE)
    wrapped = f"https://www.google.com/url?url={LEVEE.link}"
    for text in (LIE, f"{LIE} {STRIKE}"):
        feeds.poll("www.google.com", LEVEE._replace(guid="g", link=wrapped, text=text))
    assert feeds.texts()[0] == WORDS


def test_a_page_cannot_claim_another_sites_address(sqlite: Database) -> None:
    with ListedFeeds(sqlite, pages="always") as feeds:
        feeds.add(HOST, pages="never")
        feeds.add("rival.test", pages="always")
        feeds.poll(HOST, LEVEE)
        feeds.serve_page(
            "rival.test",
            "/strike",
            f"<html><head><link rel='canonical' href='{LEVEE.link}'></head><body>"
            f"<article><h1>Strike in Sennick</h1><p>{STRIKE}</p></article></body></html>",
        )
        link = "http://rival.test/strike"
        feeds.poll("rival.test", Item("Strike in Sennick", "Short.", "r", link))
        assert feeds.texts() == [WORDS, " ".join(STRIKE.split())]


@pytest.mark.parametrize("has_keys", [True, False])
def test_a_rival_that_calls_itself_the_outlet_changes_no_article(
    feeds: ListedFeeds, *, has_keys: bool
) -> None:
    """At once, or, without GUIDs and addresses, once it has repeated all."""
    feeds.add(HOST, outlet="Gazette")
    feeds.add("rival.test", outlet="Gazette")
    feeds.poll(HOST, *DAY)
    before = feeds.texts()
    for more in ("", " More."):
        items = [item._replace(text=LIE + more) for item in DAY]
        if not has_keys:
            items = [
                item._replace(text=item.text + more, guid=None, link=None)
                for item in DAY
            ]
        feeds.poll("rival.test", *items)
        assert feeds.texts()[: len(before)] == before


# --- one outlet, or two ------------------------------------------------------------------------------------


def test_an_article_in_several_feeds_of_one_outlet_is_one(feeds: ListedFeeds) -> None:
    """The last feed has it at another address, too."""
    sections = [f"{name}.{HOST}" for name in ("top", "world", "local")]
    for number, section in enumerate(sections):
        feeds.add(section, outlet="Gazette")
        items = [
            item._replace(
                guid=f"{section}/{item.guid}",
                link=f"{item.link}?local" if number == 2 else item.link,
            )
            for item in DAY
        ]
        for _ in range(2):
            feeds.poll(section, *items)
            assert len(feeds.articles()) == len(DAY)
    assert {article.url for article in feeds.articles()} == {item.link for item in DAY}


def test_a_correction_in_any_feed_of_an_outlet_is_followed(feeds: ListedFeeds) -> None:
    """The feed that listed the article first has it at another address than the one that listed it last."""
    top, local = f"top.{HOST}", f"local.{HOST}"
    feeds.add(top, local, outlet="Gazette")
    feeds.poll(top, LEVEE)
    feeds.poll(local, LEVEE._replace(guid="l", link=f"{LEVEE.link}?local"))
    for number, host in (("Five", top), ("Six", local), ("Seven", top)):
        corrected = FLOOD.replace("Four people", f"{number} people")
        link = LEVEE.link if host == top else f"{LEVEE.link}?local"
        feeds.poll(host, LEVEE._replace(guid=host[:1], link=link, text=corrected))
        assert feeds.texts() == [" ".join(corrected.split())]


def test_a_guid_is_its_feeds_own(feeds: ListedFeeds) -> None:
    feeds.add(HOST, "herald.test")
    feeds.poll(HOST, LEVEE._replace(guid="1"))
    strike = Item("Dock strike", STRIKE, "1", "http://herald.test/strike")
    feeds.poll("herald.test", strike)
    assert [article.title for article in feeds.articles()] == [
        LEVEE.title,
        strike.title,
    ]


# --- pushes ------------------------------------------------------------------------------------------------


def push(feeds: ListedFeeds, item: Item) -> None:
    """Let a program push an article."""
    _, secret = written_by(
        feeds.database,
        api_tokens.create,
        f"newsroom {next(NUMBERS)}",
        ("push",),
        feeds.time(),
    )
    holder = read_by(feeds.database, api_tokens.holder, secret)
    assert holder is not None
    record = {
        "id": item.guid,
        "outlet": "Gazette",
        "title": item.title,
        "text": item.text,
        "url": item.link,
        "published": item.published and item.published.isoformat(),
    }
    endpoint = PushEndpoint(feeds.database, ALL_TUNING, feeds.time)
    endpoint.take(holder, json.dumps(record).encode(), lines=False)
    feeds.rig.place()


@pytest.mark.parametrize("is_pushed_first", [True, False])
def test_an_article_that_is_pushed_and_listed_is_one(
    feeds: ListedFeeds, *, is_pushed_first: bool
) -> None:
    feeds.add(HOST)
    if is_pushed_first:
        push(feeds, LEVEE)
    feeds.poll(HOST, LEVEE)
    push(feeds, LEVEE)
    assert feeds.texts() == [WORDS]


def test_what_is_pushed_changes_no_words_of_a_feeds_article(
    feeds: ListedFeeds,
) -> None:
    feeds.add(HOST)
    feeds.poll(HOST, LEVEE)
    push(feeds, LEVEE._replace(text=LIE))
    assert feeds.texts()[0] == WORDS
