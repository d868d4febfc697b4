"""The title, summary and text of given events, and how similar they are to neutral ones by editors.

    python -m benchmarks.briefs FILE [--output OUT]

FILE (.jsonl, .jsonl.gz) has records `{"id", "articles": [{"title", "text"}], "neutral_title"?,
"neutral_text"?}`; OUT gets a line `{"id", "title", "summary", "text"}` for each. The articles are cleaned as
the daemon cleans them. Each has an outlet of its own and no date, and they arrive in the order of the record. Printed
are the mean ROUGE-1 F1 (with stems, in hundredths, over the records that have a neutral title or text) and the
mean number of words. ROUGE needs the package rouge-score, a development dependency.
"""

import argparse
import gzip
import json
import statistics
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from aggregator.config.publish_settings import PublishConfig
from aggregator.config.tuning import Tuning
from aggregator.extract.clean_article import clean_entry
from aggregator.model.article import ArticleView
from aggregator.model.entry import Entry
from aggregator.stories.lead import summary
from aggregator.stories.plain_text import as_text
from aggregator.stories.rendering import story_text
from aggregator.stories.story_tuning import shipped_tuning
from aggregator.stories.titles.title import headline

SEEN = datetime(2026, 1, 1, tzinfo=UTC)
NEUTRAL = {"title": "neutral_title", "summary": "neutral_text"}


def records(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the records of a file, which may be compressed."""
    with (gzip.open if path.suffix == ".gz" else open)(
        path, "rt", encoding="utf-8"
    ) as lines:
        yield from map(json.loads, filter(str.strip, lines))


def articles(record: Mapping[str, Any]) -> list[ArticleView]:
    """Return the articles of an event, cleaned, each with an outlet of its own."""
    names = [f"{record['id']}-{number}" for number in range(len(record["articles"]))]
    return [
        cleaned(name, each | {"source": name}, SEEN + timedelta(seconds=number))
        for number, (name, each) in enumerate(
            zip(names, record["articles"], strict=True)
        )
    ]


def cleaned(name: str, given: Mapping[str, Any], time: datetime) -> ArticleView:
    """Return an article as the daemon cleans it, without a date and with `time` for its place in the order."""
    outlet, url = given.get("source"), given.get("url")
    title, text = given.get("title") or "", given.get("text") or ""
    entry = Entry(source="briefs", title=title, text=text, outlet=outlet, url=url)
    read = clean_entry(entry, seen=SEEN, tuning=Tuning()).article
    return ArticleView(
        id=name, inbox_no=0, outlet=outlet, outlet_key=outlet, url=None, title=read.title, published=None,
        seen=SEEN, effective_at=time, language=read.language, copy_of=None, wire=None, kind=read.kind,
        kind_evidence=read.kind_evidence, style=read.style, role="container" if read.is_container else "report",
        lead=read.lead, text=read.text,
    )  # fmt: skip


def brief(record: Mapping[str, Any], max_words: int) -> dict[str, str]:
    """Return the line of OUT for a record."""
    read = articles(record)
    title = headline(read, None).title
    text = as_text(story_text(read, title, shipped_tuning()), read)
    return {
        "id": record["id"],
        "title": title,
        "summary": summary(read, max_words, shown_title=title),
        "text": text,
    }


def figures(
    given: Sequence[Mapping[str, Any]], made: Sequence[Mapping[str, str]]
) -> list[str]:
    """Return the lines of the report: ROUGE-1 and words, or one line if rouge-score is not installed."""
    try:
        from rouge_score.rouge_scorer import RougeScorer
    except ImportError:
        return [
            "ROUGE is not measured: the package rouge-score is not installed (make test installs it)"
        ]
    scorer = RougeScorer(["rouge1"], use_stemmer=True)
    lines = []
    for name, neutral in NEUTRAL.items():
        pairs = [
            (one[neutral], each[name])
            for one, each in zip(given, made, strict=True)
            if one.get(neutral)
        ]
        if pairs:
            mean = 100 * statistics.fmean(
                scorer.score(*pair)["rouge1"].fmeasure for pair in pairs
            )
            words = statistics.fmean(len(text.split()) for _, text in pairs)
            lines.append(
                f"{name:8} ROUGE-1 {mean:.1f} over {len(pairs)} records, {words:.1f} words"
            )
    return lines


def main() -> None:
    """Read FILE, write OUT, print the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("file", type=Path)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    given = list(records(options.file))
    made = [brief(record, PublishConfig().excerpt_words) for record in given]
    if options.output:
        lines = (json.dumps(one, ensure_ascii=False) + "\n" for one in made)
        options.output.write_text("".join(lines), encoding="utf-8")
    print("\n".join(figures(given, made)))


if __name__ == "__main__":
    main()
