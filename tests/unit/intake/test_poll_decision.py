"""What a poll changes about its source: a table of responses and outcomes."""

from datetime import datetime, timedelta
from typing import Any

from aggregator.config.tuning import Tuning
from aggregator.intake.polling.poll_decision import (
    PollAnswer,
    PollTuning,
    decide,
    old_entries,
)
from aggregator.model.entry import Entry, ParsedFeed, Published
from aggregator.model.errors import FetchError
from aggregator.sources.fetch.response import FetchResult
from aggregator.sources.source_limits import net_tuning
from aggregator.store.intake.known_entries import AcceptResult
from aggregator.store.intake.source_rows import Source
from tests.support.tables import each_row

ALL_TUNING = Tuning()
POLLING = ALL_TUNING.section("polling", PollTuning)
NOW = datetime.fromisoformat("2026-11-20T08:00Z")
LONG_AGO = NOW - timedelta(days=9)
HOUR = 3600
HERE, THERE = "http://a.example/feed", "http://b.example/feed"


def source(**values: Any) -> Source:
    given = {
        "id": "s",
        "kind": "feed",
        "address": HERE,
        "host": "a.example",
        "interval_seconds": HOUR,
    }
    polled = {
        "first_poll_done": True,
        "health": "ok",
        "next_due_at": NOW,
        "etag": '"1"',
        "body_hash": b"1",
    }
    return Source(**(given | polled | values))


def entries(*outcomes: str, age_hours: float = 1.0) -> dict[str, Any]:
    """One entry per outcome, and the feed that lists them."""
    published = Published(time=NOW - timedelta(hours=age_hours), origin="feed")
    listed = [
        Entry(source="s", title=f"Report {n}", published=published)
        for n in range(len(outcomes))
    ]
    stored = [
        AcceptResult(
            outcome=one,
            article=str(n),
            entry_no=n if one in ("new", "revision") else None,
        )  # type: ignore[arg-type]
        for n, one in enumerate(outcomes)
    ]
    feed = ParsedFeed(
        format="rss20",
        title="The Post",
        site_url="http://a.example/",
        entries=tuple(listed),
    )
    return {"feed": feed, "entries": listed, "accepted": stored, "body_hash": b"2"}


def answer(
    permanent_url: str | None = None, at_target: Source | None = None, **more: Any
) -> PollAnswer:
    """A response with entries, or 304."""
    has_feed = "feed" in more
    fetched = FetchResult(
        url=HERE,
        url_final=permanent_url or HERE,
        permanent_url=permanent_url,
        status=200 if has_feed else 304,
        not_modified=not has_feed,
        etag='"2"' if has_feed else None,
    )
    return PollAnswer(fetched, at_target=at_target, **more)


def failure(
    cause: str, status: int | None = None, wait: float | None = None
) -> FetchError:
    return FetchError(cause, "x", status=status, retry_after_seconds=wait)


def decided(before: Source, response: PollAnswer | FetchError) -> Source:
    return decide(before, response, NOW, net_tuning(ALL_TUNING))


# Words of the table for times, and for responses that have no entries.
TIMES = {"now": NOW, "an hour ago": NOW - timedelta(hours=1), "long ago": LONG_AGO}
FAILURES = {
    "http 404": failure("http", 404),
    "http 410": failure("http", 410),
    "http 503, wait 36000": failure("http", 503, wait=10 * HOUR),
    "asked to wait": failure("asked to wait", wait=60),
    "out of reach": failure("dns"),
}
TARGETS = {
    "a source": source(id="t", address=THERE),
    "a paused source": source(id="t", paused=True),
    "a source that is gone": source(id="t", health="gone"),
}


def values_of(row: dict[str, Any]) -> dict[str, Any]:
    """Columns of a source, with the times and bytes that words of the table stand for."""
    times = {name: TIMES.get(str(value), value) for name, value in row.items()}
    return times | {
        name: value.encode()
        for name, value in row.items()
        if name == "body_hash" and value
    }


def response_of(words: str) -> PollAnswer | FetchError:
    """What a row calls `http 404`, `304`, `feed new known` or `304 from THERE, a source`."""
    if words in FAILURES:
        return FAILURES[words]
    what, _, place = words.partition(" from ")
    address, _, target = place.partition(", ")
    _, *outcomes = what.split()
    more = entries(*outcomes) if outcomes else {}
    return answer(address or None, TARGETS.get(target), **more)


@each_row(
    "poll_decision", "a response changes the source", "before", "response", "changed"
)
def test_a_response_changes_the_source(
    before: dict[str, Any], response: str, changed: dict[str, Any]
) -> None:
    after = decided(source(**values_of(before)), response_of(response))
    changed = values_of(changed)
    assert {name: getattr(after, name) for name in changed} == changed


@each_row(
    "poll_decision",
    "the next poll follows the response",
    "response",
    "least_seconds",
    "most_seconds",
)
def test_the_next_poll_follows_the_response(
    response: str, least_seconds: float, most_seconds: float
) -> None:
    wait = (decided(source(), response_of(response)).next_due_at - NOW).total_seconds()
    assert least_seconds <= wait <= most_seconds


def test_many_old_entries_at_once_are_no_news() -> None:
    many = POLLING.flood_entries
    old = entries(*["new"] * many, age_hours=POLLING.flood_age_hours + 1)
    found = old_entries(source(), answer(**old), NOW, POLLING)
    assert found == list(range(many))
    after = decided(source(), answer(**old, old=found))
    assert (after.flood_entries, after.flooded_at, after.last_new_at) == (
        many,
        NOW,
        None,
    )
    assert old_entries(source(first_poll_done=False), answer(**old), NOW, POLLING) == []
    fewer = entries(*["new"] * (many - 1), age_hours=POLLING.flood_age_hours + 1)
    assert old_entries(source(), answer(**fewer), NOW, POLLING) == []
