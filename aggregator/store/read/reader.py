"""Reads stories, articles and sources for output (aggregator/model/read_model.py)."""

import datetime as dt
import logging
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import lru_cache, wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from msgspec.structs import replace
from sqlalchemy import Connection, Row, Select, and_, func, or_, select

from aggregator.config.tuning import Tuning
from aggregator.model.core import (
    ArticleView,
    Clock,
    Evidence,
    FrozenStruct,
    StoryText,
    StoryView,
    utc_now,
)
from aggregator.model.read_model import (
    ArticleDetail,
    Digest,
    DigestStory,
    FrontPageStory,
    Health,
    MachineSummary,
    SearchBounds,
    SearchResults,
    SourcePage,
    SourceView,
    StoryFilter,
    StoryPage,
    StoryRedirect,
)
from aggregator.store import codecs
from aggregator.store.engine.database import Database
from aggregator.store.intake import tombstones
from aggregator.store.read import (
    browser_mutes,
    front_page,
    muted,
    source_entries,
    story_list,
)
from aggregator.store.read.story_list import DigestSpan
from aggregator.store.search.progress import progress
from aggregator.store.stories import (
    article_views,
    articles,
    corrections,
    stories,
    story_links,
    stream_history,
)
from aggregator.store.stories.constraints import Constraint
from aggregator.store.stories.samples import shown_samples
from aggregator.store.stories.summaries import summary_of, version_of
from aggregator.store.tables import (
    article,
    count_rows,
    entry,
    rows_with,
    story,
    story_log,
    story_summary,
)
from aggregator.stories.counting.originals import with_originals

log = logging.getLogger(__name__)

# Stories of lists and feeds by all that was read of them: most are as they were when a list is read again.
KEPT = 256

_RENDERED = select(story.c.id, story.c.rendered).where(story.c.rendered.is_not(None))
_LAST_CHANGE = select(story_log.c.at).order_by(story_log.c.log_no.desc()).limit(1)


def texts_of(connection: Connection, ids: Sequence[str]) -> dict[str, StoryText]:
    """Return what those of these stories show that are rendered."""
    texts = {}
    for row in rows_with(connection, _RENDERED, story.c.id, ids):
        text = read_text(row.id, row.rendered)
        if text is not None:
            texts[row.id] = text
    return texts


@lru_cache(maxsize=KEPT)
def _decoded(blob: bytes) -> StoryText:
    return codecs.decompress_struct(blob, StoryText)


def read_text(id: str, blob: bytes) -> StoryText | None:
    """Decode what story `id` shows; None if it is damaged."""
    try:
        return _decoded(blob)
    except codecs.UNREADABLE as error:
        log.warning(
            "story %s: its rendered text is damaged (%s); `aggregator db check --repair`",
            id,
            error,
            extra={"event": "rendered_text_damaged"},
        )
        return None


def last_change_at(connection: Connection) -> dt.datetime | None:
    """Return the time of the newest log line of any story; None in an empty database."""
    return connection.scalar(_LAST_CHANGE)


_WHOLE_ARTICLE = (
    article_views.view_columns("text", "html", "evidence")
    .add_columns(story.c.title.label("story_title"))
    .join(story, story.c.id == article.c.story)
)


def one_article(connection: Connection, id_: str) -> ArticleDetail | None:
    """Return an article with its text and evidence; None if it does not exist."""
    row = connection.execute(_WHOLE_ARTICLE.where(article.c.id == id_)).first()
    if row is None:
        return None
    # The original of a copy depends on its whole group (stories.counting.copy_groups).
    members = with_originals(
        article_views.views_of_stories(connection, [row.story])[row.story]
    )
    view = article_views.view(row)
    linked = next((one for one in members if one.id == id_), view)
    return ArticleDetail(
        article=replace(
            view, copy_of=linked.copy_of, version=linked.version, role=linked.role
        ),
        story=row.story,
        story_title=row.story_title,
        revisions=count_rows(
            connection, entry, entry.c.article == id_, entry.c.outcome == "revised"
        ),
        copies=tuple(one for one in members if one.copy_of == id_),
    )


def of_before(connection: Connection, ids: Collection[str], newest: int) -> set[str]:
    """Return those of the stories `ids` with a number up to `newest`."""
    before = select(story.c.id).where(story.c.story_no <= newest)
    return {row.id for row in rows_with(connection, before, story.c.id, ids)}


_MOST_ROWS = 2**31 - 2  # both databases accept a LIMIT of one more


class LogLine(FrozenStruct):
    """A line of a story's log. `detail` is JSON."""

    at: dt.datetime
    story: str
    kind: str
    article: str | None = None
    detail: str | None = None


class ExplainedArticle(FrozenStruct):
    """An article with its assigned story and the evidence of its placement."""

    article: ArticleView
    story: str
    story_title: str
    evidence: Evidence
    # Of the article, and of its story as a whole; oldest first
    log: tuple[LogLine, ...]
    constraints: tuple[Constraint, ...]  # of all corrections in force


def _page(connection: Connection, wanted: StoryFilter) -> StoryPage:
    rows, following = story_list.page(connection, wanted, min(wanted.limit, _MOST_ROWS))
    members = article_views.rows_of_stories(connection, [row.id for row in rows])
    found = (_listed_view(row, tuple(members[row.id])) for row in rows)
    return StoryPage(
        stories=story_links.with_subjects(connection, found), next=following
    )


@lru_cache(maxsize=KEPT)
def _listed_view(row: Row[Any], members: tuple[Row[Any], ...]) -> StoryView:
    return _story_view(row, list(map(article_views.view, members)))


def _story_view(row: Row[Any], members: list[ArticleView]) -> StoryView:
    shown = {
        column.name: row._mapping[column.name] for column in story_list.LIST_COLUMNS
    }
    return StoryView(**shown, articles=tuple(with_originals(members)))


_Asked = ParamSpec("_Asked")
_Answer = TypeVar("_Answer")


def _reading(
    query: Callable[Concatenate[Connection, _Asked], _Answer],
) -> Callable[Concatenate["StoryReader", _Asked], _Answer]:
    """Return the method that calls `query` in a reading transaction."""

    @wraps(query)
    def method(
        reader: "StoryReader", /, *asked: _Asked.args, **named: _Asked.kwargs
    ) -> _Answer:
        with reader.database.read() as connection:
            return query(connection, *asked, **named)

    return method


_DIGESTS_KEPT = 64  # whose stories are known until the next change; a feed has 30


class StoryReader:
    """Reads from any thread; its only state is what the last digests contained.

    What only some of its methods need is imported in them: a list of stories, typed at a shell, would wait
    for the patterns of the search, of the sources and of rendering to be compiled.

    Every method may raise AggregatorError where the database does not respond.
    """

    def __init__(
        self,
        database: Database,
        all_tuning: Tuning | None = None,
        now: Clock = utc_now,
    ) -> None:
        """`all_tuning`: None for the defaults. `now`: the clock for the health of sources."""
        self.database = database
        self._all_tuning = all_tuning or Tuning()
        self._now = now
        self._ranked = lru_cache(maxsize=_DIGESTS_KEPT)(self._rank)
        self._ranking = threading.Lock()

    def pages(self, wanted: StoryFilter, at_once: int = 500) -> Iterator[StoryPage]:
        """Yield `stories` in pages of `at_once`, of one state of the database."""
        with self.database.read() as connection:
            left = wanted.limit
            while left > 0:
                page = _page(connection, replace(wanted, limit=min(left, at_once)))
                yield page
                if page.next is None:
                    return
                left -= len(page.stories)
                wanted = replace(wanted, after=page.next)

    def count(self, wanted: StoryFilter) -> int:
        """Return how many stories fit, whatever `limit` and `after`; it reads the place of each."""
        with self.database.read() as connection:
            return len(
                story_list.places(connection, replace(wanted, after=None), _MOST_ROWS)[
                    0
                ]
            )

    def story(self, id: str) -> StoryView | StoryRedirect | None:
        """Return a story and its articles with text, HTML and evidence, or None."""
        with self.database.read() as connection:
            chosen: Select[Any] = select(*story_list.LIST_COLUMNS, story.c.redirect_to)
            row = connection.execute(chosen.where(story.c.id == id)).first()
            if row is None or row.redirect_to == "":  # all its articles were erased
                return None
            if row.redirect_to is not None:
                return StoryRedirect(to=row.redirect_to)
            members = article_views.views_of_stories(
                connection, [id], "text", "html", "evidence"
            )[id]
            stripped = select(article.c.inbox_no).where(
                article.c.story == id, article.c.text.is_(None)
            )
            texts_gone = connection.execute(stripped.limit(1)).first() is not None
            (whole,) = story_links.with_subjects(
                connection, [_story_view(row, members)]
            )
            (whole,) = story_links.with_links(connection, [whole])
        return replace(whole, texts_gone=texts_gone)

    def gone(self, id: str) -> bool:
        """Whether a story or an article with this id was deleted by `forget` or by retention."""
        with self.database.read() as connection:
            ended = select(story.c.story_no).where(
                story.c.id == id, story.c.redirect_to == ""
            )
            return connection.execute(ended).first() is not None or bool(
                tombstones.find_tombstones(connection, {id})
            )

    def text(self, id: str) -> StoryText | None:
        """Return what a story shows, rendered now where it is not yet; None if the story does not exist."""
        return self.text_with_summary(id)[0]

    def text_with_summary(
        self, id: str
    ) -> tuple[StoryText | None, MachineSummary | None]:
        """Return what `text` returns, and the machine-written text of it."""
        texts = (
            story.c.rendered,
            story.c.title,
            story_summary.c.facts_hash,
            story_summary.c.summary,
        )
        chosen = select(*texts).outerjoin(
            story_summary, story_summary.c.story == story.c.story_no
        )
        with self.database.read() as connection:
            row = connection.execute(
                chosen.where(story.c.id == id, story.c.redirect_to.is_(None))
            ).first()
            if row is None:
                return None, None
            stored = None if row.rendered is None else read_text(id, row.rendered)
            if stored is not None:
                return stored, summary_of(row.facts_hash, row.summary, stored)
            members = article_views.views_of_stories(connection, [id], "text")[id]
        from aggregator.stories.rendering import story_text
        from aggregator.stories.tuning import StoryTuning

        tuning = self._all_tuning.section("stories", StoryTuning)
        text = story_text(members, row.title, tuning)
        return text, summary_of(row.facts_hash, row.summary, text)

    def rank_front_page(
        self, wanted: StoryFilter, prefer: tuple[str, ...] = ()
    ) -> tuple[FrontPageStory, ...]:
        """Return the newest matching stories in the order of the front page; `limit` and `after` are ignored.

        Stories of the outlets `prefer` rank higher. The number of stories is bounded (config/tuning.yaml,
        front_page).
        """
        tuning = self._all_tuning.section("front_page", front_page.FrontPageTuning)
        with self.database.read() as connection:
            chosen = story_list.selection(connection, wanted)
            is_asked_for = wanted.kind or wanted.query or wanted.outlet or wanted.folder
            news = chosen if is_asked_for else chosen.where(story_list.has_report())
            seen = front_page.front_page_stories(
                connection, news, tuning.window, prefer, wanted.min_reports
            ) or front_page.front_page_stories(
                connection, chosen, tuning.window, prefer, wanted.min_reports
            )
            query = story_list.query_of(wanted)
            if muted.has_words(wanted.mutes) or (
                query is not None and query.only_excludes
            ):
                matcher = story_list.StoryMatcher(connection, wanted)
                fits = matcher.matching(connection, [one.id for one in seen])
                seen = [one for one in seen if one.id in fits]
        return tuple(front_page.ranked(seen, tuning))

    def ranked_page(
        self, wanted: StoryFilter, prefer: tuple[str, ...] = ()
    ) -> StoryPage:
        """Return a page of the stories in the order of `rank_front_page`. Raises UsageError."""
        tuning = self._all_tuning.section("front_page", front_page.FrontPageTuning)
        ranking = self.rank_front_page(wanted, prefer)
        chosen, following = front_page.part_after(
            ranking, tuning, wanted.limit, wanted.after
        )
        return StoryPage(
            stories=self.stories_by_id(tuple(one.id for one in chosen)), next=following
        )

    def stories_by_id(self, ids: tuple[str, ...], /) -> tuple[StoryView, ...]:
        """Return the stories with these ids, in this order, as `stories` does; unknown ids are left out."""
        with self.database.read() as connection:
            live = select(*story_list.LIST_COLUMNS).where(story.c.redirect_to.is_(None))
            rows = {row.id: row for row in rows_with(connection, live, story.c.id, ids)}
            members = article_views.rows_of_stories(connection, rows)
            found = (
                _listed_view(rows[one], tuple(members[one]))
                for one in ids
                if one in rows
            )
            return story_links.with_subjects(connection, found)

    def digests(
        self, wanted: Callable[[dt.datetime], StoryFilter], most: int
    ) -> tuple[Digest, ...]:
        """Return the newest digests, newest first, with the stories that match `wanted` at their times."""
        with self.database.read() as connection:
            spans = story_list.stored_digests(connection, most)
        return tuple(self.digest(span, wanted(span.until)) for span in spans)

    def digest(self, span: DigestSpan, wanted: StoryFilter) -> Digest:
        """Return the digest of a span; it may have no story."""
        last = self.last_change()
        # It reads all changes of a day or a week: once, however many ask for it
        with self._ranking:
            reports = self._ranked(last, span, wanted)
        chosen = self.stories_by_id(tuple(reports))
        listed = [
            DigestStory(story=one, new_reports=min(reports[one.id], one.report_count))
            for one in chosen
        ]
        return Digest(since=span.since, until=span.until, stories=tuple(listed))

    def _rank(
        self, _version: str, span: DigestSpan, wanted: StoryFilter
    ) -> dict[str, int]:
        with self.database.read() as connection:
            return story_list.ranked_for_digest(connection, span, wanted)

    def sources(self, limit: int, **wanted: Any) -> SourcePage:
        """Return a page of sources; `wanted` is that of `source_page`. Raises UsageError."""
        from aggregator.store.read.statistics import source_page

        with self.database.read() as connection:
            return source_page(connection, self._now(), limit=limit, **wanted)

    def source(self, id: str) -> SourceView | None:
        """Return the source with this id; None if there is none."""
        from aggregator.store.intake.sources import source_with_id
        from aggregator.store.read.statistics import listed

        with self.database.read() as connection:
            found = source_with_id(connection, id)
            return (
                None if found is None else listed(connection, self._now(), [found])[0]
            )

    def state(self) -> Health:
        """Return the present health of the daemon."""
        from aggregator.store.read import health_probes

        with self.database.read() as connection:
            stored = health_probes.stored(connection, self._now(), self._all_tuning)
            why = self.database.why_not_writable(connection)
        return Health(
            writable=why is None,
            waiting=sum(stored.inbox.values()),
            last_placed=stored.last_placed,
            problems=tuple(
                one.what
                for one in health_probes.of_database(
                    why_not_writable=why, stored=stored
                )
            ),
        )

    def all_feeds_fail(self) -> str | None:
        """Return a message where all feeds fail that were asked, else None."""
        from aggregator.store.read.health_probes import all_feeds_fail

        with self.database.read() as connection:
            return all_feeds_fail(connection)

    def search(
        self,
        text: str,
        limit: int,
        bounds: SearchBounds = SearchBounds(),  # noqa: B008 - frozen
    ) -> SearchResults:
        """Return the articles and stories that match `text` within `bounds`, best first."""
        from aggregator.store.search.search import search

        with self.database.read() as connection:
            return search(connection, text, limit, bounds)

    def nearest_search(self, text: str) -> str | None:
        """Return a search with known words in place of those that no article has; None without any."""
        from aggregator.store.search.nearest import nearest_search

        with self.database.read() as connection:
            return nearest_search(connection, text)

    def last_change(self, story_id: str = "") -> str:
        """Return an opaque version that changes with every story, article and correction. Cheap.

        It also changes with the full-text index, and with the id of a story once it is rendered
        and with its machine-written text.
        """
        newest = select(func.max(story_log.c.log_no)).scalar_subquery()
        is_rendered = (
            select(story.c.text.is_not(None))
            .where(story.c.id == story_id)
            .scalar_subquery()
        )
        parts = select(newest, progress(), is_rendered, version_of(story_id))
        with self.database.read() as connection:
            *numbers, summary = connection.execute(parts).one()
        return " ".join(
            map(str, (*numbers, "" if summary is None else bytes(summary).hex()))
        )

    def explained_article(self, id: str) -> ExplainedArticle | None:
        """Return an article with the evidence of its placement; `id` may be its id or its address."""
        with self.database.read() as connection:
            chosen = _WHOLE_ARTICLE.where(
                article.c.id.in_(articles.ids_of(connection, id))
            )
            row = connection.execute(chosen.order_by(article.c.inbox_no.desc())).first()
            if row is None:
                return None
            log = _log_of(connection, row.id, row.story)
            constraints = corrections.all_constraints(connection)
        view = article_views.view(row)
        assert view.evidence is not None, "it was selected"
        return ExplainedArticle(
            article=view,
            story=row.story,
            story_title=row.story_title,
            evidence=view.evidence,
            log=log,
            constraints=tuple(constraints),
        )

    # Methods of one query each; the functions describe them.
    title_of = _reading(stories.title_of)  # before `stories` is the method
    stories = _reading(_page)
    article = _reading(one_article)
    rendered = _reading(texts_of)
    articles_of = _reading(article_views.views_of_stories)
    with_links = _reading(story_links.with_links)
    list_stories = _reading(front_page.list_stories)
    new_reports = _reading(front_page.new_reports)
    folders = _reading(front_page.folders)
    story_sources = _reading(source_entries.story_sources)
    source_entries = _reading(source_entries.source_entries)
    topics = _reading(front_page.topics)
    mutes = _reading(browser_mutes.in_force)
    changed_stories = _reading(story_list.changed_stories)
    last_change_at = _reading(last_change_at)
    stream_history = _reading(stream_history.snapshot)
    member = _reading(articles.member)
    samples = _reading(shown_samples)


_LOG_LINES = 40  # of one explanation; joins are not included, so more are rare


def _log_of(
    connection: Connection, article_id: str, story_id: str
) -> tuple[LogLine, ...]:
    """Return the log of an article, and of merges, corrections and regroupings of its story."""
    of_story = and_(
        story_log.c.story == story_id,
        story_log.c.article.is_(None),
        story_log.c.kind.in_(("merged", "corrected", "regrouped")),
    )
    # By story, because the log is indexed by story.
    of_article = and_(story_log.c.story == story_id, story_log.c.article == article_id)
    columns = [story_log.c[name] for name in LogLine.__struct_fields__]
    rows = connection.execute(
        select(*columns)
        .where(or_(of_story, of_article))
        .order_by(story_log.c.log_no)
        .limit(_LOG_LINES)
    )
    return tuple(LogLine(**row._mapping) for row in rows)
