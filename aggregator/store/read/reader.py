"""Reads stories, articles and sources for output (aggregator/model/read_model.py)."""

import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import lru_cache, wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection

from aggregator.config.story_query import StoryFilter
from aggregator.config.tuning import Tuning
from aggregator.model.clock import Clock, utc_now
from aggregator.model.read_model import (
    DatabaseHealth,
    Digest,
    DigestStory,
    FrontPageStory,
    SearchResults,
    SourcePage,
    SourceView,
    StoryPage,
    StoryRedirect,
)
from aggregator.model.story import StoryText, StoryView
from aggregator.store.engine.database import Database
from aggregator.store.read import (
    article_detail,
    browser_mutes,
    change_stream,
    digests,
    front_page_items,
    front_page_rows,
    muted,
    source_entries,
    story_filter,
    story_list,
    story_views,
    storyline_views,
)
from aggregator.store.read.article_detail import (
    one_article,
)
from aggregator.store.read.digests import DigestSpan
from aggregator.store.read.rendered_texts import read_text, texts_of
from aggregator.store.search.progress import LAST
from aggregator.store.stories import (
    article_views,
    stored_articles,
    story_rows,
    storyline_unions,
    stream_history,
)
from aggregator.store.stories.samples import shown_samples
from aggregator.store.stories.storyline_rows import affinities
from aggregator.store.tables import Where, read_rows, read_value
from aggregator.store.tables.progress_tables import MOVED_ADDRESSES

if TYPE_CHECKING:
    from aggregator.store.intake.first_reading import FirstReading


def last_change_at(connection: Connection) -> datetime | None:
    """Return the time of the newest log line of any story; None in an empty database."""
    return read_value(
        connection, "SELECT at FROM story_log ORDER BY log_no DESC LIMIT 1"
    )


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


# Rankings of digests that are cached until the next change. A feed lists 30 digests.
_DIGESTS_KEPT = 64


class StoryReader:
    """Reads from any thread; its only state is the cached rankings of the last digests.

    Methods import the modules that only they need. Otherwise the command that lists stories would have to wait
    until the patterns of the search, of the sources and of rendering are compiled.

    Every method may raise AggregatorError if the database does not respond.
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

    def pages(self, filters: StoryFilter, at_once: int = 500) -> Iterator[StoryPage]:
        """Yield the stories that match in pages of at most `at_once`, all from one state of the database."""
        with self.database.read() as connection:
            left = filters.limit
            while left > 0:
                page = story_views.page_of_stories(
                    connection,
                    filters.model_copy(update={"limit": min(left, at_once)}),
                )
                yield page
                if page.next is None:
                    return
                left -= len(page.stories)
                filters = filters.model_copy(update={"after": page.next})

    def count(self, filters: StoryFilter) -> int:
        """Return the number of stories that match, without `limit` and `after`. This reads the place of each story."""
        with self.database.read() as connection:
            return len(
                story_list.places(
                    connection,
                    filters.model_copy(update={"after": None}),
                    story_views.MOST_ROWS,
                )[0]
            )

    def current_story(self, id: str) -> StoryView | None:
        """Return a story, or the story that it was merged into; None if neither exists."""
        story = self.story(id)
        if isinstance(story, StoryRedirect):
            story = self.story(story.to)
        return story if isinstance(story, StoryView) else None

    def text(self, id: str) -> StoryText | None:
        """Return the text of a story, rendered now if it is not yet stored; None if the story does not exist."""
        with self.database.read() as connection:
            rows = read_rows(
                connection,
                "SELECT rendered, title FROM story WHERE redirect_to IS NULL AND id = :id",
                id=id,
            )
            if not rows:
                return None
            ((rendered, title),) = rows
            text = rendered and read_text(id, rendered)
            if text is not None:
                return text
            members = article_views.views_of_stories(connection, [id], "text")[id]
        from aggregator.stories.rendering import story_text
        from aggregator.stories.story_tuning import StoryTuning

        tuning = self._all_tuning.section("stories", StoryTuning)
        return story_text(members, title, tuning)

    def rank_front_page(
        self, filters: StoryFilter, prefer: tuple[str, ...] = ()
    ) -> Sequence[FrontPageStory]:
        """Return the newest matching stories in the order of the front page; `limit` and `after` are ignored.

        The story with the most weight represents its storyline.

        Stories of the outlets `prefer` rank higher. The number of stories is bounded (config/tuning.yaml,
        front_page).
        """
        tuning = self._all_tuning.section("front_page", front_page_rows.FrontPageTuning)
        bounds = tuning.window, prefer, filters.min_reports
        filters = filters.model_copy(update={"fold": "storylines"})
        with self.database.read() as connection:
            conditions = story_list.selection(connection, filters)
            candidates = []
            if not (filters.kind or filters.query or filters.outlet or filters.folder):
                with_report = Where(
                    *conditions.conditions,
                    story_filter.HAS_REPORT,
                    **conditions.values,
                )
                candidates = front_page_rows.front_page_stories(
                    connection, with_report, *bounds
                )
            # Without a story with a report, opinions and live blogs stand alone.
            if not candidates:
                candidates = front_page_rows.front_page_stories(
                    connection, conditions, *bounds
                )
            query = story_filter.query_of(filters)
            matching = {story.id for story in candidates}
            if (query is not None and query.only_excludes) or muted.has_words(
                filters.mutes
            ):
                matching = story_filter.matching_stories(connection, filters, matching)
            else:
                matching = story_filter.with_enough(connection, matching, filters)
            candidates = [story for story in candidates if story.id in matching]
            ranked = front_page_rows.order_by_weight(candidates, tuning)
            heads = storyline_views.one_a_storyline(connection, ranked)
            return front_page_rows.order_by_weight(heads, tuning)

    def ranked_page(self, filters: StoryFilter, prefer: tuple[str, ...]) -> StoryPage:
        """Return a page of the stories in the order of `rank_front_page`. Raises UsageError."""
        tuning = self._all_tuning.section("front_page", front_page_rows.FrontPageTuning)
        chosen, following = front_page_rows.part_after(
            self.rank_front_page(filters, prefer), tuning, filters.limit, filters.after
        )
        return StoryPage(
            stories=self.stories_by_id(tuple(ranked.id for ranked in chosen)),
            next=following,
        )

    def digests(
        self, filters: Callable[[datetime], StoryFilter], most: int
    ) -> tuple[Digest, ...]:
        """Return the newest digests, newest first, with the stories that match `filters` at their times."""
        with self.database.read() as connection:
            spans = digests.stored_digests(connection, most)
        return tuple(self.digest(span, filters(span.until)) for span in spans)

    def digest(self, span: DigestSpan, filters: StoryFilter) -> Digest:
        """Return the digest of a span; it may have no story."""
        last = self.last_change()
        # Ranking reads all changes of a day or a week. The lock makes requests wait for one ranking and share it.
        with self._ranking:
            reports = self._ranked(last, span, filters)
        listed = [
            DigestStory(
                story=view, new_reports=min(reports[view.id], view.report_count)
            )
            for view in self.stories_by_id(tuple(reports))
        ]
        return Digest(since=span.since, until=span.until, stories=tuple(listed))

    def _rank(
        self, _version: str, span: DigestSpan, filters: StoryFilter
    ) -> dict[str, int]:
        with self.database.read() as connection:
            return digests.ranked_for_digest(connection, span, filters)

    def sources(self, limit: int, **filters: Any) -> SourcePage:
        """Return a page of sources, with `filters` as in `source_page`. Raises UsageError."""
        from aggregator.store.read.source_list import source_page

        with self.database.read() as connection:
            return source_page(connection, self._now(), limit=limit, **filters)

    def source(self, id: str) -> SourceView | None:
        """Return the source with this id; None if there is none."""
        from aggregator.store.intake.source_rows import source_with_id
        from aggregator.store.read.source_list import view_sources

        with self.database.read() as connection:
            known = source_with_id(connection, id)
            if known is None:
                return None
            return view_sources(connection, self._now(), [known])[0]

    def state(self) -> DatabaseHealth:
        """Return the current health of the daemon, as far as the database shows it."""
        from aggregator.store.read.health import database_status, health_probes

        with self.database.read() as connection:
            stored = database_status.read_status(
                connection, self._now(), self._all_tuning
            )
            why = self.database.why_not_writable(connection)
        return DatabaseHealth(
            writable=why is None,
            waiting=sum(stored.inbox.values()),
            last_placed=stored.last_placed,
            problems=tuple(
                finding.what
                for finding in health_probes.of_database(
                    why_not_writable=why, stored=stored
                )
            ),
        )

    def first_reading(self, listed: int = 0) -> "FirstReading | None":
        """Return the progress of a first reading, with at most `listed` of its entries; None if none is in progress."""
        from aggregator.store.intake.first_reading import first_reading

        with self.database.read() as connection:
            return first_reading(connection, self._now(), listed)

    def all_feeds_fail(self) -> str | None:
        """Return a message if all feeds that were asked fail, else None."""
        from aggregator.store.read.health.database_status import all_feeds_fail

        with self.database.read() as connection:
            return all_feeds_fail(connection)

    def search(
        self,
        text: str,
        limit: int,
        bounds: StoryFilter = StoryFilter(),  # noqa: B008 - frozen
    ) -> SearchResults:
        """Return the articles and stories that match `text` within `bounds`, best first."""
        from aggregator.store.search.story_search import search

        with self.database.read() as connection:
            return search(connection, text, limit, bounds)

    def nearest_search(self, text: str) -> str | None:
        """Return a search with known words in place of words that no article has; None if all are known."""
        from aggregator.store.search.nearest import nearest_search

        with self.database.read() as connection:
            return nearest_search(connection, text)

    def last_change(self, story_id: str = "") -> str:
        """Return an opaque version that changes with every story, article, link and correction. This is cheap.

        The version also changes with the full-text index. With `story_id`, it changes when this story is rendered.
        """
        with self.database.read() as connection:
            (version,) = read_rows(
                connection,
                """
            SELECT (SELECT max(log_no) FROM story_log), (SELECT value FROM counter WHERE name = :indexed),
              (SELECT value FROM counter WHERE name = :moved), (SELECT text IS NOT NULL FROM story WHERE id = :story)
            """,
                indexed=LAST,
                moved=MOVED_ADDRESSES,
                story=story_id,
            )
        return " ".join(map(str, version))

    # Methods of one query each. The docstrings of these functions describe them.
    title_of = _reading(story_rows.title_of)
    stories = _reading(story_views.page_of_stories)
    story = _reading(story_views.one_story)
    stories_by_id = _reading(story_views.stories_by_id)
    gone = _reading(story_views.is_gone)
    explained_article = _reading(article_detail.explained_article)
    article = _reading(one_article)
    rendered = _reading(texts_of)
    articles_of = _reading(article_views.views_of_stories)
    affinities = _reading(affinities)
    storyline = _reading(storyline_views.storyline_of)
    unions = _reading(storyline_unions.unions_of)
    storylines_by_story = _reading(storyline_views.storylines_by_story)
    storylines = _reading(storyline_views.newest_storylines)
    list_stories = _reading(front_page_items.list_stories)
    new_reports = _reading(front_page_items.new_reports)
    folders = _reading(front_page_items.folders)
    # This line needs the module `source_entries`, before the next line gives the name to a method.
    story_sources = _reading(source_entries.story_sources)
    source_entries = _reading(source_entries.source_entries)
    topics = _reading(front_page_items.topics)
    mutes = _reading(browser_mutes.in_force)
    hidden_stories = _reading(browser_mutes.hidden_stories)
    changed_stories = _reading(change_stream.changed_stories)
    changes = _reading(change_stream.changes)
    last_change_at = _reading(last_change_at)
    stream_history = _reading(stream_history.snapshot)
    member = _reading(stored_articles.read_article)
    samples = _reading(shown_samples)
