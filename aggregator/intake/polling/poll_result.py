"""The result of a poll, and the count of its entries by outcome."""

from collections.abc import Sequence

from aggregator.model.structs import FrozenStruct
from aggregator.store.intake.known_entries import AcceptResult


class PollResult(FrozenStruct):
    """The result of one poll. `accepted` has the numbers of the stored entries."""

    # False also for a poll that was not sent or was stopped
    succeeded: bool = True
    # The name of the source, with the title of its feed
    name: str = ""
    accepted: tuple[int, ...] = ()
    read: int = 0
    # The revisions among the accepted entries
    revised: int = 0
    known: int = 0
    problem: str | None = None
    unchanged: bool = False  # the response was 304, or had nothing new


def summarise_accepted(
    accepted: Sequence[AcceptResult], problem: str | None
) -> PollResult:
    """Return the result of a poll with the counts of these outcomes."""
    return PollResult(
        accepted=tuple(
            result.entry_no for result in accepted if result.entry_no is not None
        ),
        read=len(accepted),
        revised=sum(result.outcome == "revision" for result in accepted),
        known=sum(
            result.entry_no is None and result.outcome != "forgotten"
            for result in accepted
        ),
        problem=problem,
    )
