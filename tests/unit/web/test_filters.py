"""Filters in addresses: what fits is understood, what does not is named."""

from datetime import datetime

import pytest

from aggregator.config.story_query import SavedQuery, StoryQuery
from aggregator.model.errors import UsageError
from aggregator.web.list_query import ListQuery, Selection, filter_words, select_stories
from tests.support.tables import each_row, rows

NOW = datetime.fromisoformat("2026-11-20T08:00Z")


def _select(saved: SavedQuery | None = None, /, **parameters: str) -> Selection:
    return select_stories(ListQuery.read(parameters), saved, NOW, 50)


def test_nothing_asked_for_restricts_nothing() -> None:
    selected = _select()
    assert selected.typed.query_string == ""
    wanted = selected.filter
    assert (wanted.limit, wanted.min_reports, wanted.since) == (50, 1, None)


def test_empty_values_are_as_good_as_none() -> None:
    assert _select(outlet="", since="  ", min_reports="", limit=" ") == _select()


@each_row("filters", "since takes spans dates and times", "written", "time")
def test_since_takes_spans_dates_and_times(written: str, time: str) -> None:
    assert _select(since=written).filter.since == datetime.fromisoformat(time)


def test_until_a_date_includes_that_day() -> None:
    until = _select(until="2026-11-01").filter.until
    assert until == datetime.fromisoformat("2026-11-01T23:59:59.999999Z")


def test_what_changes_without_a_story_is_known() -> None:
    def changes_with_stories(**given: str) -> bool:
        return StoryQuery.read(given).changes_with_stories

    stays = [{}, {"query": "levee"}, {"outlet": "x", "since": "2026-11-01"}]
    moves = [{"folder": "x"}, {"topic": "x"}, {"name": "x"}, {"since": "24h"}]
    assert [changes_with_stories(**given) for given in stays] == [True] * 3
    assert [changes_with_stories(**given) for given in moves] == [False] * 4
    assert not _select(SavedQuery(since="24h").named("day")).query.changes_with_stories


def test_parameters_override_the_values_of_a_saved_query() -> None:
    saved = SavedQuery(query="levee", min_reports=3, outlet="Courier").named("x")
    wanted = _select(saved, saved="x", min_reports="1", outlet="Echo").filter
    assert (wanted.query, wanted.min_reports, wanted.outlet) == ("levee", 1, "Echo")


def test_the_same_filter_is_written_the_same_way_in_any_order() -> None:
    one = _select(outlet="Tram & Track", min_reports="2")
    assert one == _select(min_reports="2", outlet=" Tram & Track ")
    assert one.typed.query_string == "min_reports=2&outlet=Tram+%26+Track"


def test_titles_say_what_a_filter_selects() -> None:
    asked = ListQuery.read(
        {"topic": "Space", "min_reports": "3", "language": "de", "since": "24h"}
    )
    words = ["Space", "Deutsch", "3+ reports", "since 24h"]
    assert (filter_words(asked), filter_words(ListQuery())) == (words, [])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *rows("filters", "what cannot be is refused with its name and value"),
        ("limit", "9" * 5000),
    ],
)
def test_what_cannot_be_is_refused_with_its_name_and_value(
    name: str, value: str
) -> None:
    with pytest.raises(UsageError, match=f"^{name} ") as refused:
        ListQuery.read({name: value})
    assert repr(value[:40]) in str(refused.value)
    assert len(str(refused.value)) < 200


@each_row("filters", "it is said what is allowed", "name", "value", "words")
def test_it_is_said_what_is_allowed(name: str, value: str, words: str) -> None:
    with pytest.raises(UsageError) as refused:
        ListQuery.read({name: value})
    assert str(refused.value).startswith(words)


def test_the_last_day_of_all_is_still_a_date() -> None:
    assert _select(until="9999-12-31").filter.until is not None
