"""What an entry says beside its keys, and which known article that makes it."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.config.tuning import Tuning
from aggregator.extract.entry_identity import (
    EntryKeys,
    IdentityTuning,
    shared_keys,
    update_strikes,
)
from aggregator.extract.entry_matching import (
    EntryHashes,
    EntryMatch,
    Observation,
    find_moved_source,
    hash_entry,
    match_entries,
)
from aggregator.model.entry import Entry, Published
from tests.support.articles import FLOOD, NOON

TUNING = Tuning().section("identity", IdentityTuning)


def marked(
    title: str, text: str, minute: dt.datetime | None = NOON, source: str = "s"
) -> EntryHashes:
    published = Published(time=minute) if minute else None
    return hash_entry(
        Entry(source=source, title=title, html=text, published=published), TUNING
    )


def look(
    article: str, entry_hashes: EntryHashes, source: str = "s", day: int = 0
) -> Observation:
    return Observation(
        article=article,
        source=source,
        title=entry_hashes.title,
        text_key=entry_hashes.text_key,
        title_key=entry_hashes.title_key,
        minute=entry_hashes.minute,
        seen=NOON + dt.timedelta(days=day),
    )


def found(
    strangers: list[EntryHashes],
    looks: list[Observation],
    related_sources: tuple[str, ...] = (),
    taken: tuple[str, ...] = (),
) -> dict[int, EntryMatch]:
    given_now = dict(enumerate(strangers))
    return match_entries(
        given_now,
        looks,
        source="s",
        related_sources=related_sources,
        taken=taken,
        tuning=TUNING,
    )


def test_markup_case_spaces_and_addresses_are_no_words() -> None:
    one = marked(
        "Levee  breaks at Pennmouth",
        f"<p>{FLOOD}</p><a href='http://a.example/1'>more</a> http://x.example",
    )
    two = marked(
        "levee breaks at Pennmouth",
        f"<div class='b'>{FLOOD.upper()}\n<br>more</div> https://y.example/2",
    )
    assert one == two
    assert one.is_long


def test_seconds_and_the_time_of_a_poll_are_no_date() -> None:
    assert marked("Levee breaks", FLOOD, NOON) == marked(
        "Levee breaks", FLOOD, NOON.replace(second=30)
    )
    polled = Entry(
        source="s", title="Levee breaks", published=Published(time=NOON, origin="poll")
    )
    assert hash_entry(polled, TUNING).minute is None


def test_hardly_any_words_say_nothing() -> None:
    entry_hashes = marked("Weather", "")
    assert (entry_hashes.text_key, entry_hashes.title_key) == (None, None)


def test_marks_take_time_by_length_alone() -> None:
    """Markup that never closes: were it quadratic, this would take minutes (and the time-out of the test)."""
    for hostile in (
        "<" * 200_000,
        "<a " * 70_000,
        "&" * 200_000,
        "http://" * 30_000,
        "\udc80" * 1000,
    ):
        marked(hostile[:2000], hostile)


def test_a_match_asks_for_words_and_minute() -> None:
    known = look("a", marked("Weather today in Pennmouth", FLOOD))
    same = marked("Weather today in Pennmouth", FLOOD)
    later = marked("Weather today in Pennmouth", FLOOD, NOON + dt.timedelta(days=1))
    other = marked("Weather today in Pennmouth", FLOOD[::-1])
    assert found([same], [known]) == {0: EntryMatch(article="a", by="words")}
    assert found([later], [known]) == {}
    assert found([other], [known]) == {0: EntryMatch(article="a", by="title")}
    assert found([same], [known], taken=("a",)) == {}
    assert found([same], [known, look("b", same)]) == {}, "which of the two?"


def test_another_source_must_be_of_the_same_site_and_agree_in_the_title_too() -> None:
    known = look("a", marked("Levee breaks", FLOOD, source="t"), source="t")
    assert found([marked("Levee breaks", FLOOD)], [known]) == {}
    assert found([marked("Levee breaks", FLOOD)], [known], related_sources=("t",)) == {
        0: EntryMatch(article="a", by="words")
    }
    assert (
        found([marked("Levee gives way", FLOOD)], [known], related_sources=("t",)) == {}
    )


@given(st.permutations(range(8)), st.sampled_from([None, NOON]))
def test_the_order_of_what_is_known_decides_nothing(
    order: list[int], minute: dt.datetime | None
) -> None:
    reported = [
        marked(f"Title of number {n // 2}", f"{FLOOD} {n // 2}", minute)
        for n in range(8)
    ]
    looks = [
        look(f"a{n}", entry_hashes, day=n) for n, entry_hashes in enumerate(reported)
    ]
    assert found(reported, [looks[n] for n in order]) == found(reported, looks)


def test_a_feed_goes_on_where_one_other_ended() -> None:
    reported = [marked(f"Title of number {n}", f"{FLOOD} {n}") for n in range(5)]
    strangers = dict(enumerate(reported))
    looks = [
        look(f"a{n}", entry_hashes, source="old")
        for n, entry_hashes in enumerate(reported)
    ]
    assert find_moved_source(strangers, looks, {"old"}, TUNING) == "old"
    assert find_moved_source(strangers, looks, set(), TUNING) is None
    assert find_moved_source(strangers, looks[:4], {"old"}, TUNING) is None, (
        "one in five is other news"
    )
    twice = [
        *looks,
        *(
            look(f"b{n}", entry_hashes, source="older")
            for n, entry_hashes in enumerate(reported)
        ),
    ]
    assert find_moved_source(strangers, twice, {"old", "older"}, TUNING) is None, (
        "which of the two?"
    )


@pytest.mark.parametrize(
    ("claims", "void"),
    [
        ([(b"1", b"u", "a"), (b"2", b"u", "b")], {b"u"}),
        ([(b"1", b"u", "a"), (b"2", b"u", "a")], set()),  # one entry twice
        ([(b"1", b"u", "a"), (b"1", b"u", "b")], set()),  # one entry and its correction
        ([(b"0", b"u", "a"), (b"0", b"v", "b")], {b"0"}),
        ([(b"0", None, "a"), (b"0", None, "b")], {b"0"}),
        ([(None, b"u", "a"), (None, b"u", "b")], {b"u"}),
        ([(b"1", b"u", "a"), (None, b"u", "b")], {b"u"}),
        ([(None, None, "a"), (None, None, "b")], set()),
    ],
)
def test_keys_that_different_entries_share_say_nothing(
    claims: list[tuple[bytes | None, bytes | None, str]], void: set[bytes]
) -> None:
    assert (
        shared_keys(
            [EntryKeys(guid=guid, url=url, headline=said) for guid, url, said in claims]
        )
        == void
    )


def test_strikes_are_polls_running() -> None:
    strikes = 0
    for restless, settled, expected in (
        (50, 0, 1),
        (41, 9, 2),
        (0, 0, 2),
        (40, 10, 0),
        (50, 0, 1),
    ):
        strikes = update_strikes(strikes, restless, settled, TUNING)
        assert strikes == expected
