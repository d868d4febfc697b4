"""The reading side: stories, articles and sources as the output rooms ask for them
(aggregator/model/read_model.py).

Which stories were there before: for the summary of what an ingest did.

One article by itself, for its address in the API.

How well grouping does, as far as the database can tell: the newest stories, and what persons corrected.

What a feed asks of the store beside its stories: merged texts, and when anything changed.

Which story comes first on the front page: one number, made of what is stored.

    weight = last bump (hours) + doubling_hours * log2(independent reports) + preferred_hours, if preferred

It is measured in hours, so it can be read: twice as many independent reports are worth as much as being
`doubling_hours` younger. No clock is in it. The order of two stories changes only when one of them does, the
same rows give the same page at every hour, and a page can be answered with 304. Why not counts times a decay:
docs/decisions/0028.
"""

import datetime as dt
import logging
import math
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any, Final, Protocol, TypeVar

import msgspec
from sqlalchemy import Connection, Row, Select, and_, bindparam, func, or_, select

from aggregator.cluster.constraints import Constraint
from aggregator.config.tuning import Tuning
from aggregator.model.core import ArticleView, Evidence, FrozenStruct, LiveBlogLink, MergedStory, StoryView
from aggregator.model.read_model import (
    ArticleDetail,
    Change,
    FrontPageStory,
    Health,
    HistoryEvent,
    Quality,
    SearchBounds,
    SearchResults,
    SourceView,
    StoryFilter,
    StoryListItem,
    StoryPage,
    StoryRedirect,
)
from aggregator.store import codecs
from aggregator.store.engine.database import Database
from aggregator.store.intake import inbox, rejected, sources, tombstones
from aggregator.store.intake.source_health import SourceHealth, health_of, health_rules
from aggregator.store.read import change_stream, front_page, health_gauges, id_lookup, story_list
from aggregator.store.read.change_stream import ChangeTuning
from aggregator.store.search.search import SearchTuning, search
from aggregator.store.stories import (
    article_text,
    article_views,
    articles,
    corrections,
    live_blog_links,
    outbox,
    stories,
)
from aggregator.store.stories.corrections import all_corrections
from aggregator.store.tables import article, counter, entry, in_parts, revision, story, story_log
from aggregator.stories.counts import trails, with_originals


class FrontPageTuning(msgspec.Struct, frozen=True, kw_only=True):
    """Section `rank_front_page` of config/tuning.yaml; units and origins stand there."""

    doubling_hours: float
    reports_cap: int
    preferred_hours: float
    window: int


class RankableStory(Protocol):
    """What the rule asks of a story."""

    @property
    def id(self) -> str: ...
    @property
    def updated(self) -> dt.datetime: ...
    @property
    def report_count(self) -> int: ...
    @property
    def preferred(self) -> bool: ...


AnyRankableStory = TypeVar("AnyRankableStory", bound=RankableStory)


def weight(story: RankableStory, tuning: FrontPageTuning) -> float:
    """Hours since 1970 of the last bump, and the hours that its reports and the reader's choice are worth."""
    reports = min(max(1, story.report_count), tuning.reports_cap)
    preferred = tuning.preferred_hours if story.preferred else 0.0
    return story.updated.timestamp() / 3600 + tuning.doubling_hours * math.log2(reports) + preferred


def ranked(stories: Iterable[AnyRankableStory], tuning: FrontPageTuning) -> Sequence[AnyRankableStory]:
    """The heaviest first; equal ones by id, so that the order they come in leaves no trace."""
    return sorted(stories, key=lambda story: (-weight(story, tuning), story.id))


log = logging.getLogger(__name__)

_MERGED = select(story.c.id, story.c.merged).where(
    story.c.id.in_(bindparam("ids", expanding=True)), story.c.merged.is_not(None)
)
_LAST_CHANGE = select(story_log.c.at).order_by(story_log.c.n.desc()).limit(1)


def merged_of(connection: Connection, ids: Sequence[str]) -> dict[str, MergedStory]:
    """What the reports of these stories say together, of those where it is worked out already."""
    found: dict[str, MergedStory] = {}
    for part in in_parts(ids):
        rows = connection.execute(_MERGED, {"ids": part})
        found |= {row.id: merged for row in rows if (merged := read_merged(row.id, row.merged)) is not None}
    return found


def read_merged(id: str, blob: bytes) -> MergedStory | None:  # noqa: A002 - the word that people type
    """The merged text of story `id`; None where it is damaged: as if it were not there."""
    try:
        return codecs.decompress_struct(blob, MergedStory)
    except codecs.UNREADABLE as error:
        log.warning("story %s: its merged text is damaged (%s); `aggregator db check --repair`", id, error)
        return None


def last_change_at(connection: Connection) -> dt.datetime | None:
    """When anything last happened to a story, by our clock; None in an empty database."""
    at: dt.datetime | None = connection.execute(_LAST_CHANGE).scalar()
    return at


NEWEST: Final = 1000  # stories that are looked at: the page costs the same at any size
DAYS: Final = 90  # whose corrections are counted
FLOORS: Final = (1, 2, 3, 5, 10, 20)  # least number of independent reports of a row of the table
REPORTS_TO_AGREE: Final = 3  # where so many report one event, two should say one thing alike
_NAMED: Final = 10  # stories of one list


def measure_quality(connection: Connection, now: dt.datetime) -> Quality:
    """Counts over the newest stories, and over the corrections of the last days."""
    columns = (story.c.id, story.c.title, story.c.report_count, story.c.article_count)
    live: Select[Any] = select(*columns).where(story.c.redirect_to.is_(None))
    rows = connection.execute(live.order_by(story.c.updated.desc(), story.c.n.desc()).limit(NEWEST)).all()
    largest = sorted(rows, key=lambda row: (-row.article_count, row.id))[:3]
    rendered, without = _facts(connection, [row for row in rows if row.report_count >= REPORTS_TO_AGREE])
    since = now - dt.timedelta(days=DAYS)
    lately = all_corrections(connection, since)
    standing = [one for one in lately if one.undone_at is None]
    return Quality(
        stories=len(rows),
        by_reports=tuple(
            (least, sum(1 for row in rows if least <= row.report_count < above))
            for least, above in zip(FLOORS, (*FLOORS[1:], 2**31), strict=True)
        ),
        largest=tuple((row.id, row.title, row.article_count) for row in largest if row.article_count > 1),
        rendered=rendered,
        without_fact_count=len(without),
        without_fact=tuple((row.id, row.title, row.report_count) for row in without[:_NAMED]),
        days=DAYS,
        merges=sum(1 for one in standing if one.kind == "merge"),
        split_count=sum(1 for one in standing if one.kind != "merge"),
        undone=len(lately) - len(standing),
    )


def _facts(connection: Connection, rows: list[Row[Any]]) -> tuple[int, list[Row[Any]]]:
    """How many of these stories have their merged text, and those of them in which no two outlets agree."""
    by_id = {row.id: row for row in rows}
    ids, rendered, without = list(by_id), 0, []
    for some in in_parts(ids):
        part = select(story.c.id, story.c.merged).where(story.c.id.in_(some), story.c.merged.is_not(None))
        for id_, merged in connection.execute(part):
            rendered += 1
            held = read_merged(id_, merged)
            if held is None or not any(fact.outlets > 1 for fact in held.facts):
                without.append(by_id[id_])
    return rendered, sorted(without, key=lambda row: (-row.report_count, row.id))


def one_article(connection: Connection, id_: str) -> ArticleDetail | None:
    """The article with this id, with its text and evidence; None when there is none.

    Raises DamagedError where the text cannot be read.
    """
    statement = (
        article_views.view_columns("text", "evidence")
        .add_columns(story.c.title.label("story_title"))
        .join(story, story.c.id == article.c.story)
        .where(article.c.id == id_)
    )
    row = connection.execute(statement).first()
    if row is None:
        return None
    article_text.refuse_damaged(row.text, id_)
    kept = select(func.count()).select_from(revision).where(revision.c.article == id_)
    # Whose text a copy prints is known of its whole group alone (stories.counts).
    members = with_originals(article_views.views_of_stories(connection, [row.story])[row.story])
    original = next((one.copy_of for one in members if one.id == id_), row.copy_of)
    return ArticleDetail(
        article=article_views.view(row, copy_of=original),
        story=row.story,
        story_title=row.story_title,
        revisions=connection.execute(kept).scalar_one(),
        copies=tuple(one for one in members if one.copy_of == id_),
    )


def newest_story(connection: Connection) -> int:
    """The number of the story that was opened last."""
    number: int = connection.execute(select(counter.c.value).where(counter.c.name == "story")).scalar_one()
    return number


def of_before(connection: Connection, ids: Collection[str], newest: int) -> set[str]:
    """Those of the stories `ids` that are no younger than the number `newest`."""
    asked, found = sorted(ids), set[str]()
    for part in in_parts(asked):
        some = story.c.id.in_(part)
        found.update(connection.execute(select(story.c.id).where(some, story.c.n <= newest)).scalars())
    return found


_MOST_ROWS = 2**31 - 2  # both databases take a LIMIT of that size, and one more


class LogLine(FrozenStruct, frozen=True, kw_only=True):
    """A line of a story's log. `detail` is JSON."""

    at: dt.datetime
    story: str
    kind: str
    article: str | None = None
    detail: str | None = None


class ExplainedArticle(FrozenStruct, frozen=True, kw_only=True):
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
    constraints: tuple[Constraint, ...]  # of all corrections in force
    links: tuple[LiveBlogLink, ...] = ()  # of a live blog: further stories that its entries tell of


class DatabaseStoryReader:
    """The Shelf of a database. Safe to share between threads: it keeps nothing."""

    def __init__(
        self,
        database: Database,
        all_tuning: Tuning | None = None,
        now: Callable[[], dt.datetime] | None = None,
    ) -> None:
        """`all_tuning`: the rules that merged texts are told by; the shipped ones where none are given.

        `now` is asked for how long sources have been silent or wait.
        """
        self._database = database
        self._all_tuning = all_tuning or Tuning()
        self._now = now or (lambda: dt.datetime.now(dt.UTC))

    def stories(self, wanted: StoryFilter) -> StoryPage:
        with self._database.read() as connection:
            return _page(connection, wanted)

    def pages(self, wanted: StoryFilter, at_once: int = 500) -> Iterator[StoryPage]:
        """`stories` in pieces, of one state of the database: any number in the memory of `at_once`."""
        with self._database.read() as connection:
            left = wanted.limit
            while left > 0:
                page = _page(connection, msgspec.structs.replace(wanted, limit=min(left, at_once)))
                yield page
                if page.next is None:
                    return
                left -= len(page.stories)
                wanted = msgspec.structs.replace(wanted, after=page.next)

    def story(self, id: str) -> StoryView | StoryRedirect | None:  # noqa: A002 - the word that people type
        with self._database.read() as connection:
            row = connection.execute(select(story).where(story.c.id == id)).first()
            if row is None or row.redirect_to == "":  # all that it told of was forgotten
                return None
            if row.redirect_to is not None:
                return StoryRedirect(to=row.redirect_to)
            members = article_views.views_of_stories(connection, [id], "text", "evidence")[id]
            links = live_blog_links.links_to_story(connection, id)
            stripped = select(article.c.n).where(article.c.story == id, article_text.IS_GONE).limit(1)
            texts_gone = connection.execute(stripped).first() is not None
        whole = _story_view(row, members)
        copied = trails(whole.articles)
        return msgspec.structs.replace(whole, links=links, trails=copied, texts_gone=texts_gone)

    def gone(self, id: str) -> bool:  # noqa: A002
        with self._database.read() as connection:
            ended = select(story.c.n).where(story.c.id == id, story.c.redirect_to == "")
            return connection.execute(ended).first() is not None or bool(
                tombstones.find_tombstones(connection, {id})
            )

    def article(self, id: str) -> ArticleDetail | None:  # noqa: A002
        with self._database.read() as connection:
            return one_article(connection, id)

    def merged(self, id: str) -> MergedStory | None:  # noqa: A002
        with self._database.read() as connection:
            row = connection.execute(
                select(story.c.merged, story.c.title).where(story.c.id == id, story.c.redirect_to.is_(None))
            ).first()
            if row is None:
                return None
            if row.merged is not None and (held := read_merged(id, row.merged)) is not None:
                return held
            members = article_views.views_of_stories(connection, [id], "text")[id]
        # Its patterns cost what no list of stories needs.
        from aggregator.stories.text.merged_text import merge
        from aggregator.stories.tuning import StoryTuning

        tuning = self._all_tuning.section("stories", StoryTuning)
        return merge(with_originals(members), row.title, tuning)

    def rank_front_page(
        self, wanted: StoryFilter, prefer: tuple[str, ...] = ()
    ) -> tuple[FrontPageStory, ...]:
        tuning = self._all_tuning.section("front", FrontPageTuning)
        with self._database.read() as connection:
            chosen = story_list.selection(connection, wanted)
            seen = front_page.front_page_stories(
                connection, chosen, tuning.window, prefer, wanted.min_reports
            )
        return tuple(ranked(seen, tuning))

    def stories_by_id(self, ids: tuple[str, ...], /) -> tuple[StoryView, ...]:
        with self._database.read() as connection:
            rows = front_page.rows_of(connection, ids)
            members = article_views.views_of_stories(connection, rows)
        return tuple(_story_view(rows[one], members[one]) for one in ids if one in rows)

    def list_stories(self, ids: tuple[str, ...], /) -> tuple[StoryListItem, ...]:
        with self._database.read() as connection:
            return front_page.list_stories(connection, ids)

    def story_history(self, story_id: str, limit: int) -> tuple[HistoryEvent, ...]:
        with self._database.read() as connection:
            return front_page.story_history(connection, story_id, limit)

    def quality(self, now: dt.datetime) -> Quality:
        with self._database.read() as connection:
            return measure_quality(connection, now)

    def changes(self, wanted: StoryFilter) -> tuple[Change, ...]:
        tuning = self._all_tuning.section("changes", ChangeTuning)
        with self._database.read() as connection:
            return change_stream.newest(connection, wanted, looked_at=tuning.looked_at)

    def search(self, text: str, limit: int, bounds: SearchBounds | None = None) -> SearchResults:
        tuning = self._all_tuning.section("search", SearchTuning)
        with self._database.read() as connection:
            return search(connection, text, limit, bounds or SearchBounds(), tuning)

    def sources(self) -> tuple[SourceView, ...]:
        with self._database.read() as connection:
            listed = sources.all_sources(connection)
            counted = connection.execute(
                select(article.c.source, func.count().label("articles")).group_by(article.c.source)
            )
            counts = {row.source: row.articles for row in counted}
        now, tuning = self._now(), health_rules(self._all_tuning)
        return tuple(_source_view(item, health_of(item, now, tuning), counts) for item in listed)

    def folders(self) -> tuple[str, ...]:
        with self._database.read() as connection:
            return front_page.folders(connection)

    def state(self) -> Health:
        with self._database.read() as connection:
            waiting = inbox.waiting_count(connection)
            last = connection.execute(
                select(article.c.placed_at).order_by(article.c.n.desc()).limit(1)
            ).scalar()
            problem = self._database.why_not_writable(connection)
            webhooks = outbox.problems(connection, self._all_tuning.values("hooks")["recovered_after"])
            failing = health_gauges.all_fail(connection)
        problems = (*(one for one in (problem, failing) if one is not None), *webhooks)
        return Health(writable=problem is None, waiting=waiting, last_placed=last, problems=problems)

    def rejected_inputs(self, limit: int) -> list[rejected.RejectedInput]:
        """What could not be taken lately, the newest first."""
        with self._database.read() as connection:
            return rejected.latest(connection, limit)

    def last_change(self) -> str:
        with self._database.read() as connection:
            newest = connection.execute(select(func.max(story_log.c.n))).scalar()
        return str(newest or 0)

    def last_change_at(self) -> dt.datetime | None:
        with self._database.read() as connection:
            return last_change_at(connection)

    def rendered(self, ids: tuple[str, ...], /) -> dict[str, MergedStory]:
        with self._database.read() as connection:
            return merged_of(connection, ids)

    def explained_article(self, id: str) -> ExplainedArticle | None:  # noqa: A002
        """One article and why it is where it is; `id` may be the article's id or its address."""
        with self._database.read() as connection:
            statement = (
                article_views.view_columns("text", "evidence")
                .add_columns(story.c.title.label("story_title"), story.c.sums, story.c.article_count)
                .add_columns(story.c.n.label("story_n"), story.c.last_inbox_no, article.c.n, article.c.weighs)
                .join(story, story.c.id == article.c.story)
                .where(article.c.id.in_(articles.ids_of(connection, id)))
                .order_by(article.c.n.desc())
            )
            row = connection.execute(statement).first()
            if row is None:
                return None
            log = _log_of(connection, row.id, row.story)
            links = live_blog_links.links_of(connection, row.n)
            constraints = corrections.all_constraints(connection)
        return ExplainedArticle(
            article=article_views.view(row, copy_of=row.copy_of),
            story=row.story,
            story_title=row.story_title,
            evidence=codecs.unpack(row.evidence, Evidence),
            weighs=row.weighs,
            inbox_no=row.n,
            story_n=row.story_n,
            story_sums=row.sums,
            story_last_inbox_no=row.last_inbox_no,
            story_articles=row.article_count,
            log=log,
            constraints=tuple(constraints),
            links=links,
        )

    def suggest_ids(self, word: str) -> tuple[id_lookup.IdSuggestion, ...]:
        """What somebody may have meant who typed an id that there is not."""
        with self._database.read() as connection:
            return id_lookup.suggest_ids(connection, word)

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


class AssignedEntry(FrozenStruct, frozen=True, kw_only=True):
    """Where an entry's article is."""

    n: int  # of the entry
    article: str
    story: str
    copy_of: str | None
    body_words: int


def assignments(connection: Connection) -> list[AssignedEntry]:
    """Where every placed entry's article is, in the order of entries."""
    statement = (
        select(entry.c.n, entry.c.article, article.c.story, article.c.copy_of, article.c.body_words)
        .join(article, article.c.id == entry.c.article)
        .order_by(entry.c.n)
    )
    return [AssignedEntry(**row._mapping) for row in connection.execute(statement)]


def _page(connection: Connection, wanted: StoryFilter) -> StoryPage:
    rows, following = story_list.page(connection, wanted, min(wanted.limit, _MOST_ROWS))
    members = article_views.views_of_stories(connection, [row.id for row in rows])
    return StoryPage(stories=tuple(_story_view(row, members[row.id]) for row in rows), next=following)


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


def _source_view(item: sources.Source, how: SourceHealth, counts: dict[str, int]) -> SourceView:
    asked = not item.paused and item.health not in ("gone", "merged")
    return SourceView(
        id=item.id,
        name=item.shown_name,
        url=item.address,
        folder=item.folder,
        kind=item.kind,
        state=how.state,
        problem=(item.health_cause if item.kind == "folder" else how.words) or None,
        article_count=counts.get(item.entry_source, 0),
        last_success=item.last_success_at,
        next_due=item.next_due_at if asked else None,
    )
