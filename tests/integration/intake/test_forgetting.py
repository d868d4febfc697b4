"""Forgetting: no word of an article is left anywhere, and it does not come back by any door."""

import json
import shutil
import string
from datetime import timedelta
from pathlib import Path
from random import Random

import msgspec
import pytest
from msgspec.structs import replace
from sqlalchemy import select, update

from aggregator.admin.export_file import export_lines
from aggregator.admin.import_rows import import_into
from aggregator.config.story_query import StoryFilter
from aggregator.config.tuning import Tuning
from aggregator.config.webhook_settings import Webhook
from aggregator.deliver.dispatcher import WebhookDispatcher
from aggregator.grouping.copies.sampled_shingles import PassageIndex
from aggregator.grouping.deletion.erase_articles import erase_articles
from aggregator.grouping.deletion.forget_articles import ForgetCommand
from aggregator.grouping.deletion.retention import RetentionPlan
from aggregator.intake import command_handlers
from aggregator.intake.recluster.regrouping import GroupingDifference, RegroupedStory
from aggregator.model.errors import UsageError
from aggregator.store import api_tokens, codecs, commands
from aggregator.store.engine.database import Database
from aggregator.store.intake import rejected
from aggregator.store.intake.identity import tombstones
from aggregator.store.read.reader import StoryReader
from aggregator.store.stories.article_rows.compared_articles import sketches_after
from aggregator.store.tables import (
    article,
    command,
    outbox,
    sketch,
    tombstone,
)
from aggregator.web.api.push_endpoint import PushEndpoint
from tests.support.articles import (
    FLOOD,
    FLOOD_ELSEWHERE,
    NOON,
    STRIKE,
    Rig,
    record,
)
from tests.support.footers import FOOTERS, articles_of, taken_out
from tests.support.forgetting import (
    HOUR,
    MARK,
    alone,
    answered,
    asked_to_forget,
    forget,
    marked,
    settle,
    the_article,
    words_in,
)
from tests.support.fresh import sqlite_at
from tests.support.passages import entries
from tests.support.rows import counted, executed, queried, read_by, value, written_by
from tests.support.story_checks import (
    assigned,
    by_title,
    correct,
    fill,
    placing_of,
    reclustering,
    scratch_files,
    undo,
    what_is_wrong,
)

COUNCIL = """The council of Lorwick voted on Friday to keep both public libraries open. Eleven members
were for it, four against. The money comes from the sale of the old tram depot, whose buyer wants to put
forty flats there. Opening hours on Saturdays are to be cut by two. A group of parents had collected nine
thousand signatures since the spring. The next budget, the treasurer warned, will be harder."""
ALL_TUNING = Tuning()
TOWN = record("Echo", "2", "Town under water", FLOOD_ELSEWHERE)


def in_files(database: Database) -> bool:
    """Whether the word stands in SQLite's files."""
    file = database.file
    every = (file, file.with_name(f"{file.name}-wal")) if file else ()
    return any(
        MARK.encode() in one.read_bytes().lower() for one in every if one.exists()
    )


def filling_of(rig: Rig) -> WebhookDispatcher:
    hook = Webhook(name="desk", url="https://hooks.example/x", key=b"k" * 32)
    return WebhookDispatcher(rig.database, [hook], ALL_TUNING, rig.clock)


# --- no word is left ---------------------------------------------------------------------------------------


@pytest.mark.later
def test_no_word_of_it_is_left(rig: Rig, tmp_path: Path) -> None:
    database = rig.database
    filling = filling_of(rig)
    filling.sync_webhooks()
    rig.take(record("Herald", "0", "Libraries stay open", COUNCIL))
    rig.take(marked("1", FLOOD), TOWN)
    # A revision
    rig.take(
        marked(
            "1", f"{FLOOD} Later {MARK}s came.", title="levee gives way at Pennmouth"
        )
    )
    rig.take(alone("3"), alone("5", STRIKE[::-1]))  # one will be empty, one gives way
    settle(rig)
    while filling.step() is not None:
        pass
    flood, ended = (
        assigned(database)[the_article(database, guid)] for guid in ("1", "3")
    )
    # An earlier version wrote the message of each delivery at once
    written = update(outbox).where(outbox.c.story.in_([flood, ended]))
    executed(database, written.values(body=codecs.compress_bytes(MARK.encode())))
    correct(database, "merge", flood, ended)
    undo(database)
    gave_way = assigned(database)[the_article(database, "5")]
    assert correct(database, "merge", flood, gave_way).stories == (flood,)
    settle(rig)
    with database.write() as connection:
        rejected.note(
            connection,
            source="ingest",
            item=f"https://herald.example/{MARK}-1",
            verdict="x",
            reason="y",
            at=NOON,
        )
        regrouped = RegroupedStory(
            story=ended, title=f"{MARK.title()} again", before=0, after=1
        )
        answer = GroupingDifference(
            articles=1,
            moved=1,
            stories_before=1,
            stories_after=1,
            pairs_kept=1,
            changes=(regrouped,),
        )
        number = commands.enqueue(connection, NOON, "recluster", "{}")
        commands.answer(
            connection, number, NOON, "done", msgspec.json.encode(answer).decode()
        )
    rig.accept(marked("1", f"{FLOOD_ELSEWHERE} Still {MARK}."))  # waits to be placed
    places = words_in(database)
    rows = {"article.text", "entry.payload", "story.rendered", "outbox.body"}
    rows |= {"story_log.detail", "change.title", "rejected_input.item"}
    assert {
        *rows,
        "article_search_data.block" if database.is_sqlite else "article_search.words",
    } <= {*places}
    assert in_files(database) == database.is_sqlite

    named = (
        f"https://herald.example/{MARK}-1",
        *(the_article(database, guid) for guid in "35"),
    )
    done = [forget(rig, name) for name in named]

    assert [one.summary.articles for one in done] == [1, 1, 1]
    assert (done[0].summary.emptied, done[1].summary.emptied) == (0, 1)
    settle(rig)
    assert words_in(database) == []
    assert what_is_wrong(database) == []
    if database.is_sqlite:
        assert database.checkpoint_log()
        assert not in_files(database)
    left = StoryReader(database).stories(StoryFilter(limit=9)).stories
    assert sorted(one.title for one in left) == [
        "Libraries stay open",
        "Town under water",
    ]
    assert StoryReader(database).story(ended) is None
    assert all(
        MARK not in line.decode().lower()
        for line in export_lines(database, lambda _: None)
    )


def _in_order(database: Database) -> list[str]:
    return list(
        queried(
            database, select(article.c.id).order_by(article.c.inbox_no).limit(3)
        ).scalars()
    )


# --- it does not come back ---------------------------------------------------------------------------------


def test_it_does_not_come_back_by_any_door(rig: Rig, tmp_path: Path) -> None:
    database = rig.database
    rig.take(marked("1", FLOOD), TOWN)
    id_ = the_article(database)
    forget(rig, id_)

    again = rig.accept(
        marked("1", FLOOD),
        marked("1", f"{STRIKE} All is {MARK} now."),
        replace(marked("1", FLOOD), guid="another"),
        replace(marked("1", FLOOD), url=None),
        replace(marked("1", FLOOD), url="https://herald.example/moved"),
        replace(
            marked("1", FLOOD),
            guid="tracked",
            url=f"https://www.herald.example/{MARK}-1?utm_source=rss&at_medium=feed",
        ),
    )
    assert [(one.outcome, one.article, one.entry_no) for one in again] == [
        ("forgotten", id_, None)
    ] * 6
    assert [
        one.outcome for one in rig.accept(replace(marked("1", ""), guid="another"))
    ] == ["forgotten"], "it is known by the keys that it came under since"

    _, secret = written_by(
        database, api_tokens.create, "newsroom", ("push",), rig.clock()
    )
    letterbox = PushEndpoint(database, ALL_TUNING, rig.clock)
    holder = read_by(database, api_tokens.holder, secret)
    assert holder is not None
    body = json.dumps(
        {
            "id": "1",
            "outlet": "Herald",
            "title": "x",
            "text": FLOOD,
            "url": f"https://herald.example/{MARK}-1",
        }
    )
    pushed = letterbox.take(holder, body.encode(), lines=False)
    assert (pushed.accepted, pushed.known, pushed.rejected) == (0, 0, 1)
    assert "forgotten" in str(pushed.items[0].reason)

    assert rig.place() == []
    assert words_in(database) == []
    newest_tombstones = read_by(database, tombstones.newest_tombstones, 9)
    assert [(one.article, one.rejected_count) for one in newest_tombstones] == [
        (id_, 8)
    ]
    assert all(one != id_ for one in assigned(database))


def test_what_was_accepted_meanwhile_is_refused_in_its_place(rig: Rig) -> None:
    """Another process accepts while the writer forgets: neither has seen what the other one did."""
    rig.take(marked("1", FLOOD))
    id_ = the_article(rig.database)
    forget(rig, id_)
    executed(rig.database, tombstone.delete())
    assert rig.accept(marked("1", f"{FLOOD_ELSEWHERE} {MARK}"))[0].outcome == "revision"
    written_by(rig.database, tombstones.add_tombstones, [id_], NOON)
    placed = rig.place()
    assert [(one.outcome, one.reason) for one in placed] == [
        ("refused", tombstones.REASON)
    ]
    assert words_in(rig.database) == []


def test_an_export_carries_tombstones(rig: Rig, tmp_path: Path) -> None:
    rig.take(marked("1", FLOOD))
    forget(rig, "Herald")
    lines = list(export_lines(rig.database, lambda _: None))
    with sqlite_at(tmp_path / "other.db") as other:
        import_into(other, b"".join(lines).splitlines(keepends=True), lambda _: None)
        assert Rig(other).accept(marked("1", FLOOD))[0].outcome == "forgotten"


# --- what is left ------------------------------------------------------------------------------------------


def test_copies_stay_and_the_first_of_them_is_the_original(rig: Rig) -> None:
    database = rig.database
    for number, outlet in enumerate(("Herald", "Echo", "Gazette")):
        rig.take(
            record(
                outlet,
                "1",
                f"Levee breaks, {outlet}",
                FLOOD,
                published=NOON + number * HOUR,
            )
        )
    first, second, third = _in_order(database)
    sketches = _sketches(database)
    assert sketches.keys() == {1, 2, 3}
    assert forget(rig, first).summary.copies == 2
    assert _sketches(database) == {2: sketches[1], 3: sketches[1]}, (
        "copies to come find the next original"
    )
    rows = queried(
        database,
        select(article.c.id, article.c.copy_of, article.c.role).order_by(
            article.c.inbox_no
        ),
    )
    assert [tuple(row) for row in rows] == [
        (second, None, "report"),
        (third, second, "copy"),
    ]
    assert what_is_wrong(database) == []
    assert [one.outcome for one in rig.take(record("Post", "1", "Levee", FLOOD))] == [
        "copy"
    ]
    before, reported = (
        StoryReader(database).last_change(),
        by_title(database, "Levee breaks"),
    )
    forget(rig, next(id_ for id_ in assigned(database) if id_ not in (second, third)))
    assert by_title(database, "Levee breaks") == reported
    assert StoryReader(database).last_change() != before, (
        "readers are told, though the headline stayed"
    )
    forget(rig, second)
    assert forget(rig, third).summary.articles == 1
    assert assigned(database) == {}
    assert what_is_wrong(database) == []


def _sketches(database: Database) -> dict[int, bytes]:
    """By number of the article the sampled shingles that it is found by."""
    return {row.article: bytes(row.hashes) for row in queried(database, select(sketch))}


def test_what_an_outlet_repeated_goes_with_it(rig: Rig) -> None:
    """Its lines are learnt from its articles; those that are gone teach nothing, in rows or in memory."""
    given = [one for one in articles_of(81) if one.outlet == "Lantern"]
    rig.take(*given[:-1])
    assert taken_out(rig.database, "Lantern")[-1] == (FOOTERS["Lantern"],)
    forget(rig, "Lantern")
    rig.take(given[-1])
    assert taken_out(rig.database, "Lantern") == [()]


def test_an_outlet_goes_with_all_that_waits(rig: Rig) -> None:
    rig.take(marked("1", FLOOD), TOWN)
    rig.accept(marked("9", STRIKE))
    done = forget(rig, "hERALD")
    assert (done.named, done.summary.articles, done.summary.entries) == (2, 1, 2)
    assert [one.outcome for one in rig.place()] == []
    assert words_in(rig.database) == []
    assert rig.accept(marked("10", STRIKE))[0].outcome == "new", (
        "what it publishes later is other news"
    )


def stopped_while_it_forgets(rig: Rig) -> int:
    """Articles that are left after a stop; at the next start all is done, and answered."""
    number, asked = asked_to_forget(rig, "Herald"), iter([False, False, True])
    assert rig.pipeline.run_commands(lambda: next(asked)) == 0
    left = counted(rig.database, article)
    rig.restart()
    assert rig.pipeline.run_commands() == 1
    answered(rig, number)
    assert words_in(rig.database) == []
    assert what_is_wrong(rig.database) == []
    return left


@pytest.mark.later
def test_what_a_stop_left_over_goes_at_the_next_start(rig: Rig) -> None:
    for number in range(45):
        rig.accept(
            record(
                "Herald",
                str(number),
                f"{MARK} {number}",
                f"{STRIKE} {MARK} {number}",
                published=None,
            )
        )
    rig.place()
    assert 0 < stopped_while_it_forgets(rig) < 45


def test_an_outlet_whose_index_was_not_finished_is_forgotten_at_the_next_start(
    rig: Rig,
) -> None:
    """Its articles are gone by then, so that its name means none."""
    rig.take(marked("1", FLOOD))
    assert stopped_while_it_forgets(rig) == 0
    with pytest.raises(UsageError, match="nothing is stored"):
        forget(rig, "Herald")


def test_an_outlet_is_named_in_any_case(rig: Rig) -> None:
    rig.take(record("Gießener Anzeiger", "1", "Town under water", FLOOD))
    rig.accept(record("Gießener Anzeiger", "2", "Dockers walk out", STRIKE))
    assert forget(rig, "gießener ANZEIGER").summary.entries == 2


def test_a_stopped_prune_is_not_done(rig: Rig) -> None:
    rig.take(alone("1"), alone("2"))
    rig.clock.time += timedelta(days=30)
    payload = msgspec.json.encode(RetentionPlan(text_after=86_400))
    command_handlers.enqueue(rig.database, NOON, "prune", payload)
    asked = iter([False])
    assert rig.pipeline.run_commands(lambda: next(asked, True)) == 0
    assert rig.pipeline.run_commands() == 1


def test_what_a_killed_recluster_left_goes_too(rig: Rig) -> None:
    """Its folder holds texts."""
    database = rig.database
    if database.file is None:
        pytest.skip("beside a server they lie in a folder that all databases share")
    folder = database.file.parent

    def as_if_killed(*_: int) -> None:
        (running,) = scratch_files(folder)
        shutil.copytree(
            folder / running, folder / f"{running}-killed", dirs_exist_ok=True
        )

    rig.take(marked("1", FLOOD), TOWN)
    reclustering(database).difference(None, as_if_killed)
    assert scratch_files(folder)
    forget(rig, the_article(database))
    assert scratch_files(folder) == []


def test_a_name_that_means_nothing_is_refused_and_not_kept(rig: Rig) -> None:
    with pytest.raises(UsageError, match="nothing is stored"):
        forget(rig, f"https://herald.example/{MARK}")
    assert value(rig.database, command.c.payload) == "{}"


def test_an_address_of_any_length_is_stored_and_forgotten(rig: Rig) -> None:
    seldom = Random(1).choices(string.ascii_letters + string.digits, k=3_900)
    long = f"https://herald.example/{''.join(seldom)}"  # no database packs it
    (placed,) = rig.take(
        record("Herald", "1", "Dockers walk out", STRIKE, url=long, published=None)
    )
    forgotten = forget(rig, long)
    assert (placed.outcome, forgotten.summary.articles, forgotten.summary.entries) == (
        "founded",
        1,
        1,
    )


def test_undoing_a_split_brings_an_ended_story_back(rig: Rig) -> None:
    database = rig.database
    rig.take(marked("1", FLOOD), TOWN)
    first, second = _in_order(database)[:2]
    origin = assigned(database)[first]
    assert assigned(database)[second] == origin
    correct(database, "split", origin, articles=(second,))
    rig.restart()
    forget(rig, first)
    assert StoryReader(database).story(origin) is None
    undo(database)
    assert assigned(database) == {second: origin}
    assert what_is_wrong(database) == []


@pytest.mark.later
@pytest.mark.parametrize("seed", range(2))
def test_whatever_is_forgotten_the_rest_holds_together(
    database: Database, seed: int
) -> None:
    """Rows agree with each other, and what is in memory with them, on both databases."""
    fill(database)
    chance = Random(seed)
    placer = placing_of(database)
    read_by(database, placer.services.window.current)
    everything = sorted(assigned(database))
    going = chance.sample(everything, 25)
    for id_ in going:
        placer.erase(ForgetCommand(name=id_))
    assert set(assigned(database)) == set(everything) - set(going)
    assert what_is_wrong(database, placer) == []
    dangling = select(article.c.id).where(
        article.c.copy_of.is_not(None), article.c.copy_of.not_in(select(article.c.id))
    )
    assert queried(database, dangling).all() == []


def test_the_index_of_passages_in_memory_follows_what_goes_and_what_inherits_it(
    database: Database,
) -> None:
    rig = Rig(database)
    first, copy, *_ = rig.take(
        record("Herald", "1", "Levee breaks", FLOOD),
        record("Post", "1", "Levee breaks at Pennmouth", FLOOD),
        record("Port", "1", "Dock workers strike", STRIKE),
        record("Wharf", "1", "Libraries stay", COUNCIL),
    )
    assert copy.outcome == "copy"
    placer = rig.pipeline.placer
    index = placer.services.copy_finder._index

    def go(article_id: str) -> None:
        with placer.unit_of_work() as open_rig:
            erase_articles(placer.services, open_rig, [article_id], "retention")
            if article_id == copy.article:
                raise ZeroDivisionError

    def is_of_the_rows() -> bool:
        with database.read() as connection:
            rows = sketches_after(connection, 0)
            return entries(index, 4) == entries(PassageIndex(reach=100, rows=rows), 4)

    assert is_of_the_rows()
    before = entries(index, 4)
    go(first.article)
    assert is_of_the_rows()
    assert entries(index, 4) != before
    with pytest.raises(ZeroDivisionError):
        go(copy.article)
    assert placer.services.copy_finder._index is None, (
        "it is built again from the rows, which were rolled back"
    )
