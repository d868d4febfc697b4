"""Carries out changes of stories (changes.py), in a placing transaction: rows, log, change stream, window."""

import datetime as dt
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import partial

import msgspec

from aggregator.extract.entry_identity import story_id
from aggregator.grouping.changes import Change, Copy, Found, Join, Merge, Move, Remove, Revise
from aggregator.grouping.live_window import LiveWindow
from aggregator.grouping.pairs.weights import EventModel
from aggregator.grouping.story_options import StoryOptions
from aggregator.grouping.stream import NewsStream
from aggregator.grouping.unit_of_work import UnitOfWork
from aggregator.grouping.write import growing_stories
from aggregator.grouping.write.growing_stories import GrowingStories, live_story
from aggregator.grouping.write.story_row import Effect, StoryRows
from aggregator.model.core import Article
from aggregator.model.read_model import ChangeKind
from aggregator.store.engine.database import Connection
from aggregator.store.maintenance import erase
from aggregator.store.stories import article_views, articles, stories, story_links
from aggregator.store.stories.articles import StoredArticle
from aggregator.store.stories.placement_batch import LogKind
from aggregator.store.stories.stories import Membership, NewStory, StoryRow, StoryState
from aggregator.stories.counts import copy_groups
from aggregator.stories.lead import summary
from aggregator.stories.tuning import StoryTuning


class StoryWriter:
    """Writes stories. For one thread of the writer."""

    def __init__(
        self, model: EventModel, story_tuning: StoryTuning, options: StoryOptions, stream: NewsStream
    ) -> None:
        self._options = options
        self._story_tuning = story_tuning
        self._stream = stream
        self._rows = StoryRows(options, story_tuning, story_cap=model.tuning.story_cap)
        self.window = LiveWindow(model, stream)
        self.growing = GrowingStories()

    def forget(self) -> None:
        """Drop what is in memory; it is read again from the rows."""
        self.window.forget()
        self.growing.forget()

    def apply(self, unit_of_work: UnitOfWork, change: Change) -> str:
        """Carry out a change; return the story in which its articles are then ("" for a closed one)."""
        match change:
            case Found():
                return self._place(unit_of_work, change.article, None)
            case Join() | Copy():
                return self._place(unit_of_work, change.article, change.story)
        unit_of_work.ledger.write()  # what follows reads the rows of stories and articles
        match change:
            case Revise():
                return self._revise(unit_of_work, change)
            case Move():
                return self._move(unit_of_work, change)
            case Merge():
                return self._merge(unit_of_work, change)
            case Remove():
                return self._remove(unit_of_work, change)

    # --- a new article ------------------------------------------------------------------------------------

    def _place(self, unit_of_work: UnitOfWork, new: StoredArticle, joined: StoryRow | None) -> str:
        """Write a new article and its story, which is `joined` or a new one."""
        redates = False
        if joined is None:
            membership = growing_stories.founded(new)
        else:
            before = self.growing.membership(unit_of_work, joined)
            membership = growing_stories.grown(unit_of_work, new, before)
            redates = not before.span.is_dated and _redates(unit_of_work, new)
        effect = Effect(
            at_no=new.inbox_no,
            bump=_bump_of(unit_of_work, new, membership),
            redates=redates,
            founder=new.id,
            article=new.id,
        )
        state = self._rows.after(unit_of_work, joined, membership, effect)
        number = self._store(unit_of_work, joined, new.story, state, membership=membership, effect=effect)
        if joined is not None and joined.container_only and not state.container_only:
            _compare_no_more(unit_of_work, joined.id)
        ledger, score = unit_of_work.ledger, new.evidence.score if new.evidence else None
        ledger.articles.append(new)
        kind: LogKind = "created" if joined is None else "joined"
        ledger.log(unit_of_work.now, new.story, kind, article=new.id, role=new.role, score=score)
        self.growing.remember(state.as_row(number, new.story), membership)
        self.window.take(unit_of_work, number, new, is_new=joined is None)
        return new.story

    # --- articles that move -------------------------------------------------------------------------------

    def _move(self, unit_of_work: UnitOfWork, move: Move) -> str:
        """Move articles; return the id of their story afterwards."""
        connection, bump = unit_of_work.connection, move.bump
        origin = live_story(connection, _single_story(connection, move.articles))
        members = articles.members(connection, origin.id)
        moving = [member for member in members if member.id in move.articles]
        staying = [member for member in members if member.id not in move.articles]
        if not staying and move.target is not None:
            pair = origin.id, move.target
            merge = Merge(stories=pair, at_no=move.at_no, reason="", bump=bump, silent=move.silent)
            return self._merge(unit_of_work, merge)
        if not staying and move.revived is None:
            return origin.id
        row = None if move.target is None else live_story(connection, move.target)
        there = [] if move.target is None else articles.members(connection, move.target)
        titled = row.title_article if row else None
        bumps = [story.bumped_at for story in (origin, row) if story is not None]
        founder = move.founder or min(moving, key=lambda member: member.inbox_no).id
        if move.revived is not None:
            stories.revive(connection, move.revived)
            row = live_story(connection, move.revived)
        story = row.id if row else story_id(founder, stories.foundings(connection, founder))
        came = Effect(
            at_no=move.at_no,
            bump=bump or max(bumps),
            is_correction=bump is not None,
            founder=founder,
            article=founder if move.target is not None and bump is None else None,
            others=(origin.id,) if move.target is None else (),
            kind=_kind_of_move(move, is_whole=not staying),
        )
        number = self._store_members(unit_of_work, row, story, [*there, *moving], titled=titled, effect=came)
        articles.move(connection, move.articles, story)
        if staying:
            story_links.erase(connection, [origin.id])  # both stories find their own when they are rendered
            kind: ChangeKind | None = "corrected" if bump else None
            went = Effect(
                at_no=move.at_no, bump=bump or max(bumps), is_correction=bump is not None, kind=kind
            )
            self._restate(unit_of_work, origin, went)
        else:
            _redirect(unit_of_work, origin, story, reason="empty")
        self._stream.regrouped()
        self._renew(unit_of_work, [(origin.story_no, origin.id), (number, story)])
        return story

    def _merge(self, unit_of_work: UnitOfWork, merge: Merge) -> str:
        """Merge stories; return the id that stays."""
        connection = unit_of_work.connection
        rows = [live_story(connection, id_) for id_ in merge.stories]
        winner, *losers = sorted(
            rows, key=lambda row: (row.id != merge.keeps, row.container_only, -row.report_count, row.story_no)
        )
        members: list[Article] = []
        for row in (winner, *losers):
            members += articles.members(connection, row.id)
        counted = [row for row in rows if row.id not in merge.silent]
        timed = [row for row in counted if _has_bump_time(connection, row)] or counted
        effect = Effect(
            at_no=merge.at_no,
            bump=merge.bump or max(row.bumped_at for row in timed),
            is_correction=merge.bump is not None,
            redates=merge.bump is None and winner not in timed,
            others=tuple(row.id for row in losers),
            kind="merged",
        )
        self._store_members(
            unit_of_work, winner, winner.id, members, titled=winner.title_article, effect=effect
        )
        detail = {"reason": merge.reason or None, "score": merge.score, "need": merge.need}
        given = {name: value for name, value in detail.items() if value is not None}
        for loser in losers:
            _redirect(unit_of_work, loser, winner.id, **given)
        self._stream.regrouped()
        self._renew(unit_of_work, [(row.story_no, row.id) for row in rows])
        return winner.id

    # --- articles that change or go -----------------------------------------------------------------------

    def _revise(self, unit_of_work: UnitOfWork, revise: Revise) -> str:
        """Compute the row of a story again, of which an article has another text."""
        article = revise.article
        row = live_story(unit_of_work.connection, article.story)
        effect = Effect(at_no=revise.at_no, bump=row.bumped_at)
        if revise.is_news:
            bump = unit_of_work.now if article.bump_by_clock else article.effective_at
            unbumped = article.effective_at if "headline" in self._options.bumps else None
            effect = Effect(at_no=revise.at_no, bump=bump, unbumped=unbumped, article=article.id)
        self._restate(unit_of_work, row, effect)
        self._renew(unit_of_work, [(row.story_no, row.id)])
        unit_of_work.ledger.log(unit_of_work.now, row.id, "revised", article=article.id)
        return row.id

    def _remove(self, unit_of_work: UnitOfWork, remove: Remove) -> str:
        """Compute the row of a story again of which articles are gone; without any, only its id stays."""
        connection = unit_of_work.connection
        row = live_story(connection, remove.story)
        members = articles.members(connection, row.id)
        if members:
            if remove.articles:
                erase.hide_title(connection, row.id, remove.articles)
                row = live_story(connection, row.id)
            at_no = max(member.inbox_no for member in members)
            self._restate(unit_of_work, row, Effect(at_no=at_no, bump=row.bumped_at))
        else:
            erase.close_story(connection, row.id)
        self._renew(unit_of_work, [(row.story_no, row.id)])
        return row.id if members else ""

    def mend(self, unit_of_work: UnitOfWork, story: str) -> None:
        """Recompute counts and times of a story from its articles; headline, order and log stay."""
        row = stories.row_of(unit_of_work.connection, story)
        members = articles.members(unit_of_work.connection, story)
        if row is not None and members:
            derived = stories.columns_of_members(members, self._options.families)
            stories.write_derived(unit_of_work.connection, story, derived)
            self._renew(unit_of_work, [(row.story_no, story)])

    # --- rows ---------------------------------------------------------------------------------------------

    def _renew(self, unit_of_work: UnitOfWork, changed: Sequence[tuple[int, str]]) -> None:
        """Bring memory up to date with the rows of these stories, by number and id."""
        self.growing.forget(*(story for _, story in changed))
        self.window.renew(unit_of_work, changed)

    def _restate(self, unit_of_work: UnitOfWork, row: StoryRow, effect: Effect) -> None:
        members = articles.members(unit_of_work.connection, row.id)
        self._store_members(unit_of_work, row, row.id, members, titled=row.title_article, effect=effect)

    def _store_members(
        self,
        unit_of_work: UnitOfWork,
        row: StoryRow | None,
        story: str,
        members: Sequence[Article],
        *,
        titled: str | None,
        effect: Effect,
    ) -> int:
        """Write a story with exactly these members and return its number.

        `titled`: the article whose title is shown.
        """
        connection = unit_of_work.connection
        compared = _compared_members(members)
        shown = article_views.views_of(connection, _shown(members, titled))
        membership = stories.membership_of(members, compared, shown)
        state = self._rows.after(unit_of_work, row, membership, effect)
        if effect.unbumped is not None and row is not None and state.bumped_at == row.bumped_at:
            effect = msgspec.structs.replace(effect, bump=effect.unbumped)
        number = self._store(unit_of_work, row, story, state, membership=membership, effect=effect)
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
        *,
        membership: Membership,
        effect: Effect,
    ) -> int:
        """Add the row of a story, which was `row`, to those that are written; return its number."""
        ledger = unit_of_work.ledger
        if row is None:
            number = ledger.number("story")
            # The first story of an article is the usual case, and its id says so.
            is_first = story == story_id(effect.founder, 0)
            founding = 0 if is_first else stories.foundings(unit_of_work.connection, effect.founder)
            ledger.stories.append(NewStory(number, story, effect.founder, founding, state))
        else:
            number = row.story_no
            ledger.states[story] = state
        self.window.note_change(number, effect.at_no)
        words = self._options.summary_words
        ledger.summaries[story] = partial(summary, membership.shown, words, self._story_tuning, state.title)
        ledger.change(
            unit_of_work.now,
            story,
            row,
            state,
            bump=effect.bump,
            article=effect.article,
            others=effect.others,
            kind=effect.kind,
        )
        return number


def with_copies(connection: Connection, wanted: Iterable[str], story: str) -> list[str]:
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


def _bump_of(unit_of_work: UnitOfWork, new: StoredArticle, membership: Membership) -> dt.datetime:
    """Return the time to which a new article bumps its story."""
    if new.bump_by_clock:
        return unit_of_work.now
    if new.published is None and membership.span.is_dated:
        return membership.span.last
    return new.effective_at


def _redates(unit_of_work: UnitOfWork, new: StoredArticle) -> bool:
    """Return whether a new article of an undated story gives it its first date, which replaces its bumps."""
    if new.bump_by_clock or new.published is None:
        return False
    unit_of_work.ledger.write_story(new.story)
    return not articles.was_bumped_by_clock(unit_of_work.connection, new.story)


def _compare_no_more(unit_of_work: UnitOfWork, story: str) -> None:
    """Let the live blogs and roundups of a story give way to its first report."""
    unit_of_work.ledger.write()
    members = articles.members(unit_of_work.connection, story)
    fallen = [member.id for member in members if member.is_compared]
    articles.set_compared(unit_of_work.connection, fallen, is_compared=False)


def _kind_of_move(move: Move, *, is_whole: bool) -> ChangeKind | None:
    """Return the kind of change of the story to which articles go; None: it follows from its rows."""
    if move.target is None:
        return "merged" if is_whole else "split"
    return "corrected" if move.bump else None


def _redirect(unit_of_work: UnitOfWork, loser: StoryRow, winner: str, **detail: str | float | None) -> None:
    """Move the remaining rows of `loser`; its id redirects permanently."""
    articles.move_all(unit_of_work.connection, loser.id, winner)
    stories.redirect_story(unit_of_work.connection, loser.id, winner)
    ledger, now = unit_of_work.ledger, unit_of_work.now
    ledger.log(now, winner, "merged", article=None, other=loser.id, **detail)
    ledger.log(now, loser.id, "merged", article=None, into=winner, **detail)


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


def _single_story(connection: Connection, ids: Iterable[str]) -> str:
    """Return the story in which all these articles are. Raises ValueError if they are in several."""
    found = set(articles.assigned_stories(connection, ids).values())
    if len(found) != 1:
        raise ValueError(f"the articles that move are in {len(found)} stories")
    return found.pop()


def _has_bump_time(connection: Connection, row: StoryRow) -> bool:
    """Return whether the bump of a story is more than the time at which undated files were read."""
    return articles.has_date(connection, row.id) or articles.was_bumped_by_clock(connection, row.id)
