"""Undo a correction: articles, headlines and redirects are again as they were before it."""

from operator import attrgetter
from typing import NamedTuple

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


class _Return(NamedTuple):
    """Articles that an undo takes out of the story where the correction put them."""

    source: str
    target: str
    moved: list[MovedArticle]

    @property
    def articles(self) -> tuple[str, ...]:
        return tuple(moved.article for moved in self.moved)


class CorrectionUndo(CorrectsStories):
    """Undoes corrections."""

    def undo(self, number: int | None) -> tuple[Correction, list[str]]:
        """Undo the correction with this number; None: the last correction in force. Raises UsageError.

        Return it, and the live stories that changed.
        """
        connection = self._connection
        correction = corrections.to_undo(connection, number)
        detail = correction.detail
        returns = self._returns_of(detail)
        # A later correction that concerns these articles must be undone first.
        later = ConstraintTable(
            corrections.all_constraints(connection, after=correction.correction_no)
        )
        for back in returns:
            members = set(self._member_ids(back.source))
            joined = set(self._member_ids(back.target))
            moving = members if back.source == detail.founded else set(back.articles)
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
        for back in returns:
            if back.source != back.target:
                touched |= {back.source, self._put_back(detail, back)}
        return correction, sorted({self._live_id(story) for story in touched})

    def _returns_of(self, detail: CorrectionDetail) -> list[_Return]:
        """Return the articles that are still in the story where the correction put them, by the former story.

        Articles that are back already are included, since the change that brought them back may be undone, too.
        """
        connection = self._connection
        after = (
            detail.moved[0].after if detail.moved else ""
        )  # the same for all articles
        source = story_rows.target_of(connection, after) or ""
        assigned_stories = stored_articles.assigned_stories(
            connection, [moved.article for moved in detail.moved]
        )
        returning: dict[str, list[MovedArticle]] = {}
        for moved in sorted(detail.moved, key=attrgetter("before")):
            if assigned_stories.get(moved.article) == source:
                # A story merged for another reason: the articles return to its successor. A story whose articles
                # were all forgotten is restored with these.
                target = moved.before
                if target not in detail.retired:
                    target = story_rows.target_of(connection, target) or target
                returning.setdefault(target, []).append(moved)
        return [_Return(source, target, moved) for target, moved in returning.items()]

    def _put_back(self, detail: CorrectionDetail, back: _Return) -> str:
        """Move articles back to a live story, or to a merged one that lives again; return their story."""
        connection = self._connection
        at_no = self._parts.window.last_change(connection)
        for moved in back.moved:  # before the move, which counts them
            if moved.evidence is not None:
                article_writes.set_evidence(connection, moved.article, moved.evidence)
        writer, target, now = self._writer, back.target, self._unit_of_work.now
        if story_rows.target_of(connection, target) != target:
            story = writer.move(back.articles, target, at_no, bump=now, is_revived=True)
        elif back.source == detail.founded:
            # The whole story goes back, with the articles that joined it since.
            pair = target, back.source
            story = writer.merge(pair, at_no, "undone", bump=now, keeps=target)
        else:
            story = writer.move(back.articles, target, at_no, bump=now)
        former = [
            redirect.story for redirect in detail.redirects if redirect.to == target
        ]
        story_rows.redirect(connection, former, story)
        return story
