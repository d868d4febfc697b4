"""Explanations of decisions, as commands, pages and the API show them."""

from datetime import datetime

from aggregator.model.evidence import (
    ChangedSentence,
    CopyEvidence,
    Evidence,
    Reason,
)
from aggregator.model.prepared import Kind
from aggregator.model.structs import FrozenStruct
from aggregator.store.read.article_detail import LogLine
from aggregator.store.stories.corrections import Relation


class SharedTerms(FrozenStruct, omit_defaults=False):
    """Terms that two texts, or a text and a story, share; those with the highest weight come first."""

    names: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    words: tuple[str, ...] = ()


class PairExplanation(FrozenStruct, omit_defaults=False):
    """The present comparison of two articles."""

    article: str
    title: str
    story: str
    same_story: bool
    score: float
    bias: float
    reasons: tuple[Reason, ...]
    copy: CopyEvidence | None
    passages: tuple[str, ...]
    shared: SharedTerms
    # The relation between the articles that a correction set
    constraint: Relation | None
    # Why the articles cannot join each other, regardless of the score
    obstacle: str | None
    # Whether one of them is dated only to the day, so that the time between them is shown in days
    is_of_day: bool = False
    nosnippet: bool = False  # one of the two publishers forbids snippets


class VersionExplanation(FrozenStruct, omit_defaults=False):
    """Differences of an article and another version of its text.

    The later version is current if its author may replace the other version.
    """

    article: str  # the id of the other version
    outlet: str | None
    # The time of the other version
    time: datetime
    is_earlier: bool  # whether the other version is the earlier one
    # Whether the explained article does not have the current text
    is_replaced: bool
    changes: tuple[ChangedSentence, ...]


class Explanation(FrozenStruct, omit_defaults=False):
    """Why an article is in its story; with `pair`, why two articles are or are not together."""

    article: str
    title: str
    outlet: str | None
    kind: Kind
    kind_evidence: str | None  # None for a report
    story: str
    story_title: str
    evidence: Evidence
    # The terms that the article shares with its story
    shared: SharedTerms
    passages: tuple[str, ...]  # shared with its original
    version: VersionExplanation | None
    runner_up_title: str | None
    log: tuple[LogLine, ...]  # later events: moves, merges, corrections
    pair: PairExplanation | None = None
    is_of_day: bool = False  # whether the article is dated only to the day
    nosnippet: bool = False  # its publisher, or that of its original, forbids snippets
