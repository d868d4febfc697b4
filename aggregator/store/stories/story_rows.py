"""Reads and writes rows of stories, and their names and topics, which are written when a story is rendered."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

import msgspec
from sqlalchemy import Connection

from aggregator.model.article import Article, ArticleView
from aggregator.model.story import StoryName
from aggregator.model.structs import FrozenStruct
from aggregator.store.stories import storyline_rows
from aggregator.store.tables import (
    Values,
    insert_rows,
    read_set,
    read_struct,
    read_structs,
    read_value,
    read_values,
    story,
    story_subject,
    update_rows,
    write_sql,
)
from aggregator.stories.counting.counts import counts
from aggregator.stories.lexicon import subject_key


class StoryRow(FrozenStruct, kw_only=True):
    """The row of a story, without the text that it shows."""

    story_no: int
    id: str
    founding_article: str
    founding_no: int  # number of stories that this article founded before
    title: str
    # The article of the headline; None: unknown, or the headline was made from a lead
    title_article: str | None
    summary: str
    language: str | None
    bumped_at: datetime
    membership_changed_no: int
    # See `derived_columns`
    first_published: datetime
    last_published: datetime
    article_count: int
    outlet_count: int
    unknown_outlet_count: int
    report_count: int
    container_only: bool
    last_inbox_no: int


def derived_columns(
    members: Sequence[Article | ArticleView],
    families: Mapping[str, str] | None,
    *,
    container_only: bool,
) -> Values:
    """Return the columns that follow from the articles of a story; `families`: see `counts`."""
    dated = [member.effective_at for member in members if member.published is not None]
    times = dated or [member.effective_at for member in members]
    return {
        **msgspec.structs.asdict(counts(members, families)),
        "first_published": min(times),
        "last_published": max(times),
        "container_only": container_only,
        "last_inbox_no": max(member.inbox_no for member in members),
    }


def with_another_copy(row: StoryRow, copy: Article) -> Values:
    """Return the columns that change when another copy repeats an earlier one (`stored_articles.repeats_another`)."""
    return {
        "article_count": row.article_count + 1,
        "unknown_outlet_count": row.unknown_outlet_count + (copy.outlet_key is None),
        "report_count": row.report_count,
        "last_published": max(row.last_published, copy.effective_at),
        "last_inbox_no": max(row.last_inbox_no, copy.inbox_no),
    }


def has_only_containers(members: Iterable[Article]) -> bool:
    """Return whether all compared articles of a story are live blogs or roundups."""
    return {member.role for member in members if member.is_compared} == {"container"}


_ROW = f"SELECT {', '.join(StoryRow.__struct_fields__)} FROM story"  # noqa: S608
_CHANGING = [
    name
    for name in StoryRow.__struct_fields__
    if name not in ("story_no", "id", "founding_article", "founding_no")
]


def shown_columns(shape: type[FrozenStruct]) -> str:
    """Return the columns of a story that `shape` shows, for SQL text, each with the name of its field."""
    columns = {column.name: f"story.{column.name}" for column in story.columns}
    # Views have a storyline with its stories instead of its id.
    del columns["storyline"]
    columns["updated"] = "story.bumped_at AS updated"
    return ", ".join(
        columns[name] for name in shape.__struct_fields__ if name in columns
    )


def insert_story(connection: Connection, row: StoryRow) -> None:
    """Write a new story."""
    insert_rows(connection, story, [msgspec.structs.asdict(row)])


def update_story(connection: Connection, row: StoryRow) -> None:
    """Write the row of a story and clear its text, so that it is rendered again."""
    columns = {name: getattr(row, name) for name in _CHANGING}
    columns |= {"text": None, "rendered": None}
    update_rows(connection, "story", "story_no = :number", columns, number=row.story_no)


def render_again(connection: Connection, ids: Iterable[str]) -> None:
    """Let these stories be rendered again, unless retention has deleted the text of one of their articles."""
    write_sql(
        connection,
        """
        UPDATE story SET text = NULL WHERE id IN :ids
        AND NOT EXISTS (SELECT 1 FROM article WHERE article.story = story.id AND article.text IS NULL)
        """,
        ids=ids,
    )


def redirect_story(connection: Connection, loser: str, winner: str) -> None:
    """Redirect story `loser`, and the stories that redirect to it, to `winner`.

    The articles of `loser` must have been moved before.
    """
    erase_subjects(connection, [loser])
    storyline_rows.inherit(connection, loser, winner)
    write_sql(
        connection,
        "UPDATE story SET redirect_to = :winner WHERE redirect_to = :loser",
        winner=winner,
        loser=loser,
    )
    # If the merge is undone, the story is rendered again.
    write_sql(
        connection,
        "UPDATE story SET redirect_to = :winner, text = NULL, rendered = NULL WHERE id = :loser",
        winner=winner,
        loser=loser,
    )


def row_of(connection: Connection, id: str) -> StoryRow:
    """Return the row of a story, even if the story was merged into another."""
    (row,) = read_structs(connection, StoryRow, f"{_ROW} WHERE id = :id", id=id)
    return row


def title_of(connection: Connection, id: str) -> str:
    """Return the headline of story `id`, even if it redirects; "" if it does not exist."""
    return read_value(connection, "SELECT title FROM story WHERE id = :id", id=id) or ""


def last_membership_change(connection: Connection) -> int:
    """Return the inbox number at which the articles of any story last changed; 0 in an empty database."""
    newest = read_value(
        connection, "SELECT coalesce(max(membership_changed_no), 0) FROM story"
    )
    return max(newest, 0)  # -1: see `story.membership_changed_no`


def membership_changed_since(connection: Connection, inbox_no: int) -> list[int]:
    """Return the numbers of the live stories whose articles changed at `inbox_no` or later."""
    return read_values(
        connection,
        "SELECT story_no FROM story WHERE membership_changed_no >= :since AND redirect_to IS NULL",
        since=inbox_no,
    )


def foundings(connection: Connection, founder: str) -> int:
    """Return how many stories the article has founded."""
    return read_value(
        connection,
        "SELECT count(*) FROM story WHERE founding_article = :founder",
        founder=founder,
    )


def stories_before(
    connection: Connection, ids: Collection[str], newest: int
) -> set[str]:
    """Return those of the stories `ids` whose number is at most `newest`."""
    return read_set(
        connection,
        "SELECT id FROM story WHERE story_no <= :newest AND id IN :ids",
        newest=newest,
        ids=ids,
    )


def revive(connection: Connection, id: str) -> None:
    """Make a merged story live again. It has no articles yet."""
    write_sql(connection, "UPDATE story SET redirect_to = NULL WHERE id = :id", id=id)


def show_title(connection: Connection, id: str, article: str, title: str) -> None:
    """Make the title of an article the headline of a story, until a better title is found."""
    write_sql(
        connection,
        "UPDATE story SET title = :title, title_article = :article WHERE id = :id",
        title=title,
        article=article,
        id=id,
    )


def redirecting_to(connection: Connection, id: str) -> list[str]:
    """Return the ids of the stories that redirect to story `id`."""
    return read_values(
        connection, "SELECT id FROM story WHERE redirect_to = :id ORDER BY id", id=id
    )


def change_redirects(connection: Connection, ids: Iterable[str], id: str) -> None:
    """Let those of the stories `ids` that are redirects lead to story `id`."""
    write_sql(
        connection,
        "UPDATE story SET redirect_to = :id WHERE id IN :ids AND redirect_to IS NOT NULL",
        id=id,
        ids=ids,
    )


def target_of(connection: Connection, id: str) -> str | None:
    """Return story `id` or its successor; None if it does not exist or has no articles any more."""
    target = "SELECT coalesce(redirect_to, id) FROM story WHERE id = :id"
    return read_value(connection, target, id=id) or None


def assigned_story(connection: Connection, article_id: str) -> StoryRow | None:
    """Return the row of the story of an article; None if the article does not exist."""
    return read_struct(
        connection,
        StoryRow,
        f"{_ROW} WHERE id = (SELECT story FROM article WHERE id = :article)",  # noqa: S608
        article=article_id,
    )


def write_subjects(
    connection: Connection,
    rendered: Sequence[tuple[int, Sequence[StoryName], Sequence[StoryName]]],
) -> None:
    """Replace the names and topics of stories. Each item has the number, the names and the topics of a story."""
    write_sql(
        connection,
        "DELETE FROM story_subject WHERE story_no IN :numbers",
        numbers=[number for number, _, _ in rendered],
    )
    rows = []
    for number, names, topics in rendered:
        for kind, subjects in (("name", names), ("topic", topics)):
            for position, subject in enumerate(subjects):
                rows.append(
                    {
                        "story_no": number,
                        "kind": kind,
                        "position": position,
                        "key": subject_key(subject.name),
                        "label": subject.name,
                        "outlets": subject.outlets,
                    }
                )
    insert_rows(connection, story_subject, rows)


def erase_subjects(connection: Connection, ids: Collection[str]) -> None:
    """Delete names and topics of these stories, until they are rendered again."""
    write_sql(
        connection,
        """
        DELETE FROM story_subject WHERE story_no IN (SELECT story_no FROM story WHERE id IN :ids)
        """,
        ids=ids,
    )
