"""Storylines in the database: the stories of each storyline, and the affinities of articles to stories."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Connection

from aggregator.store.stories.guests import HAS_STANDING, OF_STANDING, guests_of
from aggregator.store.stories.storyline_mutes import hide_joined
from aggregator.store.tables import (
    Where,
    counter_value,
    read_lists,
    read_map,
    read_rows,
    read_set,
    read_value,
    read_values,
    set_counter,
    write_sql,
)

# A new article is compared with this many of the newest stories of a storyline, within REACH of the article (chosen
# outside the program: 2 to 16 stories and 2 to 14 days make hardly a difference).
NEWEST = 8
REACH = timedelta(days=7)
# The affinity that is assumed if an article was not near a story, in thousandths of a logit
UNCOMPARED = -2_000

# Counters: the last article that a version without storylines placed, or 0 once all articles are compared; and the
# last article that was compared
UNTIL = "affinity_until"
_COMPARED = "affinity_compared"

# SQL text: `former` is a story as it was named, and `story` is the same story or its successor after a merge.
_PRESENT = (
    "story AS former JOIN story ON story.id = coalesce(former.redirect_to, former.id)"
)

# The affinities to the merged story. The articles of both stories belong to the winner by now, and articles before the
# first of them were not compared with either story.
_OF_LOSER = """
    FROM affinity WHERE story = (SELECT story_no FROM story WHERE id = :loser)
    AND article > (SELECT min(inbox_no) FROM article WHERE story = :winner)
    """
_MOVE_AFFINITIES = f"""
    INSERT INTO affinity (article, story, logit)
    SELECT article, (SELECT story_no FROM story WHERE id = :winner), logit {_OF_LOSER}
    ON CONFLICT (article, story) DO UPDATE SET logit = (affinity.logit + excluded.logit) / 2
    """  # noqa: S608


class RecentStory(NamedTuple):
    """A story of a storyline that is compared."""

    id: str
    # The time of its first report, and the number of the story
    founded: tuple[datetime, int]


class RecentStoryline(NamedTuple):
    """A storyline that is compared, with its newest stories, the newest first."""

    id: str
    # The number of its founding story; an older storyline has a lower number
    number: int
    is_single_story: bool
    stories: list[RecentStory]


class Affinity(NamedTuple):
    """The affinity of two stories: the sum of logits of articles, in thousandths, and the number of articles."""

    total: int
    articles: int

    @property
    def mean(self) -> float:
        """The mean logit, in thousandths."""
        return self.total / self.articles


def near_numbers(connection: Connection, id: str, least: int) -> list[int]:
    """Return the numbers of stories whose affinity to an article of this story is `least` or more."""
    return read_values(
        connection,
        """
        SELECT affinity.story FROM affinity JOIN article ON article.inbox_no = affinity.article
        WHERE article.story = :story AND logit >= :least
        """,
        story=id,
        least=least,
    )


def lines_of_numbers(connection: Connection, numbers: Iterable[int]) -> set[str]:
    """Return the present storylines of the stories with these numbers."""
    return read_set(
        connection,
        f"SELECT coalesce(story.storyline, story.id) FROM {_PRESENT} WHERE former.story_no IN :numbers",  # noqa: S608
        numbers=numbers,
    )


def lines_of_articles(connection: Connection, ids: Iterable[str]) -> dict[str, str]:
    """Return the storylines of the stories of these articles, by article."""
    return read_map(
        connection,
        """
        SELECT article.id, coalesce(storyline, story.id) FROM article JOIN story ON story.id = article.story
        WHERE article.id IN :ids
        """,
        ids=ids,
    )


def line_of(connection: Connection, id: str) -> str | None:
    """Return the storyline of a story or of its successor; None if it has no articles any more."""
    return read_value(connection, LINE_OF, id=id)


LINE_OF = f"""
    SELECT coalesce(story.storyline, story.id) FROM {_PRESENT}
    WHERE former.id = :id AND story.redirect_to IS NULL
    """  # noqa: S608
"""SQL text for the storyline of the story `:id` or of its successor."""


def number_of(connection: Connection, line: str) -> int:
    """Return the number of the story that founded a storyline. An older storyline has a lower number."""
    return read_value(
        connection, "SELECT story_no FROM story WHERE id = :line", line=line
    )


def stories_of(connection: Connection, line: str) -> list[str]:
    """Return the live stories of a storyline, in the order of their founding."""
    return read_values(
        connection,
        """
        SELECT id FROM story WHERE (storyline = :line OR id = :line) AND coalesce(storyline, id) = :line
        AND redirect_to IS NULL ORDER BY story_no
        """,
        line=line,
    )


def recent_storylines(
    connection: Connection, lines: Iterable[str], at: datetime
) -> dict[str, RecentStoryline]:
    """Return these storylines with their newest stories, without guests, by id.

    Storylines without such stories are left out.
    """
    guests = guests_of(connection, lines)
    newest = """
        SELECT story.id, story.storyline IS NULL AS is_single, founder.id AS line, founder.story_no AS line_no,
          story.first_published, story.story_no
        FROM story JOIN story AS founder ON founder.id = coalesce(story.storyline, story.id)
        WHERE story.redirect_to IS NULL AND story.last_published BETWEEN :since AND :until
        AND (story.storyline IN :lines OR story.id IN :lines)
        ORDER BY story.first_published DESC, story.story_no DESC
        """
    recent: dict[str, RecentStoryline] = {}
    for row in read_rows(
        connection, newest, lines=lines, since=at - REACH, until=at + REACH
    ):
        if row.id in guests:
            continue
        if row.line not in recent:
            recent[row.line] = RecentStoryline(
                row.line, row.line_no, row.is_single, stories=[]
            )
        stories = recent[row.line].stories
        if len(stories) < NEWEST:
            stories.append(RecentStory(row.id, (row.first_published, row.story_no)))
    return recent


def affinities(
    connection: Connection, stories: Collection[str]
) -> dict[frozenset[str], Affinity]:
    """Return the affinities of these stories, by pair; pairs without an article near the other story are left out.

    An article that came after the first article of the other story, and is not near it, counts with UNCOMPARED. So one
    near report does not make two stories near whose other reports have nothing in common. In a story that a source with
    standing reports, articles of other sources do not count.
    """
    near: dict[frozenset[str], Affinity] = {}
    both = Where(stories=list(stories))
    for one, other, total, count in both.read_rows(
        connection,
        f"""
        SELECT article.story, coalesce(other.redirect_to, other.id) AS present, sum(logit), count(*)
        FROM article JOIN affinity ON affinity.article = article.inbox_no
        JOIN story AS other ON other.story_no = affinity.story
        WHERE article.story IN :stories AND coalesce(other.redirect_to, other.id) IN :stories
        AND article.story <> coalesce(other.redirect_to, other.id)
        AND ({OF_STANDING} OR article.story NOT IN (SELECT id FROM story WHERE id IN :stories AND {HAS_STANDING}))
        GROUP BY article.story, coalesce(other.redirect_to, other.id)
        """,  # noqa: S608
    ):
        pair = frozenset((one, other))
        before = near.get(pair, Affinity(0, 0))
        near[pair] = Affinity(before.total + int(total), before.articles + count)
    # After an upgrade, articles of the former version do not count until they are compared.
    numbers = read_lists(
        connection,
        f"""
        SELECT article.story, inbox_no FROM article
        WHERE article.story IN :ids AND copy_of IS NULL
        AND ({OF_STANDING} OR article.story NOT IN (SELECT id FROM story WHERE id IN :ids AND {HAS_STANDING}))
        AND (inbox_no <= coalesce((SELECT value FROM counter WHERE name = '{_COMPARED}'), 0)
          OR inbox_no > coalesce((SELECT value FROM counter WHERE name = '{UNTIL}'), 0))
        """,  # noqa: S608
        ids=frozenset[str]().union(*near),
    )
    for pair, found in near.items():
        one, other = (numbers[story] for story in pair)
        later = sum(number > min(other, default=0) for number in one)
        later += sum(number > min(one, default=0) for number in other)
        far = max(later - found.articles, 0)
        near[pair] = Affinity(found.total + far * UNCOMPARED, found.articles + far)
    return near


def unite(connection: Connection, kept: str, gone: str) -> None:
    """Move the stories of the storyline `gone` to the storyline `kept`."""
    sides = [stories_of(connection, line) for line in (kept, gone)]
    write_sql(
        connection,
        """
        UPDATE story SET storyline = :kept
        WHERE storyline = :gone OR storyline IS NULL AND id IN (:gone, :kept)
        """,
        kept=kept,
        gone=gone,
    )
    for joined, others in (sides, sides[::-1]):
        hide_joined(connection, kept, joined, others)


def former_lines(connection: Connection, line: str) -> dict[str, str | None]:
    """Return the storyline stored for each story of a storyline, for `put_back`."""
    return read_map(
        connection,
        "SELECT id, storyline FROM story WHERE id IN :ids",
        ids=stories_of(connection, line),
    )


def take_out(connection: Connection, id: str, line: str) -> None:
    """Let a story stand alone.

    If it founded the storyline, the id of the next story becomes the id of the storyline. A single story that remains
    stands alone, too.
    """
    rest = [other for other in stories_of(connection, line) if other != id]
    put_back(connection, {id: None})
    # Whoever takes a story out of a muted affair says that it is not about this affair.
    write_sql(connection, "DELETE FROM muted_story WHERE story = :id", id=id)
    if line == id or len(rest) == 1:
        present = rest[0] if len(rest) > 1 else None
        write_sql(
            connection,
            "UPDATE story SET storyline = :present WHERE storyline = :line",
            present=present,
            line=line,
        )


def put_back(connection: Connection, former: Mapping[str, str | None]) -> None:
    """Return stories to their former storylines."""
    for id_, line in former.items():
        write_sql(
            connection,
            "UPDATE story SET storyline = :line WHERE id = :id",
            line=line,
            id=id_,
        )


def inherit(connection: Connection, loser: str, winner: str) -> None:
    """Give `winner` the affinities of `loser`, which was merged into it, and its storyline if `winner` stands alone.

    If an article is near both stories, the mean of the two affinities is kept.
    """
    inherited = """
        UPDATE story SET storyline = (SELECT storyline FROM story AS gone WHERE gone.id = :loser)
        WHERE id = :winner AND storyline IS NULL
        """
    for sql in (_MOVE_AFFINITIES, f"DELETE {_OF_LOSER}", inherited):
        write_sql(connection, sql, loser=loser, winner=winner)
    put_back(connection, {loser: None})
    line = line_of(connection, winner) or winner
    others = [other for other in stories_of(connection, line) if other != winner]
    hide_joined(connection, line, [winner], others)


def count_uncompared(connection: Connection) -> int:
    """Return an upper bound of the articles of a version without storylines that are still to be compared."""
    until = counter_value(connection, UNTIL)
    return until and max(1, until - counter_value(connection, _COMPARED))


def next_uncompared(connection: Connection, since: datetime, limit: int) -> list[int]:
    """Return the numbers of the next articles to be compared, without articles before `since`."""
    return read_values(
        connection,
        """
        SELECT inbox_no FROM article WHERE inbox_no > :compared AND inbox_no <= :until AND is_compared
        AND effective_at >= :since ORDER BY inbox_no LIMIT :limit
        """,
        compared=counter_value(connection, _COMPARED),
        until=counter_value(connection, UNTIL),
        since=since,
        limit=limit,
    )


def compared_to(connection: Connection, number: int | None) -> None:
    """Store that articles up to `number` are compared, or all articles if it is None."""
    if number is None:
        set_counter(connection, UNTIL, 0)
    else:
        set_counter(connection, _COMPARED, number)


def compare_all(connection: Connection) -> None:
    """Queue all placed articles for comparison."""
    newest = "SELECT coalesce(max(inbox_no), 0) FROM article"
    set_counter(connection, UNTIL, read_value(connection, newest))
