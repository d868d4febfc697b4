"""What an entry says beside its keys, and which known article that makes it."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.cluster.rekeyed_entries import (
    Claim,
    IdentityRules,
    Look,
    Marks,
    Match,
    Stranger,
    marks_of,
    moved_from,
    recognised,
    shared_keys,
    strikes_after,
)
from aggregator.config.tuning import rule_book
from aggregator.model.core import Entry, Published
from tests.articles import FLOOD, NOON

RULES = rule_book().section("identity", IdentityRules)


def marked(title: str, text: str, minute: dt.datetime | None = NOON, source: str = "s") -> Marks:
    published = Published(time=minute) if minute else None
    return marks_of(Entry(source=source, title=title, html=text, published=published), RULES)


def look(article: str, marks: Marks, source: str = "s", day: int = 0) -> Look:
    return Look(
        article=article,
        source=source,
        title=marks.title,
        text_key=marks.text_key,
        title_key=marks.title_key,
        minute=marks.minute,
        seen=NOON + dt.timedelta(days=day),
    )


def found(
    strangers: list[Marks], looks: list[Look], kin: tuple[str, ...] = (), taken: tuple[str, ...] = ()
) -> dict[int, Match]:
    given_now = [Stranger(place=place, marks=marks) for place, marks in enumerate(strangers)]
    return recognised(given_now, looks, source="s", kin=kin, taken=taken, rules=RULES)


def test_markup_case_spaces_and_addresses_are_no_words() -> None:
    one = marked(
        "Levee  breaks at Pennmouth", f"<p>{FLOOD}</p><a href='http://a.example/1'>more</a> http://x.example"
    )
    two = marked(
        "levee breaks at Pennmouth", f"<div class='b'>{FLOOD.upper()}\n<br>more</div> https://y.example/2"
    )
    assert one == two
    assert one.is_long


def test_seconds_and_the_time_of_a_poll_are_no_date() -> None:
    assert marked("Levee breaks", FLOOD, NOON) == marked("Levee breaks", FLOOD, NOON.replace(second=30))
    polled = Entry(source="s", title="Levee breaks", published=Published(time=NOON, origin="poll"))
    assert marks_of(polled, RULES).minute is None


def test_hardly_any_words_say_nothing() -> None:
    marks = marked("Weather", "")
    assert (marks.text_key, marks.title_key) == (None, None)


def test_marks_take_time_by_length_alone() -> None:
    """Markup that never closes: were it quadratic, this would take minutes (and the time-out of the test)."""
    for hostile in ("<" * 200_000, "<a " * 70_000, "&" * 200_000, "http://" * 30_000, "\udc80" * 1000):
        marked(hostile[:2000], hostile)


def test_a_match_asks_for_words_and_minute() -> None:
    known = look("a", marked("Weather today in Pennmouth", FLOOD))
    same = marked("Weather today in Pennmouth", FLOOD)
    later = marked("Weather today in Pennmouth", FLOOD, NOON + dt.timedelta(days=1))
    other = marked("Weather today in Pennmouth", FLOOD[::-1])
    assert found([same], [known]) == {0: Match(article="a", by="words")}
    assert found([later], [known]) == {}
    assert found([other], [known]) == {0: Match(article="a", by="title")}
    assert found([same], [known], taken=("a",)) == {}
    assert found([same], [known, look("b", same)]) == {}, "which of the two?"


def test_another_source_must_be_kin_and_agree_in_the_title_too() -> None:
    known = look("a", marked("Levee breaks", FLOOD, source="t"), source="t")
    assert found([marked("Levee breaks", FLOOD)], [known]) == {}
    assert found([marked("Levee breaks", FLOOD)], [known], kin=("t",)) == {0: Match(article="a", by="words")}
    assert found([marked("Levee gives way", FLOOD)], [known], kin=("t",)) == {}


@given(st.permutations(range(8)), st.sampled_from([None, NOON]))
def test_the_order_of_what_is_known_decides_nothing(order: list[int], minute: dt.datetime | None) -> None:
    told = [marked(f"Title of number {n // 2}", f"{FLOOD} {n // 2}", minute) for n in range(8)]
    looks = [look(f"a{n}", marks, day=n) for n, marks in enumerate(told)]
    assert found(told, [looks[n] for n in order]) == found(told, looks)


def test_a_feed_goes_on_where_one_other_ended() -> None:
    told = [marked(f"Title of number {n}", f"{FLOOD} {n}") for n in range(4)]
    strangers = [Stranger(place=place, marks=marks) for place, marks in enumerate(told)]
    looks = [look(f"a{n}", marks, source="old") for n, marks in enumerate(told)]
    assert moved_from(strangers, looks, {"old"}, RULES) == "old"
    assert moved_from(strangers, looks, set(), RULES) is None
    assert moved_from(strangers, looks[:3], {"old"}, RULES) is None, "one in four is other news"
    twice = [*looks, *(look(f"b{n}", marks, source="older") for n, marks in enumerate(told))]
    assert moved_from(strangers, twice, {"old", "older"}, RULES) is None, "which of the two?"


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
    assert shared_keys([Claim(guid=guid, url=url, headline=said) for guid, url, said in claims]) == void


def test_strikes_are_polls_running() -> None:
    strikes = 0
    for restless, settled, expected in ((50, 0, 1), (41, 9, 2), (0, 0, 2), (40, 10, 0), (50, 0, 1)):
        strikes = strikes_after(strikes, restless, settled, RULES)
        assert strikes == expected
