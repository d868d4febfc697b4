"""Write the row of a story after a change: counts, headline and times from its articles, and its bump."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from msgspec.structs import replace

from aggregator.extract.entry_identity import story_id
from aggregator.grouping.grouping_services import InTransaction
from aggregator.grouping.write.copy_families import compared_members
from aggregator.model.article import Article, ArticleView
from aggregator.model.read_model import ChangeKind
from aggregator.model.structs import FrozenStruct
from aggregator.store.stories import article_views, stored_articles, story_rows
from aggregator.store.stories.article_rows import article_writes
from aggregator.store.stories.story_rows import StoryRow
from aggregator.stories.counting.counts import is_report
from aggregator.stories.counting.originals import with_originals
from aggregator.stories.lead import summary
from aggregator.stories.titles.title import headline

# Versions bump a story only if at least this much time has passed since its last bump
_BETWEEN_VERSIONS = timedelta(hours=1)


class Effect(FrozenStruct):
    """The effect of a change on one story: its bump, and its line in the change stream."""

    # The inbox number of the change
    at_no: int
    # The new bump of the story, if the change bumps it
    bump: datetime
    is_correction: bool = False
    is_whole: bool = False  # see `StoryWriter.revise`
    # Whether `bump` replaces the bump of the story even by an earlier time, because so far the story was bumped only
    # by the times when undated files were read
    redates: bool = False
    # The time of the change in the change stream if the change does not bump the story; None: `bump`
    unbumped: datetime | None = None
    # The article that founds a new story, and how many stories it has founded before
    founder: str = ""
    founding: int = 0
    article: str | None = None
    # Stories that were merged into this story, or from which its articles were taken
    others: tuple[str, ...] = ()
    kind: ChangeKind | None = None  # None: it follows from the rows before and after


class StoryRows(InTransaction):
    """Computes and writes the rows of stories, according to the settings of users."""

    def write(
        self,
        before: StoryRow | None,
        effect: Effect,
        *,
        members: Sequence[Article | ArticleView],
        shown: Sequence[ArticleView],
        container_only: bool,
        derived: dict[str, Any] | None = None,
    ) -> StoryRow:
        """Write the row of a story that has these members now, with its log and its change, and return the row.

        `before` is None for a new story. Headline and summary are chosen from the members `shown`. If `members` are
        not all members, `derived` has the columns that follow from all of them.
        """
        unit_of_work = self._unit_of_work
        options = self._services.options
        if derived is None:
            derived = story_rows.derived_columns(
                members, options.families, container_only=container_only
            )
        reports = derived["report_count"]
        reports_before = 0
        if before is not None and not before.container_only:
            reports_before = before.report_count
        chosen = headline(
            shown,
            before.title if before else None,
            self._services.story_tuning,
            options.prefer,
            # A title is chosen without regard to the present title at 1, 2, 4, 8 ... reports.
            afresh=reports.bit_length() > reports_before.bit_length(),
        )
        languages = Counter(
            sorted(member.language for member in shown if member.language)
        )
        decided: dict[str, Any] = {
            "title": chosen.title,
            "title_article": chosen.article,
            "summary": summary(
                shown, options.summary_words, self._services.story_tuning, chosen.title
            ),
            # The most frequent language, or in a tie the first in alphabetical order
            "language": max(languages, key=languages.__getitem__, default=None),
            "membership_changed_no": effect.at_no,
        }
        if before is None:
            row = StoryRow(
                story_no=unit_of_work.number("story"),
                id=story_id(effect.founder, effect.founding),
                founding_article=effect.founder,
                founding_no=effect.founding,
                bumped_at=self._number_bump(effect.bump),
                **decided,
                **derived,
            )
            story_rows.insert_story(self._connection, row)
        else:
            row = replace(before, **decided, **derived)
            if row.title != before.title:
                unit_of_work.log(
                    row.id,
                    "headline",
                    before=before.title,
                    after=row.title,
                    reason=chosen.reason,
                )
            if (
                before.article_count
                < self._services.model.tuning.story_cap
                <= row.article_count
            ):
                unit_of_work.log(row.id, "full", articles=row.article_count)
            has_more = any(map(is_report, members)) and reports > reports_before
            if effect.bump != before.bumped_at and (
                effect.redates
                or self._is_bumped(before, row, shown, effect, has_more=has_more)
            ):
                bump = self._number_bump(effect.bump)
                if not effect.redates:
                    bump = max(before.bumped_at, bump)
                row = replace(row, bumped_at=bump)
            story_rows.update_story(self._connection, row)
        bump = effect.bump
        if before is not None and row.bumped_at == before.bumped_at:
            bump = effect.unbumped or bump
        self._services.window.note_change(effect.at_no)
        unit_of_work.change(
            row.id,
            before,
            row,
            bump=bump,
            article=effect.article,
            others=effect.others,
            kind=effect.kind,
        )
        return row

    def restate(self, row: StoryRow, effect: Effect) -> None:
        """Write the row of a story again, with the articles that are in it now."""
        self.write_all(
            row, effect, stored_articles.read_articles_of(self._connection, row.id)
        )

    def write_all(
        self, before: StoryRow | None, effect: Effect, members: Sequence[Article]
    ) -> StoryRow:
        """Write the row of a story with these members, which are all, and which of them are compared from now on.

        `before` is None for a new story, which gets these articles from another story.
        """
        if before is None:
            shown = article_views.views_of(
                self._connection, [member.id for member in members]
            )
        else:
            shown = article_views.views_for_title(
                self._connection, before.id, len(members), before.title_article
            )
        ids = compared_members(members)
        after = [replace(member, is_compared=member.id in ids) for member in members]
        row = self.write(
            before,
            effect,
            members=after,
            shown=shown,
            container_only=story_rows.has_only_containers(after),
        )
        added = [each.id for each in members if each.id in ids and not each.is_compared]
        left = [each.id for each in members if each.is_compared and each.id not in ids]
        article_writes.change(self._connection, added, is_compared=True)
        article_writes.change(self._connection, left, is_compared=False)
        return row

    def _number_bump(self, bump: datetime) -> datetime:
        """Return a bump with a serial number as its microseconds, so that bumps of one second keep their order."""
        return bump.replace(microsecond=self._unit_of_work.number("bump") % 1_000_000)

    def _is_bumped(
        self,
        before: StoryRow,
        after: StoryRow,
        shown: Sequence[ArticleView],
        effect: Effect,
        *,
        has_more: bool,
    ) -> bool:
        """Return whether a change bumps a story (`feeds.bump` of the configuration).

        `has_more` is whether the story has more reports than before.
        """
        bumps = self._services.options.bumps
        if "correction" in bumps and effect.is_correction:
            return True
        if "report" in bumps and (effect.is_whole or has_more):
            return True
        # A change at the same address does not count as a version.
        is_added = after.article_count > before.article_count
        if "report" in bumps and is_added:
            # The added article may give the story another version of a text.
            former = [member for member in shown if member.id != effect.article]
            if _earlier(shown) - _earlier(former) - {effect.article}:
                last = before.bumped_at.replace(microsecond=0)
                return effect.bump - last >= _BETWEEN_VERSIONS
        # An old story of one report is not news because its outlet has another headline for it.
        bump_age = timedelta(seconds=self._services.options.bump_age_seconds)
        is_news = (
            after.report_count > 1 or effect.bump - after.first_published <= bump_age
        )
        return "headline" in bumps and is_news and after.title != before.title


def _earlier(members: Sequence[ArticleView]) -> set[str | None]:
    """Return the ids of the members whose text has a later version."""
    if all(member.version_of is None for member in members):
        return set()
    return {
        member.id for member in with_originals(members) if member.version == "earlier"
    }
