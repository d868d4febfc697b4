"""Corrections: an editor changes stories or storylines, and later decisions follow; each correction can be undone.

A correction is stored as constraints between articles (store/stories/corrections.py), which determine the stories that
an article must or must not belong to. They also apply when the articles are placed again. The changes of rows are
stored for the undo, which restores the ids of merged stories.
"""

from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Any

from aggregator.grouping.corrections.correction_command import (
    CorrectionCommand,
    CorrectionResult,
)
from aggregator.grouping.storylines import NEAR, join_nearest, unite_stories
from aggregator.grouping.write.copy_families import with_copies
from aggregator.grouping.write.story_writer import ChangesStories
from aggregator.model.errors import UsageError
from aggregator.model.evidence import Evidence
from aggregator.store.stories import (
    article_views,
    corrections,
    stored_articles,
    story_rows,
    storyline_rows,
    storyline_unions,
)
from aggregator.store.stories.article_rows import article_writes
from aggregator.store.stories.corrections import (
    ConstraintTable,
    CorrectionDetail,
    CorrectionKind,
    MovedArticle,
    Redirect,
)
from aggregator.stories.titles.title_text import clean_title


class CorrectionHandler(ChangesStories):
    """Executes corrections, and undoes them."""

    def carry_out(self, command: CorrectionCommand) -> CorrectionResult:
        """Execute a command. Raises UsageError if it is impossible; the caller then rolls the transaction back."""
        kinds = {
            "merge": self._merge,
            "split": self._split,
            "move": self._move,
            "join": self._join,
            "leave": self._leave,
            "part": self._part,
            None: self._undo,
        }
        result = kinds[command.kind](command)
        constraints = self._services.constraints
        connection = self._connection
        constraints.forget()
        if command.kind in ("split", "move"):
            # Each story joins the storylines that its articles are near to, as if the articles were placed now.
            for story in result.stories:
                join_nearest(
                    connection,
                    constraints,
                    story,
                    story_rows.row_of(connection, story).last_published,
                    storyline_rows.near_numbers(connection, story, NEAR),
                )
        return result

    def _merge(self, command: CorrectionCommand) -> CorrectionResult:
        ids = list(dict.fromkeys(self._live_id(story) for story in command.stories))
        if len(ids) < 2:
            raise UsageError("give two different stories; these are one story already")
        members = {story: self._member_ids(story) for story in ids}
        former = {
            story: story_rows.redirecting_to(self._connection, story) for story in ids
        }
        titles = self._titles(ids)
        at_no = self._services.window.last_change(self._connection)
        kept = self._writer.merge(ids, at_no, "correction", bump=self._unit_of_work.now)
        losers = tuple(story for story in ids if story != kept)
        detail = CorrectionDetail(
            moved=tuple(
                MovedArticle(article=article, before=story, after=kept)
                for story in losers
                for article in members[story]
            ),
            retired=losers,
            redirects=tuple(
                Redirect(story=id_, to=story)
                for story in losers
                for id_ in former[story]
            ),
            titles=titles,
            words=f"merged {', '.join(losers)} into {kept}",
        )
        return self._record("merge", detail, [kept], together=self._member_ids(kept))

    def _split(self, command: CorrectionCommand) -> CorrectionResult:
        origin = self._live_id(command.stories[0])
        members = self._member_ids(origin)
        for article in command.articles:
            if article not in members:
                raise UsageError(
                    f"article {article} is not in story {origin}; `aggregator story {origin}` lists it"
                )
        leaving = with_copies(self._connection, command.articles, origin)
        if len(leaving) == len(members):
            raise UsageError(
                f"nothing would be left in story {origin}; name only the articles of the new story"
            )
        words = f"split {len(leaving)} of {len(members)} articles from {origin} into the new story"
        return self._take_out(leaving, origin, None, words)

    def _move(self, command: CorrectionCommand) -> CorrectionResult:
        article = command.articles[0]
        target = self._live_id(command.stories[0])
        origin = stored_articles.assigned_stories(self._connection, [article]).get(
            article
        )
        if origin is None:
            raise UsageError(
                f"there is no article {article}; `aggregator story ID` lists their ids"
            )
        if origin == target:
            raise UsageError(f"article {article} is in story {target} already")
        leaving = with_copies(self._connection, [article], origin)
        if len(leaving) == len(self._member_ids(origin)):
            return self._merge(
                CorrectionCommand(kind="merge", stories=(target, origin))
            )
        return self._take_out(
            leaving, origin, target, f"moved {article} from {origin} to"
        )

    def _take_out(
        self,
        leaving: Sequence[str],
        origin: str,
        target: str | None,
        words: str,
    ) -> CorrectionResult:
        """Move some articles of a story to the live story `target`; None: to a new story.

        `words` describes the correction up to the id of the story that the articles move to.
        """
        titles = self._titles(filter(None, (origin, target)))
        at_no = self._services.window.last_change(self._connection)
        evidence = Evidence(
            stage="correction", rules_version=self._services.rules_version
        )
        before = {}
        for article in leaving:  # before the move, because it counts the articles
            before[article] = stored_articles.read_evidence(self._connection, article)
            article_writes.set_evidence(self._connection, article, evidence)
        story = self._writer.move(leaving, target, at_no, bump=self._unit_of_work.now)
        detail = CorrectionDetail(
            moved=tuple(
                MovedArticle(
                    article=article, before=origin, after=story, evidence=reasons
                )
                for article, reasons in before.items()
            ),
            founded=story if target is None else None,
            titles=titles,
            words=f"{words} {story}",
        )
        return self._record(
            "split" if target is None else "move",
            detail,
            [origin, story],
            together=self._member_ids(story),
            leaving=leaving,
            staying=self._member_ids(origin),
        )

    def _join(self, command: CorrectionCommand) -> CorrectionResult:
        ids = [self._live_id(story) for story in command.stories]
        former: dict[str, str | None] = {}
        lines = {
            storyline_rows.line_of(self._connection, story) or story for story in ids
        }
        if len(lines) < 2:
            raise UsageError("these stories are in one storyline already")
        for line in lines:
            former |= storyline_rows.former_lines(self._connection, line)
        together = [article for story in ids for article in self._member_ids(story)]
        kept = unite_stories(self._connection, ids)
        return self._record(
            "join",
            CorrectionDetail(
                storylines=tuple(former.items()),
                words=f"put {', '.join(ids)} into the storyline {kept}",
            ),
            ids,
            together=together,
        )

    def _leave(self, command: CorrectionCommand) -> CorrectionResult:
        story = self._live_id(command.stories[0])
        line = storyline_rows.line_of(self._connection, story) or story
        former = storyline_rows.former_lines(self._connection, line)
        if len(former) < 2:
            raise UsageError(f"story {story} is in no storyline")
        storyline_rows.take_out(self._connection, story, line)
        staying = [
            article
            for other in former
            if other != story
            for article in self._member_ids(other)
        ]
        return self._record(
            "leave",
            CorrectionDetail(
                storylines=tuple(former.items()),
                words=f"took {story} out of the storyline {line}",
            ),
            [story],
            leaving=self._member_ids(story),
            staying=staying,
        )

    def _part(self, command: CorrectionCommand) -> CorrectionResult:
        connection = self._connection
        story = self._live_id(command.stories[0])
        line = storyline_rows.line_of(connection, story) or story
        former = storyline_rows.former_lines(connection, line)
        for union in storyline_unions.unions_of(connection, line):
            if story in union.stories.split(","):
                break
        else:
            raise UsageError(
                f"no union brought story {story} into its storyline; take single stories out with "
                f"`aggregator correct storyline leave`"
            )
        leaving = storyline_unions.take_apart(connection, union)
        return self._record(
            "part",
            CorrectionDetail(
                storylines=tuple(former.items()),
                words=f"took {', '.join(leaving)} out of the storyline {line}",
            ),
            [story],
            leaving=[id_ for one in leaving for id_ in self._member_ids(one)],
            staying=[
                id_
                for one in former
                if one not in leaving
                for id_ in self._member_ids(one)
            ],
        )

    def _undo(self, command: CorrectionCommand) -> CorrectionResult:
        """Undo the correction with the number `command.undo`; None: the last correction in force."""
        connection = self._connection
        correction = corrections.to_undo(connection, command.undo)
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
        number = correction.correction_no
        corrections.undo(connection, number, self._unit_of_work.now)
        for story, title_article in detail.titles:
            for view in article_views.views_of(connection, [title_article]):
                story_rows.show_title(
                    connection, story, title_article, clean_title(view)
                )
        touched = set()
        for target, moved in returning.items():
            if source != target:
                touched |= {source, self._put_back(detail, source, target, moved)}
        changed = sorted({self._live_id(story) for story in touched})
        storyline_rows.put_back(connection, dict(detail.storylines))
        words = f"undid correction {number} ({detail.words})"
        return self._log(number, changed, words, undone=number)

    def _returning(
        self, detail: CorrectionDetail, source: str
    ) -> dict[str, list[MovedArticle]]:
        """Return the articles that are still in the story where the correction put them, by their former stories.

        Articles are included even if their former story has become the same story since, because this change may be
        undone, too.
        """
        assigned = stored_articles.assigned_stories(
            self._connection, [moved.article for moved in detail.moved]
        )
        returning: dict[str, list[MovedArticle]] = {}
        for moved in sorted(detail.moved, key=attrgetter("before")):
            if assigned.get(moved.article) == source:
                # If the former story was merged for another reason, the articles return to its successor. If all its
                # articles were forgotten, it is restored with these articles.
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
        """Move articles back to a live story, or to a merged story that is revived; return their story."""
        connection = self._connection
        at_no = self._services.window.last_change(connection)
        for each in moved:  # before the move, because it counts the articles
            if each.evidence is not None:
                article_writes.set_evidence(connection, each.article, each.evidence)
        writer = self._writer
        now = self._unit_of_work.now
        is_revived = story_rows.target_of(connection, target) != target
        if source == detail.founded and not is_revived:
            # The whole story goes back, with the articles that joined it since.
            story = writer.merge(
                (target, source), at_no, "undone", bump=now, keeps=target
            )
        else:
            articles = [each.article for each in moved]
            story = writer.move(
                articles, target, at_no, bump=now, is_revived=is_revived
            )
        former = [
            redirect.story for redirect in detail.redirects if redirect.to == target
        ]
        story_rows.change_redirects(connection, former, story)
        return story

    def _live_id(self, story: str) -> str:
        """Return the id of the story, or of its successor if it was merged. Raises UsageError."""
        target = story_rows.target_of(self._connection, story)
        if target is None:
            raise UsageError(
                f"there is no story {story}; `aggregator stories` lists them"
            )
        return target

    def _member_ids(self, story: str) -> list[str]:
        """Return the ids of the articles of a story, in the order of placing."""
        return [
            each.id
            for each in stored_articles.read_articles_of(self._connection, story)
        ]

    def _titles(self, ids: Iterable[str]) -> tuple[tuple[str, str], ...]:
        """Return these stories with the articles of their headlines, which an undo shows again."""
        rows = (story_rows.row_of(self._connection, story) for story in ids)
        return tuple((row.id, row.title_article) for row in rows if row.title_article)

    def _record(
        self,
        kind: CorrectionKind,
        detail: CorrectionDetail,
        ids: Sequence[str],
        **constraints: Sequence[str],
    ) -> CorrectionResult:
        """Store a correction of these stories, with its constraints (`corrections.add`)."""
        number = corrections.add(
            self._connection, self._unit_of_work.now, kind, detail, **constraints
        )
        return self._log(number, ids, detail.words, correction=number)

    def _log(
        self, number: int, ids: Sequence[str], words: str, **detail: Any
    ) -> CorrectionResult:
        """Write to the log of these stories that a person corrected them; return the result for the person."""
        for story in ids:
            self._unit_of_work.log(story, "corrected", words=words, **detail)
        return CorrectionResult(n=number, stories=tuple(ids), words=words)
