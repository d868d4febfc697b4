"""How well copies are found: recall by kind of derived copy, precision on real different articles, and cost.

    python -m benchmarks.copies [--articles N] [--seed N] [--data FOLDER]

Every article of `events-fulltext.jsonl.gz` is turned into copies as other outlets would print them. Each copy
is looked up among all originals as the daemon does it (grouping/copies/copy_lookup.py, in a temporary database).
Printed for each kind of copy are: `check`, the share that the exact check against the original calls a copy; `found`,
the share that the whole lookup calls a copy; `linked` after each, the same with excerpts; `false`, false copies; and
`f.exc`, false excerpts. Then follow the verdicts on texts that contain much of another outlet's text, and on real
pairs of different articles.
"""

import argparse
import gzip
import json
import os
import random
import re
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import combinations
from pathlib import Path
from typing import Any

import msgspec

from aggregator.config.tuning import Tuning
from aggregator.grouping.copies import sampled_shingles
from aggregator.grouping.copies.copy_check import CopyTuning, verdict
from aggregator.grouping.copies.copy_lookup import CopyFinder
from aggregator.grouping.copies.copy_match import CopyMatch
from aggregator.grouping.copies.minhash import sign
from aggregator.grouping.copies.shingles import shingle_hashes, shingle_sequence
from aggregator.grouping.incoming_article import incoming_article
from aggregator.model.article import ComparedText
from aggregator.model.entry import Entry
from aggregator.model.evidence import Evidence
from aggregator.model.prepared import CleanArticle, Fingerprint, Prepared
from aggregator.store.engine.database import Database
from aggregator.store.intake.inbox import InboxEntry
from aggregator.store.migrate import upgrade
from aggregator.store.stories import story_rows
from aggregator.store.stories.article_rows import article_writes
from aggregator.store.stories.stored_articles import StoredArticle

# Furniture as pages carry it, invented for this file.
# ruff: noqa: ARG001 (every way to make a copy takes the same arguments)
BEFORE = (
    "Skip to content. Subscribe to our newsletter and never miss a story. Home, World, Politics, Opinion.",
    "By our staff and agencies. Share this article on your favourite network. Listen to this article.",
    "Breaking news and live updates from our newsroom, around the clock and around the world.",
)
AFTER = (
    "Read more of our coverage here. Sign up for the morning briefing, delivered every weekday before seven.",
    "This story came from a partner and may have been edited for length by our desk. All rights reserved.",
    "Comments are closed. If you have spotted a mistake, write to the corrections desk and tell us the page.",
    "Most read today in this section. Follow us for more. Terms of use, privacy, cookie settings, contact.",
)

Derived = tuple[str, str]  # title, text
Article = dict[str, Any]
Make = Callable[[Article, random.Random, list[Article]], Derived]


def load(folder: Path, name: str = "events-fulltext.jsonl.gz") -> list[Article]:
    with gzip.open(folder / name, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def sentences(text: str) -> list[str]:
    return [
        part for part in re.split(r"(?<=[.!?])[\"'”’]?\s+|\n+", text) if part.strip()
    ]


def _strange_sentence(rng: random.Random, others: list[Article]) -> str:
    """Return a random sentence of the articles `others` with 8 to 50 words."""
    while True:
        sentence = rng.choice(sentences(rng.choice(others)["text"]))
        if 8 <= len(sentence.split()) <= 50:
            return sentence


def _strangers(rng: random.Random, others: list[Article], words: int) -> str:
    taken: list[str] = []
    while len(taken) < words:
        taken += rng.choice(others)["text"].split()
    return " ".join(taken[:words])


def replaced(share: float) -> Make:
    """Replace `share` of the sentences by sentences of other articles."""

    def make(article: Article, rng: random.Random, others: list[Article]) -> Derived:
        parts = sentences(article["text"])
        for at in rng.sample(range(len(parts)), round(share * len(parts))):
            parts[at] = _strange_sentence(rng, others)
        return article["title"], " ".join(parts)

    return make


def reworded(share: float) -> Make:
    """Replace every fourth word in `share` of the sentences."""

    def make(article: Article, rng: random.Random, others: list[Article]) -> Derived:
        parts = sentences(article["text"])
        for at in rng.sample(range(len(parts)), round(share * len(parts))):
            words = parts[at].split()
            for place in range(rng.randrange(4), len(words), 4):
                words[place] = rng.choice(rng.choice(others)["text"].split())
            parts[at] = " ".join(words)
        return article["title"], " ".join(parts)

    return make


def cut(share: float) -> Make:
    """Keep the first `share` of the words, because editors cut from the end."""

    def make(article: Article, rng: random.Random, others: list[Article]) -> Derived:
        words = article["text"].split()
        return article["title"], " ".join(words[: round(share * len(words))])

    return make


def thinned(share: float) -> Make:
    """Keep `share` of the sentences, chosen at random, in their order."""

    def make(article: Article, rng: random.Random, others: list[Article]) -> Derived:
        parts = sentences(article["text"])
        filter_sketch = sorted(
            rng.sample(range(len(parts)), max(1, round(share * len(parts))))
        )
        return article["title"], " ".join(parts[at] for at in filter_sketch)

    return make


def extended(share: float) -> Make:
    def make(article: Article, rng: random.Random, others: list[Article]) -> Derived:
        words = round(share * len(article["text"].split()))
        return article["title"], article["text"] + "\n" + _strangers(rng, others, words)

    return make


def framed(article: Article, rng: random.Random, others: list[Article]) -> Derived:
    before, after = (
        rng.sample(BEFORE, rng.randint(1, 3)),
        rng.sample(AFTER, rng.randint(1, 4)),
    )
    return article["title"], "\n".join([*before, article["text"], *after])


def reordered(article: Article, rng: random.Random, others: list[Article]) -> Derived:
    parts = [part for part in article["text"].split("\n") if part.strip()]
    parts = parts if len(parts) > 2 else sentences(article["text"])
    rng.shuffle(parts)
    return article["title"], "\n".join(parts)


def headed(make: Make) -> Make:
    """Make the same copy under the headline of another article."""

    def under(article: Article, rng: random.Random, others: list[Article]) -> Derived:
        return rng.choice(others)["title"], make(article, rng, others)[1]

    return under


def whole(article: Article, rng: random.Random, others: list[Article]) -> Derived:
    return article["title"], article["text"]


def excerpt(words: int) -> Make:
    def make(article: Article, rng: random.Random, others: list[Article]) -> Derived:
        all_words = article["text"].split()
        start = rng.randrange(max(1, len(all_words) - words))
        return rng.choice(others)["title"], " ".join(all_words[start : start + words])

    return make


MUST_BE_COPIES: dict[str, Make] = {
    "identical": whole,
    "other headline": headed(whole),
    "5 % of sentences replaced": replaced(0.05),
    "10 % replaced": replaced(0.1),
    "20 % replaced": replaced(0.2),
    "30 % replaced": replaced(0.3),
    "20 % reworded": reworded(0.2),
    "30 % reworded": reworded(0.3),
    "furniture before and after": framed,
    "furniture, other headline": headed(framed),
    "paragraphs reordered": reordered,
    "extended by 20 %": extended(0.2),
    "extended by 50 %": extended(0.5),
    "extended by 80 %": extended(0.8),
    "cut to 70 %": cut(0.7),
    "cut to 60 %": cut(0.6),
    "cut to 50 %": cut(0.5),
    "cut to 50 %, other headline": headed(cut(0.5)),
    "cut to 40 %": cut(0.4),
    "every other sentence": thinned(0.5),
}
EXCERPTS: dict[str, Make] = {
    "60-word excerpt": excerpt(60),
    "100-word excerpt": excerpt(100),
}


def wording(
    article: Article, text: str | None = None, title: str | None = None, **given: Any
) -> ComparedText:
    """Return an article as the copy check compares it. `given` replaces its other fields."""
    body = article["text"] if text is None else text
    values: dict[str, Any] = {"id": article["id"], "outlet": article["source"], **given}
    return ComparedText(
        title=article["title"] if title is None else title,
        text=body,
        signature=sign(shingle_hashes(body), seed=tuning().seed),
        **values,
    )


def tuning() -> CopyTuning:
    return Tuning().section("copies", CopyTuning)


NOON = datetime(2026, 10, 12, 12, tzinfo=UTC)


class Library:
    """Originals in a database, as placing stores them, but in one story, because the copy lookup ignores stories."""

    def __init__(self, articles: list[Article], folder: Path) -> None:
        self.tuning = tuning()
        self.originals = {
            article["id"]: wording(article, order=at)
            for at, article in enumerate(articles, start=1)
        }
        self.paired_copies: dict[str, set[str]] = defaultdict(
            set
        )  # copies of each other as they came: not false
        self.database = Database(f"sqlite:///{folder / 'copies.db'}")
        upgrade(self.database)
        self._finder = CopyFinder(Tuning())
        with self.database.write() as connection:
            story_rows.insert_story(connection, _story_row(articles[0]["id"]))
            for original in self.originals.values():
                coming = _coming(original)
                found = self._finder.find(connection, coming, None)
                article_writes.insert_article(connection, _row(coming, found))
                self._finder.add(original.order, found.sketch)
                for evidence in (found.copy, *found.excerpts):
                    if evidence is not None:
                        self.paired_copies[original.id].add(evidence.other)
                        self.paired_copies[evidence.other].add(original.id)

    def find(self, text: ComparedText) -> CopyMatch:
        """Return what the daemon would find for a text that comes after all originals."""
        with self.database.read() as connection:
            return self._finder.find(connection, _coming(text), None)


def _coming(text: ComparedText) -> StoredArticle:
    """Return a text as if a worker had prepared it, with only the fields that the copy lookup reads."""
    mark = Fingerprint(
        signature=text.signature,
        sketch=sampled_shingles.sketch(shingle_sequence(text.text), tuning()),
        terms=b"",
        body_words=0,
        text_hash=b"",
    )
    clean = CleanArticle(verdict="ok", title=text.title, text=text.text)
    entry = Entry(source="benchmark", outlet=text.outlet)
    waiting = InboxEntry(
        entry_no=text.order,
        inbox_no=text.order,
        article=text.id,
        is_revision=False,
        bump_by_clock=False,
        accepted_at=NOON,
        entry=entry,
    )
    prepared = Prepared(article=clean, fingerprint=mark)
    return incoming_article(waiting, prepared, NOON, wire_confidence=1.0)


def _row(coming: StoredArticle, found: CopyMatch) -> StoredArticle:
    return msgspec.structs.replace(
        coming,
        story="story",
        is_compared=False,
        copy_of=found.copy.other if found.copy else None,
        evidence=Evidence(stage="founded"),
        sketch=found.sketch,
    )


def _story_row(founder: str) -> story_rows.StoryRow:
    return story_rows.StoryRow(
        story_no=1,
        id="story",
        founding_article=founder,
        founding_no=0,
        title="",
        title_article=None,
        summary="",
        language=None,
        first_published=NOON,
        last_published=NOON,
        bumped_at=NOON,
        article_count=0,
        outlet_count=0,
        unknown_outlet_count=0,
        report_count=0,
        container_only=False,
        last_inbox_no=0,
        membership_changed_no=0,
    )


def measure(
    library: Library,
    articles: list[Article],
    make: Make,
    others: list[Article],
    seed: str,
) -> Counter[str]:
    """Return the counts for one kind of copy, by the names of the columns."""
    rng = random.Random(seed)  # so that the printed seed reproduces every copy
    counts: Counter[str] = Counter()
    for article in articles:
        title, text = make(article, rng, others)
        derived = wording(
            article, text, title, id="derived", outlet="another outlet", order=10**5
        )
        straight = verdict(derived, library.originals[article["id"]], library.tuning)
        found = library.find(derived)
        family = {article["id"]} | library.paired_copies[article["id"]]
        best = found.copy
        counts["all"] += 1
        counts["check"] += straight is not None and straight.kind == "copy"
        counts["check linked"] += straight is not None
        counts["found"] += (
            best is not None and best.kind == "copy" and best.other in family
        )
        counts["linked"] += best is not None and best.other in family
        counts["false"] += (
            best is not None and best.kind == "copy" and best.other not in family
        )
        strange = [
            one
            for one in (best, *found.excerpts)
            if one is not None and one.other not in family
        ]
        counts["false excerpts"] += sum(one.kind == "excerpt" for one in strange)
    return counts


def real_pairs(
    articles: list[Article], least_shared: int = 20
) -> Iterator[tuple[int, int]]:
    """Yield pairs of places (older, younger) that share at least `least_shared` shingles, without the copy lookup.

    Shingles of more than 60 articles are not counted.
    """
    holders: dict[int, list[int]] = defaultdict(list)
    for at, article in enumerate(articles):
        for shingle in shingle_hashes(article["text"]).tolist():
            holders[shingle].append(at)
    shared: Counter[tuple[int, int]] = Counter()
    for held in holders.values():
        if 1 < len(held) <= 60:
            shared.update(combinations(held, 2))
    yield from sorted(pair for pair, count in shared.items() if count >= least_shared)


def show_real_pairs(articles: list[Article], name: str) -> None:
    texts = [wording(article, order=at) for at, article in enumerate(articles)]
    counts: Counter[str] = Counter()
    for older, younger in real_pairs(articles):
        found = verdict(texts[younger], texts[older], tuning())
        one_event = articles[older]["cluster"] == articles[younger]["cluster"]
        counts[
            f"{found.kind if found else 'apart'}, {'one event' if one_event else 'two events'}"
        ] += 1
        if found and (
            found.kind == "excerpt" or not one_event or name.startswith("events-full")
        ):
            print(
                f"  {found.kind} {found.resemblance:.2f} {found.containment:.2f} one event: {one_event}"
            )
            print(
                f"    {articles[older]['title'][:90]!r} / {articles[younger]['title'][:90]!r}"
            )
    print(f"{name}: pairs with 20 shared shingles: {dict(sorted(counts.items()))}")


def stuffed(
    victim: Article, attacker: Article, own: int, stolen: int, own_first: bool
) -> tuple[ComparedText, ComparedText]:
    """Return a text of `own` words of the attacker and `stolen` words of the victim, and these `stolen` words."""
    theirs = " ".join(victim["text"].split()[:stolen])
    parts = [" ".join(attacker["text"].split()[:own]), theirs]
    text = "\n".join(parts if own_first else parts[::-1])
    return wording(attacker, text, outlet="attacker", order=2), wording(
        victim, theirs, outlet="victim", order=1
    )


def show_stuffing(chosen: list[Article], articles: list[Article], seed: int) -> None:
    """Print the verdicts on stuffed texts, in both orders of arrival; 300 own words or more should never be a copy."""
    for own, stolen in (
        (30, 300),
        (100, 300),
        (300, 300),
        (900, 300),
        (300, 900),
        (900, 900),
    ):
        for own_first in (True, False):
            rng = random.Random(f"{seed} {own} {stolen}")
            attackers = [one for one in articles if len(one["text"].split()) >= own]
            victims = [one for one in chosen if len(one["text"].split()) >= stolen]
            counts: Counter[str] = Counter()
            for victim in victims:
                attacker = rng.choice(
                    [one for one in attackers if one["cluster"] != victim["cluster"]]
                )
                attack, target = stuffed(victim, attacker, own, stolen, own_first)
                for name, found in (
                    ("attack later", verdict(attack, target, tuning())),
                    ("attack earlier", verdict(target, attack, tuning())),
                ):
                    counts[f"{name}: {found.kind if found else 'apart'}"] += 1
            side = "first" if own_first else "last"
            print(
                f"stuffed, {own} own ({side}) + {stolen} stolen: {dict(sorted(counts.items()))}"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--articles",
        type=int,
        default=0,
        help="how many are turned into copies (0: all)",
    )
    parser.add_argument("--seed", type=int, default=2026)
    default = (
        os.environ.get("AGGREGATOR_DATA")
        or Path(__file__).parents[2] / "shared" / "data"
    )
    parser.add_argument("--data", type=Path, default=Path(default))
    given = parser.parse_args()
    articles = load(given.data)
    with tempfile.TemporaryDirectory() as folder:
        show_copies(given, articles, Library(articles, Path(folder)))
    show_real_pairs(articles, "events-fulltext")
    show_real_pairs(load(given.data, "events-lookalikes.jsonl.gz"), "events-lookalikes")


def show_copies(
    given: argparse.Namespace, articles: list[Article], library: Library
) -> None:
    chosen = (
        articles
        if not given.articles
        else random.Random(given.seed).sample(articles, given.articles)
    )
    print(
        f"seed {given.seed}, {len(chosen)} of {len(articles)} articles, rules {Tuning().version}"
    )
    kinds: dict[str, Make] = MUST_BE_COPIES | EXCERPTS
    totals: Counter[str] = Counter()
    print(
        f"{'kind':42} {'check':>7} {'linked':>7} | {'found':>7} {'linked':>7} {'false':>6} {'f.exc':>6}"
    )
    for kind, make in kinds.items():
        began = time.process_time()
        counts = measure(library, chosen, make, articles, f"{given.seed} {kind}")
        totals.update(counts)
        shares = [
            f"{counts[name] / counts['all']:7.4f}"
            for name in ("check", "check linked", "found", "linked")
        ]
        seconds = time.process_time() - began
        print(
            f"{kind:42} {shares[0]} {shares[1]} | {shares[2]} {shares[3]} {counts['false']:6} "
            f"{counts['false excerpts']:6}  {1000 * seconds / counts['all']:.1f} ms",
            flush=True,
        )
    precision = totals["found"] / max(1, totals["found"] + totals["false"])
    print(f"precision of 'copy' over all kinds: {precision:.5f}")
    show_stuffing(chosen, articles, given.seed)


if __name__ == "__main__":
    main()
