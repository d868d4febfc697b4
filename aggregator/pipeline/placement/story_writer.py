"""Homes: what the row of a story says, and how articles come into a story, leave it and take it along.

All of it is part of a placing transaction. What is kept in memory (the index of live stories) is derived from
the rows; whoever opens the transaction calls `forget` when it fails.
"""

import datetime as dt
import logging
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from aggregator.cluster.entry_identity import story_id
from aggregator.cluster.events import centroid
from aggregator.cluster.events.centroid import Centroid
from aggregator.cluster.events.scorer import ScoringInput
from aggregator.cluster.events.story_index import IndexedStory as IndexRow
from aggregator.cluster.events.story_index import StoryIndex
from aggregator.cluster.events.weights import EventModel
from aggregator.model.core import ArticleView
from aggregator.store.engine.database import Connection
from aggregator.store.maintenance import erase, repair, retention
from aggregator.store.read import change_stream
from aggregator.store.stories import article_views, articles, stories
from aggregator.store.stories.articles import MemberRow, NewArticle
from aggregator.store.stories.placement_batch import Ledger
from aggregator.store.stories.stories import StoryRow, StoryState
from aggregator.stories.counts import (
    CountState,
    copy_groups,
    count,
    count_state_of,
    counts,
    from_bytes,
    merge_count_states,
    resolve_link,
    to_bytes,
    with_member,
)
from aggregator.stories.headline import headline
from aggregator.stories.text.summary import summary
from aggregator.stories.tuning import StoryTuning

log = logging.getLogger(__name__)

# What may put a known story first again: an independent report more, another headline, a person's correction.
BUMPS = frozenset({"report", "headline", "correction"})


class UnitOfWork(NamedTuple):
    """One placing transaction."""

    connection: Connection
    ledger: Ledger
    now: dt.datetime


class Membership(NamedTuple):
    """What a story is made of: the parts of its row that follow from its members alone."""

    sums: Centroid
    standing: CountState
    first: dt.datetime  # effective times
    last: dt.datetime
    shown: Sequence[ArticleView]  # what headline and summary are chosen from
    last_inbox_no: int


class StoryWriter:
    """The stories. Only the process that holds the writer lock may have one, and one thread."""

    def __init__(
        self,
        model: EventModel,
        story_rules: StoryTuning,
        *,
        summary_words: int,
        families: Mapping[str, str] | None = None,
        has_foreign_language: bool = False,
        bumps: Collection[str] = BUMPS,
        prefer: Sequence[str] = (),
    ) -> None:
        """`has_foreign_language`: stories may have reports of other languages than their own
        (pipeline/placement/cross_language.py).

        `prefer`: outlets whose titles go before others, the first before the second.
        `bumps`: which of BUMPS put a known story first again; that decides nothing else.
        """
        self._bumps = frozenset(bumps)
        self._prefer = tuple(prefer)
        self._has_foreign_language = has_foreign_language
        self._families = families
        self._model = model
        self._story_rules = story_rules
        self._summary_words = summary_words
        self._index: StoryIndex | None = None
        self._last_membership_change: int | None = None

    # --- memory -------------------------------------------------------------------------------------------

    def index(self, connection: Connection) -> StoryIndex:
        """The live stories by their terms; built from the rows where it is not there."""
        if self._index is None:
            try:
                self._index = self._built(connection, frozenset())
            except ValueError:
                self._index = self._built(connection, self._unmendable(connection))
        return self._index

    def _built(self, connection: Connection, without: Collection[str]) -> StoryIndex:
        rows = stories.open_stories(connection, reach=self._model.tuning.live_reach)
        whole = (row for row in rows if row.id not in without)
        return StoryIndex(
            self._model, (IndexRow(row.n, row.id, row.sums, row.last_inbox_no) for row in whole)
        )

    def _unmendable(self, connection: Connection) -> frozenset[str]:
        """Work out anew the sums of live stories that say nothing any more; those of which that fails."""
        unreadable = []
        for row in stories.open_stories(connection, reach=self._model.tuning.live_reach):
            try:
                centroid.read_summary(row.sums)
            except ValueError:
                unreadable.append(row.id)
        left = set()
        for id_ in unreadable:
            try:
                is_mended = self.mend(connection, id_)
            except ValueError:  # the terms of an article are damaged, too
                is_mended = False
            words = "are worked out anew" if is_mended else "cannot be worked out anew: nothing joins it"
            log.warning("story %s: its sums cannot be read and %s; `aggregator db check`", id_, words)
            if not is_mended:
                left.add(id_)
        return frozenset(left)

    def last_membership_change(self, connection: Connection) -> int:
        """The inbox number at which a story changed its members last."""
        if self._last_membership_change is None:
            self._last_membership_change = stories.last_membership_change(connection)
        return self._last_membership_change

    def begin_after(self, inbox_no: int) -> None:
        """Take all that was placed up to this inbox number as looked at, whatever the rows say."""
        self._last_membership_change = inbox_no

    def forget(self) -> None:
        """Drop what is kept in memory; it is built again from the rows."""
        self._index = None
        self._last_membership_change = None

    def sweep(self, inbox_no: int) -> None:
        """Take stories out of the index that no article can reach any more; changes no decision."""
        if self._index is not None:
            self._index.sweep(inbox_no - self._model.tuning.live_reach)

    # --- a new article ------------------------------------------------------------------------------------

    def take_in(
        self,
        unit_of_work: UnitOfWork,
        new: NewArticle,
        article: ScoringInput,
        assigned_story: StoryRow | None,
        losers: Sequence[StoryRow],
    ) -> None:
        """Write the article and what its story is now: a new one, or `assigned_story`. `losers` give way
        to it.
        """
        membership = self._grown(unit_of_work.connection, new, article, assigned_story)
        for loser in losers:
            membership = self._joined(unit_of_work.connection, membership, loser)
        bump = unit_of_work.now if new.bumps_by_clock else new.effective
        state = self._state(unit_of_work, assigned_story, membership, touched_no=new.n, bump=bump)
        number = self._write(unit_of_work, assigned_story, new.placement.story, new.id, state)
        gone = [loser.id for loser in losers]
        _write_change(
            unit_of_work, new.placement.story, assigned_story, state, bump, article=new.id, others=gone
        )
        if assigned_story is not None and assigned_story.container_only and not state.container_only:
            fallen = [
                member.id
                for member in articles.members(unit_of_work.connection, assigned_story.id)
                if member.weighs
            ]
            articles.set_counts_in_centroid(unit_of_work.connection, fallen, weighs=False)
        articles.insert_article(unit_of_work.connection, new)
        self._index_story(IndexRow(number, new.placement.story, state.sums, state.last_inbox_no))
        for loser in losers:
            silent = [member.id for member in articles.members(unit_of_work.connection, loser.id)]
            articles.set_counts_in_centroid(unit_of_work.connection, silent, weighs=False)
            self._redirect(unit_of_work, loser, new.placement.story, reason="container")

    def revise(
        self,
        unit_of_work: UnitOfWork,
        assigned_story: StoryRow,
        new: NewArticle,
        before: ScoringInput,
        after: ScoringInput,
        *,
        at_no: int,
    ) -> None:
        """The story of an article whose row has other words now; it was `before`, it is `after`."""
        grown = centroid.from_bytes(assigned_story.sums)
        if new.weighs:
            grown = centroid.remove(grown, before.member(self._model), self._model)
            grown = centroid.add(grown, after.member(self._model), self._model)
        else:
            grown = centroid.add_silent(centroid.remove_silent(grown, before.minutes), after.minutes)
        members = articles.members(unit_of_work.connection, assigned_story.id)
        membership = Membership(
            sums=grown,
            standing=count_state_of(members),
            first=min(member.effective for member in members),
            last=max(member.effective for member in members),
            shown=article_views.views_for_title(
                unit_of_work.connection, assigned_story.id, len(members), assigned_story.title_article
            ),
            last_inbox_no=max(assigned_story.last_inbox_no, new.n),
        )
        bump = unit_of_work.now if new.bumps_by_clock else new.effective
        state = self._state(unit_of_work, assigned_story, membership, touched_no=at_no, bump=bump)
        self._update(unit_of_work.connection, assigned_story, state)
        _write_change(unit_of_work, assigned_story.id, assigned_story, state, bump, article=new.id)
        self._index_story(IndexRow(assigned_story.n, assigned_story.id, state.sums, state.last_inbox_no))

    # --- articles that move -------------------------------------------------------------------------------

    def move(
        self,
        unit_of_work: UnitOfWork,
        ids: Collection[str],
        target: str | None,
        *,
        at_no: int,
        founder: str | None = None,
        revived: str | None = None,
        bump: dt.datetime | None = None,
    ) -> str:
        """Give articles of one story another home; returns the id of the story that they are in then.

        `target`: a live story, or None for a story of their own (`founder` says whose; the earliest placed
        otherwise). `revived`: the id of a story that gave way and is one again with them. A story that is
        left empty gives way to the target. `bump`: the time by which both stories are put in order anew
        (None: where the newer of them was).
        """
        connection = unit_of_work.connection
        origin = _require(stories.row_of(connection, _single_story(connection, ids)))
        all_members = articles.members(connection, origin.id)
        moving = [member for member in all_members if member.id in ids]
        staying = [member for member in all_members if member.id not in ids]
        if not moving:
            raise ValueError("no article moves")
        if target is None and not staying and revived is None:
            return origin.id
        there = [] if target is None else articles.members(connection, target)
        assigned_story = None if target is None else _require(stories.row_of(connection, target))
        if not staying and assigned_story is not None:
            return self.join(unit_of_work, origin.id, assigned_story.id, at_no=at_no, bump=bump)
        when = bump or max(origin.updated, assigned_story.updated if assigned_story else origin.updated)
        membership = self._of_members(
            connection, [*there, *moving], assigned_story.title_article if assigned_story else None
        )
        chosen = founder or min(moving, key=lambda member: member.n).id
        if revived is not None:
            stories.revive(connection, revived)
            assigned_story = _require(stories.row_of(connection, revived))
        story = (
            assigned_story.id if assigned_story else story_id(chosen, stories.foundings(connection, chosen))
        )
        state = self._state(
            unit_of_work, assigned_story, membership, touched_no=at_no, bump=when, moved=bump is not None
        )
        number = self._write(unit_of_work, assigned_story, story, chosen, state)
        retention.note_late(connection, number, state.last_inbox_no)
        _write_change(
            unit_of_work, story, assigned_story, state, when,
            article=None if target is None or bump else chosen,
            others=[origin.id] if target is None else [],
            kind=None if target and not bump else "corrected" if target else "split" if staying else "merged",
        )  # fmt: skip
        articles.move(connection, ids, story)
        self._set_counts_in_centroid(connection, [*there, *moving])
        self._index_story(IndexRow(number, story, state.sums, state.last_inbox_no))
        if staying:
            self._restate(unit_of_work, origin, staying, at_no=at_no, bump=when, moved=bump is not None)
        else:
            self._redirect(unit_of_work, origin, story, reason="empty")
        return story

    def join(
        self,
        unit_of_work: UnitOfWork,
        one: str,
        other: str,
        *,
        at_no: int,
        bump: dt.datetime | None = None,
        keeps: str | None = None,
        **detail: str | float | None,
    ) -> str:
        """Make one story of two; returns the id that it keeps, as `unite` has it."""
        return self.unite(unit_of_work, (one, other), at_no=at_no, bump=bump, keeps=keeps, **detail)

    def unite(
        self,
        unit_of_work: UnitOfWork,
        ids: Sequence[str],
        *,
        at_no: int,
        bump: dt.datetime | None = None,
        keeps: str | None = None,
        **detail: str | float | None,
    ) -> str:
        """Make one story of several; returns the id that it keeps (`keeps`, or as the house's rule has it).

        A container's id gives way; else the story with more independent reports keeps its id (a tie: the
        older). The others redirect for ever.
        """
        connection = unit_of_work.connection
        rows = [_require(stories.row_of(connection, id_)) for id_ in ids]
        winner, *losers = sorted(
            rows, key=lambda row: (row.id != keeps, row.container_only, -row.report_count, row.n)
        )
        members = [member for row in (winner, *losers) for member in articles.members(connection, row.id)]
        when = bump or max(row.updated for row in rows)
        membership = self._of_members(connection, members, winner.title_article)
        state = self._state(
            unit_of_work, winner, membership, touched_no=at_no, bump=when, moved=bump is not None
        )
        self._update(connection, winner, state)
        _write_change(
            unit_of_work, winner.id, winner, state, when, others=[row.id for row in losers], kind="merged"
        )
        self._index_story(IndexRow(winner.n, winner.id, state.sums, state.last_inbox_no))
        for loser in losers:
            self._redirect(unit_of_work, loser, winner.id, **detail)
        self._set_counts_in_centroid(connection, members)
        return winner.id

    def restate(self, unit_of_work: UnitOfWork, story: str) -> None:
        """Work out anew what the row of a story says, from the rows of its articles."""
        row = _require(stories.row_of(unit_of_work.connection, story))
        members = articles.members(unit_of_work.connection, story)
        at_no = max(member.n for member in members)
        self._restate(unit_of_work, row, members, at_no=at_no, bump=row.updated, moved=False)

    def mend(self, connection: Connection, story: str) -> bool:
        """Write anew what follows from the articles of a story alone: sums, counts, dates.

        Each weighs as its row says. Headline, order and log stay. False where there is nothing to do it with.
        """
        row = stories.row_of(connection, story)
        members = [] if row is None else articles.members(connection, story)
        if row is None or not members:
            return False
        whole = centroid.from_members(
            [one.as_article().member(self._model) for one in members if one.weighs],
            [one.as_article().minutes for one in members if not one.weighs],
            self._model,
        )
        standing = count_state_of(members)
        tally = counts(standing, self._families)
        worked = repair.DerivedColumns(
            sums=centroid.to_bytes(whole, self._model),
            standing=to_bytes(standing),
            article_count=tally.article_count,
            outlet_count=tally.outlet_count,
            report_count=tally.report_count,
            container_only=whole.is_container_only,
            first_published=min(member.effective for member in members),
            last_published=max(member.effective for member in members),
            last_inbox_no=max(member.n for member in members),
        )
        repair.write_story(connection, story, worked)
        self._index_story(IndexRow(row.n, story, worked.sums, worked.last_inbox_no))
        return True

    def close(self, unit_of_work: UnitOfWork, story: str) -> None:
        """A story whose articles were all forgotten: nothing is left but its id, which leads nowhere."""
        row = _require(stories.row_of(unit_of_work.connection, story))
        erase.close_story(unit_of_work.connection, story)
        if self._index is not None and row.n in self._index:
            self._index.remove_story(row.n)

    def drop_centroid_terms(self, number: int, id: str, blob: bytes, last_inbox_no: int) -> bytes:  # noqa: A002
        """The sums `blob` of a story without terms, which memory takes as its sums from now on."""
        light = centroid.to_bytes(centroid.without_terms(centroid.from_bytes(blob)), self._model)
        if self._index is not None and number in self._index:
            self._index.replace_story(IndexRow(number, id, light, last_inbox_no))
        return light

    @property
    def live_reach(self) -> int:
        """How many inbox numbers back a story may have grown last, and still be joined."""
        return self._model.tuning.live_reach

    def reports(self, connection: Connection, ids: Iterable[str]) -> int:
        """How many independent reports these articles would be as a story."""
        return count(article_views.views_of(connection, ids), self._families).report_count

    def followers(self, connection: Connection, unit: str, story: str) -> list[str]:
        """The article, and those of its story that weigh nothing because they are its copies."""
        return self.with_copies(connection, [unit], story)

    def with_copies(self, connection: Connection, wanted: Iterable[str], story: str) -> list[str]:
        """These articles of a story with the silent copies of their texts, in the order of their ids.

        A copy that weighs nothing itself takes only along what was copied from it: so a person can take out
        what was wrongly found to be a copy.
        """
        found = set(wanted)
        for group in copy_groups(articles.members(connection, story)):
            asked = [one for one in group if one.id in found]
            if any(one.weighs for one in asked):
                found.update(one.id for one in group if not one.weighs)
            elif asked:
                links = {one.id: one.copy_of for one in group}
                found.update(one.id for one in group if _leads_to(one.id, found, links))
        return sorted(found)

    # --- what a row says ----------------------------------------------------------------------------------

    def _grown(
        self, connection: Connection, new: NewArticle, article: ScoringInput, assigned_story: StoryRow | None
    ) -> Membership:
        """The story with one member more, not reading those it has: a flood must not cost more and more."""
        grown = centroid.Centroid() if assigned_story is None else centroid.from_bytes(assigned_story.sums)
        if new.weighs:
            grown = centroid.add(grown, article.member(self._model), self._model)
        else:
            grown = centroid.add_silent(grown, article.minutes)
        view = article_views.view_of(new)
        if assigned_story is None:
            standing = count_state_of([view])
            return Membership(grown, standing, view.effective, view.effective, [view], new.n)
        known = self._count_state(connection, assigned_story)
        countable = view
        if view.copy_of is not None:
            link = resolve_link(
                known, view.copy_of, lambda id_: articles.copy_link_of(connection, id_, assigned_story.id)
            )
            countable = msgspec.structs.replace(view, copy_of=link)
        shown = article_views.views_for_title(
            connection, assigned_story.id, assigned_story.article_count, assigned_story.title_article
        )
        return Membership(
            sums=grown,
            standing=with_member(known, countable, linkable=bool(new.bands or new.sketch)),
            first=min(assigned_story.first_published, view.effective),
            last=max(assigned_story.last_published, view.effective),
            shown=sorted([*shown, view], key=lambda one: one.effective),
            last_inbox_no=max(new.n, assigned_story.last_inbox_no),
        )

    def _joined(self, connection: Connection, membership: Membership, loser: StoryRow) -> Membership:
        views = article_views.views_for_title(connection, loser.id, loser.article_count, loser.title_article)
        return Membership(
            sums=centroid.merge(membership.sums, centroid.from_bytes(loser.sums), self._model),
            standing=merge_count_states(membership.standing, self._count_state(connection, loser)),
            first=min(membership.first, loser.first_published),
            last=max(membership.last, loser.last_published),
            shown=sorted([*membership.shown, *views], key=lambda one: one.effective),
            last_inbox_no=max(membership.last_inbox_no, loser.last_inbox_no),
        )

    def _of_members(
        self, connection: Connection, members: Sequence[MemberRow], titled: str | None
    ) -> Membership:
        """What a story with exactly these members is; `titled`: which of them has the title that is shown."""
        weighing = _counted_members(members)
        grown = centroid.from_members(
            [one.as_article().member(self._model) for one in members if one.id in weighing],
            [one.as_article().minutes for one in members if one.id not in weighing],
            self._model,
        )
        return Membership(
            sums=grown,
            standing=count_state_of(members),
            first=min(member.effective for member in members),
            last=max(member.effective for member in members),
            shown=article_views.views_of(connection, _shown(members, titled)),
            last_inbox_no=max(member.n for member in members),
        )

    def _count_state(self, connection: Connection, row: StoryRow) -> CountState:
        known = None if row.standing is None else from_bytes(row.standing)
        return known or count_state_of(articles.members(connection, row.id))

    def _state(
        self,
        unit_of_work: UnitOfWork,
        assigned_story: StoryRow | None,
        membership: Membership,
        *,
        touched_no: int,
        bump: dt.datetime,
        moved: bool = False,
    ) -> StoryState:
        """What the story's row says; bumped when new, else by what `bumps` has (`moved`: a correction)."""
        self._last_membership_change = (
            touched_no
            if self._last_membership_change is None
            else max(self._last_membership_change, touched_no)
        )
        tally = counts(membership.standing, self._families)
        shown = membership.shown
        if self._has_foreign_language:
            shown = _hosts(shown, assigned_story.language if assigned_story else None)
        chosen = headline(
            shown, assigned_story.title if assigned_story else None, self._story_rules, self._prefer
        )
        title = chosen.title
        bumped = assigned_story is None or bool(
            self._bumps
            & {
                "report" if tally.report_count > assigned_story.report_count else "",
                "headline" if title != assigned_story.title else "",
                "correction" if moved else "",
            }
        )
        if assigned_story is not None and title != assigned_story.title:
            unit_of_work.ledger.log(
                unit_of_work.now,
                assigned_story.id,
                "headline",
                before=assigned_story.title,
                after=title,
                reason=chosen.reason,
            )
        cap = self._model.tuning.story_cap
        if assigned_story is not None and assigned_story.article_count < cap <= tally.article_count:
            unit_of_work.ledger.log(unit_of_work.now, assigned_story.id, "full", articles=tally.article_count)
        updated = assigned_story.updated if assigned_story else None
        if bumped:
            # To the second; the fraction tells bumps apart, in their order.
            base = bump.replace(microsecond=unit_of_work.ledger.number("bump") % 1_000_000)
            updated = base if updated is None else max(updated, base)
        assert updated is not None, "a new story is bumped"
        return StoryState(
            title=title,
            title_article=chosen.article,
            summary=summary(shown, self._summary_words, self._story_rules, title),
            language=_language(shown),
            first_published=membership.first,
            last_published=membership.last,
            updated=updated,
            article_count=tally.article_count,
            outlet_count=tally.outlet_count,
            report_count=tally.report_count,
            container_only=membership.sums.is_container_only,
            last_inbox_no=membership.last_inbox_no,
            touched_no=touched_no,
            sums=centroid.to_bytes(membership.sums, self._model),
            standing=to_bytes(membership.standing),
        )

    # --- writing ------------------------------------------------------------------------------------------

    def _write(
        self,
        unit_of_work: UnitOfWork,
        assigned_story: StoryRow | None,
        story: str,
        founder: str,
        state: StoryState,
    ) -> int:
        """The story's row, new or known; returns its running number."""
        if assigned_story is not None:
            stories.update_story(unit_of_work.connection, story, state)
            return assigned_story.n
        number = unit_of_work.ledger.number("story")
        founding = stories.foundings(unit_of_work.connection, founder)
        stories.insert_story(
            unit_of_work.connection, n=number, founder=founder, founding=founding, id=story, state=state
        )
        return number

    @staticmethod
    def _update(connection: Connection, row: StoryRow, state: StoryState) -> None:
        """A story whose newest article has left is where retention may have been already."""
        stories.update_story(connection, row.id, state)
        retention.note_late(connection, row.n, state.last_inbox_no)

    def _restate(
        self,
        unit_of_work: UnitOfWork,
        row: StoryRow,
        members: Sequence[MemberRow],
        *,
        at_no: int,
        bump: dt.datetime,
        moved: bool,
    ) -> None:
        membership = self._of_members(unit_of_work.connection, members, row.title_article)
        state = self._state(unit_of_work, row, membership, touched_no=at_no, bump=bump, moved=moved)
        self._update(unit_of_work.connection, row, state)
        _write_change(unit_of_work, row.id, row, state, bump, kind="corrected" if moved else None)
        self._set_counts_in_centroid(unit_of_work.connection, members)
        self._index_story(IndexRow(row.n, row.id, state.sums, state.last_inbox_no))

    def _set_counts_in_centroid(self, connection: Connection, members: Sequence[MemberRow]) -> None:
        """Write which members' terms are in the sums, where that is not what their rows say."""
        weighing = _counted_members(members)
        for weighs in (True, False):
            wrong = [one.id for one in members if one.weighs != weighs and (one.id in weighing) == weighs]
            if wrong:
                articles.set_counts_in_centroid(connection, wrong, weighs=weighs)

    def _redirect(
        self, unit_of_work: UnitOfWork, loser: StoryRow, winner: str, **detail: str | float | None
    ) -> None:
        """What is left in `loser` moves over, its id redirects for ever."""
        articles.move_all(unit_of_work.connection, loser.id, winner)
        stories.redirect_story(unit_of_work.connection, loser.id, winner)
        if self._index is not None and loser.n in self._index:
            self._index.remove_story(loser.n)
        unit_of_work.ledger.log_with(unit_of_work.now, winner, "merged", None, {"other": loser.id, **detail})
        unit_of_work.ledger.log_with(unit_of_work.now, loser.id, "merged", None, {"into": winner, **detail})

    def _index_story(self, row: IndexRow) -> None:
        if self._index is None:
            return
        if row.number in self._index:
            self._index.replace_story(row)
        else:
            self._index.add_story(row)


def _write_change(
    unit_of_work: UnitOfWork,
    story: str,
    before: StoryRow | None,
    after: StoryState,
    bump: dt.datetime,
    **more: Any,
) -> None:
    """Into the stream of changes, see `changes.write_change`."""
    change_stream.write_change(unit_of_work.ledger, unit_of_work.now, story, before, after, bump=bump, **more)


def _leads_to(article: str, wanted: Collection[str], links: Mapping[str, str | None]) -> bool:
    """Whether the article is one of those wanted, or a copy of a copy of one."""
    asked: set[str] = set()
    at: str | None = article
    while at is not None and at not in asked:
        if at in wanted:
            return True
        asked.add(at)
        at = links.get(at)
    return False


def _counted_members(members: Sequence[MemberRow]) -> set[str]:
    """Whose terms are in the sums: of each text the article placed first, else excerpts, else containers."""
    for roles in (("report", "copy"), ("excerpt",), ("container",)):
        groups = copy_groups([member for member in members if member.role in roles])
        if groups:
            groups = _without_foreign_language(groups)
            return {min(group, key=lambda member: member.n).id for group in groups}
    return set()


def _without_foreign_language(groups: list[list[MemberRow]]) -> list[list[MemberRow]]:
    """Without guests: texts that weigh nothing and are of another language than all that do
    (pipeline/placement/cross_language.py).

    Where nothing weighs, because all hosts have left, the text placed first says which language is at home.
    """
    hosts = [group for group in groups if any(member.weighs for member in group)]
    hosts = hosts or [min(groups, key=lambda group: min(member.n for member in group))]
    languages = {member.language for group in hosts for member in group} | {None}
    return [group for group in groups if any(one.weighs or one.language in languages for one in group)]


def _shown(members: Sequence[MemberRow], titled: str | None) -> list[str]:
    """Of whom headline and summary are chosen: the same as `article_views.views_for_title`."""
    originals = [member for member in members if member.copy_of is None]
    if len(members) <= article_views.SHOWN_MEMBERS or not originals:
        return [member.id for member in members]
    newest = sorted(originals, key=lambda member: (member.effective, member.n), reverse=True)
    shown = [member.id for member in newest[: article_views.SHOWN_MEMBERS]]
    return shown + [member.id for member in members if member.id == titled and titled not in shown]


def _hosts(shown: Sequence[ArticleView], language: str | None) -> Sequence[ArticleView]:
    """The articles in the story's own language, which is that of its first one; all, where none is left."""
    own = language or next((view.language for view in shown), None)
    return [view for view in shown if view.language == own] or shown


def _language(members: Iterable[ArticleView]) -> str | None:
    """The language that most articles have (a tie: the first by name)."""
    tally = Counter(member.language for member in members if member.language)
    return min(tally, key=lambda language: (-tally[language], language)) if tally else None


def _single_story(connection: Connection, ids: Iterable[str]) -> str:
    found = set(articles.assigned_stories(connection, ids).values())
    if len(found) != 1:
        raise ValueError(f"the articles that move are in {len(found)} stories")
    return found.pop()


def _require(row: StoryRow | None) -> StoryRow:
    assert row is not None, "a live story that the index or an article's row names"
    return row
