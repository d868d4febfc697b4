"""Decide about a new article: it founds a story, joins a story, or is a copy in a story.

Corrections decide first, then the story of the original of a copy, then the story of a text that the article updates,
then the score. The rows of stories and articles are read, and nothing is changed.
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from msgspec.structs import replace

from aggregator.extract.wire.agencies import copied_wire
from aggregator.grouping.copies.copy_match import CopyMatch
from aggregator.grouping.grouping_services import InTransaction
from aggregator.grouping.pairs.pair_article import PairArticle, pack_nearest
from aggregator.grouping.pairs.pair_model import UNLIKE
from aggregator.grouping.pairs.title_differences import are_alike, read_title
from aggregator.grouping.scores import scorer
from aggregator.grouping.scores.agreement import agreement_of_copy
from aggregator.grouping.scores.scorer import is_open, is_within_window
from aggregator.grouping.storylines import affinity
from aggregator.model.article import Role
from aggregator.model.evidence import Agreement, Evidence
from aggregator.store import codecs
from aggregator.store.stories import stored_articles, story_rows
from aggregator.store.stories.article_rows import compared_articles
from aggregator.store.stories.corrections import StoryConstraints
from aggregator.store.stories.stored_articles import StoredArticle
from aggregator.store.stories.story_rows import StoryRow
from aggregator.stories.counting.copy_groups import COUNTED_ROLES
from aggregator.stories.titles.title_text import take_title

# An outlet updates an article within this time (chosen: a trial, a count or a rescue takes a night or two)
_UPDATED_WITHIN = timedelta(days=3)
# A copy that resembles an old text at least this much reports nothing new (chosen; a copy needs only `mutual`)
_REPRINT = 0.9


class Decider(InTransaction):
    """Decides about new articles."""

    def constraints_of(self, article: StoredArticle) -> StoryConstraints:
        """Return the stories to which corrections link an article, and the stories from which they bar it."""
        return self._services.constraints.story_constraints(
            self._connection, article.id
        )

    def decide(
        self, incoming: StoredArticle, match: CopyMatch
    ) -> tuple[StoredArticle, StoryRow | None]:
        """Return a new article with the decision about it, and the story that it joins, or None if it founds one."""
        article = self.with_wire_of_original(incoming, match)
        has_polled = self._window.has_polled
        is_little_known = self._services.stream.is_little_known(
            self._connection, article, has_polled=has_polled
        )
        claimed = article.claimed_outlet
        # An article that was pushed or ingested beside feeds only claims its outlet; an archive that is read without
        # feeds is believed.
        if has_polled and not article.is_polled:
            claimed = article.outlet_key
        article = replace(
            article, is_little_known=is_little_known, claimed_outlet=claimed
        )
        first_printed = self._first_printed(article, match)
        if first_printed is not None:
            # A reprint neither bumps its story nor makes it more recent.
            article = replace(article, effective_at=first_printed, bump_by_clock=False)
        compared = PairArticle(article)
        article = self._with_story(
            article, compared, match, is_reprint=first_printed is not None
        )
        evidence = article.evidence
        assert evidence is not None, "it is decided"
        story = agreement = None
        if article.story:
            story = story_rows.row_of(self._connection, article.story)
            if evidence.stage != "correction":
                agreement = self._agreement(article, compared, story, match)
        evidence = replace(
            evidence,
            copy=match.copy,
            # Earlier articles that are excerpts of this article keep their role, because a stuffed page must not change
            # the role of others.
            excerpts=match.excerpts,
            reuse=match.reuse,
            agreement=agreement,
            rules_version=self._services.rules_version,
        )
        if match.copy is None and evidence.copied is not None:
            article = replace(article, role="excerpt", is_compared=False)
        if article.is_compared:
            self._services.comparison.keep(compared)
        version_of = None
        if article.role in COUNTED_ROLES:
            version_of = article.version_of or match.version_of
        article = replace(
            article,
            copy_of=evidence.copied,
            reuses=evidence.reuse.other if evidence.reuse else None,
            version_of=version_of,
            counts_as_report=evidence.counts_as_report,
            evidence=evidence,
            sketch=match.sketch,
        )
        return article, story

    def with_wire_of_original(
        self, article: StoredArticle, match: CopyMatch
    ) -> StoredArticle:
        """Return the article with the agency of its original, if the article is a copy and names no agency.

        Another version of the text does not get the agency: it must name the agency itself.
        """
        original_id = match.original
        if original_id is None or match.version_of or article.wire is not None:
            return article
        original = stored_articles.read_article(self._connection, original_id)
        wire = copied_wire(original_id, original.outlet_key, original.wire)
        if wire is None:
            return article
        details = codecs.pack(replace(article.read_details(), wire=wire))
        return replace(article, wire=wire.agency, details=details)

    def story_of(
        self, other: str, article: StoredArticle, *, is_reprint: bool = False
    ) -> StoryRow | None:
        """Return the story of article `other`, if an article may join it; for a reprint, dates do not matter."""
        row = story_rows.assigned_story(self._connection, other)
        if (
            row is None
            or row.id in self.constraints_of(article).barred
            or not self._window.is_live(row.story_no, article.inbox_no)
        ):
            return None
        if is_reprint or is_within_window(
            article, self._window.story(row.story_no), self._services.model.tuning
        ):
            return row
        return None

    def _first_printed(
        self, article: StoredArticle, match: CopyMatch
    ) -> datetime | None:
        """Return the time of the original, if the article repeats it nearly unchanged after more than `window_days`."""
        copy = match.copy
        if match.original is None or copy is None or copy.resemblance < _REPRINT:
            return None
        first = stored_articles.read_article(
            self._connection, match.original
        ).effective_at
        ended = timedelta(days=self._services.model.tuning.window_days)
        return first if article.effective_at - first > ended else None

    def _with_story(
        self,
        article: StoredArticle,
        compared: PairArticle,
        match: CopyMatch,
        *,
        is_reprint: bool,
    ) -> StoredArticle:
        """Decide by corrections, then by the story of the original or of an updated text, then by score.

        Return the article with its story, "" if it founds one, its role there, and the evidence.
        """
        must_link, barred = self.constraints_of(article)
        if must_link:
            # A correction requires this story.
            story = must_link[0]
            is_copy = match.original is not None and story in (
                stored_articles.assigned_stories(
                    self._connection, [match.original]
                ).values()
            )
            role: Role = "copy" if is_copy else "report"
            is_compared = not is_copy
            if article.is_container:
                role = "container"
                row = story_rows.row_of(self._connection, story)
                is_compared = is_compared and row.container_only
            return replace(
                article,
                story=story,
                role=role,
                is_compared=is_compared,
                evidence=Evidence(stage="correction"),
            )
        if match.original is not None:
            original = self.story_of(match.original, article, is_reprint=is_reprint)
            if original is not None:
                return replace(
                    article,
                    story=original.id,
                    role="container" if article.is_container else "copy",
                    is_compared=False,
                    evidence=Evidence(stage="copy"),
                )
        article = self._by_score(article, compared, barred)
        if article.is_container:
            return article
        texts = match.updated or self._earlier_takes(article)
        updated = self._story_of_updated(article, texts)
        if updated is not None:
            if article.story != updated.id:
                article = replace(
                    article,
                    story=updated.id,
                    is_compared=True,
                    evidence=Evidence(stage="version"),
                )
            return replace(article, version_of=texts[0])
        if match.copy is not None and match.copy.kind == "excerpt":
            return replace(article, role="excerpt", is_compared=not article.story)
        return article

    def _earlier_takes(self, article: StoredArticle) -> list[str]:
        """Return a list of the report of the same outlet that this later take replaces; [] if there is none.

        The replaced report has nearly the same headline, or is in the story that the take joins. The nearest stories
        are searched first, and in each story the reports in the order of `decides_before`.
        """
        headline = take_title(article.title)
        if headline is None or article.outlet_key is None:
            return []
        comparison = self._services.comparison
        pieces = read_title(headline)
        for live in self._window.candidates(article):
            for report in comparison.newest(live):
                if report.outlet_key == article.outlet_key and (
                    live.id == article.story
                    or are_alike(
                        pieces,
                        read_title(take_title(report.title) or report.title),
                        comparison.tuning.headline_share,
                    )
                ):
                    return [report.id]
        return []

    def _story_of_updated(
        self, article: StoredArticle, updated: Sequence[str]
    ) -> StoryRow | None:
        """Return the story of the other states of an article by its own outlet.

        Return None if they are in several stories: then these texts share a form, and each reports another event. Also
        return None if the first of them is too old, or if the article may not join the story.
        """
        assigned = stored_articles.assigned_stories(self._connection, updated)
        if len(set(assigned.values())) != 1:
            return None
        first = stored_articles.read_article(self._connection, updated[0])
        if abs(article.effective_at - first.effective_at) > _UPDATED_WITHIN:
            return None
        return self.story_of(first.id, article)

    def _by_score(
        self, article: StoredArticle, compared: PairArticle, barred: Collection[str]
    ) -> StoredArticle:
        """Decide by the scores of the article with the stories that it may join."""
        model = self._services.model
        comparison = self._services.comparison
        candidates = [
            story
            for story in self._window.candidates(article)
            if story.id not in barred and is_open(article, story, model.tuning)
        ]
        scored = comparison.score_stories(
            self._connection,
            compared,
            compared_articles.compared_text(article),
            candidates,
        )
        article = scorer.decide(article, scored, model, comparison.model.bias)
        near = []
        for candidate in scored:
            logit = affinity(article, candidate, comparison.newest(candidate.story))
            if logit > UNLIKE:
                near.append((candidate.story.number, round(1000 * logit)))
        return replace(
            article, nearest=pack_nearest(compared.nearest), affinities=tuple(near)
        )

    def affinities(self, article: StoredArticle) -> tuple[tuple[int, int], ...]:
        """Return the numbers of other stories near a placed article, and its affinities in thousandths of a logit."""
        return self._by_score(article, PairArticle(article), {article.story}).affinities

    def _agreement(
        self,
        article: StoredArticle,
        compared: PairArticle,
        story: StoryRow,
        match: CopyMatch,
    ) -> Agreement | None:
        """Return the agreement of the text with its story, if that decides whether it counts as a report."""
        if match.copy is not None and article.role == "copy":
            return agreement_of_copy(self._connection, article, match.copy.other)
        if not article.is_compared or article.role != "report":
            return None  # the article is not counted as a report in any case
        return self._services.agreement.agreement(
            self._connection,
            compared,
            compared_articles.compared_text(article),
            self._window.story(story.story_no),
            match.reuse,
        )
