"""What one question tells: rows that refer to what is not there, states that do not fit."""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    exists,
    func,
    literal,
    not_,
    or_,
    select,
    union_all,
)

from aggregator.store.engine.database import Database
from aggregator.store.maintenance.checks.finding import NOTED, RESTORE, Fault, Remedy
from aggregator.store.tables import (
    across,
    article,
    bond,
    change,
    counter,
    entry,
    entry_link,
    hook,
    identity_key,
    live_blog,
    outbox,
    outlet_line,
    request,
    revision,
    sighting,
    sketch,
    source,
    story,
    story_log,
    tombstone,
)

FOUNDING: Final = ("founded", "joined", "copy")  # outcomes of entries that became an article each
_EXPORT: Final = "`aggregator export` still writes all that is readable; then restore a backup"


class ReferenceCheck(NamedTuple):
    """What is wrong about each row that is found; the first column names it."""

    what: str
    rows: Select[Any]
    remedy: Remedy | None = None
    advice: str = RESTORE


def faults(database: Database) -> Iterator[Fault]:
    """The faults of all rows. A transaction a question, so that no reader is old for long."""
    for one in reference_checks():
        with database.read() as connection:
            found = connection.execute(one.rows.execution_options(yield_per=1000)).scalars()
            keys: list[str] = []
            rows = 0
            for key in found:
                rows += 1
                if len(keys) < NOTED:
                    keys.append(str(key))
        if rows:
            yield Fault(what=one.what, rows=rows, remedy=one.remedy, keys=tuple(keys), advice=one.advice)


def reference_checks() -> Iterator[ReferenceCheck]:
    """All questions."""
    yield from _of_entries()
    yield from _of_articles()
    yield from _of_stories()
    yield from _of_identity()
    yield from _of_history()
    yield from _of_corrections()
    yield from _of_readers()
    yield from _of_children()


def _is_there(column: ColumnElement[str]) -> ColumnElement[bool]:
    return exists().where(article.c.id == column)


def _was_let_go(column: ColumnElement[str]) -> ColumnElement[bool]:
    return exists().where(tombstone.c.article == column)


def _of_entries() -> Iterator[ReferenceCheck]:
    assigned_story = exists().where(article.c.n == entry.c.inbox_no)
    became = and_(entry.c.state == "done", entry.c.outcome.in_(FOUNDING))
    yield ReferenceCheck(
        "entries were placed and have no article",
        select(entry.c.n).where(
            entry.c.state == "done",
            not_(_was_let_go(entry.c.article)),
            or_(not_(_is_there(entry.c.article)), and_(became, not_(assigned_story))),
        ),
    )
    waits = entry.c.state.in_(("page", "ready"))
    yield ReferenceCheck(
        "entries have a state that does not fit the rest of them",
        select(entry.c.n).where(
            or_(
                entry.c.state.not_in(("page", "ready", "done", "refused")),
                and_(entry.c.state.in_(("ready", "done")), entry.c.inbox_no.is_(None)),
                and_(entry.c.state == "page", or_(entry.c.inbox_no.is_not(None), entry.c.url.is_(None))),
                waits & or_(entry.c.outcome.is_not(None), func.length(entry.c.payload) == 0),
                and_(entry.c.state == "page", entry.c.page_due_at.is_(None)),
                and_(entry.c.state == "done", func.coalesce(entry.c.outcome, "refused") == "refused"),
                and_(entry.c.state == "refused", func.coalesce(entry.c.outcome, "") != "refused"),
                and_(entry.c.state == "refused", entry.c.verdict.is_(None)),
            )
        ),
        None,
        _EXPORT,
    )


def _of_articles() -> Iterator[ReferenceCheck]:
    founded = exists().where(
        entry.c.inbox_no == article.c.n, entry.c.state == "done", entry.c.outcome.in_(FOUNDING)
    )
    yield ReferenceCheck(
        "articles were placed under a number that no entry has", select(article.c.n).where(not_(founded))
    )
    twin = article.alias("twin")
    link = exists().where(twin.c.id == article.c.copy_of)
    yield ReferenceCheck(
        "articles are said to be copies of one that is not there",
        select(article.c.id).where(article.c.copy_of.is_not(None), not_(link)),
        "links",
    )
    yield ReferenceCheck(
        "articles are said to be copies of one that came later",
        select(article.c.id).join(twin, twin.c.id == article.c.copy_of).where(twin.c.n >= article.c.n),
        None,
        "type: aggregator recluster",
    )
    doubled = (
        select(func.min(article.c.id)).group_by(article.c.root, article.c.generation).having(func.count() > 1)
    )
    yield ReferenceCheck("articles are there twice", doubled)
    yield ReferenceCheck(
        "articles were forgotten and are there",
        select(tombstone.c.article).where(exists().where(article.c.id == tombstone.c.article)),
        None,
        "type: aggregator forget ARTICLE, for each",
    )
    yield ReferenceCheck(
        "former texts are of an article that is not there",
        select(revision.c.article).where(not_(_is_there(revision.c.article))),
        "orphans",
    )


def _of_stories() -> Iterator[ReferenceCheck]:
    live = story.c.redirect_to.is_(None)
    in_assigned_story = exists().where(story.c.id == article.c.story, story.c.redirect_to.is_(None))
    yield ReferenceCheck(
        "articles are in a story that gave way, or is not there",
        select(article.c.id).where(not_(in_assigned_story)),
        None,
        _EXPORT,
    )
    members = exists().where(article.c.story == story.c.id)
    yield ReferenceCheck("stories have no article", select(story.c.id).where(live, not_(members)))
    end = story.alias("further")
    yield ReferenceCheck(
        "stories gave way to one that gave way itself",
        select(story.c.id).join(end, end.c.id == story.c.redirect_to).where(end.c.redirect_to.is_not(None)),
        "redirects",
    )
    there = exists().where(end.c.id == story.c.redirect_to)
    yield ReferenceCheck(
        "stories gave way to one that is not there",
        select(story.c.id).where(story.c.redirect_to.is_not(None), story.c.redirect_to != "", not_(there)),
    )
    sizes = select(article.c.story, func.count().label("size")).group_by(article.c.story).subquery()
    yield ReferenceCheck(
        "stories count other articles than they have",
        select(story.c.id)
        .join(sizes, sizes.c.story == story.c.id)
        .where(live, sizes.c.size != story.c.article_count),
        "stories",
    )
    yield ReferenceCheck(
        "stories have a merged text without what it is made of, or the other way round",
        select(story.c.id).where(live, story.c.text.is_(None), story.c.merged.is_not(None)),
        "told",
    )


def _of_identity() -> Iterator[ReferenceCheck]:
    for table, remedy, name in ((identity_key, "keys", "keys"), (sighting, "sightings", "looks")):
        given = exists().where(entry.c.article == table.c.article)
        lost = and_(
            table.c.article != "",
            not_(_is_there(table.c.article)),
            not_(_was_let_go(table.c.article)),
            not_(given),
        )
        yield ReferenceCheck(
            f"{name} lead to an article that is not there",
            select(table.c.article).where(lost).distinct(),
            remedy,  # type: ignore[arg-type]
        )


def _of_history() -> Iterator[ReferenceCheck]:
    for table, name in ((story_log, "lines in the log"), (change, "changes")):
        known = exists().where(story.c.id == table.c.story)
        yield ReferenceCheck(f"{name} are of a story that is not there", select(table.c.n).where(not_(known)))
    # Retention takes the lines and changes of stories that it let go, wherever they are.
    whole = not_(exists().where(tombstone.c.kind == "retention"))
    begun = select(func.min(story_log.c.at)).scalar_subquery()
    logged = (
        select(story_log.c.article).where(story_log.c.kind.in_(("created", "joined"))).distinct().subquery()
    )
    yield ReferenceCheck(
        "articles are in no line of the log",
        select(article.c.id)
        .outerjoin(logged, logged.c.article == article.c.id)
        .where(logged.c.article.is_(None), article.c.placed_at >= begun, whole),
    )
    after = change.alias("after")
    yield ReferenceCheck(
        "changes are missing in their order after these",
        select(change.c.n).where(
            not_(exists().where(after.c.n == change.c.n + 1)),
            change.c.n < select(counter.c.value).where(counter.c.name == "change").scalar_subquery(),
            whole,
        ),
    )


def _of_corrections() -> Iterator[ReferenceCheck]:
    told = "`aggregator correct list` shows it; undo it and say it again"
    other, there, here = bond.alias("other"), article.alias("there"), article.alias("here")
    # What a later correction says of the same two articles counts: only the last word on them is asked.
    later = bond.alias("later")
    last = not_(exists().where(later.c.article == bond.c.article, later.c.correction > bond.c.correction))
    pairs = (
        select(bond.c.correction)
        .join(other, and_(other.c.correction == bond.c.correction, other.c.relation == bond.c.relation))
        .join(here, here.c.id == bond.c.article)
        .join(there, there.c.id == other.c.article)
        .where(last)
        .distinct()
    )
    yield ReferenceCheck(
        "corrections keep articles together that are in different stories",
        pairs.where(
            bond.c.relation == "together",
            other.c.article
            == select(func.min(later.c.article))
            .where(later.c.correction == bond.c.correction, later.c.relation == "together")
            .scalar_subquery(),
            here.c.story != there.c.story,
            not_(exists().where(later.c.article == other.c.article, later.c.correction > bond.c.correction)),
        ),
        None,
        told,
    )
    yield ReferenceCheck(
        "corrections keep articles apart that are in one story",
        pairs.where(
            bond.c.relation == "apart",
            bond.c.side == 0,
            other.c.side == 1,
            here.c.story == there.c.story,
            not_(exists().where(later.c.article == other.c.article, later.c.correction > bond.c.correction)),
        ),
        None,
        told,
    )


def _of_readers() -> Iterator[ReferenceCheck]:
    has_body = outbox.c.body.is_not(None)
    yield ReferenceCheck(
        "deliveries have a state that does not fit the rest of them",
        select(outbox.c.id).where(or_(has_body != (outbox.c.state == "waiting"), outbox.c.tries < 0)),
        None,
        "they are derived of the changes; type: aggregator webhooks list",
    )
    newest = select(counter.c.value).where(counter.c.name == "change").scalar_subquery()
    yield ReferenceCheck(
        "webhooks have read further than there are changes",
        select(hook.c.name).where(hook.c.read_to > newest),
    )
    yield ReferenceCheck(
        "requests were answered without an answer",
        select(request.c.n).where((request.c.state == "waiting") != request.c.done_at.is_(None)),
        None,
        "ask again",
    )
    gone_to = source.alias("gone_to")
    into = exists().where(gone_to.c.id == source.c.merged_into)
    yield ReferenceCheck(
        "sources have a state that does not fit the rest of them",
        select(source.c.id).where(
            or_(
                and_(source.c.health == "merged", or_(source.c.merged_into.is_(None), not_(into))),
                source.c.interval_seconds < 0,
                source.c.failures < 0,
                and_(source.c.kind == "feed", source.c.stamps.is_not(None)),
            )
        ),
        None,
        "type: aggregator sources remove SOURCE, then add it again",
    )


def _of_children() -> Iterator[ReferenceCheck]:
    """Rows about a number that no article has: foreign keys forbid them, but not on a damaged file."""
    parts = []
    for table in (sketch, across, live_blog, entry_link, outlet_line):
        known = exists().where(article.c.n == table.c.article)
        parts.append(select(literal(table.name).label("name")).where(not_(known)).select_from(table))
    yield ReferenceCheck(
        "rows that were made of an article are there without it",
        select(union_all(*parts).subquery().c.name),
        "orphans",
    )
    told = exists().where(story.c.id == entry_link.c.story)
    yield ReferenceCheck(
        "links of live blogs lead to a story that is not there",
        select(entry_link.c.article).where(not_(told)),
        "orphans",
    )
