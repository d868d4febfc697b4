"""Webhooks against real receivers on loopback: what is sent, to whom, in which order, and when again."""

import json
import logging
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event

import msgspec
import pytest
from msgspec.structs import replace
from sqlalchemy import select, update

from aggregator.admin.export_file import export_lines
from aggregator.admin.import_rows import import_into
from aggregator.config.delivery_settings import signing_key
from aggregator.config.story_query import SavedQuery, StoryFilter
from aggregator.config.tuning import Tuning
from aggregator.config.webhook_settings import Webhook
from aggregator.deliver.delivery_bodies import delivery_body, delivery_id
from aggregator.deliver.threads import WebhookThreads
from aggregator.deliver.transmit import WebhookTuning
from aggregator.grouping.deletion.forget_articles import ForgetCommand
from aggregator.intake.command_handlers import enqueue
from aggregator.model.read_model import Change
from aggregator.publish.output_settings import PublishSettings
from aggregator.store import steady_clock
from aggregator.store.deliveries import outbox, recipients
from aggregator.store.engine.database import Database
from aggregator.store.read.reader import StoryReader
from aggregator.store.tables import outbox as outbox_table
from tests.support.articles import (
    DAY,
    FLOOD_ELSEWHERE,
    HOUR,
    NOON,
    STRIKE,
    Rig,
    flood,
    flood_copied,
    flood_elsewhere,
    record,
    strike,
)
from tests.support.fresh import sqlite_file, with_tables
from tests.support.loopback import Request, Response, redirect
from tests.support.outgoing import Post
from tests.support.receiver import SECRET, Receiver, documented_check
from tests.support.rows import (
    column,
    counted,
    executed,
    overheard,
    queried,
    read_by,
    whole_scans,
    written_by,
)
from tests.support.story_checks import correct
from tests.support.written_stories import a_story, an_article


def hook(
    receiver: Receiver, name: str = "desk", path: str = "/hook", **query: object
) -> Webhook:
    saved = SavedQuery(**query).named("q") if query else None  # type: ignore[arg-type]
    return Webhook(
        name=name, url=receiver.url(path), key=signing_key(SECRET), query=saved
    )


def titles(receiver: Receiver) -> list[str]:
    return [body["data"]["story"]["title"] for body in receiver.bodies()]


@pytest.fixture
def database(sqlite: Database) -> Database:
    """Where nothing but the rules is asked; `each_kind` is of both kinds."""
    return sqlite


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as made:
        yield made


@pytest.fixture
def post(database: Database, receiver: Receiver) -> Post:
    """With the receiver's hook."""
    return Post(database, hook(receiver))


@pytest.fixture
def either(each_kind: Database, receiver: Receiver) -> Post:
    """The same on both kinds of database."""
    return Post(each_kind, hook(receiver))


# --- what is sent ------------------------------------------------------------------------------------------


@pytest.mark.later
def test_once_for_each_change_and_never_for_what_was_there(
    each_kind: Database, receiver: Receiver
) -> None:
    database = each_kind
    Rig(database).take(strike())
    post = Post(database, hook(receiver))
    assert post.run() == [None]
    assert receiver.came == [], "nothing old is sent"
    post.deliver(flood(), flood_copied(), flood_elsewhere())
    assert receiver.types() == ["story.created", "story.report"]
    assert len(set(receiver.ids())) == 2
    post.run()
    post.restart(hook(receiver))
    post.run()
    assert len(receiver.came) == 2


def test_what_a_delivery_says(post: Post, receiver: Receiver) -> None:
    post.rig.take(flood())
    post.deliver(flood_elsewhere())
    body = receiver.bodies()[1]
    data = body["data"]
    assert (body["type"], data["hook"], data["query"]) == ("story.report", "desk", None)
    assert data["url"] == f"https://news.example/stories/{data['story']['id']}"
    assert data["change"]["article"]["outlet"] == "Herald"
    assert data["change"]["report_count"] == data["story"]["report_count"] == 2
    assert {one["outlet"] for one in data["story"]["articles"]} == {"Gazette", "Herald"}
    assert body["timestamp"].endswith("Z")


def test_a_delivery_is_written_when_it_is_sent(
    either: Post, receiver: Receiver
) -> None:
    """What was forgotten meanwhile is not sent, and what grew is sent as it is now."""
    post = either
    post.rig.take(flood(), strike())
    post.fill()
    post.rig.take(flood_elsewhere())
    (story,) = (
        one
        for one in StoryReader(post.database).stories(StoryFilter()).stories
        if "strike" in one.title
    )
    payload = msgspec.json.encode(ForgetCommand(name=story.articles[0].id))
    enqueue(post.database, post.clock(), "forget", payload)
    post.rig.pipeline.run_commands()
    post.run()
    assert receiver.types() == ["story.created", "story.report"]
    assert receiver.bodies()[0]["data"]["story"]["report_count"] == 2
    assert (post.stats().waiting, post.stats().done) == (0, 3)


def test_signatures_hold_by_the_check_that_is_documented(
    post: Post, receiver: Receiver
) -> None:
    post.clock.time = datetime.now(UTC)
    post.deliver(flood(published=post.clock.time))
    (request,) = receiver.taken
    check, headers = documented_check(), dict(request.headers)
    assert check(SECRET, headers, request.body)
    assert not check(SECRET, headers, request.body + b" ")
    assert not check(SECRET, headers | {"webhook-id": "msg_other"}, request.body)
    assert not check("whsec_" + "A" * 32, headers, request.body)
    old = str(int(headers["webhook-timestamp"]) - 400)
    assert not check(SECRET, headers | {"webhook-timestamp": old}, request.body)


def test_a_query_is_asked_at_every_change(
    database: Database, receiver: Receiver
) -> None:
    post = Post(
        database,
        hook(receiver, "two", "/two", min_reports=2),
        hook(receiver, "words", "/words", query="pennmouth -strike"),
        hook(receiver, "none", "/none", outlet="Nobody"),
    )
    post.deliver(flood(), strike())
    assert [request.path for request in receiver.taken] == ["/words"]
    post.deliver(flood_elsewhere())
    assert sorted(request.path for request in receiver.taken[1:]) == ["/two", "/words"]
    assert {body["data"]["query"] for body in receiver.bodies()} == {"q"}


def test_words_are_asked_when_they_can_be_found(
    database: Database, receiver: Receiver
) -> None:
    """The full-text index follows placing: until it has the article, the change waits."""
    post = Post(database, hook(receiver, query="pennmouth"))
    post.rig.take(flood())
    post.fill()
    assert post.stats().waiting == 0
    post.run()
    assert receiver.types() == ["story.created"]


def test_an_archive_is_quiet(post: Post, receiver: Receiver) -> None:
    post.clock.time = NOON + 3 * DAY
    post.rig.take(strike())
    post.deliver(flood(published=NOON + 3 * DAY - HOUR))
    assert titles(receiver) == ["Levee breaks at Pennmouth, four dead"]


def test_a_receiver_of_a_story_is_notified_of_its_merge(
    database: Database, receiver: Receiver
) -> None:
    post = Post(
        database,
        hook(receiver, "strike", "/strike", query="sennick"),
        hook(receiver, "flood", "/flood", query="pennmouth"),
        hook(receiver, "other", "/other", query="nothing"),
    )
    post.deliver(flood(), flood_elsewhere(), strike())
    flood_id, strike_id = (
        next(
            b["data"]["story"]["id"]
            for b in receiver.bodies()
            if b["data"]["hook"] == name
        )
        for name in ("flood", "strike")
    )
    before = len(receiver.taken)
    correct(database, "merge", flood_id, strike_id)
    post.run()
    merged = receiver.bodies()[before:]
    assert sorted(one["data"]["hook"] for one in merged) == ["flood", "strike"]
    assert {one["type"] for one in merged} == {"story.merged"}
    assert {one["data"]["story"]["id"] for one in merged} == {flood_id}
    assert {tuple(one["data"]["change"]["others"]) for one in merged} == {(strike_id,)}


def test_a_merge_of_old_stories_is_sent_to_who_knows_them(
    each_kind: Database, receiver: Receiver
) -> None:
    """The query fits no more, by its time: what was told once is told to its end."""
    database = each_kind
    post = Post(database, hook(receiver, query="sennick", since="2h"))
    post.deliver(flood(), strike())
    assert receiver.types() == ["story.created"]
    post.clock.time += 10 * DAY
    stories = list(dict.fromkeys(column(database, outbox_table.c.story)))
    others = {
        one.id for one in StoryReader(database).stories(StoryFilter()).stories
    } - set(stories)
    correct(database, "merge", *stories, *others)
    post.run()
    assert receiver.types() == ["story.created", "story.merged"]


# --- failures ----------------------------------------------------------------------------------------------


def test_the_same_id_and_body_until_it_is_taken(
    either: Post, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    post = either
    receiver.answer = lambda _request: Response(500)
    post.rig.take(flood())
    gaps = []
    for _ in range(4):
        (wait,) = post.run()
        gaps.append(round(wait))
        post.clock.time += timedelta(seconds=wait + 1)
    assert gaps == sorted(gaps)
    assert gaps[0] in range(2, 6)
    assert gaps[-1] > 500
    assert (post.stats().row.state, post.stats().row.failures) == ("failing", 4)
    tries = [one for one in caplog.records if ", attempt " in one.message]
    assert {getattr(one, "webhook", None) for one in tries} == {"desk"}
    receiver.answer = lambda _request: Response(200)
    post.run()
    assert len({request.headers["webhook-id"] for request in receiver.came}) == 1
    assert len({request.body for request in receiver.came}) == 1
    assert len({request.headers["webhook-timestamp"] for request in receiver.came}) == 5
    assert (post.stats().row.state, post.stats().waiting, post.stats().done) == (
        "ok",
        0,
        1,
    )


@pytest.mark.parametrize("failing", [199, 301, 302, 307, 404, 500])
def test_whatever_is_not_2xx_is_tried_again(
    post: Post, receiver: Receiver, failing: int
) -> None:
    elsewhere = redirect(receiver.url("/elsewhere"), failing)
    receiver.answer = lambda _request: elsewhere
    post.deliver(flood())
    assert [request.path for request in receiver.came] == ["/hook"], (
        "redirects are not followed"
    )
    assert post.stats().waiting == 1
    assert f"http {failing}" in (post.stats().row.problem or "") or failing == 199


def test_retry_after_is_waited_for(post: Post, receiver: Receiver) -> None:
    receiver.answer = lambda _request: Response(429, {"Retry-After": "7200"})
    post.rig.take(flood(), strike())
    (wait,) = post.run()
    assert 7190 < wait <= 7200
    assert len(receiver.came) == 1, "the whole hook waits, not one delivery"


def test_after_three_days_it_is_given_up_and_that_shows(
    post: Post, receiver: Receiver
) -> None:
    receiver.answer = lambda _request: Response(500)
    post.rig.take(flood())
    began = post.clock.time
    for _ in range(20):
        (wait,) = post.run()
        if wait is None:
            break
        post.clock.time += timedelta(seconds=wait + 1)
    assert 3 * DAY <= post.clock.time - began < 5 * DAY
    assert (post.stats().waiting, post.stats().given_up) == (0, 1)
    assert 8 <= len(receiver.came) <= 12


def test_a_clock_that_was_ahead_holds_up_no_delivery(
    post: Post, receiver: Receiver
) -> None:
    right = post.clock.time
    receiver.answer = lambda _request: Response(500)
    post.clock.time = right + 8 * HOUR
    post.deliver(flood())
    post.deliver(strike())
    post.clock.time = right + timedelta(minutes=1)
    receiver.answer = lambda _request: Response(200)
    assert post.run() == [None]
    assert receiver.types() == ["story.created", "story.created"]


def test_a_clock_that_jumps_ahead_gives_no_delivery_up_and_forgets_none(
    each_kind: Database, receiver: Receiver
) -> None:
    database = each_kind

    def look(post: Post) -> None:
        written_by(database, steady_clock.record_time, post.clock.time, DAY)

    post = Post(database, hook(receiver))
    look(post)
    post.deliver(flood())
    receiver.answer = lambda _request: Response(500)
    post.deliver(strike())
    post.clock.time += 400 * DAY
    for _ in range(3):
        look(post)
        post.run()
        post.filling.prune()
        post.clock.time += 2 * HOUR
    assert (post.stats().waiting, post.stats().given_up) == (1, 0)
    assert counted(database, outbox_table) == 2
    for _ in range(20):  # the clock was right: then it is given up
        post.clock.time += 8 * HOUR
        look(post)
        post.run()
    assert (post.stats().waiting, post.stats().given_up) == (0, 1)


def test_410_ends_a_hook_until_somebody_says_otherwise(
    either: Post, receiver: Receiver
) -> None:
    post = either
    database = post.database
    receiver.answer = lambda _request: Response(410)
    post.rig.take(flood(), strike())
    assert post.run() == [None]
    assert len(receiver.came) == 1
    assert (post.stats().row.state, post.stats().given_up) == ("gone", 2)
    (problem,) = StoryReader(database).state().problems
    assert "desk" in problem
    assert "410" in problem
    receiver.answer = lambda _request: Response(200)
    post.deliver(flood_elsewhere())
    post.restart(hook(receiver))
    post.run()
    assert len(receiver.came) == 1
    post.restart(hook(receiver, path="/moved"))
    post.deliver(
        record(
            "Herald",
            "third",
            "Levee: the inquiry",
            FLOOD_ELSEWHERE + " " + STRIKE,
            published=None,
        )
    )
    assert receiver.came[-1].path == "/moved"
    assert post.stats().row.state == "ok"


def test_resume_sends_what_waits_at_once(
    post: Post, database: Database, receiver: Receiver
) -> None:
    receiver.answer = lambda _request: Response(500)
    post.rig.take(flood())
    for _ in range(4):
        (wait,) = post.run()
        post.clock.time += timedelta(seconds=(wait or 0) + 1)
    post.run()
    receiver.answer = lambda _request: Response(200)
    (wait,) = post.run()
    assert wait > 100
    with database.write() as connection:
        assert recipients.resume(connection, "desk", post.clock())
        assert not recipients.resume(connection, "nobody", post.clock())
    assert post.run() == [None]
    assert receiver.types() == ["story.created"]


def test_a_story_keeps_its_order_and_holds_up_no_other(
    each_kind: Database, receiver: Receiver
) -> None:
    """The flood's first delivery is refused for an hour: the strike goes by, the flood's next does not."""
    database = each_kind

    def answer(request: Request) -> Response:
        is_poison = json.loads(request.body)["data"]["change"]["n"] == 1
        return Response(500 if is_poison and post.clock.time < NOON + HOUR else 204)

    post = Post(database, hook(receiver))
    receiver.answer = answer
    post.rig.take(flood())
    post.rig.take(flood_elsewhere(), strike())
    while post.clock.time < NOON + 12 * HOUR:
        (wait,) = post.run()
        if wait is None:
            break
        post.clock.time += timedelta(seconds=wait + 0.5)
    numbers = [body["data"]["change"]["n"] for body in receiver.bodies()]
    assert sorted(numbers) == [1, 2, 3]
    assert numbers[0] == 3
    assert numbers.index(1) < numbers.index(2)


def test_a_receiver_that_is_back_gets_all_that_waits(
    post: Post, receiver: Receiver
) -> None:
    receiver.answer = lambda _request: Response(503)
    post.rig.take(flood())
    post.rig.take(strike())
    for _ in range(8):
        (wait,) = post.run()
        post.clock.time += timedelta(seconds=(wait or 0) + 1)
    receiver.answer = lambda _request: Response(204)
    (wait,) = post.run()
    while wait is not None:
        assert wait <= 330, "the pause of a hook, not the gap of a delivery"
        post.clock.time += timedelta(seconds=wait + 1)
        (wait,) = post.run()
    assert receiver.types() == ["story.created", "story.created"]


# --- the outbox --------------------------------------------------------------------------------------------


def test_of_too_many_the_oldest_are_given_up(
    each_kind: Database, receiver: Receiver
) -> None:
    post = Post(each_kind, hook(receiver), waiting_max=2)
    receiver.answer = lambda _request: Response(500)
    post.rig.take(flood())
    post.rig.take(flood_elsewhere(), strike())
    post.fill()
    assert (post.stats().waiting, post.stats().given_up) == (2, 1)
    receiver.answer = lambda _request: Response(200)
    post.run()
    assert [body["data"]["change"]["n"] for body in receiver.bodies()] == [2, 3]


def test_what_ended_is_forgotten_after_some_days(
    post: Post, database: Database
) -> None:
    post.deliver(flood())
    post.filling.prune()
    assert _count(database) == 1
    post.clock.time += 15 * DAY
    post.filling.prune()
    assert _count(database) == 0


def test_a_hook_that_went_and_came_back_begins_anew(
    post: Post, receiver: Receiver
) -> None:
    receiver.answer = lambda _request: Response(500)
    post.deliver(flood())
    post.restart()
    post.deliver(strike())
    post.clock.time += HOUR
    receiver.answer = lambda _request: Response(204)
    post.restart(hook(receiver))
    post.run()
    assert [body["data"]["change"]["n"] for body in receiver.bodies()] == [1]


def test_rows_and_cursor_are_one_transaction(either: Post, receiver: Receiver) -> None:
    """Where adding fails, the changes are looked at again, and nothing is there twice."""
    post = either
    database = post.database
    post.rig.take(flood())
    with database.write() as connection:
        taken = outbox.NewDelivery(
            webhook="desk", change=1, id="msg_x", story="s", body=b"{}"
        )
        outbox.add(connection, [taken], {}, post.clock())
    with pytest.raises(Exception, match=r"(?i)unique"):
        post.filling.step()
    assert read_by(database, recipients.webhooks)[0].last_change_no == 0
    executed(database, update(outbox_table).values(change=99, state="done", body=None))
    post.run()
    assert _count(database) == 2
    assert [body["data"]["change"]["n"] for body in receiver.bodies()] == [1]


def _count(database: Database) -> int:
    return counted(database, outbox_table)


# --- what a delivery may hold ------------------------------------------------------------------------------


@pytest.mark.parametrize(("cap", "all_of_them"), [(6000, False), (262_144, True)])
def test_a_long_story_is_cut_to_size(cap: int, *, all_of_them: bool) -> None:
    story = a_story(*(an_article() for _ in range(50)))
    change = Change(
        n=7, story=story.id, was=story.id, kind="report", at=NOON, updated=NOON, title=story.title,
        report_count=50, article=story.articles[-1],
    )  # fmt: skip
    tuning = Tuning({"webhooks": {"body_cap_bytes": cap}}).section(
        "webhooks", WebhookTuning
    )
    target = Webhook(name="desk", url="https://desk.example/", key=b"", query=None)
    body = delivery_body(target, change, story, PublishSettings(), tuning)
    data = json.loads(body)["data"]
    assert len(body) <= cap
    assert (data["articles_left_out"] == 0) == all_of_them
    assert len(data["story"]["articles"]) + data["articles_left_out"] == 50
    assert data["change"]["article"]["id"] == story.articles[-1].id


def test_ids_differ_by_hook_and_change_and_stay() -> None:
    change = Change(
        n=7,
        story="s",
        was="s",
        kind="report",
        at=NOON,
        updated=NOON,
        title="t",
        report_count=2,
    )
    other = replace(change, n=8)
    made = [delivery_id("a", change), delivery_id("b", change), delivery_id("a", other)]
    assert len(set(made)) == 3
    assert delivery_id("a", replace(change, story="today")) == made[0]


# --- threads -----------------------------------------------------------------------------------------------


def test_a_receiver_that_hangs_holds_up_no_other_and_no_stop(
    database: Database, receiver: Receiver
) -> None:
    hanging = Event()

    def answer(request: Request) -> Response:
        if request.path == "/hangs":
            hanging.set()
            return Response(204, delay_seconds=60)
        return Response(204)

    receiver.answer = answer
    both = (hook(receiver, "hangs", "/hangs"), hook(receiver, "quick", "/quick"))
    post = Post(database, *both)
    beats: list[float] = []
    failed: list[BaseException] = []
    webhooks = WebhookThreads(
        post.filling,
        {one.name: sending for one, sending in zip(both, post.sendings, strict=True)},
        post.transmitter.close,
        is_writer=lambda: True,
        heartbeat=lambda: beats.append(time.monotonic()),
        failed=failed.append,
    )
    post.clock.time = NOON
    webhooks.start()
    post.rig.take(flood(), strike())
    webhooks.wake()

    def attempts() -> set[tuple[str, int]]:
        return {
            (row.webhook, row.attempts)
            for row in queried(database, select(outbox_table))
        }

    # the stop must not cancel a delivery to "quick" that the receiver has and the database has not
    receiver.wait(
        lambda: hanging.is_set() and attempts() == {("hangs", 0), ("quick", 1)}
    )
    webhooks.stop()
    assert webhooks.join(8.0) == 0
    assert failed == []
    assert beats
    assert len([one for one in receiver.taken if one.path == "/quick"]) == 2
    assert attempts() == {("hangs", 0), ("quick", 1)}, "a stop is nobody's failure"


def test_who_is_not_the_writer_sends_nothing(
    post: Post, database: Database, receiver: Receiver
) -> None:
    is_writer = Event()
    beats: list[None] = []
    webhooks = WebhookThreads(
        post.filling,
        {"desk": post.sendings[0]},
        post.transmitter.close,
        is_writer=is_writer.is_set,
        heartbeat=lambda: beats.append(None),
        failed=lambda _error: None,
    )
    post.rig.take(flood())
    webhooks.start()
    receiver.wait(lambda: len(beats) > 1)
    assert _count(database) == 0
    is_writer.set()
    webhooks.wake()
    receiver.wait(lambda: receiver.taken)
    webhooks.stop()
    assert webhooks.join(8.0) == 0


def test_what_an_import_brings_is_no_news(receiver: Receiver, tmp_path: Path) -> None:
    one, other = (sqlite_file(f"{tmp_path / name}.db") for name in ("one", "other"))
    with_tables(one)
    with_tables(other)
    Rig(one).take(flood(), strike())
    lines = b"".join(export_lines(one, lambda _rows: None)).splitlines(keepends=True)
    one.close()
    post = Post(other, hook(receiver))
    import_into(other, lines, lambda _rows: None)
    post.run()
    assert receiver.came == []
    post.deliver(flood_elsewhere())
    assert receiver.types() == ["story.report"]
    other.close()


def test_looking_costs_what_is_new(database: Database, receiver: Receiver) -> None:
    """Every question of the stream and the outbox goes by an index: none reads all that ever was."""
    post = Post(database, hook(receiver, query="pennmouth"))
    post.rig.take(flood(), flood_elsewhere(), strike())
    with overheard(database, "SELECT", "UPDATE", "DELETE") as sent:
        post.run()
    assert len(receiver.taken) == 2
    scans = whole_scans(database, sent)
    assert [
        one for one in scans if any(name in one for name in ("change", "outbox"))
    ] == []
