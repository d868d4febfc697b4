"""A correction as a command for the writer, and the writer's answer."""

from aggregator.model.structs import FrozenStruct
from aggregator.store.stories.corrections import CorrectionKind


class CorrectionCommand(FrozenStruct):
    """A correction or undo, by ids of stories and articles."""

    kind: CorrectionKind | None = None  # None: undo
    # `merge` and `join` name all their stories, `split`, `leave` and `part` the changed story, and `move` the target
    stories: tuple[str, ...] = ()
    # `split` names the articles of the new story, and `move` the article that moves
    articles: tuple[str, ...] = ()
    # The number of the correction; None: the last correction in force
    undo: int | None = None


class CorrectionResult(FrozenStruct, omit_defaults=False):
    """The number of the correction, the live stories that it changed, and a description."""

    n: int
    stories: tuple[str, ...]
    words: str
