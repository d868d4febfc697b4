"""Undo a correction: articles, headlines and redirects are again as they were before it."""

from collections.abc import Sequence
from operator import attrgetter

from aggregator.grouping.corrections.corrected_stories import CorrectsStories
from aggregator.model.errors import UsageError
from aggregator.store.stories import (
    article_views,
    corrections,
    stored_articles,
    story_rows,
)
from aggregator.store.stories.article_rows import article_writes
from aggregator.store.stories.corrections import (
    ConstraintTable,
    Correction,
    CorrectionDetail,
    MovedArticle,
)
from aggregator.stories.titles.title_text import clean_title


class CorrectionUndo(CorrectsStories):
    """Undoes corrections."""

    def undo(self, number: int | None) -> tuple[Correction, list[str]]:
        """Undo the correction with this number; None: the last correction in force. Raises UsageError.

        Return it, and the live stories that changed.
        """
        connection = self._connection
        correction = corrections.to_undo(connection, number)
        detail = correction.detail
        after = detail.moved[0].after if detail.moved else ""  # the same for all
        source = story_rows.target_of(connection, after) or ""
        returning = self._returning(detail, source)
        # A later correction that concerns these articles must be undone first.
        later = ConstraintTable(
            corrections.all_constraints(connection, after=correction.correction_no)
        )
        members = set(self._member_ids(source))
        for target, moved in returning.items():
            joined = set(self._member_ids(target))
            moving = members
            if source != detail.founded:
                moving = {each.article for each in moved}
            for article in sorted(moving):
                linked = later.linked_articles(article)
                if linked.together & (members - moving) or linked.apart & joined:
                    latest = later.latest_correction(article)
                    raise UsageError(
                        f"the later correction {latest} also concerns article {article}; undo it first: "
                        f"aggregator correct undo {latest}"
                    )
        corrections.undo(connection, correction.correction_no, self._unit_of_work.now)
        for story, title_article in detail.titles:
            for view in article_views.views_of(connection, [title_article]):
                story_rows.show_title(
                    connection, story, title_article, clean_title(view)
                )
        touched = set()
        for target, moved in returning.items():
            if source != target:
                touched |= {source, self._put_back(detail, source, target, moved)}
        return correction, sorted({self._live_id(story) for story in touched})

    def _returning(
        self, detail: CorrectionDetail, source: str
    ) -> dict[str, list[MovedArticle]]:
        """Return the articles that are still in the story where the correction put them, by the former story.

        Articles that are back already are included, since the change that brought them back may be undone, too.
        """
        assigned = stored_articles.assigned_stories(
            self._connection, [moved.article for moved in detail.moved]
        )
        returning: dict[str, list[MovedArticle]] = {}
        for moved in sorted(detail.moved, key=attrgetter("before")):
            if assigned.get(moved.article) == source:
                # A story merged for another reason: the articles return to its successor. A story whose articles
                # were all forgotten is restored with these.
                target = moved.before
                if target not in detail.retired:
                    target = story_rows.target_of(self._connection, target) or target
                returning.setdefault(target, []).append(moved)
        return returning

    def _put_back(
        self,
        detail: CorrectionDetail,
        source: str,
        target: str,
        moved: Sequence[MovedArticle],
    ) -> str:
        """Move articles back to a live story, or to a merged one that lives again; return their story."""
        connection = self._connection
        at_no = self._parts.window.last_change(connection)
        for each in moved:  # before the move, which counts them
            if each.evidence is not None:
                article_writes.set_evidence(connection, each.article, each.evidence)
        articles = [each.article for each in moved]
        writer, now = self._writer, self._unit_of_work.now
        is_revived = story_rows.target_of(connection, target) != target
        if source == detail.founded and not is_revived:
            # The whole story goes back, with the articles that joined it since.
            story = writer.merge(
                (target, source), at_no, "undone", bump=now, keeps=target
            )
        else:
            story = writer.move(
                articles, target, at_no, bump=now, is_revived=is_revived
            )
        former = [
            redirect.story for redirect in detail.redirects if redirect.to == target
        ]
        story_rows.change_redirects(connection, former, story)
        return story
