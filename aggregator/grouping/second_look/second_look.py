"""Second look: repeated decisions about recently changed stories.

look.py decides; this module reads its inputs and writes its decisions. A second look is due when a period of
`reassess_every` inbox numbers has ended, and covers the stories that changed since it began. So a replay of the same
articles decides at the same moments.
"""

from collections.abc import Collection, Sequence
from itertools import permutations

from aggregator.grouping.second_look.look import ReportMove, reassess_stories
from aggregator.grouping.second_look.story_lookup import StoryLookup
from aggregator.grouping.write.copy_families import with_copies
from aggregator.grouping.write.story_writer import ChangesStories
from aggregator.model.evidence import Evidence, Reason, RunnerUp
from aggregator.store.stories import live_stories, stored_articles, story_rows
from aggregator.store.stories.live_stories import LiveStory
from aggregator.stories.counting.copy_groups import sender_of

_ASKED = 128  # reports of a merged story that are checked (limit: each takes some milliseconds)


class SecondLook(ChangesStories):
    """Runs the second look when it is due."""

    _last_run_no = -1  # the period of the last call of `before`

    def before(self, inbox_no: int) -> None:
        """Run the second look if it is due before the article with this inbox number is placed.

        Periods without an article are run one by one, so a number without an article (its entry was refused) does not
        change the result.
        """
        every = self._services.model.tuning.reassess_every
        period = inbox_no // every
        if period == self._last_run_no:
            return
        self._last_run_no = period
        last = self._services.window.last_change(self._connection) // every
        for number in range(last, period):
            touched = story_rows.membership_changed_since(
                self._connection, number * every
            )
            if not touched or not self._reassess(touched, at_no=(number + 1) * every):
                return

    def look_at(self, article: str, *, at_no: int) -> str:
        """Run a second look at the story of one article now; return the story of the article afterwards.

        If the story has only this report, it does not bump the story into which it is merged.
        """
        story = story_rows.row_of(self._connection, self._story_of(article))
        silent = [story.id] if story.report_count == 1 else []
        self._reassess([story.story_no], at_no=at_no, silent=silent)
        return self._story_of(article)

    def _story_of(self, article: str) -> str:
        return stored_articles.assigned_stories(self._connection, [article])[article]

    def _reassess(
        self,
        numbers: Sequence[int],
        *,
        at_no: int,
        silent: Collection[str] = (),
    ) -> bool:
        """Decide about these stories and write the changes; return whether there were any."""
        self._services.stream.read_last(self._unit_of_work)
        lookup = StoryLookup(self._services, self._connection)
        changes = reassess_stories(numbers, lookup, self._services.model.tuning)
        # The new ids of stories whose ids these changes replaced
        ids: dict[str, str] = {}
        for change in changes:
            # These stories count as changed at the first number of this period, so the next run covers them.
            if isinstance(change, ReportMove):
                origin, target = (
                    ids.get(id_, id_) for id_ in (change.source, change.target)
                )
                reasons = lookup.reasons(change.report, change.reports)
                ids[change.target] = self._move(change, origin, target, at_no, reasons)
                continue
            pair = ids.get(change.kept, change.kept), ids.get(change.gone, change.gone)
            self._ask_strangers(*pair)
            ids[change.kept] = self._writer.merge(
                pair,
                at_no,
                "second look",
                silent=silent,
                score=change.score,
                need=change.need,
            )
        return bool(changes)

    def _ask_strangers(self, kept: str, gone: str) -> None:
        """Check whether the reports of a story agree with the story that it is merged with.

        Only stories without a report with standing are checked: if the other story has one, or if the other story has
        several senders and this story only one, because then no other sender has confirmed its reports.
        """
        connection = self._connection
        for story, other in permutations(
            live_stories.find_live(connection, (kept, gone)), 2
        ):
            has_standing, _ = _rank(story)
            if has_standing or _rank(story) >= _rank(other):
                continue
            for report in stored_articles.read_articles_of(connection, story.id)[
                :_ASKED
            ]:
                evidence = stored_articles.read_evidence(connection, report.id)
                if report.role == "report" and evidence.stage != "correction":
                    self._services.agreement.store_evidence(
                        connection, report.id, other.id, evidence
                    )

    def _move(
        self,
        change: ReportMove,
        origin: str,
        target: str,
        at_no: int,
        reasons: tuple[Reason, ...],
    ) -> str:
        """Move a report with its copies, unless a correction binds one of them; return the target's id afterwards."""
        connection = self._connection
        constraints = self._services.constraints
        report = change.report.id
        if self._story_of(report) != origin:
            return target  # it moved along with its original
        leaving = with_copies(connection, [report], origin)
        if not constraints.may_leave(connection, leaving) or not constraints.may_join(
            connection, leaving, target
        ):
            return target
        evidence = Evidence(
            stage="second look",
            score=change.score,
            need=change.need,
            bias=self._services.comparison.model.bias,
            reasons=reasons,
            # The story that it leaves
            runner_up=RunnerUp(story=origin, score=change.own_score, need=change.need),
            rules_version=self._services.rules_version,
            reuse=stored_articles.read_evidence(connection, report).reuse,
        )
        self._services.agreement.store_evidence(connection, report, target, evidence)
        target = self._writer.move(leaving, target, at_no, founder=report)
        why: dict[str, str | float | None] = {
            "reason": "second look",
            "score": change.score,
            "need": change.need,
            "own": change.own_score,
        }
        # The report goes before its copies
        for article in sorted(leaving, key=lambda article: article != report):
            self._unit_of_work.log(origin, "moved", article=article, to=target, **why)
            self._unit_of_work.log(
                target, "moved", article=article, **why, **{"from": origin}
            )
        return target


def _rank(story: LiveStory) -> tuple[bool, bool]:
    """Return whether a story has a report with standing, and whether several senders report it."""
    has_standing = any(not report.is_little_known for report in story.reports)
    return has_standing, len({sender_of(report) for report in story.reports}) > 1
