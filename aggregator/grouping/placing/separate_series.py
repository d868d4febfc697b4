"""Give each article of a series its own story; the first two looked like copies of one text."""

from collections import Counter
from collections.abc import Sequence

from aggregator.grouping.changes import Move
from aggregator.grouping.parts import GroupingParts
from aggregator.grouping.write.copy_families import with_copies
from aggregator.model.article import Role
from aggregator.model.evidence import Evidence
from aggregator.store.stories import stored_articles
from aggregator.store.stories.article_rows import article_writes
from aggregator.store.stories.unit_of_work import UnitOfWork


def separate_series(
    parts: GroupingParts, unit_of_work: UnitOfWork, series: Sequence[str], at_no: int
) -> None:
    """Take articles of a series that share a story out of it, except the first article."""
    connection = unit_of_work.connection
    stories = stored_articles.assigned_stories(connection, series)
    counts = Counter(stories.values())
    evidence = Evidence(stage="series", rules_version=parts.rules_version)
    for story in sorted(story for story, count in counts.items() if count > 1):
        members = stored_articles.members(connection, story)
        _, *later = [member for member in members if member.id in stories]
        for member in later:
            # The copies of its own text leave with it, unless a correction binds one of them.
            leaving = with_copies(connection, [member.id], story)
            if not parts.constraints.may_leave(connection, leaving):
                continue
            article_writes.set_evidence(connection, member.id, evidence)
            role: Role = "container" if member.is_container else "report"
            article_writes.set_role(
                connection, member.id, role, None, reuse=None, version_of=None
            )
            move = Move(
                articles=tuple(leaving), target=None, at_no=at_no, founder=member.id
            )
            target = parts.story_writer.apply(unit_of_work, move)
            unit_of_work.log(
                story, "moved", article=member.id, to=target, reason="series"
            )
