"""Write changes of stories, in a placing transaction: rows, log, change stream, window."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any

from msgspec.structs import replace

from aggregator.grouping.grouping_services import InTransaction
from aggregator.grouping.write.story_row import Effect, StoryRows
from aggregator.model.article import Article, ArticleView
from aggregator.store.maintenance import erased_rows
from aggregator.store.stories import (
    article_views,
    guests,
    stored_articles,
    story_rows,
)
from aggregator.store.stories.article_rows import article_writes
from aggregator.store.stories.stored_articles import StoredArticle
from aggregator.store.stories.story_rows import StoryRow


class StoryWriter(StoryRows):
    """Writes stories: all decisions of placing, second look, corrections, forget, retention and recluster."""

    def place(self, new: StoredArticle, joined: StoryRow | None) -> StoredArticle:
        """Write a new article into a story, or begin a story with it; return the article with the id of the story.

        The row of the story follows from all its articles. If a large story already has a copy like the new article,
        the other articles are not read, so that a flood of copies stays cheap.
        """
        connection = self._connection
        shown = [article_views.view_of(new)]
        members: Sequence[Article | ArticleView] = shown
        container_only = new.is_container
        derived = None
        if joined is not None:
            before = article_views.views_for_title(
                connection, joined.id, joined.article_count, joined.title_article
            )
            shown = sorted([*before, *shown], key=attrgetter("effective_at"))
            container_only = joined.container_only and (
                new.is_container or not new.is_compared
            )
            if joined.article_count <= article_views.SHOWN_MEMBERS:
                members = shown
            elif joined.container_only or not stored_articles.repeats_another(
                connection, new
            ):
                members = [
                    *stored_articles.read_articles_of(connection, joined.id),
                    new,
                ]
            else:
                derived = story_rows.with_another_copy(joined, new)
        is_dated = derived is not None or any(
            member.published is not None and member.id != new.id for member in members
        )
        row = self.write(
            joined,
            self._placed_effect(new, joined, is_dated=is_dated),
            members=members,
            shown=shown,
            container_only=container_only,
            derived=derived,
        )
        new = replace(new, story=row.id)
        if joined is not None and joined.container_only and not row.container_only:
            # After the first report, live blogs and roundups are not compared any more.
            article_writes.change(
                connection,
                [
                    each.id
                    for each in stored_articles.read_articles_of(connection, row.id)
                ],
                is_compared=False,
            )
        article_writes.insert_article(connection, new)
        self._unit_of_work.log(
            new.story,
            "created" if joined is None else "joined",
            article=new.id,
            role=new.role,
            score=new.evidence.score if new.evidence else None,
        )
        self._services.window.take(connection, row.story_no, new, is_new=joined is None)
        return new

    def move(
        self,
        articles: Collection[str],
        target: str | None,
        at_no: int,
        *,
        bump: datetime | None = None,
        founder: str | None = None,
        is_revived: bool = False,
        silent: Collection[str] = (),
    ) -> str:
        """Move articles of one story to another story; return the id of their story afterwards.

        A story that is left without articles is merged into the other story. Without `target`, `founder` (or the
        article that was placed first) founds a new story. `is_revived`: the target is a merged story that lives again.
        `bump` is the new bump of both stories if a correction sets it. Otherwise the story that loses articles keeps
        its bump, and the change of the other story has the later of both bumps. `silent` is for a story that moves
        whole, see `merge`.
        """
        connection = self._connection
        (story,) = set(stored_articles.assigned_stories(connection, articles).values())
        members = stored_articles.read_articles_of(connection, story)
        moving = [member for member in members if member.id in articles]
        if target is not None and is_revived:
            story_rows.revive(connection, target)
        if len(moving) == len(members):
            if target is None:
                return story
            return self.merge(
                (story, target),
                at_no,
                "empty" if is_revived else "",
                bump=bump,
                keeps=target if is_revived else None,
                silent=silent,
            )
        origin = story_rows.row_of(connection, story)
        effect = Effect(
            at_no=at_no,
            bump=bump or origin.bumped_at,
            is_correction=bump is not None,
            kind="corrected" if bump else None,
        )
        founder = founder or moving[0].id
        split = replace(effect, founder=founder, others=(origin.id,), kind="split")
        if target is None:
            split = replace(split, founding=story_rows.foundings(connection, founder))
            row = self.write_all(None, split, moving)
            article_writes.change(connection, articles, story=row.id)
        else:
            row = story_rows.row_of(connection, target)
            joined = split if is_revived else effect
            if bump is None:  # else the change stream names no article
                joined = replace(
                    joined, article=founder, bump=max(effect.bump, row.bumped_at)
                )
            article_writes.change(connection, articles, story=row.id)
            self.restate(row, joined)
        # The names and topics of this story may change; both stories get theirs when they are rendered.
        story_rows.erase_subjects(connection, [origin.id])
        self.restate(origin, effect)
        self._update_memory([origin, row])
        return row.id

    def merge(
        self,
        stories: Iterable[str],
        at_no: int,
        reason: str,
        *,
        bump: datetime | None = None,
        keeps: str | None = None,
        silent: Collection[str] = (),
        **scores: float,
    ) -> str:
        """Merge stories; return the id that stays. The other ids redirect to this id permanently.

        The story `keeps` keeps its id. Without `keeps`, a story that is only a live blog or roundup loses its id, and
        so does a story that no source with standing reports, because new feeds must not take the id of an honest story.
        Among the rest, the story with more reports keeps its id, and in a tie the older story. The log has
        `reason` and `scores`. The new bump is `bump` if a correction sets it, otherwise the last bump of the stories
        that are not `silent`.
        """

        connection = self._connection
        ids = list(stories)
        trusted = guests.stories_with_standing(connection, ids)

        def rank(row: StoryRow) -> tuple[bool, bool, bool, int, int]:
            return (
                row.id != keeps,
                row.container_only,
                row.id not in trusted,
                -row.report_count,
                row.story_no,
            )

        rows = sorted((story_rows.row_of(connection, id_) for id_ in ids), key=rank)
        winner, *losers = rows
        # A bump that is only the time when undated files were read does not count if another story has a better bump.
        counted = [row for row in rows if row.id not in silent]
        timed = [
            row
            for row in counted
            if stored_articles.has_date(connection, row.id)
            or stored_articles.was_bumped_by_clock(connection, row.id)
        ] or counted
        effect = Effect(
            at_no=at_no,
            bump=bump or max(row.bumped_at for row in timed),
            is_correction=bump is not None,
            redates=bump is None and winner not in timed,
            others=tuple(row.id for row in losers),
            kind="merged",
        )
        for loser in losers:
            article_writes.move_all(connection, loser.id, winner.id)
        self.restate(winner, effect)
        detail: dict[str, Any] = {"reason": reason, **scores} if reason else {}
        for loser in losers:
            # The loser has no articles any more, and its id redirects.
            story_rows.redirect_story(connection, loser.id, winner.id)
            self._unit_of_work.log(winner.id, "merged", other=loser.id, **detail)
            self._unit_of_work.log(loser.id, "merged", into=winner.id, **detail)
        self._update_memory(rows)
        return winner.id

    def revise(
        self,
        article: StoredArticle,
        at_no: int,
        *,
        is_news: bool,
        is_whole: bool = False,
    ) -> None:
        """Write the row of a story again after an article got another text.

        `is_news`: a new headline may bump the story, unlike the headline of a page that came late. `is_whole`: the text
        bumps the story, because it is the first whole text of the article, or replaces all of its text.
        """
        row = story_rows.row_of(self._connection, article.story)
        effect = Effect(at_no=at_no, bump=row.bumped_at)
        if is_news:
            bump = article.effective_at
            # If the story is not bumped, the change stream has the time of the text.
            headlines_bump = "headline" in self._services.options.bumps
            effect = Effect(
                at_no=at_no,
                bump=self._unit_of_work.now if article.bump_by_clock else bump,
                unbumped=bump if headlines_bump else None,
                article=article.id,
                is_whole=is_whole,
            )
        self.restate(row, effect)
        self._update_memory([row])
        self._unit_of_work.log(row.id, "revised", article=article.id)

    def remove(self, story: str, articles: Collection[str] = ()) -> None:
        """Write the row of a story again after articles were removed; if it has none left, only its id stays."""
        connection = self._connection
        members = stored_articles.read_articles_of(connection, story)
        if members and articles:
            erased_rows.hide_title(connection, story, articles)
        row = story_rows.row_of(connection, story)
        if members:
            at_no = max(member.inbox_no for member in members)
            self.restate(row, Effect(at_no=at_no, bump=row.bumped_at))
        else:
            erased_rows.close_story(connection, row.id)
        self._update_memory([row])

    def _update_memory(self, rows: Sequence[StoryRow]) -> None:
        """Bring memory up to date after articles have changed their stories, or their roles in them."""
        self._services.stream.regrouped()
        self._services.window.renew(
            self._connection, [(row.story_no, row.id) for row in rows]
        )

    def _placed_effect(
        self, new: StoredArticle, joined: StoryRow | None, *, is_dated: bool
    ) -> Effect:
        """Return the effect of a new article on its story; `is_dated`: another article of the story has a date."""
        redates = False
        bump = new.effective_at
        if new.bump_by_clock:
            bump = self._unit_of_work.now
        elif new.published is not None:
            bump = min(new.published, bump)
            # The first date in an undated story replaces its bump.
            redates = (
                joined is not None
                and not is_dated
                and not stored_articles.was_bumped_by_clock(self._connection, joined.id)
            )
        elif joined is not None and is_dated:
            bump = joined.last_published
        return Effect(
            at_no=new.inbox_no,
            bump=bump,
            redates=redates,
            founder=new.id,
            founding=story_rows.foundings(self._connection, new.id)
            if joined is None
            else 0,
            article=new.id,
        )


class ChangesStories(InTransaction):
    """Base of deciders whose changes of stories are written at once."""

    @property
    def _writer(self) -> StoryWriter:
        return StoryWriter(self._services, self._unit_of_work)
