"""Placing: one article after the other gets its home, each decision with its evidence in one transaction.

This is the only writer of stories. What it keeps in memory (the index of live stories) is derived from their
rows; after a failed transaction it is dropped and built again.
"""

import datetime as dt
from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec

from aggregator.coming import Coming, as_article
from aggregator.dedup import sums
from aggregator.dedup.copies import CopyRules, Wording, best_copy, ranked
from aggregator.dedup.events import Article, Decision, Scorer, decide, is_within_window
from aggregator.dedup.identity import next_generation_id, story_id, url_key
from aggregator.dedup.index import StoryIndex
from aggregator.dedup.index import StoryRow as IndexRow
from aggregator.dedup.shingles import shared_count, shingle_hashes
from aggregator.dedup.weights import shipped_model
from aggregator.model import (
    ArticleView,
    CleanArticle,
    CopyEvidence,
    Evidence,
    Noun,
    Placement,
    Prepared,
    Role,
)
from aggregator.rules import RuleBook
from aggregator.store import articles, inbox, search, stories
from aggregator.store.articles import NewArticle, Stored
from aggregator.store.database import Connection, Database
from aggregator.store.inbox import Outcome, Waiting
from aggregator.store.ledger import Ledger
from aggregator.store.stories import StoryRow, StoryState
from aggregator.stories.counts import count
from aggregator.stories.headline import headline
from aggregator.stories.summary import summary
from aggregator.stories.tuning import StoryRules
from aggregator.text.urls import canonical_url


class PlacingRules(msgspec.Struct, frozen=True, kw_only=True):
    """Section `placing` of rules.yaml."""

    batch_articles: int
    sweep_every: int
    revision_containment: float
    wire_confidence: float


class Placed(Noun, frozen=True, kw_only=True):
    """What became of one waiting entry."""

    n: int
    outcome: Outcome
    article: str
    story: str | None = None
    reason: str | None = None


class Placing:
    """Places prepared entries. Only the process that holds the writer lock may have one, and one thread."""

    def __init__(
        self, database: Database, book: RuleBook, now: Callable[[], dt.datetime], *, summary_words: int
    ) -> None:
        self._database = database
        self._now = now
        self._summary_words = summary_words
        self._version = book.version
        self._model = shipped_model(book)
        self._scorer = Scorer(self._model)
        self._copy_rules = book.section("copies", CopyRules)
        self._rules = book.section("placing", PlacingRules)
        self._story_rules = book.section("stories", StoryRules)
        self._index: StoryIndex | None = None

    def forget(self) -> None:
        """Drop the index of live stories; the next batch builds it again."""
        self._index = None

    def place(self, batch: Sequence[tuple[Waiting, Prepared]]) -> list[Placed]:
        """Place a batch, in the order of its inbox numbers, in one transaction."""
        done = False
        try:
            with self._database.write() as connection:
                desk = _Desk(connection, Ledger(connection), self._now())
                placed = [self._one(desk, waiting, prepared) for waiting, prepared in batch]
                desk.ledger.close()
            done = True
        finally:
            if not done:
                self._index = None
        if batch:
            self._sweep(batch[-1][0].inbox_no)
        return placed

    def _one(self, desk: "_Desk", waiting: Waiting, prepared: Prepared) -> Placed:
        clean, mark = prepared.article, prepared.fingerprint
        if mark is None:
            placed = Placed(n=waiting.n, outcome="refused", article=waiting.article, reason=clean.reason)
        else:
            coming = Coming(waiting, clean, mark)
            elsewhere = _claimed_elsewhere(desk.connection, waiting)
            old = articles.latest(desk.connection, waiting.article) if waiting.revises else None
            if elsewhere is not None:
                placed = Placed(n=waiting.n, outcome="unchanged", article=elsewhere)
            elif old is not None:
                placed = self._again(desk, coming, old)
            else:
                placed = self._new(desk, coming, waiting.article, waiting.article, 0)
        desk.ledger.finish(
            waiting.n,
            at=desk.now,
            outcome=placed.outcome,
            article=placed.article,
            verdict=clean.verdict,
            reason=placed.reason,
        )
        return placed

    # --- a new article ------------------------------------------------------------------------------------

    def _new(self, desk: "_Desk", coming: Coming, id_: str, root: str, generation: int) -> Placed:
        """Twin, event, home: decide, then write the article and what its story is now."""
        article = coming.as_article()
        copy = self._twin(desk.connection, coming, id_)
        decision = self._decision(desk.connection, article, copy)
        home = None if decision.story is None else _must(stories.row_of(desk.connection, decision.story))
        story = story_id(id_, 0) if home is None else home.id
        evidence = msgspec.structs.replace(
            decision.evidence, shared=decision.shared, copy=copy, rules_version=self._version
        )
        placement = Placement(
            story=story,
            founded=home is None,
            role=decision.role,
            copy_of=copy.other if copy else None,
            takes_in=decision.takes_in,
            evidence=evidence,
        )
        new = coming.row(
            desk.now,
            placement,
            id_=id_,
            root=root,
            generation=generation,
            weighs=decision.weighs,
            wire_confidence=self._rules.wire_confidence,
        )
        new = msgspec.structs.replace(new, is_indexed=self._is_indexed(desk.connection, copy))
        losers = [_must(stories.row_of(desk.connection, loser)) for loser in decision.takes_in]
        self._write(desk, new, home, losers, self._with(home, losers, article, weighs=decision.weighs))
        desk.ledger.log(
            desk.now,
            story,
            "created" if home is None else "joined",
            article=id_,
            role=decision.role,
            score=evidence.score,
        )
        outcome: Outcome = "founded" if home is None else "copy" if decision.role == "copy" else "joined"
        return Placed(n=coming.waiting.n, outcome=outcome, article=id_, story=story)

    def _twin(self, connection: Connection, coming: Coming, id_: str) -> CopyEvidence | None:
        rules, mark = self._copy_rules, coming.mark
        found = articles.twins(connection, mark.bands, rules.candidate_cap)
        likely = ranked(mark.signature, [(twin.id, twin.signature, twin.n) for twin in found], rules)
        if not likely:
            return None
        own = Wording(
            id=id_,
            text=coming.clean.text,
            title=coming.clean.title,
            outlet=coming.outlet,
            signature=mark.signature,
            order=coming.waiting.inbox_no,
        )
        return best_copy(own, (articles.wording(connection, one.id) for one in likely), rules)

    def _is_indexed(self, connection: Connection, copy: CopyEvidence | None) -> bool:
        """A flood of copies of one text adds no LSH rows beyond a few: the text is found by those."""
        if copy is None or copy.kind != "copy":
            return True
        return articles.copy_count(connection, copy.other) < self._copy_rules.indexed_copies

    def _decision(self, connection: Connection, article: Article, copy: CopyEvidence | None) -> Decision:
        """A copy goes where its twin is, inside the window; everything else is weighed as an event."""
        index = self._live(connection)
        if copy is not None and copy.kind == "copy":
            home = stories.home_of(connection, copy.other)
            # Not "is it in the index": that holds dead stories until it is swept, and a restart sweeps it.
            oldest = article.inbox - self._model.rules.live_reach
            is_live = home is not None and home.last_inbox_no >= oldest
            if home and is_live and is_within_window(article, index.story(home.n), self._model):
                role: Role = "container" if article.is_container else "copy"
                return Decision(story=home.id, role=role, weighs=False, evidence=Evidence(stage="copy"))
        decided = decide(article, index.candidates(article), self._scorer)
        if copy is not None and copy.kind == "excerpt" and decided.role == "report":
            return msgspec.structs.replace(decided, role="excerpt", weighs=decided.story is None)
        return decided

    def _with(
        self, home: StoryRow | None, losers: Sequence[StoryRow], article: Article, *, weighs: bool
    ) -> sums.Sums:
        """The sums of the home with one more member, and with the members of the stories that give way."""
        grown = sums.Sums() if home is None else sums.from_bytes(home.sums)
        if weighs:
            grown = sums.add(grown, article.member(self._model), self._model)
        else:
            grown = sums.add_silent(grown, article.minutes)
        for loser in losers:
            grown = sums.merge(grown, sums.from_bytes(loser.sums), self._model)
        return grown

    # --- writing ------------------------------------------------------------------------------------------

    def _write(
        self,
        desk: "_Desk",
        new: NewArticle,
        home: StoryRow | None,
        losers: Sequence[StoryRow],
        grown: sums.Sums,
    ) -> None:
        """The story's row, the article's row, then the homes that give way."""
        story = new.placement.story
        members = [
            view
            for one in (home, *losers)
            if one is not None
            for view in articles.views_of_story(desk.connection, one.id)
        ]
        members = sorted([*members, articles.view_of(new)], key=lambda view: view.effective)
        state = self._state(desk, home, members, grown, new)
        if home is None:
            number = desk.ledger.number("story")
            stories.insert_story(desk.connection, n=number, founder=new.id, founding=0, id=story, state=state)
        else:
            number = home.n
            stories.update_story(desk.connection, story, state)
        articles.insert_article(desk.connection, new)
        self._index_story(desk.connection, IndexRow(number, story, state.sums, state.last_inbox_no))
        for loser in losers:
            self._give_way(desk, loser, story)

    def _state(
        self,
        desk: "_Desk",
        home: StoryRow | None,
        members: Sequence[ArticleView],
        grown: sums.Sums,
        new: NewArticle,
    ) -> StoryState:
        """What the story's row says now; bumped when it is new, gains a report or changes its headline."""
        counts = count(members)
        title = headline(members, home.title if home else None, self._story_rules)
        bumped = home is None or counts.report_count > home.report_count or title != home.title
        if home is not None and title != home.title:
            desk.ledger.log(desk.now, home.id, "headline", before=home.title, after=title)
        if home is not None and counts.article_count == self._model.rules.story_cap:
            desk.ledger.log(desk.now, home.id, "full", articles=counts.article_count)
        updated = home.updated if home else None
        if bumped:
            # To the second; the fraction tells bumps apart, in their order.
            base = desk.now if new.bumps_by_clock else new.effective
            bump = base.replace(microsecond=desk.ledger.number("bump") % 1_000_000)
            updated = bump if updated is None else max(updated, bump)
        assert updated is not None, "a new story is bumped"
        return StoryState(
            title=title,
            summary=summary(members, self._summary_words, self._story_rules, title),
            language=_language(members),
            first_published=min(member.effective for member in members),
            last_published=max(member.effective for member in members),
            updated=updated,
            article_count=counts.article_count,
            outlet_count=counts.outlet_count,
            report_count=counts.report_count,
            container_only=grown.is_container_only,
            last_inbox_no=max(new.n, home.last_inbox_no if home else 0),
            sums=sums.to_bytes(grown, self._model),
        )

    def _give_way(self, desk: "_Desk", loser: StoryRow, winner: str) -> None:
        """A container's home gives way: its articles move over without weight, its id redirects for ever."""
        articles.move_all(desk.connection, loser.id, winner, weighs=False)
        stories.give_way(desk.connection, loser.id, winner)
        index = self._live(desk.connection)
        if loser.n in index:
            index.remove_story(loser.n)
        desk.ledger.log(desk.now, winner, "merged", other=loser.id, reason="container")
        desk.ledger.log(desk.now, loser.id, "merged", into=winner, reason="container")

    # --- revisions ----------------------------------------------------------------------------------------

    def _again(self, desk: "_Desk", coming: Coming, old: Stored) -> Placed:
        """A known article with other words: the same, a revision, or another text under a reused address."""
        n = coming.waiting.n
        if coming.mark.text_hash == old.text_hash:
            return Placed(n=n, outcome="unchanged", article=old.id, story=old.story)
        if self._resembles(old, coming.clean):
            self._revise(desk, coming, old)
            return Placed(n=n, outcome="revised", article=old.id, story=old.story)
        generation = old.generation + 1
        id_ = next_generation_id(old.root, generation)
        articles.hand_over(desk.connection, old.id, id_, gives=True)
        return self._new(desk, coming, id_, old.root, generation)

    def _resembles(self, old: Stored, clean: CleanArticle) -> bool:
        if old.role == "container" or not old.text or not clean.text:
            return True
        before, after = shingle_hashes(old.text), shingle_hashes(clean.text)
        smaller = min(len(before), len(after))
        return shared_count(before, after) >= self._rules.revision_containment * smaller

    def _revise(self, desk: "_Desk", coming: Coming, old: Stored) -> None:
        """New words over old ones: the article keeps its id, its number, its role and its home."""
        coming = coming.with_date_of(old)
        before = as_article(old)
        after = msgspec.structs.replace(coming.as_article(), is_container=before.is_container)
        home = _must(stories.row_of(desk.connection, old.story))
        grown = sums.from_bytes(home.sums)
        if old.weighs:
            grown = sums.remove(grown, before.member(self._model), self._model)
            grown = sums.add(grown, after.member(self._model), self._model)
        else:
            grown = sums.add_silent(sums.remove_silent(grown, before.minutes), after.minutes)
        placement = Placement(story=old.story, founded=False, role=old.role, evidence=_REVISED)
        new = coming.row(
            desk.now,
            placement,
            id_=old.id,
            root=old.root,
            generation=old.generation,
            weighs=old.weighs,
            wire_confidence=self._rules.wire_confidence,
        )
        new = msgspec.structs.replace(new, n=old.n, outlet=old.outlet or new.outlet)
        articles.keep_revision(desk.connection, old, desk.now)
        articles.replace_text(desk.connection, new)
        words = (old.title, old.text), (new.clean.title, new.clean.text)
        search.reindex(desk.connection, old.n, old=words[0], new=words[1])
        members = articles.views_of_story(desk.connection, home.id)
        state = self._state(desk, home, members, grown, new)
        stories.update_story(desk.connection, home.id, state)
        self._index_story(desk.connection, IndexRow(home.n, home.id, state.sums, state.last_inbox_no))
        desk.ledger.log(desk.now, home.id, "revised", article=old.id)

    # --- the index of live stories ------------------------------------------------------------------------

    def _live(self, connection: Connection) -> StoryIndex:
        if self._index is None:
            rows = stories.open_stories(connection, reach=self._model.rules.live_reach)
            self._index = StoryIndex(
                self._model, (IndexRow(row.n, row.id, row.sums, row.last_inbox_no) for row in rows)
            )
        return self._index

    def _index_story(self, connection: Connection, row: IndexRow) -> None:
        index = self._live(connection)
        if row.number in index:
            index.replace_story(row)
        else:
            index.add_story(row)

    def _sweep(self, inbox_no: int) -> None:
        if self._index is not None and inbox_no % self._rules.sweep_every < self._rules.batch_articles:
            self._index.sweep(inbox_no - self._model.rules.live_reach)


_REVISED = Evidence(stage="revision")  # never stored: a revised article keeps the evidence of its placing


class _Desk(NamedTuple):
    """One placing transaction."""

    connection: Connection
    ledger: Ledger
    now: dt.datetime


def _claimed_elsewhere(connection: Connection, waiting: Waiting) -> str | None:
    """The article of the page that a foreign source linked to, where its own site gave it meanwhile.

    With the page in hand the entry speaks for its address, and claims it where nobody did.
    """
    entry = waiting.entry
    canonical = canonical_url(entry.url) if entry.url and entry.authority == "foreign" else None
    if canonical is None or waiting.page is None:
        return None
    owner = inbox.claim(connection, url_key(canonical), waiting.article)
    if owner == waiting.article:
        return None
    articles.hand_over(connection, waiting.article, owner, gives=False)
    return owner


def _language(members: Sequence[ArticleView]) -> str | None:
    """The language that most articles have (a tie: the first by name)."""
    tally = Counter(member.language for member in members if member.language)
    return min(tally, key=lambda language: (-tally[language], language)) if tally else None


def _must(row: StoryRow | None) -> StoryRow:
    assert row is not None, "a story that the index or an article's row names"
    return row
