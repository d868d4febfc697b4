"""Rows of stories compared with their articles: counts, times, what they show."""

import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import zstandard
from sqlalchemy import Connection, Row, exists, or_, select

from aggregator.extract.entry_identity import story_id
from aggregator.model.article import Article
from aggregator.store import codecs
from aggregator.store.engine.database import Database
from aggregator.store.stories import article_views, stored_articles
from aggregator.store.stories.story_rows import derived_columns, has_only_containers
from aggregator.store.tables import article, story
from aggregator.stories.rendering import render
from aggregator.stories.story_tuning import StoryTuning
from tests.support.deep_references import Finding, ranges


class StoryCheckTuning(NamedTuple):
    """The tuning from which rows of stories are computed."""

    families: Mapping[str, str] | None
    stories: StoryTuning


_MISMATCH = "stories have {} that do not match their articles"
_COMPARED = (  # columns that must be equal, and what the message calls them
    ("outlet_count", _MISMATCH.format("outlet counts")),
    ("unknown_outlet_count", _MISMATCH.format("outlet counts")),
    (
        "report_count",
        "stories have report counts of other publisher families (config.yaml changed, or an upgrade)",
    ),
    ("first_published", _MISMATCH.format("times")),
    ("last_published", _MISMATCH.format("times")),
    ("last_inbox_no", _MISMATCH.format("last inbox numbers")),
    ("container_only", _MISMATCH.format("kinds")),
)


def faults(database: Database, tuning: StoryCheckTuning) -> Iterator[Finding]:
    """Check the live stories."""
    live = story.c.redirect_to.is_(None)
    for low, high in ranges(database, story.c.story_no):
        with database.read() as connection:
            rows = connection.execute(
                select(story).where(story.c.story_no.between(low, high), live)
            ).all()
            for row in rows:
                # Else see deep_references.py
                if members := stored_articles.read_articles_of(connection, row.id):
                    yield from _of_one(connection, row, members, tuning)


def _of_one(
    connection: Connection,
    row: Row[Any],
    members: Sequence[Article],
    tuning: StoryCheckTuning,
) -> Iterator[Finding]:
    if row.id != story_id(row.founding_article, row.founding_no):
        yield "stories have an id that does not match their founding article", row.id
    if row.title_article is not None and row.title_article not in {
        member.id for member in members
    }:
        yield "stories have the headline of an article of another story", row.id
    expected = derived_columns(
        members,
        tuning.families,
        container_only=has_only_containers(members),
    )
    for what in dict.fromkeys(
        what for name, what in _COMPARED if getattr(row, name) != expected[name]
    ):
        yield what, row.id


# --- what stories show -------------------------------------------------------------------------------------


# Chunks of stories that are all rendered; of more, so many others each time:
_ALL_RENDERED = 20
_SAMPLED = 4


def rendered_faults(database: Database, tuning: StoryTuning) -> Iterator[Finding]:
    """Compare what stories show with a rendering of their articles."""
    chunks = list(ranges(database, story.c.story_no))
    # Rendering a story takes as long as ten other checks of it
    if len(chunks) > _ALL_RENDERED:
        chunks = random.sample(chunks, _SAMPLED)
    for low, high in chunks:
        # Retention empties the text of a story that cannot be rendered any more.
        is_gone = exists().where(
            article.c.story == story.c.id, article.c.text.is_(None)
        )
        is_kept = or_(story.c.text != "", ~is_gone)
        kept = story.c.redirect_to.is_(None), story.c.rendered.is_not(None), is_kept
        columns = story.c.id, story.c.title, story.c.text, story.c.rendered
        chosen = select(*columns).where(story.c.story_no.between(low, high), *kept)
        with database.read() as connection:
            rows = connection.execute(chosen).all()
            views = article_views.views_of_stories(
                connection, [row.id for row in rows], "text"
            )
            noted = select(article.c.id, article.c.original).where(
                article.c.story.in_([row.id for row in rows])
            )
            originals = dict(connection.execute(noted).all())
        for row in rows:
            expected = render(row.title, views[row.id], tuning)
            if row.text != expected.text or not _holds(
                row.rendered, codecs.pack(expected.shown)
            ):
                yield "what stories show does not match their articles", row.id
            elif any(
                originals[id_] != original
                for id_, original in expected.originals.items()
            ):
                yield "articles have an original that does not match", row.id


def _holds(blob: bytes, expected: bytes) -> bool:
    try:
        return codecs.decompress_bytes(blob) == expected
    except zstandard.ZstdError:
        return False
