"""The deep checks: every derived row is compared with the rows that it is derived from.

They are the oracle of the tests. They check invariants that hold between any two transactions, in chunks, so
a daemon may continue meanwhile. Derived rows that may be late (the full-text index, what stories show) are
checked up to their stored progress.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import chain

from aggregator.config.tuning import Tuning
from aggregator.grouping.copies.copy_check import CopyTuning
from aggregator.model.structs import FrozenStruct
from aggregator.store.engine.database import Database
from aggregator.store.maintenance import integrity_check
from aggregator.stories.story_tuning import StoryTuning
from tests.support import deep_references, deep_story_rows, deep_texts
from tests.support.deep_story_rows import StoryCheckTuning


class Fault(FrozenStruct):
    """What is wrong, and the keys of the rows."""

    what: str
    keys: tuple[str, ...] = ()

    @property
    def is_note(self) -> bool:
        """Whether it is not damage: the clock is to blame."""
        return self.what.endswith(deep_references.IS_AHEAD)


def faults(
    database: Database,
    all_tuning: Tuning | None = None,
    *,
    families: Mapping[str, str] | None = None,
    now: datetime | None = None,
) -> list[Fault]:
    """Return what `db check` finds and all findings of the deep checks, and notes.

    `all_tuning` and `families`: from which rows of stories are computed (None: the defaults).
    """
    all_tuning = all_tuning or Tuning()
    of_stories = StoryCheckTuning(families, all_tuning.section("stories", StoryTuning))
    copies = all_tuning.section("copies", CopyTuning)
    keys: dict[str, dict[str, None]] = {}
    for what, key in chain(
        deep_references.faults(database),
        deep_references.value_faults(database, now or datetime.now(UTC)),
        deep_references.unreadable(database),
        deep_story_rows.faults(database, of_stories),
        deep_story_rows.rendered_faults(database, of_stories.stories),
        deep_texts.faults(database, copies),
        deep_texts.index_faults(database),
    ):
        keys.setdefault(what, {})[str(key)] = None
    return [
        *(Fault(what=one.what) for one in integrity_check.faults(database)),
        *(Fault(what=what, keys=(*named,)) for what, named in keys.items()),
    ]
