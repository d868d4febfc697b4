"""Decisions of a second look: a report moves, or two stories become one."""

import msgspec


class ReportMove(msgspec.Struct, frozen=True):
    """A report moves from its story to another story."""

    article: str
    source: int
    target: int
    own_score: float  # its score with the other reports of the story it leaves
    score: float  # its mean score with `reports`, which includes `shift`
    need: float
    # The compared reports of the other story
    reports: tuple[str, ...]
    # The shift of the stream
    shift: float

    @property
    def numbers(self) -> tuple[int, ...]:
        """The stories that change."""
        return (self.source, self.target)


class StoryMerge(msgspec.Struct, frozen=True):
    """Two stories become one.

    The surviving id is decided when the merge is written. Later changes of this second look call the story `kept`.
    """

    kept: int
    gone: int
    score: float  # mean score of a report of one story with a report of the other
    need: float

    @property
    def numbers(self) -> tuple[int, ...]:
        """The stories that change."""
        return (self.kept, self.gone)


Reassignment = ReportMove | StoryMerge
