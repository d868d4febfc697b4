"""The reading side: stories, articles and sources as the output rooms ask for them (aggregator/shelf.py)."""

import base64
import binascii
import datetime as dt
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, Select, and_, func, or_, select

from aggregator.dedup.bonds import Bond
from aggregator.errors import UsageError
from aggregator.model import ArticleView, Evidence, LiveLink, MergedStory, Noun, StoryView
from aggregator.rules import RuleBook
from aggregator.shelf import (
    EntryHit,
    Health,
    Moved,
    SearchHit,
    SearchResults,
    SourceState,
    SourceView,
    StoryFilter,
    StoryPage,
)
from aggregator.store import articles, blobs, corrections, entry_links, inbox, search, sources, stories
from aggregator.store.database import Database
from aggregator.store.snippets import snippet
from aggregator.store.tables import article, entry, story, story_log
from aggregator.stories.counts import with_originals

_MOST_ROWS = 2**31 - 2  # both databases take a LIMIT of that size, and one more


class LogLine(Noun, frozen=True, kw_only=True):
    """A line of a story's log. `detail` is JSON."""

    at: dt.datetime
    story: str
    kind: str
    article: str | None = None
    detail: str | None = None


class Explained(Noun, frozen=True, kw_only=True):
    """An article with its home and the evidence of its placing."""

    article: ArticleView
    story: str
    story_title: str
    evidence: Evidence
    weighs: bool  # whether its terms are in the sums of its story
    inbox_no: int
    story_n: int
    story_sums: bytes  # dedup.sums
    story_last_inbox_no: int
    story_articles: int
    log: tuple[LogLine, ...]  # what happened to it, and to its story as a whole, the oldest first
    bonds: tuple[Bond, ...]  # of all corrections in force
    links: tuple[LiveLink, ...] = ()  # of a live blog: further stories that its entries tell of


class Reading:
    """The Shelf of a database. Safe to share between threads: it keeps nothing."""

    def __init__(self, database: Database, book: RuleBook | None = None) -> None:
        """`book`: the rules that merged texts are told by; the shipped ones where none are given."""
        self._database = database
        self._book = book or RuleBook()

    def stories(self, wanted: StoryFilter) -> StoryPage:
        with self._database.read() as connection:
            limit = min(wanted.limit, _MOST_ROWS)
            rows = connection.execute(_filtered(connection, wanted).limit(limit + 1)).all()
            shown = rows[:limit]
            members = articles.views_of_stories(connection, [row.id for row in shown])
        stories = tuple(_story_view(row, members[row.id]) for row in shown)
        more = len(rows) > limit
        return StoryPage(stories=stories, next=_cursor(shown[-1]) if more else None)

    def story(self, id: str) -> StoryView | Moved | None:  # noqa: A002 - the word that people type
        with self._database.read() as connection:
            row = connection.execute(select(story).where(story.c.id == id)).first()
            if row is None:
                return None
            if row.redirect_to is not None:
                return Moved(to=row.redirect_to)
            members = articles.views_of_stories(connection, [id], "text", "evidence")[id]
            links = entry_links.told_of(connection, id)
        return msgspec.structs.replace(_story_view(row, members), links=links)

    def merged(self, id: str) -> MergedStory | None:  # noqa: A002
        with self._database.read() as connection:
            row = connection.execute(
                select(story.c.merged, story.c.title).where(story.c.id == id, story.c.redirect_to.is_(None))
            ).first()
            if row is None:
                return None
            if row.merged is not None:
                return blobs.expand_noun(row.merged, MergedStory)
            members = articles.views_of_stories(connection, [id], "text")[id]
        # Its patterns cost what no list of stories needs.
        from aggregator.stories.merge import merge
        from aggregator.stories.tuning import StoryRules

        rules = self._book.section("stories", StoryRules)
        return merge(with_originals(members), row.title, rules)

    def search(self, text: str, limit: int) -> SearchResults:
        try:
            phrases = search.parse_query(text)
        except UsageError as error:
            return SearchResults(problem=str(error))
        with self._database.read() as connection:
            numbers = search.best(connection, phrases, limit + 1)
            found = _found(connection, numbers[:limit])
        hits = [_hit(found[n], phrases) for n in numbers[:limit] if n in found]
        return SearchResults(hits=tuple(hits), more=len(numbers) > limit)

    def sources(self) -> tuple[SourceView, ...]:
        with self._database.read() as connection:
            listed = sources.all_sources(connection)
            counted = connection.execute(
                select(article.c.source, func.count().label("articles")).group_by(article.c.source)
            )
            counts = {row.source: row.articles for row in counted}
        return tuple(_source_view(item, counts) for item in listed)

    def state(self) -> Health:
        with self._database.read() as connection:
            waiting = inbox.waiting_count(connection)
            last = connection.execute(
                select(article.c.placed_at).order_by(article.c.n.desc()).limit(1)
            ).scalar()
            problem = self._database.why_not_writable(connection)
        problems = () if problem is None else (problem,)
        return Health(writable=problem is None, waiting=waiting, last_placed=last, problems=problems)

    def refusals(self, limit: int) -> list[inbox.Refusal]:
        """What could not be taken lately, the newest first."""
        with self._database.read() as connection:
            return inbox.refusals(connection, limit)

    def last_change(self) -> str:
        with self._database.read() as connection:
            newest = connection.execute(select(func.max(story_log.c.n))).scalar()
        return str(newest or 0)

    def explained(self, id: str) -> Explained | None:  # noqa: A002
        """One article and why it is where it is; `id` may be the article's id or its address."""
        with self._database.read() as connection:
            statement = (
                articles.view_columns("text", "evidence")
                .add_columns(story.c.title.label("story_title"), story.c.sums, story.c.article_count)
                .add_columns(story.c.n.label("story_n"), story.c.last_inbox_no, article.c.n, article.c.weighs)
                .join(story, story.c.id == article.c.story)
                .where(or_(article.c.id == id, article.c.url == id))
                .order_by(article.c.n.desc())
            )
            row = connection.execute(statement).first()
            if row is None:
                return None
            log = _log_of(connection, row.id, row.story)
            links = entry_links.links_of(connection, row.n)
            bonds = corrections.all_bonds(connection)
        return Explained(
            article=articles.view(row, copy_of=row.copy_of),
            story=row.story,
            story_title=row.story_title,
            evidence=blobs.unpack(row.evidence, Evidence),
            weighs=row.weighs,
            inbox_no=row.n,
            story_n=row.story_n,
            story_sums=row.sums,
            story_last_inbox_no=row.last_inbox_no,
            story_articles=row.article_count,
            log=log,
            bonds=tuple(bonds),
            links=links,
        )

    def title_of(self, story_id: str) -> str:
        """The headline of a story, also of one that gave way; "" where there never was one."""
        with self._database.read() as connection:
            return stories.title_of(connection, story_id)


_LOG_LINES = 40  # of one explanation: a story's joins are not among them, so more are rare


def _log_of(connection: Connection, article_id: str, story_id: str) -> tuple[LogLine, ...]:
    """What happened to an article, and what its story took in, lost or was corrected to."""
    of_story = and_(
        story_log.c.story == story_id,
        story_log.c.article.is_(None),
        story_log.c.kind.in_(("merged", "corrected", "regrouped")),
    )
    # By story, not by article alone: the log has an index on stories.
    of_article = and_(story_log.c.story == story_id, story_log.c.article == article_id)
    columns = [story_log.c[name] for name in LogLine.__struct_fields__]
    rows = connection.execute(
        select(*columns).where(or_(of_story, of_article)).order_by(story_log.c.n).limit(_LOG_LINES)
    )
    return tuple(LogLine(**row._mapping) for row in rows)


class Assigned(Noun, frozen=True, kw_only=True):
    """Where an entry's article is."""

    n: int  # of the entry
    article: str
    story: str
    copy_of: str | None
    body_words: int


def assignments(connection: Connection) -> list[Assigned]:
    """Where every placed entry's article is, in the order of entries."""
    statement = (
        select(entry.c.n, entry.c.article, article.c.story, article.c.copy_of, article.c.body_words)
        .join(article, article.c.id == entry.c.article)
        .order_by(entry.c.n)
    )
    return [Assigned(**row._mapping) for row in connection.execute(statement)]


def _filtered(connection: Connection, wanted: StoryFilter) -> Select[Any]:
    conditions: list[ColumnElement[bool]] = [story.c.redirect_to.is_(None)]
    if wanted.since is not None:
        conditions.append(story.c.last_published >= wanted.since)
    if wanted.until is not None:
        conditions.append(story.c.last_published <= wanted.until)
    if wanted.min_outlets > 1:
        conditions.append(story.c.outlet_count >= wanted.min_outlets)
    if wanted.min_reports > 1:
        conditions.append(story.c.report_count >= wanted.min_reports)
    if wanted.after is not None:
        updated, n = _read_cursor(wanted.after)
        conditions.append(or_(story.c.updated < updated, and_(story.c.updated == updated, story.c.n < n)))
    conditions += [story.c.id.in_(part) for part in _asked_of_articles(connection, wanted)]
    return select(story).where(*conditions).order_by(story.c.updated.desc(), story.c.n.desc())


def _asked_of_articles(connection: Connection, wanted: StoryFilter) -> list[Select[Any]]:
    """Story ids with an article that fits, one selection for each thing asked."""
    asked = []
    if wanted.query:
        asked.append(search.matching(connection, search.parse_query(wanted.query)))
    if wanted.outlet is not None:
        asked.append(_folded(connection, article.c.outlet) == wanted.outlet.casefold())
    if wanted.language is not None:
        asked.append(article.c.language == wanted.language)
    if wanted.folder is not None:
        listed = sources.all_sources(connection)
        asked.append(article.c.source.in_([s.entry_source for s in listed if s.folder == wanted.folder]))
    return [select(article.c.story).where(condition) for condition in asked]


def _found(connection: Connection, numbers: list[int]) -> dict[int, Row[Any]]:
    """Articles with what a hit shows, by their numbers."""
    statement = (
        articles.view_columns("text", "n")
        .add_columns(story.c.title.label("story_title"))
        .join(story, story.c.id == article.c.story)
    )
    found: dict[int, Row[Any]] = {}
    for start in range(0, len(numbers), 500):
        chosen = statement.where(article.c.n.in_(numbers[start : start + 500]))
        found |= {row.n: row for row in connection.execute(chosen)}
    return found


def _folded(connection: Connection, column: ColumnElement[Any]) -> ColumnElement[Any]:
    """A text without case; SQLite's own lower() knows only ASCII."""
    return func.casefold(column) if connection.dialect.name == "sqlite" else func.lower(column)


def _cursor(row: Row[Any]) -> str:
    return base64.urlsafe_b64encode(f"{row.updated.isoformat()} {row.n}".encode()).decode().rstrip("=")


def _read_cursor(cursor: str) -> tuple[dt.datetime, int]:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        when, number = base64.b64decode(padded, altchars=b"-_", validate=True).decode().rsplit(" ", 1)
        updated, n = dt.datetime.fromisoformat(when), int(number)
        in_utc = updated.astimezone(dt.UTC)
    except (ValueError, OverflowError, binascii.Error) as error:
        raise UsageError("that is no cursor of ours; take `next` of the page before as it is") from error
    if updated.tzinfo is None or not 0 <= n < 2**63:
        raise UsageError("that is no cursor of ours; take `next` of the page before as it is")
    return in_utc, n


def _story_view(row: Row[Any], members: list[ArticleView]) -> StoryView:
    return StoryView(
        id=row.id,
        title=row.title,
        summary=row.summary,
        language=row.language,
        first_published=row.first_published,
        last_published=row.last_published,
        updated=row.updated,
        article_count=row.article_count,
        outlet_count=row.outlet_count,
        report_count=row.report_count,
        articles=tuple(with_originals(members)),
    )


def _hit(row: Row[Any], phrases: tuple[search.Phrase, ...]) -> SearchHit:
    details = blobs.unpack(row.details, articles.Details)
    words = [word for phrase in phrases for word in phrase.words]
    beginnings = [phrase.words[-1] for phrase in phrases if phrase.prefix]
    shown, marks = snippet(row.text or row.lead, words, prefixes=beginnings)
    entries = [
        EntryHit(clock_minutes=one.clock_minutes, day=one.day, snippet=told, marks=places)
        for one in search.entries_with(details.timed, phrases)
        for told, places in [snippet(one.text, words, prefixes=beginnings)]
    ]
    return SearchHit(
        article=row.id,
        story=row.story,
        story_title=row.story_title,
        title=row.title,
        outlet=row.outlet,
        url=row.url,
        effective=row.effective,
        language=row.language,
        snippet=shown,
        marks=marks,
        nosnippet=details.nosnippet,
        entries=tuple(entries),
    )


_STATES: dict[str, SourceState] = {
    "new": "new",
    "ok": "ok",
    "failing": "failing",
    "gone": "failing",
    "merged": "paused",
}


def _source_view(item: sources.Source, counts: dict[str, int]) -> SourceView:
    state: SourceState = "paused" if item.paused else _STATES[item.health]
    return SourceView(
        id=item.id,
        name=item.shown_name,
        url=item.address,
        folder=item.folder,
        kind=item.kind,
        state=state,
        problem=item.health_cause,
        article_count=counts.get(item.entry_source, 0),
        last_success=item.last_success_at,
        next_due=None if item.paused else item.next_due_at,
    )
