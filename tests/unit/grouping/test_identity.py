"""Which article is this: keys and ids that are the same on every installation, for ever."""

import re

from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec.structs import replace

from aggregator.extract.entry_identity import (
    identify,
    next_generation_id,
    short_id,
    story_id,
)
from aggregator.model.entry import Entry

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
ENTRIES = st.builds(
    Entry,
    source=TEXTS,
    guid=st.none() | TEXTS,
    title=TEXTS,
    text=st.none() | TEXTS,
    outlet=st.none() | TEXTS,
    authority=st.sampled_from(["own", "page", "handed", "foreign"]),
)
URLS = (
    st.none()
    | st.just("https://news.example/a")
    | TEXTS.map(lambda path: f"https://news.example/{path}")
)


@given(ENTRIES, URLS)
def test_an_identity_is_stable_and_whole(entry: Entry, url: str | None) -> None:
    found = identify(entry, url)
    assert found == identify(replace(entry), url)
    assert found.keys
    assert len(set(found.keys)) == len(found.keys)
    assert all(len(key) == 16 for key in found.keys)
    assert found.article == short_id(found.keys[0])
    assert re.fullmatch("[a-z2-7]{16}", found.article)


@given(ENTRIES, URLS, TEXTS)
def test_words_are_no_part_of_the_id_where_there_is_an_address_or_a_guid(
    entry: Entry, url: str | None, words: str
) -> None:
    other = replace(entry, title=words, text=words, author=words, outlet=words)
    assume(entry.guid or url is not None)
    assert identify(other, url).keys == identify(entry, url).keys


@given(TEXTS, TEXTS)
def test_parts_cannot_run_into_each_other(one: str, two: str) -> None:
    assume(one and two and "\0" not in one + two)
    assert (
        identify(Entry(source=one, guid=two + "x"), None).keys
        != identify(Entry(source=one + two, guid="x"), None).keys
    )


def test_another_declared_time_or_address_is_another_look() -> None:
    plain = Entry(source="s", guid="1", title="t")
    moved = replace(plain, url="https://news.example/b")
    assert identify(plain, None).content_hash != identify(moved, None).content_hash


@given(TEXTS, st.integers(0, 50), st.integers(0, 50))
def test_ids_of_stories_and_generations_never_meet(
    article: str, one: int, two: int
) -> None:
    assert (story_id(article, one) == story_id(article, two)) == (one == two)
    assert (next_generation_id(article, one) == next_generation_id(article, two)) == (
        one == two
    )
    assert story_id(article, one) != next_generation_id(article, one)


def test_ids_are_those_of_all_other_installations() -> None:
    """Written down: a change here would tear every feed reader's items and every link apart."""
    entry = Entry(source="Gazette", guid="1")
    assert identify(entry, None).article == "ddlvrhe5xkhx3n3i"
    assert identify(entry, "https://news.example/a").article == "arj3ltz75vy43uut"
    assert story_id("ddlvrhe5xkhx3n3i", 0) == "k6tn4hcayt2udgwu"
