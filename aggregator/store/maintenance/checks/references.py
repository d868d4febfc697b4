"""Checks of one query each: references to missing rows, and columns that contradict each other."""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Select,
    Table,
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
    article,
    change,
    command,
    counter,
    cross_language,
    entry,
    identity_key,
    link_constraint,
    live_blog,
    live_blog_link,
    observation,
    outbox,
    outlet_line,
    revision,
    sketch,
    source,
    story,
    story_log,
    tombstone,
    webhook,
)

FOUNDING: Final = ("founded", "joined", "copy")  # outcomes of entries that became an article each
_EXPORT: Final = "`aggregator export` still writes all that is readable; then restore a backup"


class ReferenceCheck(NamedTuple):
    """A query that returns the keys of wrong rows; `what` is the message."""

    what: str
    rows: Select[Any]
    remedy: Remedy | None = None
    advice: str = RESTORE


def faults(database: Database) -> Iterator[Fault]:
    """Run all checks, each in its own transaction, so that none holds SQLite's log for long."""
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
    """Yield all checks."""
    yield from _of_entries()
    yield from _of_articles()
    yield from _of_stories()
    yield from _of_identity()
    yield from _of_history()
    yield from _of_corrections()
    yield from _of_readers()
    yield from _of_children()


def _is_placed(column: ColumnElement[str]) -> ColumnElement[bool]:
    return exists().where(article.c.id == column)


def _is_erased(column: ColumnElement[str]) -> ColumnElement[bool]:
    return exists().where(tombstone.c.article == column)


def _of_entries() -> Iterator[ReferenceCheck]:
    own_article = exists().where(article.c.inbox_no == entry.c.inbox_no)
    became = and_(entry.c.state == "done", entry.c.outcome.in_(FOUNDING))
    yield ReferenceCheck(
        "placed entries have no article",
        select(entry.c.entry_no).where(
            entry.c.state == "done",
            not_(_is_erased(entry.c.article)),
            or_(not_(_is_placed(entry.c.article)), and_(became, not_(own_article))),
        ),
    )
    waits = entry.c.state.in_(("page", "ready"))
    yield ReferenceCheck(
        "entries have a state that contradicts their other columns",
        select(entry.c.entry_no).where(
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
        entry.c.inbox_no == article.c.inbox_no, entry.c.state == "done", entry.c.outcome.in_(FOUNDING)
    )
    yield ReferenceCheck(
        "articles have an inbox number that no entry has",
        select(article.c.inbox_no).where(not_(founded)),
    )
    match = article.alias("match")
    link = exists().where(match.c.id == article.c.copy_of)
    yield ReferenceCheck(
        "articles are copies of an article that does not exist",
        select(article.c.id).where(article.c.copy_of.is_not(None), not_(link)),
        "copies",
    )
    has_later_page = exists().where(
        entry.c.article == article.c.id,
        entry.c.inbox_no > match.c.inbox_no,
        entry.c.outcome == "revised",
        entry.c.page_attempts > 0,
        not_(entry.c.is_revision),
    )
    yield ReferenceCheck(
        "articles are copies of an article that was placed later",
        select(article.c.id)
        .join(match, match.c.id == article.c.copy_of)
        .where(
            match.c.inbox_no >= article.c.inbox_no,
            or_(not_(has_later_page), match.c.copy_of == article.c.id),
        ),
        None,
        "type: aggregator recluster",
    )
    doubled = (
        select(func.min(article.c.id))
        .group_by(article.c.root_article, article.c.generation)
        .having(func.count() > 1)
    )
    yield ReferenceCheck("articles are stored twice", doubled)
    yield ReferenceCheck(
        "articles exist although they were erased",
        select(tombstone.c.article).where(exists().where(article.c.id == tombstone.c.article)),
        None,
        "type: aggregator forget ARTICLE, for each",
    )
    yield ReferenceCheck(
        "revisions belong to an article that does not exist",
        select(revision.c.article).where(not_(_is_placed(revision.c.article))),
        "orphans",
    )


def _of_stories() -> Iterator[ReferenceCheck]:
    live = story.c.redirect_to.is_(None)
    in_assigned_story = exists().where(story.c.id == article.c.story, story.c.redirect_to.is_(None))
    yield ReferenceCheck(
        "articles are in a story that was merged or does not exist",
        select(article.c.id).where(not_(in_assigned_story)),
        None,
        _EXPORT,
    )
    members = exists().where(article.c.story == story.c.id)
    yield ReferenceCheck("stories have no article", select(story.c.id).where(live, not_(members)))
    end = story.alias("further")
    yield ReferenceCheck(
        "stories redirect to a story that redirects itself",
        select(story.c.id).join(end, end.c.id == story.c.redirect_to).where(end.c.redirect_to.is_not(None)),
        "redirects",
    )
    there = exists().where(end.c.id == story.c.redirect_to)
    yield ReferenceCheck(
        "stories redirect to a story that does not exist",
        select(story.c.id).where(story.c.redirect_to.is_not(None), story.c.redirect_to != "", not_(there)),
    )
    sizes = select(article.c.story, func.count().label("size")).group_by(article.c.story).subquery()
    yield ReferenceCheck(
        "stories have an article count that does not match their articles",
        select(story.c.id)
        .join(sizes, sizes.c.story == story.c.id)
        .where(live, sizes.c.size != story.c.article_count),
        "stories",
    )
    yield ReferenceCheck(
        "stories have only one of the two forms of their merged text",
        select(story.c.id).where(live, story.c.text.is_(None), story.c.merged_story.is_not(None)),
        "merged texts",
    )


def _of_identity() -> Iterator[ReferenceCheck]:
    tables: tuple[tuple[Table, Remedy], ...] = (
        (identity_key, "identity keys"),
        (observation, "observations"),
    )
    for table, remedy in tables:
        has_entry = exists().where(entry.c.article == table.c.article)
        lost = and_(
            table.c.article != "",
            not_(_is_placed(table.c.article)),
            not_(_is_erased(table.c.article)),
            not_(has_entry),
        )
        yield ReferenceCheck(
            f"{remedy} belong to an article that does not exist",
            select(table.c.article).where(lost).distinct(),
            remedy,
        )


def _of_history() -> Iterator[ReferenceCheck]:
    for table, number, name in (
        (story_log, story_log.c.log_no, "log lines"),
        (change, change.c.change_no, "changes"),
    ):
        known = exists().where(story.c.id == table.c.story)
        what = f"{name} belong to a story that does not exist"
        yield ReferenceCheck(what, select(number).where(not_(known)))
    # Retention deletes the log lines and changes of old stories.
    is_complete = not_(exists().where(tombstone.c.kind == "retention"))
    begun = select(func.min(story_log.c.at)).scalar_subquery()
    logged = (
        select(story_log.c.article).where(story_log.c.kind.in_(("created", "joined"))).distinct().subquery()
    )
    yield ReferenceCheck(
        "articles have no log line",
        select(article.c.id)
        .outerjoin(logged, logged.c.article == article.c.id)
        .where(logged.c.article.is_(None), article.c.placed_at >= begun, is_complete),
    )
    after = change.alias("after")
    yield ReferenceCheck(
        "changes are missing after these numbers",
        select(change.c.change_no).where(
            not_(exists().where(after.c.change_no == change.c.change_no + 1)),
            change.c.change_no < select(counter.c.value).where(counter.c.name == "change").scalar_subquery(),
            is_complete,
        ),
    )


def _of_corrections() -> Iterator[ReferenceCheck]:
    advice = "`aggregator correct list` shows it; undo it and repeat it"
    other, there, here = link_constraint.alias("other"), article.alias("there"), article.alias("here")
    # A later correction of the same articles overrides an earlier one.
    later = link_constraint.alias("later")
    last = not_(
        exists().where(
            later.c.article == link_constraint.c.article, later.c.correction > link_constraint.c.correction
        )
    )
    pairs = (
        select(link_constraint.c.correction)
        .join(
            other,
            and_(
                other.c.correction == link_constraint.c.correction,
                other.c.relation == link_constraint.c.relation,
            ),
        )
        .join(here, here.c.id == link_constraint.c.article)
        .join(there, there.c.id == other.c.article)
        .where(last)
        .distinct()
    )
    yield ReferenceCheck(
        "corrections keep articles together that are in different stories",
        pairs.where(
            link_constraint.c.relation == "together",
            other.c.article
            == select(func.min(later.c.article))
            .where(later.c.correction == link_constraint.c.correction, later.c.relation == "together")
            .scalar_subquery(),
            here.c.story != there.c.story,
            not_(
                exists().where(
                    later.c.article == other.c.article, later.c.correction > link_constraint.c.correction
                )
            ),
        ),
        None,
        advice,
    )
    yield ReferenceCheck(
        "corrections keep articles apart that are in one story",
        pairs.where(
            link_constraint.c.relation == "apart",
            link_constraint.c.side == 0,
            other.c.side == 1,
            here.c.story == there.c.story,
            not_(
                exists().where(
                    later.c.article == other.c.article, later.c.correction > link_constraint.c.correction
                )
            ),
        ),
        None,
        advice,
    )


def _of_readers() -> Iterator[ReferenceCheck]:
    has_body = outbox.c.body.is_not(None)
    yield ReferenceCheck(
        "deliveries have a state that contradicts their other columns",
        select(outbox.c.id).where(or_(has_body != (outbox.c.state == "waiting"), outbox.c.attempts < 0)),
        None,
        "they are derived from the changes; type: aggregator webhooks list",
    )
    newest = select(counter.c.value).where(counter.c.name == "change").scalar_subquery()
    yield ReferenceCheck(
        "webhooks have a last change number that does not exist yet",
        select(webhook.c.name).where(webhook.c.last_change_no > newest),
    )
    yield ReferenceCheck(
        "commands have a state that contradicts their other columns",
        select(command.c.command_no).where((command.c.state == "waiting") != command.c.done_at.is_(None)),
        None,
        "repeat the command",
    )
    target = source.alias("target")
    into = exists().where(target.c.id == source.c.merged_into)
    yield ReferenceCheck(
        "sources have a state that contradicts their other columns",
        select(source.c.id).where(
            or_(
                and_(source.c.health == "merged", or_(source.c.merged_into.is_(None), not_(into))),
                source.c.interval_seconds < 0,
                source.c.failures < 0,
                and_(source.c.kind == "feed", source.c.folder_state.is_not(None)),
            )
        ),
        None,
        "type: aggregator sources remove SOURCE, then add it again",
    )


def _of_children() -> Iterator[ReferenceCheck]:
    """Yield checks of derived rows. Foreign keys forbid orphans, but not in a damaged file."""
    parts = []
    for table in (sketch, cross_language, live_blog, live_blog_link, outlet_line):
        known = exists().where(article.c.inbox_no == table.c.article)
        parts.append(select(literal(table.name).label("name")).where(not_(known)).select_from(table))
    yield ReferenceCheck(
        "rows that are derived from an article have none",
        select(union_all(*parts).subquery().c.name),
        "orphans",
    )
    target = exists().where(story.c.id == live_blog_link.c.story)
    yield ReferenceCheck(
        "links of live blogs lead to a story that does not exist",
        select(live_blog_link.c.article).where(not_(target)),
        "orphans",
    )
