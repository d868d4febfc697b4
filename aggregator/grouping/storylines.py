"""Storylines: stories of one continuing affair stand together.

An article is compared with the nearest stories when it is placed, and its affinity to each of them is stored: the
mean logit of the article and the reports of the story. The nearness of two stories is the mean of these affinities;
the nearness of two storylines is the mean over the three nearest pairs of their newest stories. When an article is
near another story, the storylines of both become one if they are near enough, and the older id stays. Apart from this,
only corrections change a storyline: a later report never takes a story out (docs/decisions/0054-storylines.md).
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import product

from aggregator.grouping.pairs.pair_model import UNLIKE
from aggregator.grouping.scores.scorer import ScoredCandidate
from aggregator.model.article import Article
from aggregator.model.prepared import AFFAIRLESS_KINDS
from aggregator.store.engine.database import Connection
from aggregator.store.stories import storyline_rows
from aggregator.store.stories.corrections import Constraints
from aggregator.store.stories.guests import guests_of
from aggregator.store.stories.storyline_rows import (
    Affinity,
    RecentStory,
    RecentStoryline,
)
from aggregator.store.stories.storyline_unions import note_union

# If an article has at least this affinity to a story, their storylines are compared. A single story also needs this
# nearness to join a storyline. Both are in thousandths of a logit, like stored affinities. With -1,750, more stories
# find their affair, but unlike affairs of one day are joined, too (docs/decisions/0054-storylines.md).
NEAR = -1_700
# The nearness that two storylines of several stories need to become one, in thousandths of a logit. It is higher than
# NEAR, because a wrong union mixes two whole affairs.
_NEAR_LINES = -1_000
# This many pairs of stories decide. The mean over all pairs let two long storylines of one event drift apart, because
# most of their stories are other steps; with two pairs or one, affairs are chained (docs/decisions/0054-storylines.md).
_NEAREST_PAIRS = 3

# The idf that the three rarest shared words need together: three words that one of 20 articles has. One broad word
# ("AI", "2026", the name of a country) does not make an affair.
_LEAST_SHARED = 9.0
# If a body is short and no report has at least this cosine with the article, they share too little. On a day full of
# one theme, .18 leaves 13 storylines with foreign stories where .15 leaves 17, and precision of pairs rises from .58 to
# .67; on the reading list, 25 instead of 26 of 28 events stay in one place. With .20, 22 of 28 do.
_LEAST_COSINE = 0.18
# Bodies with fewer words are short. Short bodies of one feed have the same form, so their affinity is reduced.
_SHORT_WORDS = 100
# The reduction, in logits
_FORM_LOGIT = 1.0
# Steps of an affair at full length share a background and tell different events, so the pair model is below -2 for
# most of them. If no body has fewer words, texts with this cosine have an affinity of at least this logit.
_LONG_WORDS = 300
_LONG_COSINE = 0.3
_LONG_LOGIT = -1.2


def affinity(
    article: Article, candidate: ScoredCandidate, reports: Sequence[Article]
) -> float:
    """Return how near an article is to a story with these newest reports: a logit.

    Return UNLIKE if they cannot be of one affair: if either is of a kind that belongs to no affair, if they share
    only broad words, if both have names but none in common, or if a body is short and the texts share too little.
    """
    members = [article, *reports]
    shortest = min(member.body_words for member in members)
    is_short = shortest < _SHORT_WORDS
    # Each names somebody or something, but they share no name.
    names_differ = candidate.named_shared <= 0 and candidate.named_apart > 0
    if (
        article.kind in AFFAIRLESS_KINDS
        or all(report.kind in AFFAIRLESS_KINDS for report in reports)
        or candidate.text_rarest < _LEAST_SHARED
        or names_differ
        or (is_short and candidate.stream_cosine < _LEAST_COSINE)
    ):
        return UNLIKE
    if shortest >= _LONG_WORDS and candidate.stream_cosine >= _LONG_COSINE:
        return max(candidate.affinity, _LONG_LOGIT)
    if is_short and len({member.source for member in members}) == 1:
        return candidate.affinity - _FORM_LOGIT
    return candidate.affinity


def nearness(
    stories: Sequence[RecentStory],
    others: Sequence[RecentStory],
    near: Mapping[frozenset[str], Affinity],
) -> float:
    """Return how near two storylines are: the mean nearness of their nearest pairs of stories, in thousandths.

    If both have several stories, each story is in one pair only, so that no single story between them unites them.
    """
    means = []
    for story, other in product(stories, others):
        pair = near.get(frozenset((story.id, other.id)))
        mean = storyline_rows.UNCOMPARED if pair is None else pair.mean
        means.append((mean, story.id, other.id))
    has_single_story = min(len(stories), len(others)) == 1
    nearest: list[float] = []
    paired: set[str] = set()
    for mean, story_id, other_id in sorted(means, reverse=True):
        if has_single_story or paired.isdisjoint((story_id, other_id)):
            nearest.append(mean)
            paired.update((story_id, other_id))
        if len(nearest) == _NEAREST_PAIRS:
            break
    return math.fsum(nearest) / len(nearest)


def join_nearest(
    connection: Connection,
    constraints: Constraints,
    story: str,
    at: datetime,
    numbers: Iterable[int],
    *,
    source: str = "",
) -> None:
    """Join the storyline of a story and the storylines of near stories, the nearest first.

    `at` is the time of the article that is near the stories with these `numbers`, and `source` its source. Stories are
    not compared if their last report is more than a week older or newer. Guests are not compared either.
    """
    line = storyline_rows.line_of(connection, story)
    lines = storyline_rows.lines_of_numbers(connection, numbers)
    if line is None or not lines - {line}:
        return
    compared = storyline_rows.recent_storylines(connection, lines | {line}, at)
    ids = [recent.id for other in compared.values() for recent in other.stories]
    own = compared.pop(line, None)
    if own is None:
        return
    near = storyline_rows.affinities(connection, ids)
    # If two storylines are equally near, the older one is joined first.
    others = sorted(compared.values(), key=lambda other: other.number)
    while True:
        # The constraints are read again, because the joined storyline has the constraints of both parts.
        barred = constraints.barred_storylines(connection, own.id)
        nearest = None
        greatest = -math.inf
        for other in others:
            has_single_story = own.is_single_story or other.is_single_story
            least = NEAR if has_single_story else _NEAR_LINES
            value = nearness(own.stories, other.stories, near)
            if value >= least and value > greatest and other.id not in barred:
                nearest = other
                greatest = value
        if nearest is None:
            return
        others.remove(nearest)
        if not own.is_single_story and not nearest.is_single_story:
            older, younger = sorted((own, nearest), key=lambda side: side.number)
            note_union(connection, at, older.id, younger.id, source)
        own = _unite_lines(connection, own, nearest)


def _unite_lines(
    connection: Connection, line: RecentStoryline, other: RecentStoryline
) -> RecentStoryline:
    """Join two storylines in the database, under the older id; return the result with its newest stories."""
    older, younger = sorted((line, other), key=lambda side: side.number)
    storyline_rows.unite(connection, older.id, younger.id)
    guests = guests_of(connection, [older.id])
    stories = sorted(
        (
            recent
            for recent in (*line.stories, *other.stories)
            if recent.id not in guests
        ),
        key=lambda recent: recent.founded,
        reverse=True,
    )
    return RecentStoryline(
        older.id,
        older.number,
        is_single_story=False,
        stories=stories[: storyline_rows.NEWEST],
    )


def join_near(
    connection: Connection,
    constraints: Constraints,
    article: Article,
    affinities: Iterable[tuple[int, int]],
) -> None:
    """Join the storyline of an article's story and the storylines of the stories that the article is near to."""
    near = [number for number, logit in affinities if logit >= NEAR]
    if near:
        at = article.effective_at
        join_nearest(
            connection, constraints, article.story, at, near, source=article.source
        )


def unite_stories(connection: Connection, ids: Iterable[str]) -> str:
    """Join the storylines of these stories; return the id of the oldest, which the result has."""
    lines = {}
    for id_ in ids:
        line = storyline_rows.line_of(connection, id_)
        if line is not None:
            lines[line] = storyline_rows.number_of(connection, line)
    kept, *gone = sorted(lines, key=lines.__getitem__)
    for line in gone:
        storyline_rows.unite(connection, kept, line)
    return kept
