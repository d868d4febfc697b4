"""Rows of stories: founding, update, merge."""

import datetime as dt
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import (
    ColumnElement,
    Connection,
    bindparam,
    exists,
    func,
    insert,
    select,
    update,
)

from aggregator.model.article import Article, ArticleView
from aggregator.model.structs import FrozenStruct
from aggregator.store.stories import related_stories
from aggregator.store.stories.articles import PublishedSpan, published_span
from aggregator.store.tables import (
    IS_LIVE,
    article,
    change_with,
    execute_each,
    fields_of,
    highest,
    story,
    struct_of,
    update_rows,
    values_with,
)
from aggregator.stories.counting.counts import (
    CountState,
    count_state_of,
    counts,
    to_bytes,
)


class DerivedColumns(FrozenStruct):
    """The columns of a story that are computed from its articles."""

    first_published: dt.datetime
    last_published: dt.datetime
    article_count: int
    outlet_count: int
    unknown_outlet_count: int
    report_count: int
    container_only: bool
    last_inbox_no: int
    count_state: bytes | None


class DecidedColumns(DerivedColumns, frozen=True, kw_only=True):
    """Also those that are decided, without the summary, which is made last."""

    title: str
    # The article of the headline; None: made from a lead
    title_article: str | None = None
    language: str | None
    bumped_at: dt.datetime
    membership_changed_no: int


class StoryRow(DecidedColumns, frozen=True, kw_only=True):
    """A live story with the columns that placing needs."""

    story_no: int
    id: str


class StoryState(DecidedColumns, frozen=True, kw_only=True):
    """The columns of a story that a decision writes."""

    summary: str

    def as_row(self, number: int, id: str) -> StoryRow:
        """Return the row of story `id` with this state."""
        same = {name: getattr(self, name) for name in DecidedColumns.__struct_fields__}
        return StoryRow(story_no=number, id=id, **same)


class Membership(NamedTuple):
    """The parts of the row of a story that depend on its members only."""

    count_state: CountState
    span: PublishedSpan
    is_container_only: bool  # what is compared of it are live blogs and roundups
    last_inbox_no: int
    shown: Sequence[ArticleView] = ()  # for headline and summary


def derived_columns(
    membership: Membership, families: Mapping[str, str] | None
) -> DerivedColumns:
    """Return the columns of a story with these members; `families`: see `stories.counting.counts.counts`."""
    return DerivedColumns(
        **msgspec.structs.asdict(counts(membership.count_state, families)),
        first_published=membership.span.first,
        last_published=membership.span.last,
        container_only=membership.is_container_only,
        last_inbox_no=membership.last_inbox_no,
        count_state=to_bytes(membership.count_state),
    )


def membership_of(
    members: Sequence[Article],
    compared: Collection[str],
    shown: Sequence[ArticleView] = (),
) -> Membership:
    """Return the membership of a story of these articles, of which the ids `compared` are compared."""
    roles = {member.role for member in members if member.id in compared}
    return Membership(
        count_state=count_state_of(members),
        span=published_span(members),
        is_container_only=roles == {"container"},
        last_inbox_no=max(member.inbox_no for member in members),
        shown=shown,
    )


def columns_of_members(
    members: Sequence[Article], families: Mapping[str, str] | None
) -> DerivedColumns:
    """Return the columns of a story computed from its articles, as they are stored."""
    compared = {member.id for member in members if member.is_compared}
    return derived_columns(membership_of(members, compared), families)


# Built once: SQLAlchemy needs as long to build a statement as to execute it.
_INSERT = insert(story)
_ROW_COLUMNS = fields_of(story, StoryRow)
_ROW = select(*_ROW_COLUMNS).where(story.c.id == bindparam("story_id"), IS_LIVE)
_ROW_OF_ARTICLE = (
    select(*_ROW_COLUMNS)
    .join(article, article.c.story == story.c.id)
    .where(article.c.id == bindparam("article_id"))
)
_MEMBERSHIP_CHANGED = select(story.c.story_no).where(
    story.c.membership_changed_no >= bindparam("since"), IS_LIVE
)
_FOUNDINGS = (
    select(func.count())
    .select_from(story)
    .where(story.c.founding_article == bindparam("article_id"))
)
_UPDATE = (
    update(story)
    .where(story.c.id == bindparam("story_id"))
    .values(
        {name: bindparam(name) for name in StoryState.__struct_fields__}
        | {"text": None, "rendered": None}
    )
)


def shown_columns(shape: type[FrozenStruct]) -> list[ColumnElement[Any]]:
    """Return the columns of a story that `shape` shows, each with the name of its field."""
    renamed = {
        "updated": story.c.bumped_at.label("updated"),
        "story": story.c.id.label("story"),
    }
    columns = {**{column.name: column for column in story.columns}, **renamed}
    return [columns[name] for name in shape.__struct_fields__ if name in columns]


class NewStory(NamedTuple):
    """A story to write, with the number of stories that its founder founded before."""

    story_no: int
    id: str
    founding_article: str
    founding_no: int
    state: StoryState


def insert_stories(connection: Connection, new: Sequence[NewStory]) -> None:
    """Write new stories."""
    rows = []
    for founded in new:
        row = founded._asdict()
        del row["state"]
        rows.append(row | msgspec.structs.asdict(founded.state))
    execute_each(connection, _INSERT, rows)


def update_stories(connection: Connection, states: Mapping[str, StoryState]) -> None:
    """Write the states of stories by id and clear what they show, which is rendered again later."""
    rows = [
        {"story_id": id_} | msgspec.structs.asdict(state)
        for id_, state in states.items()
    ]
    execute_each(connection, _UPDATE, rows)


def render_again(connection: Connection, ids: Iterable[str]) -> None:
    """Clear the texts of these stories, unless retention has deleted a text that they were made of."""
    has_no_text = exists().where(
        article.c.story == story.c.id, article.c.text.is_(None)
    )
    cleared = update(story).where(~has_no_text).values(text=None)
    change_with(connection, cleared, story.c.id, ids)


def write_derived(connection: Connection, id: str, derived: DerivedColumns) -> None:
    """Write the derived columns of a story; does not change its headline, bump and texts."""
    update_rows(connection, story, story.c.id == id, **msgspec.structs.asdict(derived))


def redirect_story(connection: Connection, loser: str, winner: str) -> None:
    """Redirect `loser`, and all that redirects to it, to `winner`. Its articles must have moved before."""
    related_stories.unite(connection, loser, winner)
    update_rows(connection, story, story.c.redirect_to == loser, redirect_to=winner)
    # Computed again if the merge is undone.
    derived = {"text": None, "rendered": None, "count_state": None}
    update_rows(connection, story, story.c.id == loser, redirect_to=winner, **derived)


def row_of(connection: Connection, id: str) -> StoryRow | None:
    """Return the live story `id`; None if it does not exist or redirects."""
    return struct_of(StoryRow, connection.execute(_ROW, {"story_id": id}).first())


def title_of(connection: Connection, id: str) -> str:
    """Return the headline of story `id`, even if it redirects; "" if it does not exist."""
    return str(connection.scalar(select(story.c.title).where(story.c.id == id)) or "")


def last_membership_change(connection: Connection) -> int:
    """Return the inbox number at which the articles of any story changed last; 0 in an empty database."""
    newest = highest(connection, story.c.membership_changed_no)
    return max(newest, 0)  # -1: see `story.membership_changed_no`


def membership_changed_since(connection: Connection, inbox_no: int) -> list[int]:
    """Return the numbers of the live stories whose articles changed at `inbox_no` or later."""
    return list(connection.scalars(_MEMBERSHIP_CHANGED, {"since": inbox_no}))


def foundings(connection: Connection, founder: str) -> int:
    """Return how many stories the article has founded."""
    return connection.execute(_FOUNDINGS, {"article_id": founder}).scalar_one()


def founders_among(connection: Connection, ids: Iterable[str]) -> set[str]:
    """Return those of these articles that have founded a story, also one that is gone."""
    founder = story.c.founding_article
    return values_with(connection, select(founder), founder, ids)


def revive(connection: Connection, id: str) -> None:
    """Make a merged story live again. It has no articles yet."""
    update_rows(connection, story, story.c.id == id, redirect_to=None)


def show_title(connection: Connection, id: str, article: str, title: str) -> None:
    """Make the title of an article the headline of a story, until another one is better."""
    update_rows(connection, story, story.c.id == id, title=title, title_article=article)


def redirecting_to(connection: Connection, id: str) -> list[str]:
    """Return the ids of the stories that redirect to story `id`."""
    statement = select(story.c.id).where(story.c.redirect_to == id).order_by(story.c.id)
    return list(connection.scalars(statement))


def redirect(connection: Connection, ids: Iterable[str], id: str) -> None:
    """Redirect those of the stories `ids` that redirect already to story `id`."""
    statement = update(story).where(
        story.c.id == bindparam("gone"), story.c.redirect_to.is_not(None)
    )
    rows = [{"gone": gone} for gone in ids]
    execute_each(connection, statement.values(redirect_to=id), rows)


def target_of(connection: Connection, id: str) -> str | None:
    """Return the present id of story `id`: itself or its successor; None if it has no articles any more."""
    present = func.coalesce(story.c.redirect_to, story.c.id)
    target = connection.scalar(select(present).where(story.c.id == id))
    return target or None


def assigned_story(connection: Connection, article_id: str) -> StoryRow | None:
    """Return the assigned story of an article; None if the article does not exist."""
    row = connection.execute(_ROW_OF_ARTICLE, {"article_id": article_id}).first()
    return struct_of(StoryRow, row)
