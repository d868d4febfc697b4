"""How well copies are found: recall by kind of derived copy, precision on real different articles.

    python benchmarks/copies.py [--articles N] [--seed N] [--data FOLDER]

Every article of `events-fulltext.jsonl.gz` is turned into copies as other outlets would print them. Each copy
is looked up among all originals by its LSH keys, ranked and checked exactly, as the daemon does it. Printed
are, for each kind: `check` (share found when the original is a candidate), `found` (by LSH and check),
`linked` (the same, excerpts included) and false twins. Then what real pairs of different articles are called.
"""

import argparse
import gzip
import json
import os
import random
import re
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

from aggregator.dedup.copies import CopyRules, Wording, best_copy, ranked, verdict
from aggregator.dedup.shingles import shingle_hashes
from aggregator.dedup.signature import bands, sign
from aggregator.rules import rule_book

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
    return [part for part in re.split(r"(?<=[.!?])[\"'”’]?\s+|\n+", text) if part.strip()]


def _strange_sentence(rng: random.Random, others: list[Article]) -> str:
    """A sentence of another article, 8 to 50 words long."""
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
    """`share` of the sentences give way to sentences of other articles."""

    def make(article: Article, rng: random.Random, others: list[Article]) -> Derived:
        parts = sentences(article["text"])
        for at in rng.sample(range(len(parts)), round(share * len(parts))):
            parts[at] = _strange_sentence(rng, others)
        return article["title"], " ".join(parts)

    return make


def reworded(share: float) -> Make:
    """In `share` of the sentences every fourth word is another."""

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
    """The first `share` of the words, as an editor cuts from the end."""

    def make(article: Article, rng: random.Random, others: list[Article]) -> Derived:
        words = article["text"].split()
        return article["title"], " ".join(words[: round(share * len(words))])

    return make


def thinned(share: float) -> Make:
    """`share` of the sentences, picked anywhere but in order."""

    def make(article: Article, rng: random.Random, others: list[Article]) -> Derived:
        parts = sentences(article["text"])
        kept = sorted(rng.sample(range(len(parts)), max(1, round(share * len(parts)))))
        return article["title"], " ".join(parts[at] for at in kept)

    return make


def extended(share: float) -> Make:
    def make(article: Article, rng: random.Random, others: list[Article]) -> Derived:
        words = round(share * len(article["text"].split()))
        return article["title"], article["text"] + "\n" + _strangers(rng, others, words)

    return make


def framed(article: Article, rng: random.Random, others: list[Article]) -> Derived:
    before, after = rng.sample(BEFORE, rng.randint(1, 3)), rng.sample(AFTER, rng.randint(1, 4))
    return article["title"], "\n".join([*before, article["text"], *after])


def reordered(article: Article, rng: random.Random, others: list[Article]) -> Derived:
    parts = [part for part in article["text"].split("\n") if part.strip()]
    parts = parts if len(parts) > 2 else sentences(article["text"])
    rng.shuffle(parts)
    return article["title"], "\n".join(parts)


def headed(make: Make) -> Make:
    """The same under the headline of another article."""

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
EXCERPTS: dict[str, Make] = {"60-word excerpt": excerpt(60), "100-word excerpt": excerpt(100)}


def wording(article: Article, text: str | None = None, title: str | None = None, **given: Any) -> Wording:
    """`given` goes over what the article has; the signature is made here."""
    body = article["text"] if text is None else text
    values: dict[str, Any] = {"id": article["id"], "outlet": article["source"], **given}
    return Wording(
        title=article["title"] if title is None else title,
        text=body,
        signature=sign(shingle_hashes(body), seed=rules().seed),
        **values,
    )


def rules() -> CopyRules:
    return rule_book().section("copies", CopyRules)


class Library:
    """Originals under their LSH keys, as the band table of the database holds them."""

    def __init__(self, articles: list[Article]) -> None:
        self.rules = rules()
        self.originals = {
            article["id"]: wording(article, order=at) for at, article in enumerate(articles, start=1)
        }
        self.by_key: dict[int, list[str]] = defaultdict(list)
        self.twins: dict[str, set[str]] = defaultdict(set)  # copies of each other as they came: not false
        for original in self.originals.values():
            for key in self._keys(original):
                self.by_key[key].append(original.id)
        for original in self.originals.values():
            for other in self.likely(original):
                if other.id != original.id and verdict(original, other, self.rules):
                    self.twins[original.id].add(other.id)
                    self.twins[other.id].add(original.id)

    def _keys(self, text: Wording) -> tuple[int, ...]:
        return bands(text.signature, count=self.rules.bands, rows=self.rules.rows)

    def candidates(self, text: Wording) -> list[str]:
        """Those that share a key, most keys first."""
        votes = Counter(id_ for key in self._keys(text) for id_ in self.by_key.get(key, ()))
        return sorted(votes, key=lambda id_: (-votes[id_], self.originals[id_].order))

    def likely(self, text: Wording) -> list[Wording]:
        rows = [
            (id_, self.originals[id_].signature, self.originals[id_].order) for id_ in self.candidates(text)
        ]
        return [self.originals[one.id] for one in ranked(text.signature, rows, self.rules)]


def measure(
    library: Library, articles: list[Article], make: Make, others: list[Article], seed: str
) -> Counter[str]:
    """Counts for one kind: all, check, found, linked, false."""
    rng = random.Random(seed)  # a print of the seed reproduces every copy
    counts: Counter[str] = Counter()
    for article in articles:
        title, text = make(article, rng, others)
        derived = wording(article, text, title, id="derived", outlet="another outlet", order=10**9)
        straight = verdict(derived, library.originals[article["id"]], library.rules)
        likely = library.likely(derived)
        best = best_copy(derived, likely, library.rules)
        family = {article["id"]} | library.twins[article["id"]]
        counts["all"] += 1
        counts["check"] += straight is not None and straight.kind == "copy"
        counts["check linked"] += straight is not None
        counts["found"] += best is not None and best.kind == "copy" and best.other in family
        counts["linked"] += best is not None and best.other in family
        judged = [(one, verdict(derived, one, library.rules)) for one in likely if one.id not in family]
        counts["false"] += sum(evidence is not None and evidence.kind == "copy" for _, evidence in judged)
        counts["false excerpts"] += sum(
            evidence is not None and evidence.kind == "excerpt" for _, evidence in judged
        )
    return counts


def real_pairs(articles: list[Article], least_shared: int = 20) -> Iterator[tuple[int, int]]:
    """Pairs (older, younger by place) that share at least `least_shared` shingles, whatever LSH finds."""
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
        found = verdict(texts[younger], texts[older], rules())
        one_event = articles[older]["cluster"] == articles[younger]["cluster"]
        counts[f"{found.kind if found else 'apart'}, {'one event' if one_event else 'two events'}"] += 1
        if found and (found.kind == "excerpt" or not one_event or name.startswith("events-full")):
            print(f"  {found.kind} {found.resemblance:.2f} {found.containment:.2f} one event: {one_event}")
            print(f"    {articles[older]['title'][:90]!r} / {articles[younger]['title'][:90]!r}")
    print(f"{name}: pairs with 20 shared shingles: {dict(sorted(counts.items()))}")


def stuffed(
    victim: Article, attacker: Article, own: int, stolen: int, own_first: bool
) -> tuple[Wording, Wording]:
    """A text of `own` words with `stolen` words of another outlet's put to it, and that other text."""
    theirs = " ".join(victim["text"].split()[:stolen])
    parts = [" ".join(attacker["text"].split()[:own]), theirs]
    text = "\n".join(parts if own_first else parts[::-1])
    return wording(attacker, text, outlet="attacker", order=2), wording(
        victim, theirs, outlet="victim", order=1
    )


def show_stuffing(chosen: list[Article], articles: list[Article], seed: int) -> None:
    """What stuffed texts are called, in both orders of arrival; with 300 own words and more never a copy."""
    for own, stolen in ((30, 300), (100, 300), (300, 300), (900, 300), (300, 900), (900, 900)):
        for own_first in (True, False):
            rng = random.Random(f"{seed} {own} {stolen}")
            attackers = [one for one in articles if len(one["text"].split()) >= own]
            victims = [one for one in chosen if len(one["text"].split()) >= stolen]
            counts: Counter[str] = Counter()
            for victim in victims:
                attacker = rng.choice([one for one in attackers if one["cluster"] != victim["cluster"]])
                attack, target = stuffed(victim, attacker, own, stolen, own_first)
                for name, found in (
                    ("attack later", verdict(attack, target, rules())),
                    ("attack earlier", verdict(target, attack, rules())),
                ):
                    counts[f"{name}: {found.kind if found else 'apart'}"] += 1
            side = "first" if own_first else "last"
            print(f"stuffed, {own} own ({side}) + {stolen} stolen: {dict(sorted(counts.items()))}")


def show_lsh_volume(library: Library) -> None:
    """Candidates that unrelated articles bring, and what that means at a million stored."""
    total = sum(len(library.candidates(text)) - 1 for text in library.originals.values())
    count = len(library.originals)
    keys = [len(held) for held in library.by_key.values()]
    per_pair = total / (count * (count - 1))
    print(
        f"candidates an article among {count}: {total / count:.3f} (biggest band {max(keys)}); "
        f"the same rate at 1,000,000 stored: {per_pair * 1e6:.0f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--articles", type=int, default=0, help="how many are turned into copies (0: all)")
    parser.add_argument("--seed", type=int, default=2026)
    default = os.environ.get("AGGREGATOR_DATA") or Path(__file__).parents[2] / "shared" / "data"
    parser.add_argument("--data", type=Path, default=Path(default))
    given = parser.parse_args()
    articles = load(given.data)
    library = Library(articles)
    chosen = articles if not given.articles else random.Random(given.seed).sample(articles, given.articles)
    print(f"seed {given.seed}, {len(chosen)} of {len(articles)} articles, rules {rule_book().version}")
    show_lsh_volume(library)
    kinds: dict[str, Make] = MUST_BE_COPIES | EXCERPTS
    totals: Counter[str] = Counter()
    print(f"{'kind':42} {'check':>7} {'linked':>7} | {'found':>7} {'linked':>7} {'false':>6} {'f.exc':>6}")
    for kind, make in kinds.items():
        began = time.process_time()
        counts = measure(library, chosen, make, articles, f"{given.seed} {kind}")
        totals.update(counts)
        shares = [
            f"{counts[name] / counts['all']:7.4f}" for name in ("check", "check linked", "found", "linked")
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
    show_real_pairs(articles, "events-fulltext")
    show_real_pairs(load(given.data, "events-lookalikes.jsonl.gz"), "events-lookalikes")


if __name__ == "__main__":
    main()
