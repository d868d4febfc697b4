"""One run of one program: the first reading, the rounds after it, and the idle time at the end."""

import dataclasses
import random
import statistics
import time
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import feedparser

from benchmarks.day.daemon import Daemon
from benchmarks.day.feeds import EDIT, FETCHED, Feed, FeedServer, Plan, plan_of
from benchmarks.day.peer import Peer
from benchmarks.day.processes import (
    MemoryWatch,
    Usage,
    memory_of,
    usage_of,
    wake_ups_between,
    wake_ups_of,
)
from benchmarks.day.scores import Labels, events_twice, label_of, scores_of

# The first polls are spread over this time, as after an import of as many feeds.
FIRST_POLLS_SECONDS = 30.0
SCORED = (  # attributes of Scores that become figures
    *(
        "events",
        "whole",
        "not_whole",
        "stories",
        "pure",
        "impure",
        "pairs",
        "pairs_found",
        "pairs_wrong",
    ),
    *("precision", "recall", "f1", "arguable", "arguable_found"),
)
STAMPED_PACE = 0.25  # seconds between two polls of feeds with a new comment
LOOK_SECONDS = 0.5  # between two looks for new entries on the pages


@dataclass(frozen=True)
class Day:
    """What all runs share: feeds, labels, the number of rounds with a poll every `pace` seconds, `idle` minutes."""

    feeds: list[Feed]
    labels: Labels
    rounds: int
    pace: float
    idle: float


@dataclass(frozen=True)
class Article:
    """A row of `v_story_articles`."""

    id: str
    story: str
    source: str
    url: str | None
    title: str


class Run:
    """A daemon and the server of its feeds. `figures` collects the figures by name."""

    def __init__(
        self, day: Day, checkout: Path, folder: Path, *, url: str, order: int
    ) -> None:
        """`url` is an empty PostgreSQL database; if it is "", SQLite in `folder` is used.

        `order` is the seed of the order of the first polls.
        """
        self.day = day
        self.figures: dict[str, Any] = {}
        span = datetime.now(UTC).replace(second=0, microsecond=0) - FETCHED
        self.feeds = [feed.moved(span) for feed in day.feeds]
        plans = {feed.file: self._plan(feed) for feed in day.feeds}
        self.server = FeedServer(self.feeds, plans)
        self.daemon = Daemon(checkout, folder, url, self.server.server.port)
        self._order = self.feeds.copy()
        random.Random(order).shuffle(self._order)
        self._peer = None
        if order == 0 and Peer.is_installed():
            self._peer = Peer(self.feeds, plans, folder)

    def _plan(self, feed: Feed) -> Plan:
        return plan_of(feed, self.day.rounds, random.Random(feed.file))

    def close(self) -> None:
        self.daemon.stop()
        if self._peer is not None:
            self._peer.close()
        self.server.close()

    # The first reading ------------------------------------------------------------------------------------

    def read_first(self) -> None:
        """Poll all feeds for the first time, in the run's order."""
        daemon = self.daemon
        daemon.subscribe(self.feeds)
        pause = timedelta(days=1)
        now = datetime.now(UTC)
        daemon.set_due({feed.address: now + pause for feed in self.feeds})
        daemon.start()
        self.figures["start_cpu_seconds"] = usage_of(daemon.pid).cpu_seconds
        with MemoryWatch(daemon.pid) as memory:
            before, began = self._usage(), time.monotonic()
            self._poll_all(FIRST_POLLS_SECONDS / len(self.feeds), self._order)
            daemon.wait_for(lambda: bool(self._articles()))
            self.figures["first_article_seconds"] = time.monotonic() - began
            daemon.wait_for(lambda: self.server.asked_in(0) == len(self.feeds))
            daemon.wait_until_quiet(or_event="first_reading_ended")
            placed = self._usage() - before
            daemon.wait_until_quiet()
            used = self._usage() - before
        entries = len(self._articles())
        self.figures |= {
            "first_seconds": time.monotonic() - began,
            "first_entries": entries,
            "first_cpu_ms_an_entry": 1000 * used.cpu_seconds / entries,
            "first_again_cpu_ms_an_entry": 1000 * (used - placed).cpu_seconds / entries,
            "first_kb_an_entry": used.written_bytes / 1000 / entries,
            "first_most_mb": memory.most_mb,
        }
        self._score("first", self._articles())
        if self._peer is not None:
            peer = self._peer.update(0)
            first_ms = 1000 * peer.cpu_seconds / entries
            self.figures |= {
                "peer_first_ms_an_entry": first_ms,
                "first_to_peer": self.figures["first_cpu_ms_an_entry"] / first_ms,
            }

    def _poll_all(self, pace: float, feeds: Collection[Feed]) -> None:
        start = datetime.now(UTC) + timedelta(seconds=1)
        self.daemon.set_due(
            {
                feed.address: start + timedelta(seconds=pace * n)
                for n, feed in enumerate(feeds)
            }
        )

    def _settle(self, number: int) -> None:
        self.daemon.wait_for(lambda: self.server.asked_in(number) == len(self.feeds))
        self.daemon.wait_until_quiet()

    def _usage(self) -> Usage:
        used = usage_of(self.daemon.pid)
        written = used.written_bytes + self.daemon.written_by_server()
        return dataclasses.replace(used, written_bytes=written)

    # The rounds -------------------------------------------------------------------------------------------

    def go_on(self) -> None:
        """Poll all feeds in rounds: some have new entries, some an edited title, most are unchanged."""
        orders = random.Random(len(self.feeds))
        known, stories = len(self._articles()), len(self._bumps())
        bumps: Counter[str] = Counter()
        delays: list[float] = []
        peer_seconds, peer_mb = 0.0, 0.0
        before, began = self._usage(), time.monotonic()
        with MemoryWatch(self.daemon.pid) as memory:
            for number in range(1, self.day.rounds + 1):
                articles, bumped_at = self._articles(), self._bumps()
                self.server.number = number
                self._poll_all(
                    self.day.pace, orders.sample(self.feeds, len(self.feeds))
                )
                delays += self._watch(number, set(articles))
                self._settle(number)
                bumps += self._count_bumps(articles, bumped_at)
                if self._peer is not None:
                    paused = time.monotonic()
                    peer = self._peer.update(number)
                    peer_seconds += peer.cpu_seconds
                    peer_mb = peer.most_mb
                    began += time.monotonic() - paused
        used, seconds = self._usage() - before, time.monotonic() - began
        changed = self._changed_polls()
        new_entries = len(self._articles()) - known
        plans = self.server.plans.values()
        self.figures |= {
            "round_polls": len(self.feeds) * self.day.rounds,
            "round_changed": len(changed),
            "round_shown": sum(
                len(self.server.plans[file].new_in(number)) for file, number in changed
            ),
            "round_new": new_entries,
            "round_edits": sum(len(plan.edited) for plan in plans),
            "round_seconds": seconds,
            "round_cpu_seconds": used.cpu_seconds,
            "feedparser_seconds": self._feedparser_seconds(changed),
            "kb_a_new_entry": used.written_bytes / 1000 / max(1, new_entries),
            "most_mb": max(self.figures["first_most_mb"], memory.most_mb),
            "page_seconds": statistics.median(delays) if delays else None,
            "page_seconds_most": max(delays, default=None),
            "page_delays": len(delays),
            "new_stories": len(self._bumps()) - stories,
            "bumped_new": bumps["new"],
            "bumped_edited": bumps["edited"],
            "bumped_for_nothing": bumps["nothing"],
        }
        if self._peer is not None:
            self.figures |= {
                "peer_ms_a_changed_poll": 1000 * peer_seconds / max(1, len(changed)),
                "peer_most_mb": peer_mb,
            }
        self._score("last", self._articles())
        self._poll_stamped()

    def _poll_stamped(self) -> None:
        """Poll all feeds once more; only a comment at the end of XML feeds is new."""
        stamped = sum(not feed.is_json for feed in self.feeds)
        number, stamp = self.day.rounds + 1, "<!-- made in 0.31 s -->"
        self.server.number, self.server.stamp = number, stamp
        before = self._usage()
        self._poll_all(STAMPED_PACE, self.feeds)
        self._settle(number)
        used = self._usage() - before
        self.figures["cpu_ms_a_stamped_poll"] = 1000 * used.cpu_seconds / stamped
        if self._peer is not None:
            peer = self._peer.update(number, stamp)
            figure = 1000 * peer.cpu_seconds / stamped
            self.figures["peer_ms_a_stamped_poll"] = figure

    def _watch(self, number: int, known: set[str]) -> list[float]:
        """Look for new articles until all new items of the round were found, or until a deadline.

        Return, for each article, the seconds from the answer of its feed until the article was in a rendered story.
        """
        delays: list[float] = []
        files = self._files()
        awaited = sum(len(plan.new_in(number)) for plan in self.server.plans.values())
        deadline = time.monotonic() + 2 * self.day.pace * len(self.feeds) + 60
        while len(delays) < awaited and time.monotonic() < deadline:
            for row in self._new_articles(known):
                known.add(row.id)
                answered = self.server.answers.get((files.get(row.source, ""), number))
                if answered is not None:
                    delays.append(time.monotonic() - answered)
            time.sleep(LOOK_SECONDS)
        return delays

    def _count_bumps(
        self, articles: dict[str, Article], bumped_at: dict[str, object]
    ) -> Counter[str]:
        """Count the known stories that were bumped since, by reason: a new article, an edited title, or nothing."""
        current = self._articles()
        with_new = {current[id_].story for id_ in current.keys() - articles.keys()}
        with_edit = {
            article.story
            for article in current.values()
            if article.title.endswith(EDIT)
        }
        bumps: Counter[str] = Counter()
        for story, moment in self._bumps().items():
            if bumped_at.get(story, moment) != moment:
                reason = (
                    "new"
                    if story in with_new
                    else "edited"
                    if story in with_edit
                    else "nothing"
                )
                bumps[reason] += 1
        return bumps

    def _changed_polls(self) -> list[tuple[str, int]]:
        """Return the file and the round of each poll in the rounds whose feed has changed."""
        rounds = range(1, self.day.rounds + 1)
        return [
            (file, number)
            for file, plan in self.server.plans.items()
            for number in rounds
            if plan.changes_in(number)
        ]

    def _feedparser_seconds(self, polls: list[tuple[str, int]]) -> float:
        """Return the seconds of CPU that feedparser takes for the bytes of these polls."""
        bodies = [self.server.body_of(file, number) for file, number in polls]
        began = time.process_time()
        for body in bodies:
            feedparser.parse(body, sanitize_html=False, resolve_relative_uris=False)
        return time.process_time() - began

    # Idle -------------------------------------------------------------------------------------------------

    def idle(self) -> None:
        """Measure the daemon while no source is due."""
        later = datetime.now(UTC) + timedelta(days=1)
        self.daemon.set_due({feed.address: later for feed in self.feeds})
        seconds = max(1.0, 60 * self.day.idle)
        pid = self.daemon.pid
        used, wake_ups = self._usage(), wake_ups_of(pid)
        time.sleep(seconds)
        after = self._usage()
        self.figures |= {
            "idle_minutes": self.day.idle,
            "idle_mb": memory_of(pid),
            "idle_cpu_ms_a_second": 1000
            * (after.cpu_seconds - used.cpu_seconds)
            / seconds,
            "idle_wake_ups_a_second": wake_ups_between(wake_ups, wake_ups_of(pid))
            / seconds,
            "idle_kb_written": (after.written_bytes - used.written_bytes) / 1000,
        }

    def divide(self) -> None:
        """Divide the CPU of the rounds, without what the idle daemon takes in the same time, by entries and polls."""
        figures = self.figures
        idle = figures["round_seconds"] * figures["idle_cpu_ms_a_second"] / 1000
        cpu = figures["round_cpu_seconds"] - idle
        changed = max(1, figures["round_changed"])
        figures |= {
            "cpu_ms_a_new_entry": 1000 * cpu / max(1, figures["round_new"]),
            "cpu_ms_a_changed_poll": 1000 * cpu / changed,
            "feedparser_ms": 1000 * figures["feedparser_seconds"] / changed,
            "share_of_feedparser": cpu / max(0.001, figures["feedparser_seconds"]),
        }
        if self._peer is not None:
            ratio = figures["cpu_ms_a_changed_poll"] / figures["peer_ms_a_changed_poll"]
            figures["changed_to_peer"] = ratio

    # What the pages show ----------------------------------------------------------------------------------

    def _articles(self) -> dict[str, Article]:
        rows = self.daemon.rows(
            "SELECT article_id, story_id, source_key, url, title FROM v_story_articles"
        )
        return {row[0]: Article(*row) for row in rows}

    def _new_articles(self, known: set[str]) -> list[Article]:
        """Return the articles that are not `known` and whose story is rendered."""
        rendered = {
            row[0]
            for row in self.daemon.rows(
                "SELECT id FROM v_stories WHERE text IS NOT NULL"
            )
        }
        articles = self._articles().values()
        return [
            article
            for article in articles
            if article.id not in known and article.story in rendered
        ]

    def _bumps(self) -> dict[str, object]:
        return {
            row[0]: row[1]
            for row in self.daemon.rows("SELECT id, updated FROM v_stories")
        }

    def _files(self) -> dict[str, str]:
        """Return the file of the feed of each source key."""
        files = {feed.address: feed.file for feed in self.feeds}
        rows = self.daemon.rows("SELECT source_key, address FROM v_sources")
        return {row[0]: files[row[1]] for row in rows if row[1] in files}

    def _score(self, when: str, articles: dict[str, Article]) -> None:
        files = self._files()
        stories: dict[str, str] = {}
        for article in articles.values():
            title = article.title.removesuffix(EDIT)
            label = label_of(
                self.day.labels, files.get(article.source, ""), article.url, title
            )
            if label is not None:
                stories[label] = article.story
        scores = scores_of(self.day.labels, stories)
        lines = dict(
            self.daemon.rows(
                "SELECT id, storyline FROM v_stories WHERE storyline <> ''"
            )
        )
        in_lines = scores_of(
            self.day.labels,
            {entry: lines.get(story, story) for entry, story in stories.items()},
        )
        places = self.daemon.places_on_page_one()
        self.figures |= {
            f"{when}_articles": len(articles),
            f"{when}_labelled": len(stories),
            f"{when}_all_stories": len(
                {article.story for article in articles.values()}
            ),
            f"{when}_storylines": len(set(lines.values())),
            f"{when}_largest_storyline": max(
                Counter(lines.values()).values(), default=0
            ),
            f"{when}_one_place": in_lines.whole,
            f"{when}_not_one_place": in_lines.not_whole,
            f"{when}_page_stories": len(places),
            f"{when}_twice": events_twice(self.day.labels, stories, places),
        }
        for name in SCORED:
            self.figures[f"{when}_{name}"] = getattr(scores, name)
