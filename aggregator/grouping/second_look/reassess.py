"""Second look: repeat decisions about recent stories after later articles arrived.

The first decision about an article knows only earlier articles. So the stories that changed since the last
second look are compared again with their neighbours, in two steps:

1. *Moves.* A report without a date may have joined the first of several stories of a topic. It moves to a
   story that it fits clearly better.
2. *Merges.* Two stories whose newest reports agree on average become one, the closest pair first.

The step is pure: it reads data through a `StoryLookup` and writes nothing. Apply the changes in their order.
Copies, excerpts, and live blogs and roundups in a story with reports do not count as evidence. See ADR 10.
"""

import math
from collections.abc import Iterable

from aggregator.grouping.pairs.weights import EventTuning
from aggregator.grouping.scores.scorer import is_within_window
from aggregator.grouping.second_look.merges import Merging
from aggregator.grouping.second_look.reassignments import Reassignment, ReportMove
from aggregator.grouping.second_look.state import Look
from aggregator.grouping.second_look.story_lookup import StoryLookup
from aggregator.model.article import Article
from aggregator.store.stories.live_stories import LiveStory


def reassess_stories(
    changed_numbers: Iterable[int], lookup: StoryLookup, tuning: EventTuning
) -> tuple[Reassignment, ...]:
    """Return the changes to the stories in `changed_numbers`, which changed since the last second look.

    Numbers of stories that no longer exist are skipped. Stories changed here should be checked again in the
    next second look. The result depends on the set of numbers and the lookup, not on any order.
    """
    look = Look(lookup, tuning)
    numbers = sorted(set(changed_numbers))
    for number in numbers:
        move_undated(look, number)
    merging = Merging(look)
    for number in numbers:
        merging.propose_near(number)
    merging.merge_closest()
    return tuple(look.changes)


def move_undated(look: Look, number: int) -> None:
    """Move the newest reports without a date to stories that they fit clearly better."""
    story = look.story(number)
    if story is None or len(story.reports) < 2:
        return
    for report in [report for report in story.reports if report.stated_minutes is None]:
        others = [other for other in story.reports if other is not report]
        if not others or not look.lookup.may_leave(report.id):
            continue
        present = float(look.scores([report], others).mean())
        need = max(present, look.tuning.threshold) + look.tuning.reassess_gain
        score, target = _best_target(look, story, report, need)
        if target is None:
            continue
        move = ReportMove(
            article=report.id,
            source=story.number,
            target=target.number,
            own_score=present,
            score=score,
            need=need,
            reports=tuple(other.id for other in target.reports),
            shift=look.shift([report], target.reports),
        )
        look.changes.append(move)
        story.reports.remove(report)
        target.reports.insert(0, report)


def _best_target(
    look: Look, story: LiveStory, report: Article, need: float
) -> tuple[float, LiveStory | None]:
    """Return the best score of a report with stories near its own that reaches `need`, and that story."""
    best = -math.inf
    target = None
    for other in sorted(look.near(story.number), key=lambda near: near.number):
        # Check whether the story is open to the report, whatever they have in common
        if (
            not other.reports
            or other.article_count >= look.tuning.story_cap
            or not is_within_window(report, other, look.tuning)
            or not (report.is_opinion or look.lookup.has_report(other.number))
            or not look.lookup.may_join(report.id, other.number)
        ):
            continue
        score = float(look.scores([report], other.reports).mean())
        if score < need or score <= best:
            continue
        is_apart = look.lookup.are_apart([report], other.reports, story.number)
        if not is_apart and not look.lookup.is_foreign(report, other.reports):
            best = score
            target = other
    return best, target
