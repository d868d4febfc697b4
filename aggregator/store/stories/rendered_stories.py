"""Renders stories after placing, and stores the texts in the rows of the stories.

A new article clears the text of its story, which is then rendered again. The last bumped stories are rendered first.
"""

from collections.abc import Collection, Sequence

from sqlalchemy import Connection

from aggregator.store import codecs
from aggregator.store.engine.database import Database
from aggregator.store.stories import article_views, story_rows
from aggregator.store.tables import (
    lock_rows,
    read_map,
    read_rows,
    read_value,
    read_values,
    write_sql,
)
from aggregator.stories.story_tuning import StoryTuning

_IS_UNRENDERED = "redirect_to IS NULL AND text IS NULL"


def render_next(
    database: Database,
    limit: int,
    tuning: StoryTuning,
    *,
    of: Collection[str] | None = None,
) -> int:
    """Render up to `limit` unrendered stories, only from the ids `of` if they are given. Return their number.

    The number includes stories that got another article meanwhile, which are not written.
    """
    which = _IS_UNRENDERED if of is None else f"{_IS_UNRENDERED} AND id IN :of"
    bounds = {"limit": limit} if of is None else {"limit": limit, "of": of}
    with database.read() as connection:
        waiting = read_rows(
            connection,
            f"""
        SELECT story_no, id, title, last_inbox_no FROM story WHERE {which}
        ORDER BY bumped_at DESC LIMIT :limit
        """,  # noqa: S608
            **bounds,
        )
        ids = [row.id for row in waiting]
        members = article_views.views_of_stories(connection, ids, "text")
    if not waiting:
        return 0
    # Compiling the patterns of this module would take a tenth of a start, which often has nothing to render.
    from aggregator.stories.rendering import render

    renderings = [(row, render(row.title, members[row.id], tuning)) for row in waiting]
    with database.write() as connection:
        # On a server, the lock keeps the writer from adding articles to these stories now.
        locked = lock_rows(
            connection, "SELECT id, last_inbox_no FROM story WHERE id IN :ids"
        )
        last_numbers = read_map(connection, locked, ids=ids)
        subjects = []
        for row, rendering in renderings:
            if last_numbers.get(row.id) != row.last_inbox_no:
                continue
            write_sql(
                connection,
                "UPDATE story SET rendered = :shown, text = :text WHERE id = :id",
                shown=codecs.compress_struct(rendering.shown),
                text=rendering.text,
                id=row.id,
            )
            # Write the originals of copies and excerpts that have changed.
            for id_, original in read_rows(
                connection,
                "SELECT id, original FROM article WHERE story = :story",
                story=row.id,
            ):
                present = rendering.originals.get(id_, original)
                if present != original:
                    write_sql(
                        connection,
                        "UPDATE article SET original = :present WHERE id = :id",
                        present=present,
                        id=id_,
                    )
            subjects.append((row.story_no, rendering.names, rendering.topics))
        story_rows.write_subjects(connection, subjects)
    return len(waiting)


def unrendered_of_several(connection: Connection) -> Sequence[str]:
    """Return the ids of the unrendered stories of several articles, the last bumped first."""
    return read_values(
        connection,
        f"SELECT id FROM story WHERE {_IS_UNRENDERED} AND article_count > 1 ORDER BY bumped_at DESC",  # noqa: S608
    )


def count_unrendered(connection: Connection) -> int:
    """Return the number of stories that wait to be rendered."""
    return read_value(
        connection,
        f"SELECT count(*) FROM story WHERE {_IS_UNRENDERED}",  # noqa: S608
    )


def clear_rendered(connection: Connection) -> None:
    """Let all live stories be rendered again, except stories whose texts were all deleted by retention."""
    write_sql(
        connection,
        """
        UPDATE story SET text = NULL, rendered = NULL WHERE redirect_to IS NULL
        AND EXISTS (SELECT 1 FROM article WHERE article.story = story.id AND article.text IS NOT NULL)
        """,
    )
