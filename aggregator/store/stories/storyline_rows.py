"""Storylines in the database: the stories of each storyline, and how near the articles of stories are."""

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    bindparam,
    func,
    or_,
    select,
    update,
)

from aggregator.store.tables import (
    IS_LIVE,
    affinity,
    article,
    counter_value,
    highest,
    pairs_with,
    set_counter,
    story,
    update_rows,
    values_with,
    write_sql,
)

# A new article is compared with this many stories of a storyline, if they are within so many days of it (chosen
# outside the program: 2 to 16 stories and 2 to 14 days hardly matter).
NEWEST = 8
REACH = dt.timedelta(days=7)

# Counters: the last article that a version without storylines placed, 0 once all are compared; and the last
# article that is compared
UNTIL = "affinity_until"
_COMPARED = "affinity_compared"

# A story that stands alone is the founder of its own storyline
LINE = func.coalesce(story.c.storyline, story.c.id)
_FOUNDER = story.alias("founder")
_PRESENT = story.alias("present")
_PRESENT_ID = func.coalesce(_PRESENT.c.redirect_to, _PRESENT.c.id)

_LINES_OF_NUMBERS = (
    select(func.coalesce(story.c.storyline, story.c.id))
    .select_from(_PRESENT)
    .join(story, story.c.id == _PRESENT_ID)
)
_ANSWERING = func.coalesce(
    story.c.storyline, _PRESENT.c.storyline, _PRESENT.c.id, story.c.id
)
_ANSWERS = select(story.c.id, _ANSWERING).select_from(
    story.outerjoin(_PRESENT, _PRESENT.c.id == story.c.redirect_to)
)
_LINES_OF_ARTICLES = select(article.c.id, LINE).join(
    story, story.c.id == article.c.story
)
_RECENT = (
    select(
        story.c.id,
        story.c.storyline.is_(None).label("is_alone"),
        _FOUNDER.c.id.label("line"),
        _FOUNDER.c.story_no.label("line_no"),
        story.c.first_published,
        story.c.story_no,
    )
    .join(_FOUNDER, _FOUNDER.c.id == LINE)
    .where(
        IS_LIVE,
        story.c.last_published.between(bindparam("since"), bindparam("until")),
        or_(
            story.c.storyline.in_(bindparam("lines", expanding=True)),
            story.c.id.in_(bindparam("lines", expanding=True)),
        ),
    )
    .order_by(story.c.first_published.desc(), story.c.story_no.desc())
)
_AFFINITIES = (
    select(article.c.story, _PRESENT_ID, func.sum(affinity.c.logit), func.count())
    .select_from(article)
    .join(affinity, affinity.c.article == article.c.inbox_no)
    .join(_PRESENT, _PRESENT.c.story_no == affinity.c.story)
    .where(
        article.c.story.in_(bindparam("stories", expanding=True)),
        _PRESENT_ID.in_(bindparam("stories", expanding=True)),
        article.c.story != _PRESENT_ID,
    )
    .group_by(article.c.story, _PRESENT_ID)
)
_NEAR = (
    select(affinity.c.story)
    .join(article, article.c.inbox_no == affinity.c.article)
    .where(
        article.c.story == bindparam("of_story"),
        affinity.c.logit >= bindparam("least"),
    )
)
_UNITE = (
    update(story)
    .where(
        or_(
            story.c.storyline == bindparam("gone"),
            story.c.storyline.is_(None)
            & story.c.id.in_((bindparam("gone"), bindparam("kept"))),
        )
    )
    .values(storyline=bindparam("kept"))
)


# Articles before those of both stories were not compared with either.
_OF_LOSER = """
    FROM affinity WHERE story = (SELECT story_no FROM story WHERE id = :loser)
    AND article > (SELECT min(inbox_no) FROM article WHERE story = :winner)
    """
_MOVE_AFFINITIES = f"""
    INSERT INTO affinity (article, story, logit)
    SELECT article, (SELECT story_no FROM story WHERE id = :winner), logit {_OF_LOSER}
    ON CONFLICT (article, story) DO UPDATE SET logit = (affinity.logit + excluded.logit) / 2
    """  # noqa: S608
_DROP_AFFINITIES = f"DELETE {_OF_LOSER}"


class RecentStory(NamedTuple):
    """A story of a storyline that is compared."""

    id: str
    is_alone: bool
    line: str  # the id of its storyline
    line_no: int  # the number of the story that founded it: the lower one is older
    founded: tuple[dt.datetime, int]  # the time of its first report, and its number


class Affinity(NamedTuple):
    """How near the articles of two stories are: the sum of their logits, in thousandths, and their number."""

    total: int
    articles: int

    @property
    def mean(self) -> float:
        """The mean logit, in thousandths."""
        return self.total / self.articles


def near_numbers(connection: Connection, id: str, least: int) -> list[int]:
    """Return the numbers of stories whose affinity to an article of this story is `least` or more."""
    return list(connection.scalars(_NEAR, {"of_story": id, "least": least}))


def lines_of_numbers(connection: Connection, numbers: Iterable[int]) -> set[str]:
    """Return the present storylines of the stories with these numbers."""
    return values_with(connection, _LINES_OF_NUMBERS, _PRESENT.c.story_no, numbers)


def lines_of_articles(connection: Connection, ids: Iterable[str]) -> dict[str, str]:
    """Return the storylines of the stories of these articles, by article."""
    return pairs_with(connection, _LINES_OF_ARTICLES, article.c.id, ids)


def line_of(connection: Connection, id: str) -> str | None:
    """Return the storyline of a story or of its successor; None if it has no articles any more."""
    line: str | None = connection.scalar(select_line(id))
    return line


def select_line(id: str) -> Select[Any]:
    """Select the storyline of a story or of its successor."""
    return (
        select(LINE)
        .select_from(_PRESENT)
        .join(story, story.c.id == _PRESENT_ID)
        .where(_PRESENT.c.id == id, IS_LIVE)
    )


def answering(connection: Connection, ids: Iterable[str]) -> dict[str, str]:
    """Return the storyline that answers for each of these stories now, also if it was merged or is gone."""
    return pairs_with(connection, _ANSWERS, story.c.id, ids)


def is_in_lines(ids: Collection[str]) -> ColumnElement[bool]:
    """Return the condition that a story is in a storyline that answers for one of these ids."""
    lines = _ANSWERS.with_only_columns(_ANSWERING).where(story.c.id.in_(ids))
    return LINE.in_(lines.correlate(None))


def number_of(connection: Connection, line: str) -> int:
    """Return the number of the story that founded a storyline: the lower one is older."""
    founder = select(story.c.story_no).where(story.c.id == line)
    return int(connection.execute(founder).scalar_one())


def stories_of(connection: Connection, line: str) -> list[str]:
    """Return the live stories of a storyline, in the order of their founding."""
    is_in = or_(story.c.storyline == line, story.c.id == line)
    chosen = select(story.c.id).where(is_in, LINE.in_([line]), IS_LIVE)
    return list(connection.scalars(chosen.order_by(story.c.story_no)))


def recent_stories(
    connection: Connection, lines: Collection[str], at: dt.datetime
) -> dict[str, list[RecentStory]]:
    """Return the newest stories of these storylines, the newest first, by storyline."""
    values = {"lines": [*lines], "since": at - REACH, "until": at + REACH}
    recent: dict[str, list[RecentStory]] = defaultdict(list)
    for row in connection.execute(_RECENT, values):
        if len(recent[row.line]) < NEWEST:
            founded = row.first_published, row.story_no
            recent[row.line].append(
                RecentStory(row.id, row.is_alone, row.line, row.line_no, founded)
            )
    return recent


def affinities(
    connection: Connection, ids: Collection[str]
) -> dict[frozenset[str], Affinity]:
    """Return how near these stories are, by pair; pairs without an article near the other story are left out."""
    near: dict[frozenset[str], Affinity] = {}
    for one, other, total, count in connection.execute(
        _AFFINITIES, {"stories": [*ids]}
    ):
        pair = frozenset((one, other))
        before = near.get(pair, Affinity(0, 0))
        near[pair] = Affinity(before.total + int(total), before.articles + count)
    return near


def unite(connection: Connection, kept: str, gone: str) -> None:
    """Move the stories of the storyline `gone` to the storyline `kept`."""
    connection.execute(_UNITE, {"kept": kept, "gone": gone})


def former_lines(connection: Connection, line: str) -> dict[str, str | None]:
    """Return the storyline stored for each story of a storyline, for `put_back`."""
    chosen = select(story.c.id, story.c.storyline)
    return pairs_with(connection, chosen, story.c.id, stories_of(connection, line))


def take_out(connection: Connection, id: str, line: str) -> None:
    """Let a story stand alone. If it founded the storyline, the others have the id of the next one."""
    rest = [other for other in stories_of(connection, line) if other != id]
    update_rows(connection, story, story.c.id == id, storyline=None)
    if line == id or len(rest) == 1:
        present = rest[0] if len(rest) > 1 else None
        update_rows(connection, story, story.c.storyline == line, storyline=present)


def put_back(connection: Connection, former: Mapping[str, str | None]) -> None:
    """Return stories to their former storylines."""
    for id_, line in former.items():
        update_rows(connection, story, story.c.id == id_, storyline=line)


def inherit(connection: Connection, loser: str, winner: str) -> None:
    """Let a story have the affinities of one that was merged into it, and its storyline if it stands alone.

    An article that was near to both is as near to the winner as the mean says.
    """
    merged = {"loser": loser, "winner": winner}
    write_sql(connection, _MOVE_AFFINITIES, **merged)
    write_sql(connection, _DROP_AFFINITIES, **merged)
    line = select(story.c.storyline).where(story.c.id == loser).scalar_subquery()
    stands_alone = story.c.storyline.is_(None)
    update_rows(connection, story, story.c.id == winner, stands_alone, storyline=line)
    update_rows(connection, story, story.c.id == loser, storyline=None)


def uncompared(connection: Connection) -> int:
    """Return how many inbox numbers of a version without storylines remain to be compared, at most."""
    until = counter_value(connection, UNTIL)
    return until and max(1, until - counter_value(connection, _COMPARED))


def next_uncompared(
    connection: Connection, since: dt.datetime, limit: int
) -> list[int]:
    """Return the numbers of the next articles from this time on that are to be compared."""
    chosen = (
        select(article.c.inbox_no)
        .where(
            article.c.inbox_no > counter_value(connection, _COMPARED),
            article.c.inbox_no <= counter_value(connection, UNTIL),
            article.c.is_compared,
            article.c.effective_at >= since,
        )
        .order_by(article.c.inbox_no)
        .limit(limit)
    )
    return list(connection.scalars(chosen))


def compared_to(connection: Connection, number: int | None) -> None:
    """Note that articles up to `number` are compared; None: all are."""
    if number is None:
        set_counter(connection, UNTIL, 0)
    else:
        set_counter(connection, _COMPARED, number)


def compare_all(connection: Connection) -> None:
    """Queue all placed articles for comparison."""
    set_counter(connection, UNTIL, highest(connection, article.c.inbox_no))
