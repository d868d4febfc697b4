"""Stories: adds articles to them, moves articles between them, merges them, and computes their rows.

Everything is part of a placing transaction. The window in memory is derived from the rows; the caller that
opens the transaction calls `forget` if it fails.
"""

import datetime as dt
import logging
from collections import Counter, OrderedDict
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import msgspec

from aggregator.cluster.entry_identity import story_id
from aggregator.cluster.events.weights import EventModel
from aggregator.cluster.events.window import LiveStory, Window
from aggregator.model.core import Article, ArticleView, FrozenStruct
from aggregator.model.read_model import ChangeKind
from aggregator.pipeline.placement.story_options import StoryOptions
from aggregator.pipeline.placement.stream import Stream
from aggregator.pipeline.placement.unit_of_work import UnitOfWork
from aggregator.store.engine.database import Connection
from aggregator.store.maintenance import erase
from aggregator.store.stories import article_views, articles, live_stories, stories, story_links
from aggregator.store.stories.articles import NewArticle
from aggregator.store.stories.stories import DerivedColumns, Membership, NewStory, StoryRow, StoryState
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

_STORIES_KEPT = 300  # in memory with their articles, about 20 KB each


class _KnownStory(NamedTuple):
    """What a story that grew lately needs to grow again."""

    row: StoryRow
    membership: Membership  # `shown`: all of its articles, so only small stories are kept


class StoryChange(FrozenStruct, frozen=True, kw_only=True):
    """What changes a story, for its bump and for the change stream."""

    at_no: int  # inbox number at which its articles changed
    bump: dt.datetime  # the time to which the change bumps it, if it does
    is_correction: bool = False
    redates: bool = (
        False  # its bumps were only the times at which undated files were read: `bump` replaces them
    )
    unbumped: dt.datetime | None = (
        None  # instead of `bump` in the change stream, if it does not bump the story
    )
    founder: str = ""  # of a new story
    article: str | None = None
    others: tuple[str, ...] = ()  # stories that were merged into it or from which it was taken
    kind: ChangeKind | None = None  # None: it follows from the row before and after


class StoryWriter:
    """Writes stories. For one thread of the writer."""

    def __init__(
        self, model: EventModel, story_tuning: StoryTuning, options: StoryOptions, stream: Stream
    ) -> None:
        self._stream = stream
        self._early_from: int | None = None  # see `sweep`
        self._options = options
        self._bump_age = dt.timedelta(seconds=options.bump_age_seconds)
        self._model = model
        self._story_tuning = story_tuning
        self._window: Window | None = None
        self._last_membership_change: int | None = None
        self._changed: dict[int, int] | None = None  # stories by number: when their articles changed last ...
        self._changed_from = 0  # ... if at this inbox number or later
        self._known: OrderedDict[str, _KnownStory] = OrderedDict()

    # --- memory -------------------------------------------------------------------------------------------

    def window(self, connection: Connection) -> Window:
        """Return the live stories, which are read if they are not in memory; nothing may wait then."""
        undated_from = self._stream.undated_from(connection)
        if self._window is None:
            tuning, newest = self._model.tuning, live_stories.newest_inbox_no(connection)
            since = max(newest - tuning.live_reach, min(newest - tuning.kept_reach, undated_from))
            self._window = Window(self._model, live_stories.grown_since(connection, since))
        self._window.undated_from = undated_from
        return self._window

    def last_membership_change(self, connection: Connection) -> int:
        """Return the inbox number of the last change of members of a story."""
        if self._last_membership_change is None:
            self._last_membership_change = stories.last_membership_change(connection)
        return self._last_membership_change

    def changed_since(self, unit_of_work: UnitOfWork, inbox_no: int) -> list[int]:
        """Return the numbers of the stories whose articles changed at `inbox_no` or later, in order."""
        if self._changed is None or inbox_no < self._changed_from:
            unit_of_work.ledger.write()
            self._changed = stories.membership_changed_since(unit_of_work.connection, inbox_no)
        self._changed_from = inbox_no
        self._changed = {number: at for number, at in self._changed.items() if at >= inbox_no}
        return sorted(self._changed)

    def begin_after(self, inbox_no: int) -> None:
        """Treat everything placed up to this inbox number as reassessed."""
        self._last_membership_change = inbox_no

    def forget(self) -> None:
        """Drop the window in memory; it is read again from the rows."""
        self._window = None
        self._last_membership_change = self._changed = None
        self.forget_rows()

    def forget_rows(self) -> None:
        """Drop what is known of the rows of stories: something else than `place` may have changed them."""
        self._known.clear()

    def live(self, unit_of_work: UnitOfWork, story: str) -> StoryRow:
        """Return the row of a live story, which the window or the row of an article names."""
        known = self._known.get(story)
        if known is not None:
            return known.row
        unit_of_work.ledger.write_story(story)
        return live_story(unit_of_work.connection, story)

    def sweep(self, inbox_no: int) -> None:
        """Remove stories that an article of this number cannot join from the window; changes no decision.

        Once a day it logs if they leave before `window_days` are over.
        """
        if self._window is None:
            return
        gone, within = self._window.sweep(inbox_no), self._window.undated_from
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

    def _renew(self, unit_of_work: UnitOfWork, changed: Iterable[tuple[int, str]]) -> None:
        """Read stories into the window again of which other articles or rows have changed."""
        if self._window is None:
            return
        unit_of_work.ledger.write()
        numbers = {id_: number for number, id_ in changed}
        found = {live.id: live for live in live_stories.named(unit_of_work.connection, numbers)}
        for id_, number in numbers.items():
            if id_ in found:
                self._window.put(found[id_])
            elif number in self._window:
                self._window.remove(number)

    # --- a new article ------------------------------------------------------------------------------------

    def place(self, unit_of_work: UnitOfWork, new: NewArticle, joined: StoryRow | None) -> None:
        """Write a new article and its story, which is `joined` or a new one."""
        story = new.placement.story
        before = None if joined is None else self._membership(unit_of_work, joined)
        membership = self._grown(unit_of_work, new, before)
        change = StoryChange(
            at_no=new.inbox_no,
            bump=self._bump_of(unit_of_work, new, membership),
            redates=before is not None and self._redates(unit_of_work, new, before),
            founder=new.id,
            article=new.id,
        )
        state = self._state(unit_of_work, joined, membership, change)
        number = self._store(unit_of_work, joined, story, state, membership, change)
        if joined is not None and joined.container_only and not state.container_only:
            self._compare_no_more(unit_of_work, joined.id)
        unit_of_work.ledger.articles.append(new)
        self._remember(story, state.as_row(number, story), membership)
        self._put(unit_of_work, number, new, is_new=joined is None)

    def _put(self, unit_of_work: UnitOfWork, number: int, new: NewArticle, *, is_new: bool) -> None:
        """Add a new article to its story in the window."""
        if self._window is None:
            return
        story = new.placement.story
        live = LiveStory(number, story) if is_new else self._window.get(number)
        if live is None:  # an old story, which a correction names
            self._renew(unit_of_work, [(number, story)])
            return
        live.take(articles.member_of(new))
        self._window.put(live)

    def _membership(self, unit_of_work: UnitOfWork, row: StoryRow) -> Membership:
        """Return the state of a story from memory, or from its row and its articles."""
        if row.id in self._known:
            self._known.move_to_end(row.id)
            return self._known[row.id].membership
        connection = unit_of_work.connection
        unit_of_work.ledger.write_story(row.id)
        known = None if row.count_state is None else from_bytes(row.count_state)
        has_date = articles.has_date(connection, row.id)
        return Membership(
            count_state=known or count_state_of(articles.members(connection, row.id)),
            span=articles.PublishedSpan(row.first_published, row.last_published, has_date),
            is_container_only=row.container_only,
            last_inbox_no=row.last_inbox_no,
            shown=article_views.views_for_title(connection, row.id, row.article_count, row.title_article),
        )

    def _grown(self, unit_of_work: UnitOfWork, new: NewArticle, before: Membership | None) -> Membership:
        """Return the story with one more member without reading the others, so that a burst stays cheap."""
        view = article_views.view_of(new)
        is_container = new.placement.role == "container"
        if before is None:
            span = articles.published_span([view])
            return Membership(count_state_of([view]), span, is_container, new.inbox_no, [view])
        countable = view
        if (linked := origin_link(view)) is not None:
            link_of = partial(self._link_of, unit_of_work, new.placement.story)
            link = resolve_link(before.count_state, linked, link_of)
            countable = msgspec.structs.replace(view, copy_of=link)
        return Membership(
            count_state=with_member(before.count_state, countable, linkable=bool(new.bands or new.sketch)),
            span=before.span.with_other(articles.published_span([view])),
            is_container_only=before.is_container_only and (is_container or not new.is_compared),
            last_inbox_no=max(new.inbox_no, before.last_inbox_no),
            shown=sorted([*before.shown, view], key=lambda member: member.effective_at),
        )

    @staticmethod
    def _link_of(unit_of_work: UnitOfWork, story: str, id_: str) -> str | None:
        unit_of_work.ledger.write_story(story)
        return articles.copy_link_of(unit_of_work.connection, id_, story)

    @staticmethod
    def _bump_of(unit_of_work: UnitOfWork, new: NewArticle, membership: Membership) -> dt.datetime:
        """Return the time to which a new article bumps its story."""
        if new.bump_by_clock:
            return unit_of_work.now
        if new.clean.published is None and membership.span.is_dated:
            return membership.span.last
        return new.effective_at

    @staticmethod
    def _redates(unit_of_work: UnitOfWork, new: NewArticle, before: Membership) -> bool:
        """Return whether a new article gives an undated story its first date, which replaces its bumps."""
        if new.bump_by_clock or new.clean.published is None or before.span.is_dated:
            return False
        unit_of_work.ledger.write_story(new.placement.story)
        return not articles.was_bumped_by_clock(unit_of_work.connection, new.placement.story)

    @staticmethod
    def _compare_no_more(unit_of_work: UnitOfWork, story: str) -> None:
        """Let the live blogs and roundups of a story give way to its first report."""
        unit_of_work.ledger.write()
        members = articles.members(unit_of_work.connection, story)
        fallen = [member.id for member in members if member.is_compared]
        articles.set_compared(unit_of_work.connection, fallen, is_compared=False)

    def _remember(self, story: str, row: StoryRow, membership: Membership) -> None:
        self._known.pop(story, None)
        if row.article_count <= article_views.SHOWN_MEMBERS:
            self._known[story] = _KnownStory(row, membership)
        if len(self._known) > _STORIES_KEPT:
            self._known.popitem(last=False)

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
        the target. `bump`: the new bump of both stories, by a correction (None: the later of theirs).
        `silent`: see `unite`.
        """
        unit_of_work.ledger.write()
        connection = unit_of_work.connection
        origin = live_story(connection, _single_story(connection, ids))
        all_members = articles.members(connection, origin.id)
        moving = [member for member in all_members if member.id in ids]
        staying = [member for member in all_members if member.id not in ids]
        if not moving:
            raise ValueError("no article moves")
        if not staying and target is not None:
            return self.unite(unit_of_work, (origin.id, target), at_no=at_no, bump=bump, silent=silent)
        if not staying and revived is None:
            return origin.id
        there = [] if target is None else articles.members(connection, target)
        assigned_story = None if target is None else live_story(connection, target)
        titled = assigned_story.title_article if assigned_story else None
        when = bump or max(row.bumped_at for row in (origin, assigned_story) if row is not None)
        chosen = founder or min(moving, key=lambda member: member.inbox_no).id
        kind: ChangeKind | None = "corrected" if bump else None
        if target is None:
            kind = "split" if staying else "merged"
        if revived is not None:
            stories.revive(connection, revived)
            assigned_story = live_story(connection, revived)
        story = (
            assigned_story.id if assigned_story else story_id(chosen, stories.foundings(connection, chosen))
        )
        change = StoryChange(
            at_no=at_no,
            bump=when,
            is_correction=bump is not None,
            founder=chosen,
            article=None if target is None or bump else chosen,
            others=(origin.id,) if target is None else (),
            kind=kind,
        )
        number = self._store_members(unit_of_work, assigned_story, story, [*there, *moving], titled, change)
        articles.move(connection, ids, story)
        if staying:
            story_links.erase(connection, [origin.id])  # both stories find their own when they are rendered
            self.restate(unit_of_work, origin.id, at_no=at_no, bump=when, is_correction=bump is not None)
        else:
            self._redirect(unit_of_work, origin, story, reason="empty")
        self._moved(unit_of_work, [(origin.story_no, origin.id), (number, story)])
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
        bump does not bump the merged one. `detail`: of the log lines.
        """
        unit_of_work.ledger.write()
        connection = unit_of_work.connection
        rows = [live_story(connection, id_) for id_ in ids]
        winner, *losers = sorted(
            rows, key=lambda row: (row.id != keeps, row.container_only, -row.report_count, row.story_no)
        )
        members = [member for row in (winner, *losers) for member in articles.members(connection, row.id)]
        counted = [row for row in rows if row.id not in silent]
        timed = [row for row in counted if _has_bump_time(connection, row)] or counted
        change = StoryChange(
            at_no=at_no,
            bump=bump or max(row.bumped_at for row in timed),
            is_correction=bump is not None,
            redates=bump is None and winner not in timed,
            others=tuple(row.id for row in losers),
            kind="merged",
        )
        self._store_members(unit_of_work, winner, winner.id, members, winner.title_article, change)
        for loser in losers:
            self._redirect(unit_of_work, loser, winner.id, **detail)
        self._moved(unit_of_work, [(row.story_no, row.id) for row in rows])
        return winner.id

    def restate(
        self,
        unit_of_work: UnitOfWork,
        story: str,
        *,
        at_no: int | None = None,
        bump: dt.datetime | None = None,
        is_correction: bool = False,
        revised: NewArticle | None = None,
    ) -> None:
        """Recompute the row of a story from the rows of its articles, which changed `at_no`.

        `bump`: its new bump (None: the present one); `revised`: the article with another text.
        """
        unit_of_work.ledger.write()
        row = live_story(unit_of_work.connection, story)
        members = articles.members(unit_of_work.connection, story)
        unbumped = None
        if revised is not None:
            bump = unit_of_work.now if revised.bump_by_clock else revised.effective_at
            unbumped = revised.effective_at if "headline" in self._options.bumps else None
        change = StoryChange(
            at_no=at_no or max(member.inbox_no for member in members),
            bump=bump or row.bumped_at,
            is_correction=is_correction,
            unbumped=unbumped,
            article=revised.id if revised is not None else None,
            kind="corrected" if is_correction else None,
        )
        self._store_members(unit_of_work, row, story, members, row.title_article, change)
        self._known.pop(story, None)
        self._renew(unit_of_work, [(row.story_no, story)])

    def mend(self, unit_of_work: UnitOfWork, story: str) -> None:
        """Recompute counts and times of a story from its articles; headline, order and log stay."""
        row = stories.row_of(unit_of_work.connection, story)
        members = [] if row is None else articles.members(unit_of_work.connection, story)
        if row is not None and members:
            derived = stories.columns_of_members(members, self._options.families)
            stories.write_derived(unit_of_work.connection, story, derived)
            self._renew(unit_of_work, [(row.story_no, story)])

    def close(self, unit_of_work: UnitOfWork, story: str) -> None:
        """Write a story without articles: only its id stays, and it is not found."""
        row = live_story(unit_of_work.connection, story)
        erase.close_story(unit_of_work.connection, story)
        self._renew(unit_of_work, [(row.story_no, story)])

    def reports(self, connection: Connection, ids: Iterable[str]) -> int:
        """Return how many independent reports these articles would be as a story."""
        return count(article_views.views_of(connection, ids), self._options.families).report_count

    def with_copies(self, connection: Connection, wanted: Iterable[str], story: str) -> list[str]:
        """Return these articles of a story with the copies of their texts, ordered by id.

        A copy that is not compared takes only its own copies along, so an editor can move a wrong copy.
        """
        found = set(wanted)
        for group in copy_groups(articles.members(connection, story)):
            asked = [member for member in group if member.id in found]
            if any(member.is_compared for member in asked):
                found.update(member.id for member in group if not member.is_compared)
            elif asked:
                links = {member.id: member.copy_of for member in group}
                found.update(member.id for member in group if _leads_to(member.id, found, links))
        return sorted(found)

    def _moved(self, unit_of_work: UnitOfWork, changed: Sequence[tuple[int, str]]) -> None:
        """Forget what was known of stories whose articles have moved, and read them into the window."""
        self._stream.regrouped()
        for _, story in changed:
            self._known.pop(story, None)
        self._renew(unit_of_work, changed)

    def _redirect(
        self, unit_of_work: UnitOfWork, loser: StoryRow, winner: str, **detail: str | float | None
    ) -> None:
        """Move the remaining rows of `loser`; its id redirects permanently."""
        articles.move_all(unit_of_work.connection, loser.id, winner)
        stories.redirect_story(unit_of_work.connection, loser.id, winner)
        ledger, now = unit_of_work.ledger, unit_of_work.now
        ledger.log(now, winner, "merged", article=None, other=loser.id, **detail)
        ledger.log(now, loser.id, "merged", article=None, into=winner, **detail)

    # --- the row of a story -------------------------------------------------------------------------------

    def _store_members(
        self,
        unit_of_work: UnitOfWork,
        row: StoryRow | None,
        story: str,
        members: Sequence[Article],
        titled: str | None,
        change: StoryChange,
    ) -> int:
        """Write a story with exactly these members, `titled` the one whose title is shown; return its number."""
        connection = unit_of_work.connection
        compared = _compared_members(members)
        shown = article_views.views_of(connection, _shown(members, titled))
        membership = stories.membership_of(members, compared, shown)
        state = self._state(unit_of_work, row, membership, change)
        if change.unbumped is not None and row is not None and state.bumped_at == row.bumped_at:
            change = msgspec.structs.replace(change, bump=change.unbumped)
        number = self._store(unit_of_work, row, story, state, membership, change)
        unit_of_work.ledger.write()
        came = [member.id for member in members if member.id in compared and not member.is_compared]
        went = [member.id for member in members if member.id not in compared and member.is_compared]
        articles.set_compared(connection, came, is_compared=True)
        articles.set_compared(connection, went, is_compared=False)
        return number

    def _store(
        self,
        unit_of_work: UnitOfWork,
        row: StoryRow | None,
        story: str,
        state: StoryState,
        membership: Membership,
        change: StoryChange,
    ) -> int:
        """Add the row of a story, which was `row`, to those that are written; return its number."""
        ledger = unit_of_work.ledger
        if row is None:
            number = ledger.number("story")
            # The first story of an article is the usual case, and its id says so.
            is_first = story == story_id(change.founder, 0)
            founding = 0 if is_first else stories.foundings(unit_of_work.connection, change.founder)
            ledger.stories.append(NewStory(number, story, change.founder, founding, state))
        else:
            number = row.story_no
            ledger.states[story] = state
        if self._changed is not None:
            self._changed[number] = change.at_no
        last = self._last_membership_change
        self._last_membership_change = change.at_no if last is None else max(last, change.at_no)
        words = self._options.summary_words
        ledger.summaries[story] = partial(summary, membership.shown, words, self._story_tuning, state.title)
        ledger.change(
            unit_of_work.now,
            story,
            row,
            state,
            bump=change.bump,
            article=change.article,
            others=change.others,
            kind=change.kind,
        )
        return number

    def _state(
        self,
        unit_of_work: UnitOfWork,
        before: StoryRow | None,
        membership: Membership,
        change: StoryChange,
    ) -> StoryState:
        """Return the row of a story after a change; `before`: its row before, None for a new story."""
        derived = stories.derived_columns(membership, self._options.families)
        reports_before = 0
        if before is not None and not before.container_only:
            reports_before = before.report_count
        chosen = headline(
            membership.shown,
            before.title if before else None,
            self._story_tuning,
            self._options.prefer,
            afresh=derived.report_count.bit_length() > reports_before.bit_length(),  # at 1, 2, 4, 8 ...
        )
        bumped_at = change.bump
        if before is None:
            bumped_at = self._numbered(unit_of_work, change.bump)
        else:
            self._log_changes(unit_of_work, before, derived, chosen.title, chosen.reason)
            is_bumped = self._is_bumped(before, derived, chosen.title, reports_before, membership, change)
            bumped_at = before.bumped_at
            if change.bump != bumped_at and change.redates:
                bumped_at = self._numbered(unit_of_work, change.bump)
            elif change.bump != bumped_at and is_bumped:
                bumped_at = max(bumped_at, self._numbered(unit_of_work, change.bump))
        return StoryState(
            **msgspec.structs.asdict(derived),
            title=chosen.title,
            title_article=chosen.article,
            summary="",  # see `_store`
            language=_language(membership.shown),
            bumped_at=bumped_at,
            membership_changed_no=change.at_no,
        )

    def _is_bumped(
        self,
        before: StoryRow,
        after: DerivedColumns,
        title: str,
        reports_before: int,
        membership: Membership,
        change: StoryChange,
    ) -> bool:
        """Return whether a change puts a story to the front (`feeds.bump` of the configuration)."""
        bumps = self._options.bumps
        if "correction" in bumps and change.is_correction:
            return True
        has_report = any(group.is_counted for group in membership.count_state.groups)
        if "report" in bumps and has_report and after.report_count > reports_before:
            return True
        # An old story of one report is not news because its outlet has another headline for it.
        is_news = after.report_count > 1 or change.bump - membership.span.first <= self._bump_age
        return "headline" in bumps and is_news and title != before.title

    @staticmethod
    def _numbered(unit_of_work: UnitOfWork, bump: dt.datetime) -> dt.datetime:
        """Return a bump to the second; the fraction tells bumps apart, in their order."""
        return bump.replace(microsecond=unit_of_work.ledger.number("bump") % 1_000_000)

    def _log_changes(
        self,
        unit_of_work: UnitOfWork,
        before: StoryRow,
        after: DerivedColumns,
        title: str,
        reason: str | None,
    ) -> None:
        ledger, now = unit_of_work.ledger, unit_of_work.now
        if title != before.title:
            ledger.log(now, before.id, "headline", before=before.title, after=title, reason=reason)
        if before.article_count < self._model.tuning.story_cap <= after.article_count:
            ledger.log(now, before.id, "full", articles=after.article_count)


def _leads_to(article: str, wanted: Collection[str], links: Mapping[str, str | None]) -> bool:
    """Return whether the article is one of `wanted`, or a copy of a copy of one."""
    asked: set[str] = set()
    at: str | None = article
    while at is not None and at not in asked:
        if at in wanted:
            return True
        asked.add(at)
        at = links.get(at)
    return False


def _compared_members(members: Sequence[Article]) -> set[str]:
    """Return the members to compare: of each text the first article, else excerpts, else live blogs."""
    for roles in (("report", "copy"), ("excerpt",), ("container",)):
        groups = copy_groups([member for member in members if member.role in roles])
        if groups:
            return {min(group, key=lambda member: member.inbox_no).id for group in groups}
    return set()


def _shown(members: Sequence[Article], titled: str | None) -> list[str]:
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
    """Return whether the bump of a story is more than the time at which undated files were read."""
    return articles.has_date(connection, row.id) or articles.was_bumped_by_clock(connection, row.id)


def live_story(connection: Connection, story: str) -> StoryRow:
    """Return the row of a live story, which the window or the row of an article names."""
    row = stories.row_of(connection, story)
    assert row is not None, "the window and the rows of articles name live stories"
    return row
