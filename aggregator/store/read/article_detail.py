"""One article with its text, and the reasons for its place in its story."""

from datetime import datetime

from msgspec.structs import replace
from sqlalchemy import Connection

from aggregator.model.article import ArticleView
from aggregator.model.evidence import Evidence
from aggregator.model.read_model import ArticleDetail
from aggregator.model.structs import FrozenStruct
from aggregator.store.stories import article_views, corrections, stored_articles
from aggregator.store.stories.corrections import Constraint
from aggregator.store.tables import (
    read_row,
    read_structs,
    read_value,
)
from aggregator.stories.counting.originals import with_originals

_WHOLE_ARTICLE = f"""
    SELECT {article_views.view_columns("text", "html", "evidence")}, story.title AS story_title
    FROM article JOIN story ON story.id = article.story
    """  # noqa: S608


_REVISIONS = (
    "SELECT count(*) FROM entry WHERE article = :article AND outcome = 'revised'"
)


def one_article(connection: Connection, id_: str) -> ArticleDetail | None:
    """Return an article with its text and evidence; None if it does not exist."""
    row = read_row(connection, f"{_WHOLE_ARTICLE} WHERE article.id = :id", id=id_)
    if row is None:
        return None
    # The original of a copy depends on its whole group (stories/counting/originals.py).
    members = with_originals(
        article_views.views_of_stories(connection, [row.story])[row.story]
    )
    view = article_views.view(row)
    linked = next((other for other in members if other.id == id_), view)
    return ArticleDetail(
        article=replace(
            view, copy_of=linked.copy_of, version=linked.version, role=linked.role
        ),
        story=row.story,
        story_title=row.story_title,
        revisions=read_value(connection, _REVISIONS, article=id_),
        copies=tuple(other for other in members if other.copy_of == id_),
    )


class LogLine(FrozenStruct):
    """A line of a story's log. `detail` is JSON."""

    at: datetime
    story: str
    kind: str
    article: str | None = None
    detail: str | None = None


class ExplainedArticle(FrozenStruct):
    """An article with its story and the evidence for its place there."""

    article: ArticleView
    story: str
    story_title: str
    evidence: Evidence
    # Log lines about the article, and about merges, corrections and regroupings of its story; oldest first
    log: tuple[LogLine, ...]
    # Constraints of all corrections in force
    constraints: tuple[Constraint, ...]


# Most log lines of one explanation. Joins of other articles are not included, so more lines are rare.
_LOG_LINES = 40


def explained_article(connection: Connection, id: str) -> ExplainedArticle | None:
    """Return an article with the evidence for its place; None if it does not exist. `id`: its id or its address."""
    row = read_row(
        connection,
        f"{_WHOLE_ARTICLE} WHERE article.id IN :ids ORDER BY inbox_no DESC",
        ids=stored_articles.find_ids(connection, id),
    )
    if row is None:
        return None
    view = article_views.view(row)
    assert view.evidence is not None, "it was selected"
    # The index of the log begins with the story, so the story is a condition.
    log = read_structs(
        connection,
        LogLine,
        """
        SELECT at, story, kind, article, detail FROM story_log WHERE story = :story
        AND (article IS NULL AND kind IN ('merged', 'corrected', 'regrouped') OR article = :article)
        ORDER BY log_no LIMIT :most
        """,
        most=_LOG_LINES,
        story=row.story,
        article=row.id,
    )
    return ExplainedArticle(
        article=view,
        story=row.story,
        story_title=row.story_title,
        evidence=view.evidence,
        log=tuple(log),
        constraints=tuple(corrections.all_constraints(connection)),
    )
