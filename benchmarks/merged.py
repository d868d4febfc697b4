"""What the merged story is worth: the measures of its text, and the pairs that were judged by hand.

    python -m benchmarks.merged [--data ../shared/data] [--speed]

Over the events of `events-fulltext` with two reports or more, and the four seeds:

- faithful, attributed: the share of shown sentences that stand word for word in a paragraph of every article
  they are attributed to; and that name, by id, all articles of the story in which they stand;
- words shown / in: of stories with three reports or more;
- redundant: shown sentences as like as .45 to another shown one outside their own block;
- facts: counted facts a story of three reports; how many such stories have none; the mean share of the shared
  facts that the best single report has; sentences with a partner in another report.

`counted-facts.tsv` and `side-by-side.tsv` in results/ hold judged pairs (article, former number of the
sentence in its report, six digits of a hash of its words): of those that are counted or shown now, how many
say the same.
`--speed` gives only the times.
"""

import argparse
import csv
import datetime as dt
import gzip
import hashlib
import json
import os
import statistics
import time
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

from aggregator.config.tuning import Tuning
from aggregator.extract.article import clean_entry
from aggregator.model.core import ArticleView, AttributedSentence, Entry, MergedStory
from aggregator.stories.facts.facts import SentenceSimilarities, compare_all, fact_groups
from aggregator.stories.facts.sentence_similarity import read_features
from aggregator.stories.facts.source_sentences import SourceReport, read_reports, reports_of
from aggregator.stories.text.merged_text import merge
from aggregator.stories.tuning import shipped_tuning

RESULTS = Path(__file__).resolve().parent / "results"
SEEN = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
REDUNDANT_FROM = 0.45
End = tuple[str, str]  # an article and what tells its sentence: `check`


def article(record: Mapping[str, Any]) -> ArticleView:
    """A record of a labelled set as a reader of the store gets it, its text as it stands there."""
    published = _time(record.get("published"))
    outlet = record.get("source") or record["id"]
    return ArticleView(
        id=record["id"], outlet=outlet, outlet_key=outlet, url=record.get("url"),
        title=record["title"], published=published, published_precision="day" if published else None,
        seen=SEEN, effective_at=published or SEEN, language=record.get("lang", "en"), copy_of=None, wire=None,
        role="report", lead=record["text"].split("\n")[0], text=record["text"],
    )  # fmt: skip


def _time(text: str | None) -> dt.datetime | None:
    return None if text is None else dt.datetime.fromisoformat(text).astimezone(dt.UTC)


def stories(path: Path, least: int = 2) -> Iterator[list[ArticleView]]:
    """The events of a labelled set with `least` reports or more, in the order of their names."""
    events: dict[str, list[ArticleView]] = defaultdict(list)
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            record = json.loads(line)
            events[record["cluster"]].append(article(record))
    yield from (found for _, found in sorted(events.items()) if len(found) >= least)


def seed(path: Path) -> ArticleView:
    """One of the four saved texts, cleaned as the product cleans it."""
    entry = Entry(source="seeds", text=path.read_text(encoding="utf-8"), is_saved_text=True, outlet=path.stem)
    cleaned = clean_entry(entry, seen=SEEN, tuning=Tuning()).article
    published = cleaned.published
    return ArticleView(
        id=path.stem, outlet=path.stem, outlet_key=path.stem, url=None, title=cleaned.title, seen=SEEN,
        copy_of=None,
        published=published.time if published else None, effective_at=published.time if published else SEEN,
        language=cleaned.language, wire=None, role="container" if cleaned.is_container else "report",
        lead=cleaned.lead, text=cleaned.text,
        published_precision=published.precision if published else None,
    )  # fmt: skip


def shown(merged: MergedStory) -> list[AttributedSentence]:
    """Every sentence that a merged story shows, its timeline left out."""
    said = [merged.lead] if merged.lead else []
    said += [one for fact in (*merged.facts, *merged.quotations) for one in fact.said]
    said += merged.summary
    said += [one for same in merged.agreed for one in same.said]
    return list(dict.fromkeys([*said, *merged.only]))


def is_faithful(said: AttributedSentence, articles: Mapping[str, ArticleView]) -> bool:
    """Whether the words stand in one paragraph of each article they are attributed to."""
    return all(
        any(said.text in line for line in articles[id_].text.split("\n"))
        for id_ in (said.article, *said.also)
    )


def is_attributed(said: AttributedSentence, articles: Mapping[str, ArticleView]) -> bool:
    """Whether the articles named behind a sentence, by id, are all in which it stands."""
    if said.outlet != articles[said.article].outlet:
        return False
    return {said.article, *said.also} == {id_ for id_, one in articles.items() if said.text in one.text}


@dataclass(frozen=True, slots=True)
class ReadStory:
    """The sentences of a story and how alike they are."""

    reports: Sequence[SourceReport]
    similarities: SentenceSimilarities

    @property
    def ends(self) -> list[End]:
        """The article and the check of each sentence."""
        found = [each.sentence for each in self.similarities.features]
        return [(self.reports[one.report].article.id, check(one.text)) for one in found]


@dataclass(frozen=True, slots=True)
class Told:
    """A story with what was worked out for it."""

    articles: Sequence[ArticleView]
    merged: MergedStory
    read: ReadStory


def read(articles: Sequence[ArticleView]) -> ReadStory:
    tuning = shipped_tuning()
    reports = read_reports(reports_of(articles, tuning), tuning)
    return ReadStory(reports, compare_all(read_features(reports), tuning))


def tell(articles: Sequence[ArticleView]) -> Told:
    return Told(articles, merge(articles), read(articles))


def measures(reported: Sequence[Told]) -> dict[str, float]:
    """The figures that the head of this file names."""
    sentences = [(said, {a.id: a for a in each.articles}) for each in reported for said in shown(each.merged)]
    several = [each for each in reported if len({a.outlet for a in each.articles}) >= 3]
    words_in = sum(len(a.text.split()) for each in several for a in each.articles)
    words_out = sum(len(said.text.split()) for each in several for said in shown(each.merged))
    return {
        "stories": len(reported),
        "sentences shown": len(sentences),
        "faithful": _share(is_faithful(said, articles) for said, articles in sentences),
        "attributed": _share(is_attributed(said, articles) for said, articles in sentences),
        "stories of three": len(several),
        "words shown / in": words_out / max(1, words_in),
        "redundant": _share(flag for each in several for flag in _redundant(each)),
        "facts a story": statistics.fmean(len(each.merged.facts) for each in several),
        "without a fact": _share(not each.merged.facts for each in several),
        "best report's share": statistics.fmean(_best_share(each) for each in several if each.merged.facts),
        "with a partner": _partnered(several),
    }  # fmt: skip


def _share(flags: Iterator[bool]) -> float:
    found = list(flags)
    return sum(found) / max(1, len(found))


def _redundant(reported: Told) -> list[bool]:
    """For each shown sentence whether one outside its block says nearly the same."""
    merged = reported.merged
    blocks: list[Sequence[AttributedSentence]] = [fact.said for fact in (*merged.facts, *merged.quotations)]
    blocks += [(said,) for said in merged.only]
    if merged.lead and all(merged.lead not in block for block in blocks):
        blocks.append((merged.lead,))
    number = {end: index for index, end in enumerate(reported.read.ends)}
    shown_first = [(block[0].article, check(block[0].text)) for block in blocks if block]
    heads = [number[end] for end in shown_first if end in number]  # an opening need not be one
    return [
        any(reported.read.similarities.of(a, b) >= REDUNDANT_FROM for b in heads if b != a)
        for a in dict.fromkeys(heads)
    ]


def _best_share(reported: Told) -> float:
    held = Counter(
        article for fact in reported.merged.facts for article in {said.article for said in fact.said}
    )
    return max(held.values()) / len(reported.merged.facts)


def _partnered(reported: Sequence[Told]) -> float:
    tuning = shipped_tuning()
    partnered = sum(
        len(
            {
                i
                for group in fact_groups(each.read.similarities, each.read.reports, tuning)
                for i in group.members
            }
        )
        for each in reported
    )
    return partnered / max(1, sum(len(each.read.similarities.features) for each in reported))


@dataclass(frozen=True, slots=True)
class Judged:
    """A pair of sentences that a person looked at."""

    list: str
    ends: frozenset[End]
    same: bool


def judged(name: str) -> list[Judged]:
    """The pairs of a list in benchmarks/results/."""
    with (RESULTS / name).open(encoding="utf-8", newline="") as lines:
        return [
            Judged(row[0], frozenset(((row[1], row[3]), (row[4], row[6]))), row[7] == "same")
            for row in list(csv.reader(lines, delimiter="\t"))[1:]
        ]


def check(text: str) -> str:
    """What tells whether a sentence is still the one that was judged."""
    return hashlib.sha256(text.encode()).hexdigest()[:6]


def counted_pairs(story: ReadStory) -> set[frozenset[End]]:
    """The pairs that a story counts as one fact: the shown sentence with each other one."""
    ends = story.ends
    return {
        frozenset((ends[group.members[0]], ends[other]))
        for group in fact_groups(story.similarities, story.reports, shipped_tuning())
        for other in group.members[1:]
    }


def agreed_pairs(merged: MergedStory) -> set[frozenset[End]]:
    """The pairs that a story shows as figures that agree."""
    return {
        frozenset(((a.article, check(a.text)), (b.article, check(b.text))))
        for same in merged.agreed
        for a, b in combinations(same.said, 2)
    }


def precision(
    read_again: Sequence[ReadStory], pairs: Sequence[Judged], now: Collection[frozenset[End]] | str
) -> tuple[int, int, int]:
    """Of judged pairs how many are among the pairs `now` ("counted": those counted as one fact), how many of
    these say the same, and how many cannot be found any more because their sentences are others."""
    if isinstance(now, str):
        now = set().union(*(counted_pairs(each) for each in read_again))
    ends = {end for each in read_again for end in each.ends}
    known = [pair for pair in pairs if pair.ends <= ends]
    still = [pair for pair in known if pair.ends in now]
    return len(still), sum(pair.same for pair in still), len(pairs) - len(known)


def milliseconds(groups: Sequence[Sequence[ArticleView]]) -> list[float]:
    """CPU time of telling each story, the better of two runs: others may be at work on the machine."""
    found = []
    for articles in groups:
        runs = []
        for _ in range(2):
            started = time.process_time()
            merge(articles)
            runs.append(1000 * (time.process_time() - started))
        found.append(min(runs))
    return found


def saga(path: Path, word: str, size: int) -> list[ArticleView]:
    """The first reports whose titles hold `word`: one long story, as far as words go."""
    found = [a for event in stories(path, least=1) for a in event if word in a.title.lower()]
    return sorted(found, key=lambda a: (a.effective_at, a.id))[:size]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    default = os.environ.get("AGGREGATOR_DATA", str(Path(__file__).resolve().parents[2] / "shared" / "data"))
    parser.add_argument("--data", type=Path, default=Path(default))
    parser.add_argument("--speed", action="store_true", help="only the times")
    asked = parser.parse_args()
    path = asked.data / "events-fulltext.jsonl.gz"
    if not asked.speed:
        reported = [tell(articles) for articles in stories(path)]
        _print("events-fulltext", measures(reported))
        _print(
            "seeds", measures([tell([seed(file) for file in sorted((asked.data / "seeds").glob("*.txt"))])])
        )
        for name in ("counted-facts.tsv", "side-by-side.tsv"):
            pairs = judged(name)
            for which in dict.fromkeys(pair.list for pair in pairs):
                _print_judged(f"{name} {which}", [pair for pair in pairs if pair.list == which], reported)
    four = [[*event, *more[:1]] for event, more in zip(*_threes(path), strict=True)]
    times = sorted(milliseconds(four[:40]))
    print(
        f"CPU for 4 reports: median {statistics.median(times):.0f} ms, "
        f"95 % {times[int(0.95 * len(times))]:.0f} ms"
    )
    long = saga(path, "impeach", 30)
    print(f"CPU for {len(long)} reports: {milliseconds([long])[0]:.0f} ms")


def _print_judged(name: str, pairs: Sequence[Judged], reported: Sequence[Told]) -> None:
    kind = pairs[0].list
    now: Collection[frozenset[End]] | str = "counted"
    if kind == "agreed":
        now = set().union(*(agreed_pairs(each.merged) for each in reported))
    shown_now, same, lost = precision([each.read for each in reported], pairs, now)
    share = same / max(1, shown_now)
    print(f"{name}: {same} of {shown_now} right ({share:.3f}); {len(pairs)} judged, {lost} lost")


def _threes(path: Path) -> tuple[list[list[ArticleView]], list[list[ArticleView]]]:
    """Events of three reports, each with the event after it."""
    events = list(stories(path, least=3))
    return events, [*events[1:], events[0]]


def _print(name: str, figures: Mapping[str, float]) -> None:
    print(name + ": " + "  ".join(f"{key} {value:.4g}" for key, value in figures.items()))


if __name__ == "__main__":
    main()
