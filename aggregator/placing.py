"""Placing: one article after the other gets its home, each decision with its evidence in one transaction.

This is the only writer of stories. What it keeps in memory (the index of live stories) is derived from their
rows; after a failed transaction it is dropped and built again.
"""

import datetime as dt
import logging
from collections import Counter
from collections.abc import Callable, Sequence

import msgspec
from sqlalchemy import Connection

from aggregator.dedup import sums
from aggregator.dedup.copies import CopyRules, Wording, best_copy, ranked
from aggregator.dedup.events import Article, Decision, Scorer, decide, is_within_window
from aggregator.dedup.identity import next_generation_id, url_key
from aggregator.dedup.index import StoryIndex
from aggregator.dedup.index import StoryRow as IndexRow
from aggregator.dedup.shingles import shared_count, shingle_hashes
from aggregator.dedup.weights import shipped_model
from aggregator.model import ArticleView, CopyEvidence, Evidence, Fingerprint, Noun, Placement, Prepared, Role
from aggregator.rules import RuleBook
from aggregator.store import articles, inbox, search, stories
from aggregator.store.articles import NewArticle, Stored
from aggregator.store.database import Database
from aggregator.store.inbox import Outcome, Waiting
from aggregator.stories.counts import count
from aggregator.stories.headline import headline
from aggregator.stories.summary import summary
from aggregator.text.urls import canonical_url, registrable_domain

log = logging.getLogger(__name__)


class PlacingRules(msgspec.Struct, frozen=True, kw_only=True):
    """Section `placing` of rules.yaml."""

    batch_articles: int
    sweep_every: int
    revision_containment: float


class Placed(Noun, frozen=True, kw_only=True):
    """What became of one waiting entry."""

    n: int
    outcome: Outcome
    article: str | None = None
    story: str | None = None
    reason: str | None = None


class Placing:
    """Places prepared entries. Only the process that holds the writer lock may have one, and one thread."""

    def __init__(
        self,
        database: Database,
        book: RuleBook,
        now: Callable[[], dt.datetime],
        *,
        summary_words: int,
    ) -> None:
        self._database = database
        self._now = now
        self._summary_words = summary_words
        self._version = book.version
        self._model = shipped_model(book)
        self._scorer = Scorer(self._model)
        self._copy_rules = book.section("copies", CopyRules)
        self._rules = book.section("placing", PlacingRules)
        self._index: StoryIndex | None = None

    def place(self, batch: Sequence[tuple[Waiting, Prepared]]) -> list[Placed]:
        """Place a batch, in the order of its inbox numbers, in one transaction."""
        done = False
        try:
            with self._database.write() as connection:
                placed = [self._one(connection, waiting, prepared) for waiting, prepared in batch]
            done = True
        finally:
            if not done:
                self._index = None
        if batch:
            self._sweep(batch[-1][0].inbox_no)
        return placed

    # --- one article --------------------------------------------------------------------------------------

    def _one(self, connection: Connection, waiting: Waiting, prepared: Prepared) -> Placed:
        reason = prepared.article.reason
        mark = prepared.fingerprint
        if mark is None:
            placed = Placed(n=waiting.n, outcome="refused", article=waiting.article, reason=reason)
        else:
            elsewhere = self._claimed_elsewhere(connection, waiting)
            old = None if elsewhere else articles.stored(connection, waiting.article)
            if elsewhere is not None:
                placed = Placed(n=waiting.n, outcome="unchanged", article=elsewhere)
            elif old is not None:
                placed = self._again(connection, waiting, prepared, mark, old)
            else:
                placed = self._new(connection, waiting, prepared, mark, waiting.article, 0)
        inbox.finish(
            connection,
            waiting.n,
            at=self._now(),
            outcome=placed.outcome,
            article_id=placed.article or waiting.article,
            verdict=prepared.article.verdict,
            reason=placed.reason,
        )
        return placed

    def _claimed_elsewhere(self, connection: Connection, waiting: Waiting) -> str | None:
        """The article of the page that a foreign source linked to, where its own site gave it meanwhile.

        With the page in hand the entry speaks for its address, and claims it where nobody did.
        """
        entry = waiting.entry
        if entry.authority != "foreign" or waiting.page is None or not entry.url:
            return None
        canonical = canonical_url(entry.url)
        if canonical is None:
            return None
        owner = inbox.claim(connection, url_key(canonical), waiting.article)
        return None if owner == waiting.article else owner

    def _new(
        self,
        connection: Connection,
        waiting: Waiting,
        prepared: Prepared,
        mark: Fingerprint,
        id_: str,
        generation: int,
    ) -> Placed:
        article = _seen_by_events(waiting.inbox_no, prepared, mark)
        copy = self._twin(connection, waiting, prepared, mark, id_)
        decision, copy = self._decision(connection, article, copy)
        new_story = decision.story is None
        story = decision.story or self._found_story(connection, id_, prepared, waiting)
        evidence = msgspec.structs.replace(
            decision.evidence, shared=decision.shared, copy=copy, rules_version=self._version
        )
        placement = Placement(
            story=story,
            founded=new_story,
            role=decision.role,
            evidence=evidence,
            copy_of=copy.other if copy else None,
            takes_in=decision.takes_in,
        )
        new = self._row(waiting, prepared, mark, placement, id_, generation, weighs=decision.weighs)
        articles.insert_article(connection, new)
        grown = self._grown(connection, story, article, weighs=decision.weighs)
        for loser in decision.takes_in:
            grown = self._take_in(connection, loser, story, grown)
        self._save(connection, story, grown, new, bumps_by_clock=waiting.bumps_by_clock)
        stories.log(
            connection,
            new.placed_at,
            story,
            "created" if new_story else "joined",
            article_id=id_,
            role=decision.role,
            score=evidence.score,
        )
        outcome: Outcome = "founded" if new_story else "copy" if decision.role == "copy" else "joined"
        return Placed(n=waiting.n, outcome=outcome, article=id_, story=story)

    # --- deciding -----------------------------------------------------------------------------------------

    def _twin(
        self, connection: Connection, waiting: Waiting, prepared: Prepared, mark: Fingerprint, id_: str
    ) -> CopyEvidence | None:
        rules = self._copy_rules
        found = articles.twins(connection, mark.bands, rules.candidate_cap)
        likely = ranked(mark.signature, [(twin.id, twin.signature, twin.n) for twin in found], rules)
        own = Wording(
            id=id_,
            text=prepared.article.text,
            title=prepared.article.title,
            outlet=_outlet(waiting, prepared),
            signature=mark.signature,
            order=waiting.inbox_no,
        )
        return best_copy(own, (articles.wording(connection, one.id) for one in likely), rules)

    def _decision(
        self, connection: Connection, article: Article, copy: CopyEvidence | None
    ) -> tuple[Decision, CopyEvidence | None]:
        """A copy goes where its twin is, inside the window; everything else is weighed as an event."""
        index = self._live(connection)
        if copy is not None and copy.kind == "copy":
            home = stories.home_of(connection, copy.other)
            row = stories.row_of(connection, home) if home else None
            if row is not None and row.n in index:
                inside = is_within_window(article, index.story(row.n), self._model)
                if inside:
                    role: Role = "container" if article.is_container else "copy"
                    decided = Decision(story=row.id, role=role, weighs=False, evidence=Evidence(stage="copy"))
                    return decided, copy
        decided = decide(article, index.candidates(article), self._scorer)
        if copy is not None and copy.kind == "excerpt" and decided.role == "report":
            alone = decided.story is None
            decided = msgspec.structs.replace(decided, role="excerpt", weighs=alone)
        return decided, copy

    def _live(self, connection: Connection) -> StoryIndex:
        if self._index is None:
            rows = stories.open_stories(connection, reach=self._model.rules.live_reach)
            self._index = StoryIndex(
                self._model, (IndexRow(row.n, row.id, row.sums, row.last_inbox_no) for row in rows)
            )
        return self._index

    def _sweep(self, inbox_no: int) -> None:
        if self._index is not None and inbox_no % self._rules.sweep_every < self._rules.batch_articles:
            self._index.sweep(inbox_no - self._model.rules.live_reach)

    # --- writing a story ----------------------------------------------------------------------------------

    def _found_story(self, connection: Connection, founder: str, prepared: Prepared, waiting: Waiting) -> str:
        number = inbox.take_numbers(connection, "story", 1)
        id_, founding = stories.next_story_id(connection, founder)
        state = stories.StoryState(
            title=prepared.article.title,
            summary="",
            language=prepared.article.language,
            first_published=waiting.accepted_at,
            last_published=waiting.accepted_at,
            updated=dt.datetime.min.replace(tzinfo=dt.UTC),
            article_count=0,
            outlet_count=0,
            report_count=0,
            container_only=False,
            last_inbox_no=waiting.inbox_no,
            sums=sums.to_bytes(sums.Sums(), self._model),
        )
        stories.insert_story(connection, n=number, id=id_, founder=founder, founding=founding, state=state)
        return id_

    def _grown(self, connection: Connection, story: str, article: Article, *, weighs: bool) -> sums.Sums:
        before = sums.from_bytes(_must(stories.row_of(connection, story)).sums)
        if weighs:
            return sums.add(before, article.member(self._model), self._model)
        return sums.add_silent(before, article.minutes)

    def _take_in(self, connection: Connection, loser: str, winner: str, grown: sums.Sums) -> sums.Sums:
        """The container's home gives way: its articles move over without weight, its id redirects."""
        row = _must(stories.row_of(connection, loser))
        members = articles.stored_of_story(connection, loser)
        articles.move_to_story(connection, [member.id for member in members], winner, weighs=False)
        stories.give_way(connection, loser, winner)
        index = self._live(connection)
        if row.n in index:
            index.remove_story(row.n)
        stories.log(connection, self._now(), winner, "merged", other=loser, reason="container")
        stories.log(connection, self._now(), loser, "merged", into=winner, reason="container")
        return sums.merge(grown, sums.from_bytes(row.sums), self._model)

    def _save(
        self, connection: Connection, story: str, grown: sums.Sums, new: NewArticle, *, bumps_by_clock: bool
    ) -> None:
        """Write what the story is now, and put it into the index."""
        row = _must(stories.row_of(connection, story))
        members = articles.views_of_stories(connection, [story])[story]
        counts = count(members)
        first = row.report_count == 0
        title = headline(members, None if first else row.title)
        bumped = first or counts.report_count > row.report_count or title != row.title
        if title != row.title and not first:
            stories.log(connection, new.placed_at, story, "headline", before=row.title, after=title)
        updated = row.updated
        if bumped:
            base = new.placed_at if bumps_by_clock else new.effective
            updated = max(row.updated, self._bump(connection, base))
        state = stories.StoryState(
            title=title,
            summary=summary(members, self._summary_words),
            language=_language(members),
            first_published=min(member.effective for member in members),
            last_published=max(member.effective for member in members),
            updated=updated,
            article_count=counts.article_count,
            outlet_count=counts.outlet_count,
            report_count=counts.report_count,
            container_only=grown.is_container_only,
            last_inbox_no=max(row.last_inbox_no, new.n),
            sums=sums.to_bytes(grown, self._model),
        )
        stories.update_story(connection, story, state)
        index = self._live(connection)
        entry = IndexRow(row.n, story, state.sums, state.last_inbox_no)
        if row.n in index:
            index.replace_story(entry)
        else:
            index.add_story(entry)

    def _bump(self, connection: Connection, base: dt.datetime) -> dt.datetime:
        """`base` to the second; the fraction tells bumps apart, in their order."""
        number = inbox.take_numbers(connection, "bump", 1)
        return base.replace(microsecond=number % 1_000_000)

    # --- revisions ----------------------------------------------------------------------------------------

    def _again(
        self, connection: Connection, waiting: Waiting, prepared: Prepared, mark: Fingerprint, old: Stored
    ) -> Placed:
        if mark.text_hash == old.text_hash:
            return Placed(n=waiting.n, outcome="unchanged", article=old.id, story=old.story)
        if not self._resembles(old, prepared):
            generation = old.generation + 1
            id_ = next_generation_id(old.id, generation)
            articles.move_keys(connection, old.id, id_)
            return self._new(connection, waiting, prepared, mark, id_, generation)
        return self._revise(connection, waiting, prepared, mark, old)

    def _resembles(self, old: Stored, prepared: Prepared) -> bool:
        if old.role == "container" or not old.text or not prepared.article.text:
            return True
        before, after = shingle_hashes(old.text), shingle_hashes(prepared.article.text)
        smaller = min(len(before), len(after))
        return shared_count(before, after) >= self._rules.revision_containment * smaller

    def _revise(
        self, connection: Connection, waiting: Waiting, prepared: Prepared, mark: Fingerprint, old: Stored
    ) -> Placed:
        """New words over old ones: the article keeps its id, its role and its home."""
        before = _as_member(old)
        after = msgspec.structs.replace(
            _seen_by_events(old.n, prepared, mark), is_container=before.is_container
        )
        row = _must(stories.row_of(connection, old.story))
        grown = sums.from_bytes(row.sums)
        if old.weighs:
            grown = sums.remove(grown, before.member(self._model), self._model)
            grown = sums.add(grown, after.member(self._model), self._model)
        else:
            grown = sums.add_silent(sums.remove_silent(grown, before.minutes), after.minutes)
        placement = Placement(
            story=old.story, founded=False, role=old.role, evidence=Evidence(stage="revision")
        )
        new = self._row(waiting, prepared, mark, placement, old.id, old.generation, weighs=old.weighs)
        new = msgspec.structs.replace(new, n=old.n)
        articles.keep_revision(connection, old, new.placed_at)
        articles.replace_text(connection, new)
        search.reindex(
            connection,
            old.n,
            old=(old.title, old.text),
            new=(prepared.article.title, prepared.article.text),
        )
        stories.log(connection, new.placed_at, old.story, "revised", article_id=old.id)
        self._save(connection, old.story, grown, new, bumps_by_clock=waiting.bumps_by_clock)
        return Placed(n=waiting.n, outcome="revised", article=old.id, story=old.story)

    def _row(
        self,
        waiting: Waiting,
        prepared: Prepared,
        mark: Fingerprint,
        placement: Placement,
        id_: str,
        generation: int,
        *,
        weighs: bool,
    ) -> NewArticle:
        clean, entry = prepared.article, waiting.entry
        published = clean.published.time if clean.published else None
        in_time = published is not None and published <= waiting.accepted_at
        return NewArticle(
            n=waiting.inbox_no,
            id=id_,
            generation=generation,
            source=entry.source,
            outlet=_outlet(waiting, prepared),
            url=entry.url or waiting.page_url or clean.canonical_url,
            author=clean.author or entry.author,
            seen=waiting.accepted_at,
            effective=published if published is not None and in_time else waiting.accepted_at,
            placed_at=self._now(),
            clean=clean,
            fingerprint=mark,
            placement=placement,
            weighs=weighs,
        )


def _seen_by_events(inbox_no: int, prepared: Prepared, mark: Fingerprint) -> Article:
    published = prepared.article.published
    return Article(
        terms=mark.terms,
        minutes=None if published is None else _minutes(published.time),
        body_words=mark.body_words,
        is_container=prepared.article.is_container,
        inbox=inbox_no,
    )


def _as_member(old: Stored) -> Article:
    return Article(
        terms=old.terms,
        minutes=None if old.published is None else _minutes(old.published),
        body_words=old.body_words,
        is_container=old.role == "container",
        inbox=old.n,
    )


def _minutes(time: dt.datetime) -> int:
    return int(time.timestamp() // 60)


def _outlet(waiting: Waiting, prepared: Prepared) -> str | None:
    """The declared outlet, what the text itself says, else the site of the article's own address."""
    declared = waiting.entry.outlet or prepared.article.outlet
    return declared or (registrable_domain(waiting.entry.url) if waiting.entry.url else None)


def _language(members: Sequence[ArticleView]) -> str | None:
    """The language that most articles have (a tie: the first by name)."""
    tally = Counter(member.language for member in members if member.language)
    return min(tally, key=lambda language: (-tally[language], language)) if tally else None


def _must(row: stories.StoryRow | None) -> stories.StoryRow:
    assert row is not None, "a live story that an article was just given to"
    return row
