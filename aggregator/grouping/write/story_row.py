"""The row of a story after a change: counts, headline and times from its articles, and its bump."""

import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import partial

import msgspec

from aggregator.grouping.story_options import StoryOptions
from aggregator.grouping.unit_of_work import UnitOfWork
from aggregator.model.article import ArticleView
from aggregator.model.read_model import ChangeKind
from aggregator.model.structs import FrozenStruct
from aggregator.store.stories import stories
from aggregator.store.stories.stories import (
    DerivedColumns,
    Membership,
    StoryRow,
    StoryState,
)
from aggregator.stories.counting.originals import with_originals
from aggregator.stories.lead import summary
from aggregator.stories.titles.title import headline
from aggregator.stories.tuning import StoryTuning

_BETWEEN_VERSIONS = dt.timedelta(hours=1)  # that bump a story, at least


class Effect(FrozenStruct):
    """What a change does to one story: its bump, and its line in the change stream."""

    at_no: int  # inbox number at which its articles changed
    bump: dt.datetime  # the time to which the change bumps the story, if it does
    is_correction: bool = False
    # Until now it was bumped by the times at which undated files were read
    redates: bool = False
    # The time of the change in the stream if it does not bump the story
    unbumped: dt.datetime | None = None
    founder: str = ""  # of a new story,
    founding: int = 0  # ... and how many it has founded before
    article: str | None = None
    # Stories that were merged into it or from which it was taken
    others: tuple[str, ...] = ()
    kind: ChangeKind | None = None  # None: it follows from the row before and after


class StoryRows:
    """Computes the rows of stories, as users configured it."""

    def __init__(
        self, options: StoryOptions, tuning: StoryTuning, *, story_cap: int
    ) -> None:
        """`story_cap`: articles from which on a story takes copies only."""
        self._options = options
        self._tuning = tuning
        self._story_cap = story_cap
        self._bump_age = dt.timedelta(seconds=options.bump_age_seconds)

    def after(
        self,
        unit_of_work: UnitOfWork,
        before: StoryRow | None,
        membership: Membership,
        effect: Effect,
    ) -> StoryState:
        """Return the row of a story after a change, without its summary; `before`: None for a new story.

        What changed of the headline is added to its log.
        """
        derived = stories.derived_columns(membership, self._options.families)
        reports_before = _reports_of(before)
        chosen = headline(
            membership.shown,
            before.title if before else None,
            self._tuning,
            self._options.prefer,
            # At 1, 2, 4, 8 ...
            afresh=derived.report_count.bit_length() > reports_before.bit_length(),
        )
        if before is not None:
            self._log_changes(
                unit_of_work, before, derived, chosen.title, chosen.reason
            )
        is_bumped = before is None or self._is_bumped(
            before, derived, chosen.title, membership, effect
        )
        return StoryState(
            **msgspec.structs.asdict(derived),
            title=chosen.title,
            title_article=chosen.article,
            summary="",
            language=_language(membership.shown),
            bumped_at=_bumped_at(unit_of_work, before, effect, is_bumped=is_bumped),
            membership_changed_no=effect.at_no,
        )

    def summary_of(self, membership: Membership, title: str) -> Callable[[], str]:
        """Return the function that makes the summary of a story with this title."""
        return partial(
            summary, membership.shown, self._options.summary_words, self._tuning, title
        )

    def _is_bumped(
        self,
        before: StoryRow,
        after: DerivedColumns,
        title: str,
        membership: Membership,
        effect: Effect,
    ) -> bool:
        """Return whether a change puts a story to the front (`feeds.bump` of the configuration)."""
        bumps = self._options.bumps
        if "correction" in bumps and effect.is_correction:
            return True
        if "report" in bumps:
            has_report = any(
                group.is_counted for group in membership.count_state.groups
            )
            if has_report and after.report_count > _reports_of(before):
                return True
            # A change at the same address is no version.
            is_added = after.article_count > before.article_count
            if is_added and _replaces_version(membership, effect.article):
                last = before.bumped_at.replace(microsecond=0)
                return effect.bump - last >= _BETWEEN_VERSIONS
        # An old story of one report is not news because its outlet has another headline for it.
        is_news = (
            after.report_count > 1
            or effect.bump - membership.span.first <= self._bump_age
        )
        return "headline" in bumps and is_news and title != before.title

    def _log_changes(
        self,
        unit_of_work: UnitOfWork,
        before: StoryRow,
        after: DerivedColumns,
        title: str,
        reason: str | None,
    ) -> None:
        if title != before.title:
            unit_of_work.log(
                before.id,
                "headline",
                before=before.title,
                after=title,
                reason=reason,
            )
        if before.article_count < self._story_cap <= after.article_count:
            unit_of_work.log(before.id, "full", articles=after.article_count)


def _reports_of(row: StoryRow | None) -> int:
    if row is None or row.container_only:
        return 0
    return row.report_count


def _replaces_version(membership: Membership, article: str | None) -> bool:
    """Return whether an article that was added gives a story another version of a text."""
    if article is None or all(member.version_of is None for member in membership.shown):
        return False
    before = [member for member in membership.shown if member.id != article]
    return bool(_earlier(membership.shown) - _earlier(before) - {article})


def _earlier(members: Sequence[ArticleView]) -> set[str]:
    """Return the members of whose text there is a later version."""
    shown = with_originals(members)
    return {member.id for member in shown if member.version == "earlier"}


def _bumped_at(
    unit_of_work: UnitOfWork,
    before: StoryRow | None,
    effect: Effect,
    *,
    is_bumped: bool,
) -> dt.datetime:
    """Return the time of the last bump of a story after a change."""
    if before is None:
        return _numbered(unit_of_work, effect.bump)
    if effect.bump == before.bumped_at or not (effect.redates or is_bumped):
        return before.bumped_at
    bump = _numbered(unit_of_work, effect.bump)
    return bump if effect.redates else max(before.bumped_at, bump)


def _numbered(unit_of_work: UnitOfWork, bump: dt.datetime) -> dt.datetime:
    """Return a bump to the second; the fraction tells bumps apart, in their order."""
    return bump.replace(microsecond=unit_of_work.ledger.number("bump") % 1_000_000)


def _language(members: Iterable[ArticleView]) -> str | None:
    """Return the most frequent language; in a tie the first by name."""
    languages = Counter(member.language for member in members if member.language)
    return min(
        languages, key=lambda language: (-languages[language], language), default=None
    )
