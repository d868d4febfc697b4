"""Writes the row of a story, its line in the change stream, and which of its articles are compared."""

from collections.abc import Collection, Sequence

from aggregator.grouping.live_window import LiveWindow
from aggregator.grouping.unit_of_work import UnitOfWork
from aggregator.grouping.write.copy_families import compared_members
from aggregator.grouping.write.story_row import Effect, StoryRows
from aggregator.model.article import Article, ArticleView
from aggregator.store.engine.database import Connection
from aggregator.store.stories import article_views, articles, stories
from aggregator.store.stories.article_rows import article_writes
from aggregator.store.stories.stories import Membership, NewStory, StoryRow


class StoryStore:
    """Writes rows of stories. For one thread of the writer."""

    def __init__(self, rows: StoryRows, window: LiveWindow) -> None:
        self._rows = rows
        self._window = window

    def store(
        self,
        unit_of_work: UnitOfWork,
        row: StoryRow | None,
        story: str,
        membership: Membership,
        effect: Effect,
    ) -> StoryRow:
        """Add the row of a story, which was `row`, to those that are written, and return it."""
        ledger = unit_of_work.ledger
        state = self._rows.after(unit_of_work, row, membership, effect)
        bump = effect.bump
        if row is None:
            number = ledger.number("story")
            ledger.stories.append(
                NewStory(number, story, effect.founder, effect.founding, state)
            )
        else:
            number = row.story_no
            ledger.states[story] = state
            if effect.unbumped is not None and state.bumped_at == row.bumped_at:
                bump = effect.unbumped
        self._window.note_change(effect.at_no)
        ledger.summaries[story] = self._rows.summary_of(membership, state.title)
        ledger.change(
            unit_of_work.now,
            story,
            row,
            state,
            bump=bump,
            article=effect.article,
            others=effect.others,
            kind=effect.kind,
        )
        return state.as_row(number, story)

    def restate(self, unit_of_work: UnitOfWork, row: StoryRow, effect: Effect) -> None:
        """Write a story anew with the articles that are in it now."""
        members = articles.members(unit_of_work.connection, row.id)
        shown = article_views.views_for_title(
            unit_of_work.connection, row.id, len(members), row.title_article
        )
        self.store_members(unit_of_work, row, row.id, members, shown, effect=effect)

    def store_members(
        self,
        unit_of_work: UnitOfWork,
        row: StoryRow | None,
        story: str,
        members: Sequence[Article],
        shown: Sequence[ArticleView],
        *,
        effect: Effect,
    ) -> StoryRow:
        """Write a story with exactly these members, and return its row.

        `shown`: those from which headline and summary are chosen.
        """
        compared = compared_members(members)
        membership = stories.membership_of(members, compared, shown)
        after = self.store(unit_of_work, row, story, membership, effect)
        unit_of_work.ledger.write()
        _set_compared(unit_of_work.connection, members, compared)
        return after

    def compare_no_more(self, unit_of_work: UnitOfWork, story: str) -> None:
        """Let the live blogs and roundups of a story give way to its first report."""
        unit_of_work.ledger.write()
        members = articles.members(unit_of_work.connection, story)
        _set_compared(unit_of_work.connection, members, ())


def _set_compared(
    connection: Connection, members: Sequence[Article], compared: Collection[str]
) -> None:
    """Let later articles be compared with these members, and with no others."""
    for is_compared in (True, False):
        changed = []
        for member in members:
            is_wanted = member.id in compared
            if is_wanted is is_compared and member.is_compared is not is_compared:
                changed.append(member.id)
        article_writes.set_compared(connection, changed, is_compared=is_compared)
