"""Reads storylines, each with its stories, as pages, lists and feeds show them."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from operator import attrgetter

from msgspec.structs import replace
from sqlalchemy import Connection

from aggregator.model.read_model import FrontPageStory
from aggregator.model.story import LinkedStory, StorylineView
from aggregator.store.read.cursors import cursor_at, read_cursor
from aggregator.store.stories.guests import HAS_STANDING, guests_among, guests_of
from aggregator.store.stories.storyline_rows import line_of
from aggregator.store.tables import (
    Row,
    read_lists,
    read_map,
    read_rows,
    read_set,
    read_values,
)

_DAY = timedelta(days=1)
# The columns of a story that its storyline shows
_STORY_COLUMNS = ("id", "title", "first_published", "report_count")
_STORIES = f"""
    SELECT {", ".join(_STORY_COLUMNS)}, storyline, story_no, last_published, outlet_count, bumped_at,
      {HAS_STANDING} AS has_standing
    FROM story
    WHERE redirect_to IS NULL AND (storyline IN :ids OR storyline IS NULL AND id IN :ids)
    ORDER BY first_published DESC, story_no DESC
    """  # noqa: S608
# The storylines of some stories, except stories that stand alone
_STORYLINES = "SELECT storyline FROM story WHERE storyline IS NOT NULL AND redirect_to IS NULL AND id IN :ids"
# Later than every bump
_END_OF_TIME = datetime(9999, 1, 1, tzinfo=UTC)


def storylines_by_story(
    connection: Connection, ids: Iterable[str]
) -> dict[str, StorylineView]:
    """Return the storyline of each story in the storylines of these stories. Stories that stand alone are left out."""
    views = storylines(connection, read_set(connection, _STORYLINES, ids=ids))
    return {story.id: view for view in views.values() for story in view.stories}


def members_of_lines(connection: Connection, ids: Iterable[str]) -> list[Row]:
    """Return all stories of the storylines of these stories, ordered by their last bump, the latest last."""
    lines = read_values(connection, _STORYLINES, ids=ids)
    members = read_rows(connection, _STORIES, ids=lines)
    return sorted(members, key=lambda row: (row.bumped_at, row.story_no))


def one_a_storyline(
    connection: Connection, ranked: Sequence[FrontPageStory]
) -> list[FrontPageStory]:
    """Return the first of the ranked stories of each storyline, and the stories that stand alone.

    The first story also counts the outlets of the other ranked stories of its storyline with a bump within a day of it.
    A guest comes first, and stands for itself only, if no other story of its storyline is ranked.
    """
    ids = [story.id for story in ranked]
    storyline_by_story = read_map(
        connection,
        """
        SELECT id, story.storyline FROM story WHERE story.storyline IS NOT NULL AND redirect_to IS NULL AND id IN :ids
        """,
        ids=ids,
    )
    guests = guests_of(connection, storyline_by_story.values())
    first: dict[str, FrontPageStory] = {}
    for story in sorted(ranked, key=lambda story: story.id in guests):
        storyline = storyline_by_story.get(story.id, story.id)
        head = first.setdefault(storyline, story)
        if story.id not in guests and abs(head.updated - story.updated) < _DAY:
            outlets = head.own_outlets | story.own_outlets
            first[storyline] = replace(head, own_outlets=outlets)
    return list(first.values())


def storylines(
    connection: Connection, ids: Iterable[str], least: int = 2
) -> dict[str, StorylineView]:
    """Return the storylines with these ids that have at least `least` stories, by id.

    A story that stands alone is a storyline of one story, which has the id of the story.
    """
    members = defaultdict(list)
    for row in read_rows(connection, _STORIES, ids=ids):
        members[row.storyline or row.id].append(row)
    guests = guests_among(row for rows in members.values() for row in rows)
    # The stories of each storyline except guests, and those of its last day. The first story of the last day is the
    # head, which gives the storyline its title.
    hosts = {}
    last_day = {}
    for id_, rows in members.items():
        if len(rows) >= least:
            hosts[id_] = [row for row in rows if row.id not in guests]
            last = max(row.last_published for row in hosts[id_])
            newest = [row for row in hosts[id_] if row.last_published > last - _DAY]
            weight = attrgetter("report_count", "outlet_count", "last_published")
            last_day[id_] = sorted(newest, key=weight, reverse=True)
    with_others = [row.id for day in last_day.values() if len(day) > 1 for row in day]
    outlets = read_lists(
        connection,
        "SELECT story, outlet FROM article WHERE outlet IS NOT NULL AND story IN :stories",
        stories=with_others,
    )
    views = {}
    for id_, day in last_day.items():
        # A story counts outlets that only repeat others as one, so its count may be lower than its number of names.
        outlet_count = sum(row.outlet_count for row in day)
        if len(day) > 1:
            names = set().union(*(outlets[row.id] for row in day))
            outlet_count = min(outlet_count, len(names))
        rows = members[id_]
        views[id_] = StorylineView(
            id=id_,
            title=day[0].title,
            story_count=len(rows),
            day_outlet_count=outlet_count,
            day_report_count=sum(row.report_count for row in day),
            head=day[0].id,
            updated=max(row.bumped_at for row in hosts[id_]),
            stories=tuple(
                LinkedStory(
                    **{name: row._mapping[name] for name in _STORY_COLUMNS},
                    is_guest=row.id in guests,
                )
                for row in rows
            ),
        )
    return views


def storyline_of(connection: Connection, id: str) -> StorylineView | None:
    """Return the storyline with this id, or the storyline of the story with this id, even if the story stands alone.

    Return None if the story does not exist, or has no articles any more.
    """
    view = storylines(connection, [id], 1).get(id)
    if view is None and (storyline := line_of(connection, id)) is not None:
        view = storylines(connection, [storyline], 1)[storyline]
    return view


def newest_storylines(
    connection: Connection, limit: int, after: str | None = None
) -> tuple[tuple[StorylineView, ...], str | None]:
    """Return a page of storylines, the last bumped first, and the cursor of the next page.

    Raises UsageError for an invalid cursor.
    """
    before = _END_OF_TIME if after is None else read_cursor(after)[0]
    rows = read_rows(
        connection,
        f"""
        SELECT storyline, bumped_at FROM (
          SELECT storyline, coalesce(max(CASE WHEN {HAS_STANDING} THEN bumped_at END), max(bumped_at)) AS bumped_at
          FROM story WHERE storyline IS NOT NULL AND redirect_to IS NULL GROUP BY storyline HAVING count(*) > 1
        ) AS bumped WHERE bumped_at < :before ORDER BY bumped_at DESC LIMIT :limit
        """,  # noqa: S608
        before=before,
        limit=limit + 1,
    )
    page = rows[:limit]
    views = storylines(connection, [row.storyline for row in page])
    following = cursor_at(page[-1].bumped_at, 0) if len(rows) > limit else None
    return tuple(views[row.storyline] for row in page), following
