"""Live stories, which articles may join, with their compared reports and the dates of all their articles."""

from array import array
from bisect import bisect_left, insort
from collections.abc import Collection, Iterable
from functools import partial
from typing import Final, Self

import msgspec
from sqlalchemy import Connection

from aggregator.model.article import Article, CountedArticle
from aggregator.store.stories import stored_articles
from aggregator.store.tables import read_rows, read_value, stream_rows
from aggregator.stories.counting.copy_groups import sender_of

# The most compared reports of a story in memory; its mean terms are computed from these
HELD_REPORTS: Final = 32
# The first articles of a story, and further ones of each source without standing, that count toward its limit (chosen:
# few beside `story_cap`, and most stories need no count by sender)
_FIRST_COUNTED = 64
_COUNTED_OF_SENDER = 8


def newest_inbox_no(connection: Connection) -> int:
    """Return the inbox number of the newest article of any story; 0 in an empty database."""
    return read_value(connection, "SELECT coalesce(max(last_inbox_no), 0) FROM story")


def decides_before(article: Article) -> tuple[bool, bool, int]:
    """Return the sort key of compared reports: reports before opinions, then known sources, then newer reports."""
    return article.is_opinion, article.is_little_known, -article.inbox_no


class LiveStory(msgspec.Struct, eq=False):
    """A story that articles may join."""

    number: int
    id: str
    # The inbox number of its last placed article
    last_inbox_no: int = 0
    article_count: int = 0
    # Articles that count toward the limit of articles, so that no source without standing fills the story alone
    counted: int = 0
    # How many articles sources without standing have after the first ones, by sender; None: none
    by_newcomer: dict[str, int] | None = None
    compared_count: int = 0
    # The dates of all articles, declared or read, in minutes, sorted
    dates: "array[int]" = msgspec.field(default_factory=partial(array, "i"))
    # The compared reports that decide first, at most HELD_REPORTS
    reports: list[Article] = []
    # The sorted keys of the story in the window. They are an array, because a set would take 2 KB.
    keys: "array[int]" = msgspec.field(default_factory=partial(array, "I"))

    @property
    def is_container_only(self) -> bool:
        """Whether all its compared reports are live blogs and roundups."""
        return bool(self.reports) and self.reports[0].is_container

    def take(self, article: Article) -> None:
        """Add an article. The first compared report that is not a container replaces the compared containers."""
        self._count(article)
        self._hold(article)

    def has_enough_of(self, article: Article) -> bool:
        """Return whether further articles of the sender of this article do not count toward the limit."""
        if not article.is_little_known or self.by_newcomer is None:
            return False
        return self.by_newcomer.get(sender_of(article), 0) >= _COUNTED_OF_SENDER

    def _count(self, article: CountedArticle) -> None:
        self.article_count += 1
        if article.is_little_known and self.article_count > _FIRST_COUNTED:
            sender = sender_of(article)
            by_newcomer = self.by_newcomer = self.by_newcomer or {}
            by_newcomer[sender] = by_newcomer.get(sender, 0) + 1
            if by_newcomer[sender] > _COUNTED_OF_SENDER:
                return
        self.counted += 1

    def _hold(self, article: Article) -> None:
        self.last_inbox_no = max(self.last_inbox_no, article.inbox_no)
        if article.stated_minutes is not None:
            insort(self.dates, article.stated_minutes)
        if not article.is_compared:
            return
        if self.is_container_only and not article.is_container:
            self.reports, self.compared_count = [], 0
        self.compared_count += 1
        insort(self.reports, article, key=decides_before)
        del self.reports[HELD_REPORTS:]

    def is_near(self, minutes: int, reach: int) -> bool:
        """Return whether one of its dates is at most `reach` minutes away."""
        place = bisect_left(self.dates, minutes - reach)
        return place < len(self.dates) and self.dates[place] <= minutes + reach

    def take_in(self, gone: Self) -> None:
        """Take in all articles of another story. The first reports stay, as many as the larger story had."""
        most = max(len(self.reports), len(gone.reports))
        reports = [*self.reports, *gone.reports]
        self.reports = sorted(reports, key=decides_before)[:most]
        self.dates = array("i", sorted([*self.dates, *gone.dates]))
        self.article_count += gone.article_count
        self.counted += gone.counted
        self.compared_count += gone.compared_count
        self.last_inbox_no = max(self.last_inbox_no, gone.last_inbox_no)


def grown_since(connection: Connection, since: int) -> list[LiveStory]:
    """Return the live stories that grew at inbox number `since` or later, in the order of their numbers."""
    return _read(connection, "last_inbox_no >= :which", since)


def find_live(connection: Connection, ids: Iterable[str]) -> list[LiveStory]:
    """Return those of these stories that are live."""
    return _read(connection, "story.id IN :which", set(ids))


def _read(
    connection: Connection, condition: str, which: int | Collection[str]
) -> list[LiveStory]:
    rows = read_rows(
        connection,
        f"""
        SELECT story_no, id, last_inbox_no, article_count FROM story
        WHERE redirect_to IS NULL AND {condition} ORDER BY story_no
        """,  # noqa: S608
        which=which,
    )
    stories = {
        row.id: LiveStory(row.story_no, row.id, row.last_inbox_no) for row in rows
    }
    members = f"FROM article JOIN story ON story.id = article.story WHERE redirect_to IS NULL AND {condition}"
    compared = f"SELECT {stored_articles.COLUMNS} {members} AND is_compared"
    for report in map(
        stored_articles.article_of_row, stream_rows(connection, compared, which=which)
    ):
        stories[report.story]._hold(report)
    for id_, published in stream_rows(
        connection,
        f"SELECT story, published {members} AND NOT is_compared AND published IS NOT NULL",
        which=which,
    ):
        insort(stories[id_].dates, int(published.timestamp() // 60))
    for row in rows:
        if row.article_count <= _FIRST_COUNTED:
            stories[row.id].article_count = stories[row.id].counted = row.article_count
    every = "SELECT story, source, outlet AS outlet_key, is_polled, is_little_known"
    for row in stream_rows(
        connection,
        f"{every} {members} AND article_count > {_FIRST_COUNTED} ORDER BY inbox_no",
        which=which,
    ):
        stories[row.story]._count(row)
    return list(stories.values())
