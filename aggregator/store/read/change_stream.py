"""The change stream, as update feeds and webhooks read it. `UnitOfWork.change` writes it with each decision.

A change is a bump of a story (a new story, a new independent report, another headline, a correction), a merge
or a split. Copies cause no change.
"""

from itertools import takewhile
from operator import attrgetter
from typing import Literal

from sqlalchemy import Connection, func, select

from aggregator.model.read_model import Change, ChangedStories, ChangedStory
from aggregator.store.stories import article_views
from aggregator.store.tables import (
    article,
    change,
    highest,
    rows_with,
    story,
    story_log,
)

# The story of the change, which may have been merged since
_STORY_THEN = story.alias("story_then")
# Changes with their stories as they are today
CHANGES_TODAY = change.join(_STORY_THEN, _STORY_THEN.c.id == change.c.story).join(
    story, story.c.id == func.coalesce(_STORY_THEN.c.redirect_to, _STORY_THEN.c.id)
)


def following(
    connection: Connection, after: int, limit: int, *, indexed_to: int
) -> tuple[Change, ...]:
    """Return the changes after number `after`, oldest first, up to the first whose article is not indexed.

    `indexed_to`: the inbox number up to which articles are in the full-text index.
    """
    statement = (
        select(change, story.c.id.label("today"), article.c.inbox_no.label("article_n"))
        .select_from(CHANGES_TODAY.outerjoin(article, article.c.id == change.c.article))
        .where(change.c.change_no > after)
        .order_by(change.c.change_no)
        .limit(limit)
    )
    following_rows = connection.execute(statement).all()
    rows = list(
        takewhile(lambda row: (row.article_n or 0) <= indexed_to, following_rows)
    )
    wanted = {row.article for row in rows if row.article is not None}
    articles = {view.id: view for view in article_views.views_of(connection, wanted)}
    return tuple(
        Change(
            n=row.change_no,
            story=row.today,
            was=row.story,
            kind=row.kind,
            at=row.at,
            updated=row.bumped_at,
            title=row.title,
            title_before=row.title_before,
            report_count=row.report_count,
            others=tuple(row.others.split(",")) if row.others else (),
            article=articles.get(row.article),
        )
        for row in rows
    )


def changed_stories(
    connection: Connection, since: int | None, limit: int
) -> ChangedStories:
    """Return the stories of the first `limit` log lines after number `since`, each once, as they are now."""
    if since is None:
        return ChangedStories(next=highest(connection, story_log.c.log_no))
    lines = (
        select(story_log.c.log_no, story_log.c.story, story_log.c.kind)
        .where(story_log.c.log_no > since)
        .order_by(story_log.c.log_no)
        .limit(limit)
    )
    numbers = {}
    created = set()
    for line in connection.execute(lines):
        numbers[line.story] = line.log_no
        if line.kind == "created":
            created.add(line.story)
    changed = []
    for row in rows_with(connection, _PRESENT, story.c.id, numbers):
        n = numbers[row.id]
        if row.redirect_to == "":
            changed.append(ChangedStory(n=n, story=row.id, kind="removed"))
        elif row.redirect_to is not None:
            into = row.redirect_to
            changed.append(ChangedStory(n=n, story=row.id, kind="merged", into=into))
        else:
            kind: Literal["created", "changed"] = "changed"
            if row.id in created:
                kind = "created"
            changed.append(
                ChangedStory(n=n, story=row.id, kind=kind, updated=row.bumped_at)
            )
    return ChangedStories(
        changes=tuple(sorted(changed, key=attrgetter("n"))),
        next=max(numbers.values(), default=since),
    )


_PRESENT = select(story.c.id, story.c.redirect_to, story.c.bumped_at)


def last_number(connection: Connection) -> int:
    """Return the number of the newest change; 0 without changes."""
    return highest(connection, change.c.change_no)
