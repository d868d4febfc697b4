"""Gives each article of a series its own story: two alone were like copies of one text."""

from collections import Counter
from collections.abc import Sequence

from aggregator.grouping.changes import Move
from aggregator.grouping.parts import GroupingParts
from aggregator.grouping.unit_of_work import UnitOfWork
from aggregator.grouping.write.copy_families import with_copies
from aggregator.model.article import Article, Role
from aggregator.model.evidence import Evidence
from aggregator.store.stories import articles
from aggregator.store.stories.article_rows import article_writes


def separate_series(
    parts: GroupingParts, unit_of_work: UnitOfWork, series: Sequence[str], at_no: int
) -> None:
    """Take those of these articles that share a story out of it, but the first one."""
    stories = articles.assigned_stories(unit_of_work.connection, series)
    counts = Counter(stories.values())
    for story in sorted(story for story, count in counts.items() if count > 1):
        members = articles.members(unit_of_work.connection, story)
        _, *later = [member for member in members if member.id in stories]
        for member in later:
            _take_out(parts, unit_of_work, member, at_no)


def _take_out(
    parts: GroupingParts, unit_of_work: UnitOfWork, member: Article, at_no: int
) -> None:
    """Let an article begin a story, with the copies of its own text, unless a correction binds one."""
    connection = unit_of_work.connection
    article = member.id
    leaving = with_copies(connection, [article], member.story)
    if not parts.constraints.may_leave(connection, leaving):
        return
    evidence = Evidence(stage="series", rules_version=parts.rules_version)
    article_writes.set_evidence(connection, article, evidence)
    role: Role = "container" if member.is_container else "report"
    article_writes.set_role(
        connection, article, role, None, reuse=None, version_of=None
    )
    move = Move(articles=tuple(leaving), target=None, at_no=at_no, founder=article)
    story = parts.story_writer.apply(unit_of_work, move)
    unit_of_work.log(member.story, "moved", article=article, to=story, reason="series")
