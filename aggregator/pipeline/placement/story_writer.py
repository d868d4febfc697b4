"""Stories: creates and updates their rows, adds articles, moves articles between stories, and merges stories.

Everything is part of a placing transaction. The index of live stories in memory is derived from the rows; the
caller that opens the transaction calls `forget` if it fails.
"""

import datetime as dt
import logging
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import msgspec

from aggregator.cluster.entry_identity import story_id
from aggregator.cluster.events import centroid
from aggregator.cluster.events.centroid import ScoringInput
from aggregator.cluster.events.story_index import IndexedStory as IndexRow
from aggregator.cluster.events.story_index import StoryCache, StoryIndex
from aggregator.cluster.events.weights import EventModel
from aggregator.config.garbage import give_back_memory
from aggregator.model.core import ArticleView
from aggregator.pipeline.placement.story_options import StoryOptions
from aggregator.store.engine.database import Connection
from aggregator.store.maintenance import erase
from aggregator.store.stories import article_views, articles, stories, story_links
from aggregator.store.stories.articles import MemberRow, NewArticle, PublishedSpan
from aggregator.store.stories.placement_batch import Ledger
from aggregator.store.stories.stories import Membership, NewStory, StoryRow, StoryState
from aggregator.stories.counts import (
    copy_groups,
    count,
    count_state_of,
    from_bytes,
    origin_link,
    resolve_link,
    with_member,
)
from aggregator.stories.lead import summary
from aggregator.stories.title import headline
from aggregator.stories.tuning import StoryTuning

log = logging.getLogger(__name__)

_STORIES_KEPT = 300  # in memory, about 20 KB each


class UnitOfWork(NamedTuple):
    """One placing transaction."""

    connection: Connection
    ledger: Ledger
    now: dt.datetime


class _KnownStory(NamedTuple):
    """What a story that grew lately needs to grow again."""

    row: StoryRow
    membership: Membership  # `shown`: all of its articles, so only small stories are kept


class StoryWriter:
    """Writes stories. For one thread of the writer."""

    def __init__(
        self,
        model: EventModel,
        story_tuning: StoryTuning,
        options: StoryOptions,
        *,
        undated_from: Callable[[Connection], int],
        regrouped: Callable[[], None],
    ) -> None:
        """`undated_from` returns the first inbox number that was accepted within `window_days`.

        `regrouped` is called when articles change their stories.
        """
        self._undated_from = undated_from
        self._regrouped = regrouped
        self._early_from: int | None = None  # see `sweep`
        self._options = options
        self._bump_age = dt.timedelta(seconds=options.bump_age_seconds)
        self._model = model
        self._story_tuning = story_tuning
        self._index: StoryIndex | None = None
        self._last_membership_change: int | None = None
        self._changed: dict[int, int] | None = None  # stories by number: when their articles changed last ...
        self._changed_from = 0  # ... if at this inbox number or later
        self._known: StoryCache[_KnownStory] = StoryCache(_STORIES_KEPT)
        self._numbers: dict[str, int] = {}  # of the stories in `_known`

    # --- memory -------------------------------------------------------------------------------------------

    def index(self, connection: Connection) -> StoryIndex:
        """The index of live stories by terms, which reads by this connection; built if missing."""
        if self._index is None:
            tuning, newest = self._model.tuning, stories.newest_inbox_no(connection)
            since = max(
                newest - tuning.live_reach,
                min(newest - tuning.kept_reach, self._undated_from(connection)),
            )
            rows = stories.open_stories(connection, since=since)
            whole = (IndexRow(*row) for row in rows)
            self._index = StoryIndex(self._model, whole, read=partial(_index_rows, connection))
            give_back_memory()
        self._index.read = partial(_index_rows, connection)
        self._index.undated_from = self._undated_from(connection)
        return self._index

    def last_membership_change(self, connection: Connection) -> int:
        """The inbox number of the last change of members of a story."""
        if self._last_membership_change is None:
            self._last_membership_change = stories.last_membership_change(connection)
        return self._last_membership_change

    def changed_since(self, connection: Connection, inbox_no: int) -> list[int]:
        """Return the numbers of the stories whose articles changed at `inbox_no` or later, in order."""
        if self._changed is None or inbox_no < self._changed_from:
            self._changed = stories.membership_changed_since(connection, inbox_no)
        self._changed_from = inbox_no
        self._changed = {number: at for number, at in self._changed.items() if at >= inbox_no}
        return sorted(self._changed)

    def begin_after(self, inbox_no: int) -> None:
        """Treat everything placed up to this inbox number as reassessed."""
        self._last_membership_change = inbox_no

    def forget(self) -> None:
        """Drop the index in memory; it is built again from the rows."""
        self._index = None
        self._last_membership_change = self._changed = None
        self.forget_rows()

    def forget_rows(self) -> None:
        """Drop what is known of the rows of stories: something else than `take_in` may have changed them."""
        self._known.clear()
        self._numbers.clear()

    def live(self, connection: Connection, story: str) -> StoryRow:
        """Return the row of a live story, which the index or the row of an article names."""
        known = self._known_story(story)
        return live_story(connection, story) if known is None else known.row

    def _known_story(self, story: str) -> _KnownStory | None:
        entry = None if self._index is None else self._index.kept(self._numbers.get(story, -1))
        return None if entry is None else self._known.kept(entry)

    def _remember(self, number: int, story: str, state: StoryState, membership: Membership) -> None:
        if self._index is None or state.article_count > article_views.SHOWN_MEMBERS:
            return
        if len(self._numbers) > 2 * _STORIES_KEPT:
            self.forget_rows()
        row = state.as_row(number, story)
        self._numbers[story] = number
        self._known.put(self._index.story(number), _KnownStory(row, membership))

    def sweep(self, inbox_no: int) -> None:
        """Remove stories that an article of this number cannot join from the index; changes no decision.

        Once a day it logs if they leave before `window_days` are over.
        """
        if self._index is None:
            return
        gone, within = self._index.sweep(inbox_no), self._index.undated_from
        is_early = inbox_no - self._model.tuning.live_reach > within
        if gone and is_early and within != self._early_from:
            self._early_from = within
            log.warning(
                "stories leave the window before its %g days are over: `grouping.memory` holds those of %d "
                "articles; with more memory they stay longer",
                self._model.tuning.window_days,
                self._model.tuning.live_reach,
                extra={"event": "window_short"},
            )

    # --- a new article ------------------------------------------------------------------------------------

    def take_in(
        self,
        unit_of_work: UnitOfWork,
        new: NewArticle,
        article: ScoringInput,
        assigned_story: StoryRow | None,
    ) -> int:
        """Write the article and its story: a new one, or `assigned_story`; return its number."""
        known = None if assigned_story is None else self._known_story(assigned_story.id)
        before = None if known is None else known.membership
        if before is None and assigned_story is not None:
            before = self._membership_of(unit_of_work.connection, assigned_story)
        span = None if before is None else before.span
        membership = self._grown(unit_of_work.connection, new, article, before, new.placement.story)
        bump, redates = unit_of_work.now, False
        if not new.bump_by_clock:
            is_dated = new.clean.published is not None
            bump = new.effective_at if is_dated or not membership.span.is_dated else membership.span.last
            redates = (
                assigned_story is not None
                and span is not None
                and is_dated
                and not span.is_dated
                and not articles.was_bumped_by_clock(unit_of_work.connection, assigned_story.id)
            )
        state = self._state(
            unit_of_work,
            assigned_story,
            membership,
            membership_changed_no=new.inbox_no,
            bump=bump,
            redates=redates,
        )
        number = self._store(
            unit_of_work, assigned_story, new.placement.story, state, bump, membership=membership,
            founder=new.id, article=new.id,
        )  # fmt: skip
        self._remember(number, new.placement.story, state, membership)
        if assigned_story is not None and assigned_story.container_only and not state.container_only:
            fallen = [
                member.id
                for member in articles.members(unit_of_work.connection, assigned_story.id)
                if member.counts_in_centroid
            ]
            articles.set_counts_in_centroid(unit_of_work.connection, fallen, counts_in_centroid=False)
        unit_of_work.ledger.articles.append(new)
        return number

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
        silent: Collection[str] = (),
    ) -> str:
        """Move articles of one story to another; return the id of their story afterwards.

        `target`: a live story, or None for a new story (founded by `founder`, by default the article placed
        first). `revived`: the id of a merged story, used again for the new one. An empty story is merged into
        the target. `bump`: the new bump of both stories (None: the later of theirs). `silent`: see `unite`.
        """
        self._regrouped()
        connection = unit_of_work.connection
        origin = live_story(connection, _single_story(connection, ids))
        all_members = articles.members(connection, origin.id)
        moving = [member for member in all_members if member.id in ids]
        staying = [member for member in all_members if member.id not in ids]
        if not moving:
            raise ValueError("no article moves")
        if target is None and not staying and revived is None:
            return origin.id
        there = [] if target is None else articles.members(connection, target)
        assigned_story = None if target is None else live_story(connection, target)
        if not staying and assigned_story is not None:
            pair = origin.id, assigned_story.id
            return self.unite(unit_of_work, pair, at_no=at_no, bump=bump, silent=silent)
        when = bump or max(row.bumped_at for row in (origin, assigned_story) if row is not None)
        chosen = founder or min(moving, key=lambda member: member.inbox_no).id
        titled = assigned_story.title_article if assigned_story else None
        if revived is not None:
            stories.revive(connection, revived)
            assigned_story = live_story(connection, revived)
        story = (
            assigned_story.id if assigned_story else story_id(chosen, stories.foundings(connection, chosen))
        )
        self._store_members(
            unit_of_work, assigned_story, story, [*there, *moving], titled, at_no=at_no, bump=when,
            moved=bump is not None,
            founder=chosen,
            article=None if target is None or bump else chosen,
            others=[origin.id] if target is None else [],
            kind=None if target and not bump else "corrected" if target else "split" if staying else "merged",
        )  # fmt: skip
        articles.move(connection, ids, story)
        if staying:
            story_links.erase(connection, [origin.id])  # both stories find their own when they are rendered
            self.restate(unit_of_work, origin.id, at_no=at_no, bump=when, moved=bump is not None)
        else:
            self._redirect(unit_of_work, origin, story, reason="empty")
        return story

    def unite(
        self,
        unit_of_work: UnitOfWork,
        ids: Sequence[str],
        *,
        at_no: int,
        bump: dt.datetime | None = None,
        keeps: str | None = None,
        silent: Collection[str] = (),
        **detail: str | float | None,
    ) -> str:
        """Merge several stories; return the id that stays: `keeps`, else by rule.

        The id of a story that is only a live blog or roundup is dropped; else the story with more reports
        keeps its id, in a tie the older one. The other ids redirect permanently. `silent`: stories whose own
        bump does not bump the merged one.
        """
        self._regrouped()
        connection = unit_of_work.connection
        rows = [live_story(connection, id_) for id_ in ids]
        winner, *losers = sorted(
            rows, key=lambda row: (row.id != keeps, row.container_only, -row.report_count, row.story_no)
        )
        members = [member for row in (winner, *losers) for member in articles.members(connection, row.id)]
        counted = [row for row in rows if row.id not in silent]
        timed = [row for row in counted if _has_bump_time(connection, row)] or counted
        when = bump or max(row.bumped_at for row in timed)
        self._store_members(
            unit_of_work, winner, winner.id, members, winner.title_article, at_no=at_no, bump=when,
            moved=bump is not None,
            redates=bump is None and winner not in timed,
            others=[row.id for row in losers],
            kind="merged",
        )  # fmt: skip
        for loser in losers:
            self._redirect(unit_of_work, loser, winner.id, **detail)
        return winner.id

    def restate(
        self,
        unit_of_work: UnitOfWork,
        story: str,
        *,
        at_no: int | None = None,
        bump: dt.datetime | None = None,
        moved: bool = False,
        revised: NewArticle | None = None,
    ) -> None:
        """Recompute the row of a story from the rows of its articles, which changed `at_no`.

        `bump`: its new bump (None: the present one); `moved`: a correction changed it; `revised`: the article
        with another text.
        """
        row = live_story(unit_of_work.connection, story)
        members = articles.members(unit_of_work.connection, story)
        unbumped = None
        if revised is not None:
            bump = unit_of_work.now if revised.bump_by_clock else revised.effective_at
            unbumped = revised.effective_at if "headline" in self._options.bumps else None
        self._store_members(
            unit_of_work, row, story, members, row.title_article,
            at_no=at_no or max(member.inbox_no for member in members),
            bump=bump or row.bumped_at,
            moved=moved,
            unbumped=unbumped,
            article=revised and revised.id,
            kind="corrected" if moved else None,
        )  # fmt: skip

    def mend(self, connection: Connection, story: str) -> bool:
        """Recompute the centroid, counts and times of a story from its articles.

        Headline, order and log stay. Returns False if there is nothing to compute from.
        """
        row = stories.row_of(connection, story)
        members = [] if row is None else articles.members(connection, story)
        if row is None or not members:
            return False
        derived = stories.columns_of_members(members, self._model, self._options.families)
        stories.write_derived(connection, story, derived)
        if self._index is not None and row.story_no in self._index:
            mended = IndexRow(row.story_no, story, derived.centroid, derived.last_inbox_no)
            self._index.replace_story(mended)
        return True

    def close(self, unit_of_work: UnitOfWork, story: str) -> None:
        """Write a story without articles: only its id stays, and it is not found."""
        row = live_story(unit_of_work.connection, story)
        erase.close_story(unit_of_work.connection, story)
        if self._index is not None and row.story_no in self._index:
            self._index.remove_story(row.story_no)

    def reports(self, connection: Connection, ids: Iterable[str]) -> int:
        """Return how many independent reports these articles would be as a story."""
        return count(article_views.views_of(connection, ids), self._options.families).report_count

    def with_copies(self, connection: Connection, wanted: Iterable[str], story: str) -> list[str]:
        """Return these articles of a story with the copies of their texts, ordered by id.

        A copy that is not counted takes only its own copies along, so an editor can move a wrong copy.
        """
        found = set(wanted)
        for group in copy_groups(articles.members(connection, story)):
            asked = [one for one in group if one.id in found]
            if any(one.counts_in_centroid for one in asked):
                found.update(one.id for one in group if not one.counts_in_centroid)
            elif asked:
                links = {one.id: one.copy_of for one in group}
                found.update(one.id for one in group if _leads_to(one.id, found, links))
        return sorted(found)

    # --- what a row says ----------------------------------------------------------------------------------

    def _membership_of(self, connection: Connection, row: StoryRow) -> Membership:
        """Return the state of a story from its row and its articles."""
        known = None if row.count_state is None else from_bytes(row.count_state)
        return Membership(
            centroid=centroid.from_bytes(row.centroid),
            count_state=known or count_state_of(articles.members(connection, row.id)),
            span=PublishedSpan(
                row.first_published, row.last_published, articles.has_date(connection, row.id)
            ),
            last_inbox_no=row.last_inbox_no,
            shown=article_views.views_for_title(connection, row.id, row.article_count, row.title_article),
        )

    def _grown(
        self,
        connection: Connection,
        new: NewArticle,
        article: ScoringInput,
        before: Membership | None,
        story: str,
    ) -> Membership:
        """Return the story with one more member without reading the others, so that a burst stays cheap."""
        grown = centroid.Centroid() if before is None else before.centroid
        if new.counts_in_centroid:
            grown = centroid.add(grown, article)
        else:
            grown = centroid.add_silent(grown, [article.stated_minutes])
        view = article_views.view_of(new)
        if before is None:
            standing = count_state_of([view])
            return Membership(grown, standing, articles.published_span([view]), new.inbox_no, [view])
        countable = view
        if (linked := origin_link(view)) is not None:
            link = resolve_link(
                before.count_state, linked, lambda id_: articles.copy_link_of(connection, id_, story)
            )
            countable = msgspec.structs.replace(view, copy_of=link)
        return Membership(
            centroid=grown,
            count_state=with_member(before.count_state, countable, linkable=bool(new.bands or new.sketch)),
            span=before.span.with_other(articles.published_span([view])),
            shown=sorted([*before.shown, view], key=lambda one: one.effective_at),
            last_inbox_no=max(new.inbox_no, before.last_inbox_no),
        )

    def _state(
        self,
        unit_of_work: UnitOfWork,
        assigned_story: StoryRow | None,
        membership: Membership,
        *,
        membership_changed_no: int,
        bump: dt.datetime,
        moved: bool = False,
        redates: bool = False,
    ) -> StoryState:
        """Return the row of a story; bumped if it is new, else by `bumps` (`moved`: a correction).

        `redates`: its bumps were only the times at which undated files were read, so `bump` replaces them.
        """
        self._last_membership_change = (
            membership_changed_no
            if self._last_membership_change is None
            else max(self._last_membership_change, membership_changed_no)
        )
        derived = stories.derived_columns(membership, self._model, self._options.families)
        shown = membership.shown
        reports_before = 0
        if assigned_story is not None and not assigned_story.container_only:
            reports_before = assigned_story.report_count
        chosen = headline(
            shown,
            assigned_story.title if assigned_story else None,
            self._story_tuning,
            self._options.prefer,
            afresh=derived.report_count.bit_length() > reports_before.bit_length(),  # at 1, 2, 4, 8 ...
        )
        title = chosen.title
        gains = derived.report_count > reports_before
        has_report = any(group.is_counted for group in membership.count_state.groups)
        is_news = derived.report_count > 1 or bump - membership.span.first <= self._bump_age
        bumped = assigned_story is None or bool(
            set(self._options.bumps)
            & {
                "report" if gains and has_report else "",
                "headline" if is_news and title != assigned_story.title else "",
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
        if assigned_story is not None and assigned_story.article_count < cap <= derived.article_count:
            unit_of_work.ledger.log(
                unit_of_work.now, assigned_story.id, "full", articles=derived.article_count
            )
        updated = assigned_story.bumped_at if assigned_story else None
        if bump != updated and (bumped or redates):
            # To the second; the fraction tells bumps apart, in their order.
            base = bump.replace(microsecond=unit_of_work.ledger.number("bump") % 1_000_000)
            updated = base if updated is None or redates else max(updated, base)
        assert updated is not None, "a new story is bumped"
        return StoryState(
            **msgspec.structs.asdict(derived),
            title=title,
            title_article=chosen.article,
            summary="",  # see `_store`
            language=_language(shown),
            bumped_at=updated,
            membership_changed_no=membership_changed_no,
        )

    # --- writing ------------------------------------------------------------------------------------------

    def _store(
        self,
        unit_of_work: UnitOfWork,
        row: StoryRow | None,
        story: str,
        state: StoryState,
        bump: dt.datetime,
        *,
        membership: Membership,
        founder: str = "",
        **change: Any,
    ) -> int:
        """Write the state of a story, whose row was `row` (None: `founder` founds it now); return its number.

        `bump` and `change`: of the change stream, see `Ledger.change`.
        """
        if row is None:
            number = unit_of_work.ledger.number("story")
            # The first story of an article is the usual case, and its id says so.
            is_first = story == story_id(founder, 0)
            founding = 0 if is_first else stories.foundings(unit_of_work.connection, founder)
            unit_of_work.ledger.stories.append(NewStory(number, story, founder, founding, state))
        else:
            number = row.story_no
            unit_of_work.ledger.states[story] = state
        if self._changed is not None:
            self._changed[number] = state.membership_changed_no
        unit_of_work.ledger.summaries[story] = partial(
            summary,
            membership.shown,
            self._options.summary_words,
            self._story_tuning,
            state.title,
        )
        unit_of_work.ledger.change(unit_of_work.now, story, row, state, bump=bump, **change)
        self._index_story(IndexRow(number, story, state.centroid, state.last_inbox_no))
        return number

    def _store_members(
        self,
        unit_of_work: UnitOfWork,
        row: StoryRow | None,
        story: str,
        members: Sequence[MemberRow],
        titled: str | None,
        *,
        at_no: int,
        bump: dt.datetime,
        moved: bool = False,
        redates: bool = False,
        unbumped: dt.datetime | None = None,
        **change: Any,
    ) -> None:
        """Write a story with exactly these members, `titled` the one whose title is shown; see `_store`.

        `unbumped`: the time of the change in the change stream if `bump` does not bump the story.
        """
        shown = article_views.views_of(unit_of_work.connection, _shown(members, titled))
        membership = stories.membership_of(members, _counted_members(members), shown)
        state = self._state(
            unit_of_work,
            row,
            membership,
            membership_changed_no=at_no,
            bump=bump,
            moved=moved,
            redates=redates,
        )
        if unbumped is not None and row is not None and state.bumped_at == row.bumped_at:
            bump = unbumped
        self._store(unit_of_work, row, story, state, bump, membership=membership, **change)
        self._set_counts_in_centroid(unit_of_work.connection, members)

    def _set_counts_in_centroid(self, connection: Connection, members: Sequence[MemberRow]) -> None:
        """Store which members are in the centroid, where that changed."""
        counted_ids = _counted_members(members)
        for is_counted in (True, False):
            wrong = [
                one.id
                for one in members
                if one.counts_in_centroid != is_counted and (one.id in counted_ids) == is_counted
            ]
            if wrong:
                articles.set_counts_in_centroid(connection, wrong, counts_in_centroid=is_counted)

    def _redirect(
        self, unit_of_work: UnitOfWork, loser: StoryRow, winner: str, **detail: str | float | None
    ) -> None:
        """Move the remaining rows of `loser`; its id redirects permanently."""
        articles.move_all(unit_of_work.connection, loser.id, winner)
        stories.redirect_story(unit_of_work.connection, loser.id, winner)
        if self._index is not None and loser.story_no in self._index:
            self._index.remove_story(loser.story_no)
        ledger, now = unit_of_work.ledger, unit_of_work.now
        ledger.log(now, winner, "merged", article=None, other=loser.id, **detail)
        ledger.log(now, loser.id, "merged", article=None, into=winner, **detail)

    def _index_story(self, row: IndexRow) -> None:
        if self._index is None:
            return
        if row.number in self._index:
            self._index.replace_story(row)
        else:
            self._index.add_story(row)


def _index_rows(connection: Connection, numbers: Iterable[int]) -> list[IndexRow]:
    return [IndexRow(*row) for row in stories.centroid_rows(connection, numbers)]


def _leads_to(article: str, wanted: Collection[str], links: Mapping[str, str | None]) -> bool:
    """Whether the article is one of `wanted`, or a copy of a copy of one."""
    asked: set[str] = set()
    at: str | None = article
    while at is not None and at not in asked:
        if at in wanted:
            return True
        asked.add(at)
        at = links.get(at)
    return False


def _counted_members(members: Sequence[MemberRow]) -> set[str]:
    """Return the members in the centroid: of each text the first article, else excerpts, else live blogs."""
    for roles in (("report", "copy"), ("excerpt",), ("container",)):
        groups = copy_groups([member for member in members if member.role in roles])
        if groups:
            return {min(group, key=lambda member: member.inbox_no).id for group in groups}
    return set()


def _shown(members: Sequence[MemberRow], titled: str | None) -> list[str]:
    """Return the articles from which headline and summary are chosen, see `article_views.views_for_title`."""
    originals = [member for member in members if member.copy_of is None]
    if len(members) <= article_views.SHOWN_MEMBERS or not originals:
        return [member.id for member in members]
    newest = sorted(originals, key=lambda member: (member.effective_at, member.inbox_no), reverse=True)
    shown = [member.id for member in newest[: article_views.SHOWN_MEMBERS]]
    return shown + [member.id for member in members if member.id == titled and titled not in shown]


def _language(members: Iterable[ArticleView]) -> str | None:
    """Return the most frequent language; in a tie the first by name."""
    languages = Counter(member.language for member in members if member.language)
    return min(languages, key=lambda language: (-languages[language], language)) if languages else None


def _single_story(connection: Connection, ids: Iterable[str]) -> str:
    found = set(articles.assigned_stories(connection, ids).values())
    if len(found) != 1:
        raise ValueError(f"the articles that move are in {len(found)} stories")
    return found.pop()


def _has_bump_time(connection: Connection, row: StoryRow) -> bool:
    """Whether the bump of a story is more than the time at which undated files were read."""
    return articles.has_date(connection, row.id) or articles.was_bumped_by_clock(connection, row.id)


def live_story(connection: Connection, story: str) -> StoryRow:
    """Return the row of a live story, which the index or the row of an article names."""
    row = stories.row_of(connection, story)
    assert row is not None, "the index and the rows of articles name live stories"
    return row
