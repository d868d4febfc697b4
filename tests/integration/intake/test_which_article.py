"""Which article an entry of a feed is: what readers are promised about one source.

docs/decisions/0020 lists these promises. Feeds are served on loopback and polled; only stories are looked at.
"""

import logging
from collections.abc import Iterator
from datetime import timedelta

import pytest

from aggregator.store.engine.database import Database
from aggregator.store.read.reader import StoryReader
from aggregator.store.tables import identity_key, known_items, observation
from tests.support.articles import FLOOD, FLOOD_ELSEWHERE, NOON, STRIKE
from tests.support.deep_checks import faults
from tests.support.gazette import CHANGES, DAY, HOST, LEVEE, tail
from tests.support.listed_feeds import Item, ListedFeeds
from tests.support.rows import counted
from tests.support.tables import each_row, rows

FORMS = ("rss", "atom", "json")


@pytest.fixture
def feeds(sqlite: Database) -> Iterator[ListedFeeds]:
    """On SQLite, where nothing but the rules is asked."""
    with ListedFeeds(sqlite) as feeds:
        feeds.add(HOST)
        yield feeds


@pytest.fixture
def everywhere(database: Database) -> Iterator[ListedFeeds]:
    """On both databases."""
    with ListedFeeds(database) as feeds:
        feeds.add(HOST)
        yield feeds


# --- the second day ----------------------------------------------------------------------------------------

ALL_FORMS = ("all keys", "titles", "footers")


@pytest.mark.parametrize(
    ("change", "form"),
    [
        pytest.param(change, form, marks=[] if form == "rss" else [pytest.mark.later])
        for change in CHANGES
        for form in (FORMS if change in ALL_FORMS else FORMS[:1])
    ],
)
def test_a_feed_that_changes_around_its_articles_shows_none_again(
    feeds: ListedFeeds, change: str, form: str
) -> None:
    feeds.poll(HOST, *DAY, form=form)
    before = feeds.bumps()
    assert len(before) == len(DAY)
    feeds.time.run(24 * 3600)
    for _ in range(2):
        feeds.poll(HOST, *map(CHANGES[change], DAY), form=form)
        assert feeds.bumps() == before


@pytest.mark.later
def test_a_feed_that_changes_day_by_day_shows_no_article_again(
    everywhere: ListedFeeds,
) -> None:
    everywhere.poll(HOST, *DAY)
    before = everywhere.bumps()
    for name, change in CHANGES.items():
        everywhere.poll(HOST, *map(change, DAY))
        assert everywhere.bumps() == before, name


@pytest.mark.torture
def test_a_thousand_edited_entries_are_the_same_articles(
    everywhere: ListedFeeds,
) -> None:
    items = [
        Item(
            f"Item{number} of the council{number}",
            f"Decision {number}. {tail(number)}",
            f"c{number}",
            f"http://{HOST}/council/{number}",
            number / 60,
        )
        for number in range(1000)
    ]
    everywhere.poll(HOST, *items)
    edited = [item._replace(text=f"Final d{item.text[1:]}") for item in items]
    assert everywhere.poll(HOST, *edited).revised == len(items)
    assert everywhere.poll(HOST, *edited).accepted == ()


@pytest.mark.later
@pytest.mark.parametrize("addresses", ["new", "the same", "none"])
def test_guids_that_are_new_for_weeks_show_nothing_again_and_fill_no_table(
    everywhere: ListedFeeds, addresses: str
) -> None:
    counts, bumps = [], []
    for poll in range(30):
        link = {"new": f"/{poll}", "the same": ""}.get(addresses)
        items = [
            item._replace(
                guid=f"{poll}/{item.guid}",
                link=None if link is None else f"{item.link}{link}",
            )
            for item in DAY
        ]
        everywhere.poll(HOST, *items)
        counts.append(counted(everywhere.database, identity_key))
        bumps.append(everywhere.bumps())
    assert len(everywhere.articles()) == len(DAY)
    assert all(one == bumps[0] for one in bumps)
    assert counts[-1] == counts[-3]


def test_pages_are_not_fetched_again_when_only_keys_change(sqlite: Database) -> None:
    with ListedFeeds(sqlite, pages="always") as feeds:
        feeds.add(HOST, pages="always")
        teasers = [item._replace(text=item.text[:140]) for item in DAY]
        for change in ("nothing", "GUIDs", "all keys"):
            feeds.poll(HOST, *map(CHANGES[change], teasers))
        pages = [path for _, _, path in feeds.world.asked if path != "/feed"]
        assert sorted(path for path in pages if "robots" not in path) == sorted(
            (item.link or "").removeprefix(f"http://{HOST}") for item in DAY
        )


@pytest.mark.parametrize(
    "change", ["GUIDs", "addresses", "all keys", "no GUIDs", "no addresses"]
)
def test_undated_articles_are_not_shown_again_under_new_keys(
    feeds: ListedFeeds, change: str
) -> None:
    undated = [item._replace(hours=None) for item in DAY]
    feeds.poll(HOST, *undated)
    before = feeds.bumps()
    feeds.poll(HOST, *map(CHANGES[change], undated))
    assert feeds.bumps() == before


def test_news_among_articles_under_new_keys_is_shown_once(feeds: ListedFeeds) -> None:
    feeds.poll(HOST, *DAY)
    before = feeds.bumps()
    news = Item("Dockers strike in Sennick", STRIKE, "n", f"http://{HOST}/strike", 0)
    for _ in range(2):
        feeds.poll(HOST, news, *map(CHANGES["all keys"], DAY))
    after = feeds.bumps()
    assert {id_: after[id_] for id_ in before} == before
    assert len(after) == len(before) + 1
    assert feeds.stories()[0].title == news.title


@pytest.mark.parametrize("change", ["nothing", "all keys"])
def test_old_entries_that_a_feed_adds_at_once_are_not_announced(
    feeds: ListedFeeds, change: str
) -> None:
    feeds.poll(HOST, *DAY)
    before = feeds.bumps()
    feeds.time.run(24 * 3600)
    archive = [
        Item(
            f"Item{number} of the council{number}",
            f"Decision {number}. {tail(100 + number)}",
            f"old:{number}",
            f"http://{HOST}/old/{number}",
            24 * (30 + number),
        )
        for number in range(25)
    ]
    feeds.poll(HOST, *map(CHANGES[change], DAY), *archive)
    after = feeds.bumps()
    assert len(after) == len(DAY) + 25
    assert {id_: after[id_] for id_ in before} == before
    assert {story.id for story in feeds.stories()[:1]} <= set(before)


def test_an_article_keeps_its_story_through_a_restart(everywhere: ListedFeeds) -> None:
    everywhere.poll(HOST, *DAY)
    before = everywhere.bumps()
    everywhere.rig.restart()
    everywhere.poll(HOST, *map(CHANGES["all keys"], DAY))
    assert everywhere.bumps() == before


def test_a_link_leads_to_the_new_address_of_an_article_on_its_site(
    everywhere: ListedFeeds,
) -> None:
    """Another site's address is none of the article, and copies of another outlet keep theirs."""
    everywhere.add("herald.example")
    copied = LEVEE._replace(link="http://herald.example/levee")
    everywhere.poll(HOST, *DAY)
    everywhere.poll("herald.example", copied)
    reader = StoryReader(everywhere.database)
    for change, shown in (("another domain", "nothing"), ("all keys", "all keys")):
        before = reader.last_change()
        everywhere.poll(HOST, *map(CHANGES[change], DAY))
        assert (reader.last_change() != before) is (change == shown)
        assert {article.url for article in everywhere.articles()} == {
            copied.link,
            *(CHANGES[shown](item).link for item in DAY),
        }
    assert faults(everywhere.database, now=everywhere.time()) == []


# --- words that change -------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
def test_a_number_that_is_corrected_in_an_entry_is_the_same_article_with_the_newest_text(
    feeds: ListedFeeds, form: str
) -> None:
    corrected = LEVEE._replace(text=FLOOD.replace("Four people", "Five people"))
    feeds.poll(HOST, LEVEE, form=form)
    feeds.poll(HOST, corrected, form=form)
    assert feeds.texts() == [" ".join(corrected.text.split())]
    feeds.poll(HOST, corrected, form=form)
    assert len(feeds.articles()) == 1


def test_two_servers_that_disagree_change_an_article_seldom(
    everywhere: ListedFeeds,
) -> None:
    corrected = LEVEE._replace(text=FLOOD.replace("Four people", "Five people"))
    revised = [
        everywhere.poll(HOST, (LEVEE, corrected)[turn % 2]).revised
        for turn in range(12)
    ]
    assert revised[:5] == [0, 1, 1, 1, 1]
    assert sum(revised) == 5, "four changes at once, and one in the hour after them"
    assert len(everywhere.articles()) == 1


def test_both_texts_of_an_article_in_one_feed_are_no_change(feeds: ListedFeeds) -> None:
    corrected = LEVEE._replace(text=FLOOD.replace("Four people", "Five people"))
    feeds.poll(HOST, corrected, LEVEE)
    for _ in range(3):
        assert feeds.poll(HOST, corrected, LEVEE).accepted == ()
    assert feeds.texts() == [" ".join(corrected.text.split())]


def test_after_an_upgrade_what_a_feed_shows_next_is_no_change(
    everywhere: ListedFeeds,
) -> None:
    """The observations of an older program do not have the contents of a feed."""
    everywhere.poll(HOST, *DAY)
    before = everywhere.bumps()
    with everywhere.database.write() as connection:
        connection.execute(observation.update().values(contents=b""))
        connection.execute(known_items.delete())
    polled = everywhere.poll(HOST, *DAY[::-1])
    assert (polled.accepted, polled.known) == ((), len(DAY))
    everywhere.poll(HOST, *map(CHANGES["all keys"], DAY))
    assert everywhere.bumps() == before
    edited = CHANGES["footers"](CHANGES["all keys"](LEVEE))
    assert everywhere.poll(HOST, edited).revised == 1


def test_a_headline_that_is_corrected_is_the_storys_title(feeds: ListedFeeds) -> None:
    feeds.poll(HOST, LEVEE)
    feeds.poll(HOST, LEVEE._replace(title="Levee at Pennmouth breaks, four dead"))
    (story,) = feeds.stories()
    assert story.title == "Levee at Pennmouth breaks, four dead"
    assert story.article_count == 1


def test_edits_are_followed_where_every_guid_is_new_at_every_poll(
    feeds: ListedFeeds,
) -> None:
    text = FLOOD.replace("Four people", "Five people")
    for poll in range(5):
        items = [item._replace(guid=f"{poll}/{item.guid}", link=None) for item in DAY]
        if poll == 4:
            items[0] = items[0]._replace(text=text)
        feeds.poll(HOST, *items)
    assert len(feeds.articles()) == len(DAY)
    assert " ".join(text.split()) in feeds.texts()


def test_an_article_that_is_edited_while_all_keys_change_is_the_same(
    everywhere: ListedFeeds,
) -> None:
    """It has its time and most of its words."""
    everywhere.poll(HOST, *DAY)
    renamed = [
        item._replace(guid=f"new:{item.guid}", link=f"{item.link}.html") for item in DAY
    ]
    edited = renamed[0]._replace(text=f"{renamed[0].text} A third dam holds.")
    everywhere.poll(HOST, edited, *renamed[1:])
    assert len(everywhere.articles()) == len(DAY)
    assert any("A third dam holds." in text for text in everywhere.texts())


def test_a_live_page_whose_words_change_entirely_is_one_article(
    sqlite: Database,
) -> None:
    with ListedFeeds(sqlite, pages="auto") as feeds:
        feeds.add(HOST, pages="auto")
        live = LEVEE._replace(
            title="Flood in Pennmouth: live blog",
            link=f"http://{HOST}/live",
            text="All news of the flood.",
        )
        for number, said in enumerate((FLOOD, FLOOD_ELSEWHERE, STRIKE)):
            block = f"<section><time datetime='2026-10-12T1{number}:00:00Z'>1{number}:00</time><p>{said}</p></section>"
            feeds.serve_page(
                HOST,
                "/live",
                f"<html><head><title>{live.title}</title></head><body><article>"
                f"<h1>{live.title}</h1>{block}</article></body></html>",
            )
            feeds.poll(HOST, live._replace(text=f"Summary {number} of the flood."))
            (article,) = feeds.articles()
            assert " ".join(said.split())[:60] in " ".join(article.text.split())


# --- what must not be taken for the same -------------------------------------------------------------------


LISTED_BY_GUID = LEVEE._replace(link=None)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("first", "other"),
    [
        (LEVEE, LEVEE._replace(hours=-1)),
        (LISTED_BY_GUID, LISTED_BY_GUID._replace(hours=-1)),
        (LEVEE, LEVEE._replace(link=f"http://{HOST}/news/strike")),
    ],
    ids=["another date", "another date, no address", "another link"],
)
def test_other_news_under_a_guid_with_another_date_or_link_is_another_article(
    feeds: ListedFeeds, first: Item, other: Item, form: str
) -> None:
    other = other._replace(title="Dockers strike in Sennick", text=STRIKE)
    feeds.poll(HOST, first, form=form)
    for _ in range(2):
        feeds.poll(HOST, other, form=form)
    assert [article.title for article in feeds.articles()] == [first.title, other.title]
    feeds.poll(HOST, first, form=form)
    assert len(feeds.articles()) == 2, "that is an article already"


@pytest.mark.parametrize("is_later", [False, True], ids=["one poll", "two polls"])
def test_posts_of_one_day_with_nearly_one_text_are_as_many_as_are_listed(
    feeds: ListedFeeds, *, is_later: bool
) -> None:
    """A blog says how to do something in one language, and how to do it in another one."""
    posts = [
        Item(
            f"Unit tests in {name}",
            f"How to write unit tests in {name} for what runs in a cloud. {tail(3)}",
            f"http://{HOST}/{path}",
            f"http://{HOST}/{path}",
            12,
        )
        for name, path in (("Prolog", "tests-in-prolog"), ("Erlang", "tests-in-erlang"))
    ]
    if is_later:
        feeds.poll(HOST, posts[0], *DAY[1:3])
    for _ in range(2):
        feeds.poll(HOST, *posts, *DAY[1:3])
        assert len(feeds.articles()) == 4


@pytest.mark.parametrize("count", [2, 9])
def test_entries_of_other_dates_that_share_guid_and_address_are_articles(
    everywhere: ListedFeeds, count: int
) -> None:
    """A page of changes: each entry has the address of the page as its GUID and its link."""
    page = f"http://{HOST}/changes"
    changes = [
        Item("What is new", f"Version {n}. {tail(n)}", page, page, 24 * n)
        for n in range(count)
    ]
    everywhere.poll(HOST, *changes[1:])
    assert len(everywhere.articles()) == count - 1
    for _ in range(2):
        everywhere.poll(HOST, *changes)
        assert len(everywhere.articles()) == count


def test_five_warnings_behind_one_link_at_one_time_are_five(feeds: ListedFeeds) -> None:
    towns = ("Pennmouth", "Calmouth", "Sennick", "Lornum", "Arnsby")
    warnings = [
        Item(
            f"Gale warning for {town}",
            f"The weather service warns of gales of force nine around {town}.",
            f"warning:{town}",
            f"http://{HOST}/warnings",
        )
        for town in towns
    ]
    for _ in range(2):
        feeds.poll(HOST, *warnings)
        assert sorted(article.title for article in feeds.articles()) == sorted(
            warning.title for warning in warnings
        )
    assert {article.copy_of for article in feeds.articles()} == {None}


@pytest.mark.parametrize(
    ("text", "is_dated"),
    rows("which_article", "a column of one title is new each day"),
    ids=["same words", "same long words", "other words", "undated"],
)
def test_a_column_of_one_title_is_new_each_day(
    feeds: ListedFeeds, text: str | None, *, is_dated: bool
) -> None:
    """Undated, with the same words, nobody can tell it from one notice under new GUIDs."""
    for day in range(4):
        weather = Item(
            "Weather today in Pennmouth",
            text or f"Day {day}. {tail(day)}",
            f"w{day}",
            f"http://{HOST}/weather/{day}",
            -24 * day if is_dated else None,
        )
        feeds.time.run(24 * 3600)
        feeds.poll(HOST, weather, *DAY[1:])
        assert len(feeds.articles()) == len(DAY) + day


def test_a_column_is_new_also_on_the_day_when_all_keys_change(
    feeds: ListedFeeds,
) -> None:
    weather = Item("Weather today", "Sunny spells.", "w0", f"http://{HOST}/weather/0")
    feeds.poll(HOST, weather, *DAY[1:])
    today = weather._replace(guid="x1", link=f"http://{HOST}/w/1", hours=-24)
    feeds.poll(HOST, today, *map(CHANGES["all keys"], DAY[1:]))
    assert len(feeds.articles()) == len(DAY) + 1


@each_row(
    "which_article", "a key that the entries of a poll share is none", "shared_keys"
)
def test_a_key_that_the_entries_of_a_poll_share_is_none(
    everywhere: ListedFeeds,
    shared_keys: dict[str, str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "aggregator.intake")
    shared = [item._replace(**shared_keys) for item in DAY]
    for items in (shared, shared, [item._replace(guid="0", link=None) for item in DAY]):
        everywhere.poll(HOST, *items)
        assert sorted(article.title for article in everywhere.articles()) == sorted(
            item.title for item in DAY
        )
    assert "share a GUID or an address, which identifies none of them" in caplog.text


def test_the_home_page_is_the_address_of_no_article(feeds: ListedFeeds) -> None:
    """One entry is listed at a time, so that no poll shows that they share it."""
    for item in DAY:
        feeds.poll(
            HOST, item._replace(link=f"http://www.{HOST}/?utm_source=rss", hours=None)
        )
    assert len(feeds.articles()) == len(DAY)


def test_notices_of_one_title_and_one_minute_stay_many(feeds: ListedFeeds) -> None:
    notices = [
        Item("Report of the police", "", f"p{n}", f"http://{HOST}/police/{n}", 9)
        for n in range(8)
    ]
    for last in range(1, 9):
        feeds.poll(HOST, *notices[max(0, last - 4) : last])
    assert len(feeds.articles()) == 8


def test_episodes_with_one_description_stay_apart(feeds: ListedFeeds) -> None:
    said = f"A talk about what happened this week, with guests. {tail(1)}"
    episodes = [
        Item(f"Episode {n} of the talk", said, f"e{n}", f"http://{HOST}/{n}", None)
        for n in range(8)
    ]
    for first in range(5):
        feeds.poll(HOST, *episodes[first : first + 4])
    assert len(feeds.articles()) == 8


@pytest.mark.parametrize("is_possible", [False, True])
def test_a_date_that_cannot_be_makes_no_article_new(
    feeds: ListedFeeds, *, is_possible: bool
) -> None:
    """A date tomorrow is not believed, whatever key the entry then comes under."""
    hours = 2 if is_possible else -36
    items = [item._replace(hours=hours) for item in DAY]
    feeds.poll(HOST, *items)
    before = feeds.bumps()
    feeds.poll(HOST, *map(CHANGES["GUIDs"], items))
    assert feeds.bumps() == before
    assert {article.published for article in feeds.articles()} == (
        {NOON - timedelta(hours=2)} if is_possible else {None}
    )
