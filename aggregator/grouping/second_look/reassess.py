"""Second look: repeat decisions about recent stories after later articles arrived.

The first decision about an article knows only earlier articles. So the stories that changed since the last
second look are compared again with their neighbours, in two steps:

1. *Moves.* A report without a date may have joined the first of several stories of a topic. It moves to a
   story that it fits clearly better.
2. *Merges.* Two stories whose newest reports agree on average become one, the closest pair first.

The step is pure: it reads data through a `StoryLookup` and writes nothing. Apply the changes in their order.
Copies, excerpts, and live blogs and roundups in a story with reports do not count as evidence. See ADR 10.
"""

from collections.abc import Iterable

from aggregator.grouping.pairs.weights import EventTuning
from aggregator.grouping.second_look.merges import Merging
from aggregator.grouping.second_look.moves import move_undated
from aggregator.grouping.second_look.reassignments import Reassignment
from aggregator.grouping.second_look.state import Look
from aggregator.grouping.second_look.story_lookup import StoryLookup


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
