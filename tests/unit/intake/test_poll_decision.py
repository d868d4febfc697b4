"""What a poll changes about its source: a table of responses and outcomes."""

import datetime as dt
from typing import Any

import pytest

from aggregator.config.tuning import Tuning
from aggregator.intake.polling.poll_decision import (
    PollAnswer,
    PollOutcome,
    PollRules,
    PollTuning,
    decide,
)
from aggregator.model.entry import Entry, ParsedFeed, Published
from aggregator.model.errors import FetchError
from aggregator.sources.fetch.poll_schedule import GONE_RETRY_SECONDS
from aggregator.sources.fetch.response import FetchResult
from aggregator.sources.source_limits import net_tuning
from aggregator.store.intake.known_entries import AcceptResult
from aggregator.store.intake.source_rows import Source

ALL_TUNING = Tuning()
RULES = PollRules(net_tuning(ALL_TUNING), ALL_TUNING.section("polling", PollTuning))
NOW = dt.datetime(2026, 11, 20, 8, 0, tzinfo=dt.UTC)
LONG_AGO = NOW - dt.timedelta(days=9)
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
    published = Published(time=NOW - dt.timedelta(hours=age_hours), origin="feed")
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


def decided(before: Source, response: PollAnswer | FetchError) -> PollOutcome:
    return decide(before, response, NOW, RULES)


HTTP_404, HTTP_410 = failure("http", 404), failure("http", 410)
OUT_OF_REACH = FetchError("dns", "x")
GONE_SINCE = {"gone_count": 2, "gone_since": LONG_AGO}
MOVING = {
    "moved_to": THERE,
    "moved_count": 2,
    "moved_since": LONG_AGO,
    "move_confirmed": True,
}
MOVED = {"redirected_url": THERE, "host": "b.example"}
NOT_MOVING = {
    "moved_to": None,
    "moved_count": 0,
    "moved_since": None,
    "move_confirmed": False,
}
OTHER = source(id="t", address=THERE)


@pytest.mark.parametrize(
    ("before", "response", "changed"),
    [
        # 304 keeps the validators; a feed brings new ones
        ({}, answer(), {"etag": '"1"', "body_hash": b"1", "last_success_at": NOW, "health": "ok"}),
        ({"health_cause": "a broken entry"}, answer(), {"health_cause": "a broken entry"}),
        ({"health": "failing", "failures": 3, "health_cause": "dns: x", "failing_since": LONG_AGO}, answer(),
         {"health": "ok", "failures": 0, "health_cause": None, "failing_since": None}),
        ({}, answer(**entries("known", "new", "revision", "forgotten")),
         {"etag": '"2"', "body_hash": b"2", "title": "The Post", "site_url": "http://a.example/",
          "entries_new": 1, "entries_known": 2, "entries_rejected": 1, "last_new_at": NOW}),
        ({"first_poll_done": False, "health": "new"}, answer(**entries("new", "new")),
         {"first_poll_done": True, "health": "ok", "entries_new": 2, "per_day_at": NOW,
          "last_new_at": NOW - dt.timedelta(hours=1)}),
        # failures
        ({}, HTTP_404, {"health": "failing", "health_cause": "http: x", "failures": 1, "failing_since": NOW,
                        "etag": '"1"', "last_success_at": None}),
        ({"failures": 4, "failing_since": LONG_AGO}, HTTP_404, {"failures": 5, "failing_since": LONG_AGO}),
        ({"failures": 4, "failing_since": LONG_AGO} | MOVED, HTTP_404,
         {"redirected_url": None, "host": "a.example", "etag": None, "body_hash": None}),
        ({"failures": 4, "failing_since": NOW} | MOVED, HTTP_404, MOVED),
        ({}, failure("asked to wait", wait=60), {"health": "ok", "failures": 0, "last_polled_at": None}),
        ({}, OUT_OF_REACH, {"health": "failing", "health_cause": "dns: x", "failures": 1}),
        # 410
        ({}, HTTP_410, {"health": "failing", "gone_count": 1, "gone_since": NOW}),
        (GONE_SINCE, HTTP_410, {"health": "gone", "gone_count": 3}),
        (GONE_SINCE | {"gone_since": NOW}, HTTP_410, {"health": "failing", "gone_count": 3}),
        (GONE_SINCE | MOVED, HTTP_410, {"health": "failing", "redirected_url": None, "gone_count": 0}),
        (GONE_SINCE, answer(), {"gone_count": 0, "gone_since": None}),
        # permanent redirects
        ({}, answer(THERE, **entries("new", "known")),
         {"moved_to": THERE, "moved_count": 1, "moved_since": NOW, "move_confirmed": True}),
        ({}, answer(THERE, **entries("new")), {"moved_to": THERE, "move_confirmed": False}),
        (MOVING, answer(THERE), MOVED | NOT_MOVING),
        (MOVING | {"moved_since": NOW}, answer(THERE), {"redirected_url": None, "moved_count": 3}),
        (MOVING | {"move_confirmed": False}, answer(THERE), {"redirected_url": None, "moved_count": 3}),
        (MOVING, answer(), NOT_MOVING | {"redirected_url": None}),
        (MOVING, answer("http://c.example/"), {"moved_to": "http://c.example/", "moved_count": 1}),
        (MOVING, answer(THERE, OTHER), {"health": "merged", "merged_into": "t", "redirected_url": None}),
        (MOVING, answer(THERE, source(id="t", paused=True)), MOVING | {"health": "ok", "merged_into": None}),
        (MOVING, answer(THERE, source(id="t", health="gone")), MOVED | {"merged_into": None}),
    ],
)  # fmt: skip
def test_a_response_changes_the_source(
    before: dict[str, Any], response: PollAnswer | FetchError, changed: dict[str, Any]
) -> None:
    after = decided(source(**before), response).source
    assert {name: getattr(after, name) for name in changed} == changed


@pytest.mark.parametrize(
    ("response", "least_seconds", "most_seconds"),
    [
        (answer(), HOUR, 5 * HOUR),
        (answer(**entries("new")), HOUR, 5 * HOUR),
        (HTTP_404, HOUR, 3 * HOUR),
        (failure("http", 503, wait=10 * HOUR), 10 * HOUR, 12 * HOUR),
        (failure("asked to wait", wait=60), 60, 90),
        (OUT_OF_REACH, 60, 66),
        (HTTP_410, GONE_RETRY_SECONDS, 2 * GONE_RETRY_SECONDS),
    ],
)
def test_the_next_poll_follows_the_response(
    response: PollAnswer | FetchError, least_seconds: float, most_seconds: float
) -> None:
    wait = (decided(source(), response).source.next_due_at - NOW).total_seconds()
    assert least_seconds <= wait <= most_seconds


def test_many_old_entries_at_once_are_no_news() -> None:
    many = RULES.polling.flood_entries
    old = entries(*["new"] * many, age_hours=RULES.polling.flood_age_hours + 1)
    found = decided(source(), answer(**old))
    assert list(found.own_time) == list(range(many))
    assert (
        found.source.flood_entries,
        found.source.flooded_at,
        found.source.last_new_at,
    ) == (
        many,
        NOW,
        None,
    )
    assert decided(source(first_poll_done=False), answer(**old)).own_time == []
    fewer = entries(*["new"] * (many - 1), age_hours=RULES.polling.flood_age_hours + 1)
    assert decided(source(), answer(**fewer)).own_time == []
