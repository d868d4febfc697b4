"""The outcome of placing one entry, in a module that does not import the deciding code."""

from aggregator.model.structs import FrozenStruct
from aggregator.store.intake.inbox import Outcome


class PlacementResult(FrozenStruct):
    """The outcome of one waiting entry."""

    entry_no: int
    outcome: Outcome
    article: str
    story: str | None = None
    reason: str | None = None
