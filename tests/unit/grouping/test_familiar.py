"""What an entry says beside its keys, which makes it a known article, and keys that say nothing."""

from datetime import datetime

import pytest

from aggregator.extract.entry_identity import (
    EntryKeys,
    content_keys,
    content_of,
    shared_keys,
)
from aggregator.model.entry import Entry, Published
from tests.support.articles import FLOOD, NOON
from tests.support.tables import mapping


def words_key(title: str, text: str, minute: datetime | None = NOON) -> bytes:
    published = Published(time=minute) if minute else None
    said = Entry(source="s", title=title, html=text, published=published)
    return next(iter(content_keys(content_of(said), "Gazette", None, None)[0]), b"")


def test_markup_case_spaces_and_addresses_are_no_words() -> None:
    one = words_key(
        "Levee  breaks at Pennmouth",
        f"<p>{FLOOD}</p><a href='http://a.example/1'>more</a> http://x.example",
    )
    two = words_key(
        "levee breaks at Pennmouth",
        f"<div class='b'>{FLOOD.upper()}\n<br>more</div> https://y.example/2",
    )
    assert one == two != b""


def test_seconds_and_the_time_of_a_poll_are_no_date() -> None:
    assert words_key("Levee breaks", FLOOD, NOON) == words_key(
        "Levee breaks", FLOOD, NOON.replace(second=30)
    )
    polled = Entry(
        source="s", title="Levee breaks", published=Published(time=NOON, origin="poll")
    )
    assert content_of(polled).minute is None


def test_hardly_any_words_say_nothing() -> None:
    assert words_key("Weather", "") == b""


def test_keys_take_time_by_length_alone() -> None:
    """Markup that never closes: were it quadratic, this would take minutes (and the time-out of the test)."""
    for hostile in (
        "<" * 200_000,
        "<a " * 70_000,
        "&" * 200_000,
        "http://" * 30_000,
        "\udc80" * 1000,
    ):
        words_key(hostile[:2000], hostile)


SHARED = mapping("familiar", "keys that different entries share say nothing")


@pytest.mark.parametrize("name", SHARED)
def test_keys_that_different_entries_share_say_nothing(name: str) -> None:
    entries, void = SHARED[name]
    keys = []
    for guid, url, headline in entries:
        in_bytes = {"guid": guid and guid.encode(), "url": url and url.encode()}
        keys.append(EntryKeys(headline=headline, **in_bytes))
    assert shared_keys(keys) == {key.encode() for key in void}
