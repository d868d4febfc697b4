"""`aggregator recluster`: reads articles again and assigns them to stories under the present rules.

The articles are all, or those from a date on. They are placed in a scratch database in the order of their inbox
numbers, with the corrections in force. Then both groupings are compared: each new group keeps the id of the old story
that it shares most articles with. The differences are written in one transaction. The same articles and rules give
the same stories, whatever the number of workers.

If sources were late in a first reading, the same is done once for the days of their entries, in order of time: the
articles are placed with other inbox numbers, which are then stored with the decisions. Nobody is notified of these
changes. The texts are not read again, because the same rules have just read them.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from aggregator.config.tuning import Tuning
from aggregator.extract.entry_identity import story_id
from aggregator.grouping.fingerprint import with_sketch
from aggregator.grouping.mutes import Mutes
from aggregator.grouping.place import Placer
from aggregator.grouping.story_options import StoryOptions
from aggregator.grouping.write.story_writer import StoryWriter
from aggregator.intake.jobs import FingerprintJob, PrepareResult, fingerprints
from aggregator.intake.prepare import TEXTS_A_JOB
from aggregator.intake.recluster.regrouping import (
    GroupingDifference,
    Regrouping,
    matched_stories,
)
from aggregator.intake.recluster.write_stories import (
    FoundedStory,
    ReclusterPlan,
    write_stories,
)
from aggregator.intake.workers.executor import Executor
from aggregator.model.clock import Clock
from aggregator.model.prepared import CleanArticle, Prepared
from aggregator.store import commands
from aggregator.store.engine.database import Database
from aggregator.store.intake import inbox
from aggregator.store.maintenance import recluster_rows, replay
from aggregator.store.maintenance.row_stream import Advance
from aggregator.store.maintenance.scratch import scratch_database
from aggregator.store.search import index
from aggregator.store.stories import story_rows

BATCH = 100


class DecidedArticles(NamedTuple):
    """A scratch database of articles that were placed again."""

    scratch: Database
    # The first inbox number of these articles
    start: int
    total: int
    order: Mapping[int, int]  # see ReclusterPlan


class Reclusterer:
    """Computes a new grouping, and shows the difference or applies it."""

    def __init__(
        self,
        database: Database,
        executor: Executor,
        all_tuning: Tuning,
        options: StoryOptions,
        *,
        now: Clock,
    ) -> None:
        self._database = database
        self._executor = executor
        self._all_tuning = all_tuning
        # Mutes are for new entries. A muted article would not be placed again, and would lose its story.
        self._options = replace(options, mutes=Mutes())
        self._now = now

    def difference(
        self,
        since: datetime | None,
        advance: Advance = lambda _articles: None,
    ) -> GroupingDifference:
        """Return the changes without writing them."""
        with self._decide(since, advance) as decided:
            return self._plan(decided).difference

    def assignments(
        self, advance: Advance = lambda _articles: None, *, corrected: bool
    ) -> dict[str, str]:
        """Return the story of each article in the scratch database."""
        with (
            self._decide(None, advance, corrected=corrected) as decided,
            decided.scratch.read() as connection,
        ):
            return recluster_rows.grouping(connection)

    def take_over(
        self,
        placer: Placer,
        since: datetime | None,
        advance: Advance = lambda _articles: None,
        *,
        request: int | None = None,
        in_order_from: int | None = None,
    ) -> GroupingDifference:
        """Apply the new grouping. Only for the writer, whose `placer` is passed.

        The row `request` is answered with the difference in the same transaction. `in_order_from` replaces
        `since`: it selects articles from this inbox number on, and renumbers them in order of time.
        """
        placer.forget()  # otherwise two indexes would be in memory
        with self._decide(since, advance, in_order_from=in_order_from) as decided:
            plan = self._plan(decided)
            difference = replace(plan.difference, written=True)
            with (
                placer.unit_of_work() as unit_of_work,
                decided.scratch.read() as scratch,
            ):
                live = unit_of_work.connection
                moved = recluster_rows.renumber(live, decided.order)
                write_stories(unit_of_work, scratch, plan, advance)
                recluster_rows.take_sketches(live, scratch, decided.start, advance)
                recluster_rows.take_storylines(live, scratch, decided.start, plan.names)
                for number in moved:
                    index.put_back(live, number)
                # The stream history was counted again as a whole only if all articles were placed again.
                if decided.start == 0:
                    recluster_rows.take_stream_history(live, scratch, advance)
                if request is not None:
                    commands.answer(
                        live,
                        request,
                        unit_of_work.now,
                        "done",
                        msgspec.json.encode(difference).decode(),
                    )
        return difference

    @contextmanager
    def _decide(
        self,
        since: datetime | None,
        advance: Advance,
        *,
        corrected: bool = True,
        in_order_from: int | None = None,
    ) -> Iterator[DecidedArticles]:
        """Yield a scratch database in which the articles from `since` on, or from an inbox number on, are placed."""
        order: Mapping[int, int] = {}
        with scratch_database(self._database) as scratch:
            placer = Placer(scratch, self._all_tuning, self._now, self._options)
            with self._database.read() as live:
                start = replay.first_seen_since(live, since)
                if in_order_from is not None:
                    start = max(start, in_order_from)
                    order = inbox.order_of_time(live, start)
                numbers = replay.numbers_from(live, start)
            self._seed(placer, scratch, start, advance, corrected=corrected)
            numbers.sort(key=lambda n: order.get(n, n))
            for first in range(0, len(numbers), BATCH):
                with self._database.read() as live:
                    batch = replay.placed_articles(
                        live, numbers[first : first + BATCH], order
                    )
                if in_order_from is None:
                    # The texts are read under the present rules.
                    texts = self._read_again([stored.article for _, stored in batch])
                else:
                    texts = [
                        with_sketch(stored, self._all_tuning) for _, stored in batch
                    ]
                entries = [waiting for waiting, _ in batch]
                placer.place(list(zip(entries, texts, strict=True)))
                advance(len(batch))
            yield DecidedArticles(scratch, start, len(numbers), order)

    def _seed(
        self,
        placer: Placer,
        scratch: Database,
        start: int,
        advance: Advance,
        *,
        corrected: bool,
    ) -> None:
        """Copy the articles before the inbox number `start`, which are not placed again, and their stories."""
        with self._database.read() as live, scratch.write() as connection:
            placer.count_after(
                replay.seed(live, connection, start, advance, corrected=corrected)
            )
            split = replay.split_stories(live, start)
        if start:
            with placer.unit_of_work() as unit_of_work:
                placer.services.stream.restore(unit_of_work.connection)
                writer = StoryWriter(placer.services, unit_of_work)
                for story in split:
                    writer.remove(story)
                    advance(0)
            placer.services.window.begin_after(start - 1)

    def _read_again(self, texts: Sequence[CleanArticle]) -> list[Prepared]:
        """Read these texts again, in jobs of several texts for the workers."""
        tuning = self._all_tuning.to_json()
        futures = []
        for first in range(0, len(texts), TEXTS_A_JOB):
            part = tuple(texts[first : first + TEXTS_A_JOB])
            job = msgspec.msgpack.encode(FingerprintJob(articles=part, tuning=tuning))
            futures.append(self._executor.submit(fingerprints, job))
        prepared: list[Prepared] = []
        for future in futures:
            prepared += msgspec.msgpack.decode(
                future.result(), type=PrepareResult
            ).prepared
        return prepared

    def _plan(self, decided: DecidedArticles) -> ReclusterPlan:
        with self._database.read() as live, decided.scratch.read() as scratch:
            before = recluster_rows.grouping(live)
            after = recluster_rows.grouping(scratch)
            for article in after.keys() - before.keys():
                del after[article]  # it was erased meanwhile
            names = matched_stories(before, after, recluster_rows.story_numbers(live))
            founded = {}
            foundings: Counter[str] = Counter()
            for scratch_story in dict.fromkeys(after.values()):
                if scratch_story in names:
                    continue
                founder = recluster_rows.founder_of(scratch, scratch_story)
                number = story_rows.foundings(live, founder) + foundings[founder]
                foundings[founder] += 1
                former = before.get(founder, "")  # it may have been erased meanwhile
                story = names[scratch_story] = story_id(founder, number)
                founded[story] = FoundedStory(scratch_story, founder, number, former)

            def title(story: str) -> str:
                if story in founded:
                    return story_rows.title_of(scratch, founded[story].scratch_story)
                return story_rows.title_of(live, story)

            regrouping = Regrouping(
                before, {article: names[story] for article, story in after.items()}
            )
            return ReclusterPlan(
                names,
                founded,
                regrouping,
                regrouping.difference(decided.total, title),
                decided.order,
            )
