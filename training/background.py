"""Makes aggregator/text/background.tsv.gz: in how many events a word occurs.

    python -m training.background            the shipped table: all events of the two labelled files
    python -m training.background --train    only the events of the training half

The words are counted in the titles and texts of all reports of events-fulltext and events-leads. A term counts once
for an event, however many reports have it. Terms of only one event are left out, because they would add the event's own
names to the table, and say no more than that a term is unknown.
"""

import argparse
import gzip
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path

from aggregator.config.tuning import Tuning
from aggregator.grouping.pairs.terms import special_terms
from aggregator.grouping.pairs.weights import EventTuning
from aggregator.text.document_frequency import ANY_LANGUAGE, BackgroundFrequencies, Kind
from aggregator.text.reading import read
from aggregator.text.tokens import word_tokens
from aggregator.text.vocabulary import Vocabulary
from training.dataset import Labelled, is_held_out, read_labelled

TARGET = (
    Path(__file__).resolve().parents[1] / "aggregator" / "text" / "background.tsv.gz"
)
FILES = ("events-fulltext.jsonl.gz", "events-leads.jsonl.gz")
TUNING = Tuning().section("events", EventTuning)
EMPTY = BackgroundFrequencies(events={}, counts={})


def count(articles: Iterable[Labelled]) -> BackgroundFrequencies:
    """Return the number of events by term."""
    lexicons: dict[str, Vocabulary] = {}
    seen: dict[str, set[tuple[Kind, str, str]]] = defaultdict(set)
    languages: dict[str, str] = {}
    for article in articles:
        lexicon = lexicons.setdefault(
            article.language, Vocabulary(article.language, EMPTY)
        )
        languages[article.cluster] = article.language
        tokens = set(word_tokens(f"{article.title}\n{article.text}", lexicon.language))
        terms = seen[article.cluster]
        terms.update(
            ("w", article.language, stem) for stem in map(lexicon.stem, tokens) if stem
        )
        reading = read(article.title, article.text, article.language)
        special = special_terms(article.title, article.text, reading, lexicon, TUNING)
        for kind, found in special.items():
            terms.update((kind, ANY_LANGUAGE, term) for term in found)
    counts = Counter(term for terms in seen.values() for term in terms)
    tables: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
    for (kind, language, term), df in counts.items():
        if df >= 2 and len(term) <= 64:
            tables[kind, language][term] = df
    events = Counter(languages.values())
    return BackgroundFrequencies(
        events={**events, ANY_LANGUAGE: len(seen)}, counts=tables
    )


def write_background(background: BackgroundFrequencies) -> bytes:
    """Return the bytes of the file; equal tables give equal bytes."""
    lines = [
        f"events\t{language}\t\t{n}"
        for language, n in sorted(background.events.items())
    ]
    for (kind, language), table in sorted(background.counts.items()):
        lines.extend(
            f"{kind}\t{language}\t{term}\t{df}" for term, df in sorted(table.items())
        )
    return gzip.compress("\n".join(lines).encode("utf-8"), compresslevel=9, mtime=0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--train", action="store_true")
    parser.add_argument("--files", nargs="*", default=list(FILES))
    parser.add_argument("--target", type=Path, default=TARGET)
    given = parser.parse_args()
    articles = [article for name in given.files for article in read_labelled(name)]
    if given.train:
        articles = [article for article in articles if not is_held_out(article.cluster)]
    data = write_background(count(articles))
    given.target.write_bytes(data)
    print(f"{given.target}: {len(data)} bytes")


if __name__ == "__main__":
    main()
