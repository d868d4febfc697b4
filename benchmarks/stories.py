"""What is wrong in shown stories: words that no article has, mute reports, damaged texts; and the time of rendering.

    python -m benchmarks.stories [--data ../shared/data] [--before CHECKOUT] [--examples COUNT]

The articles of each labelled set (SETS) are placed as `eval` places them, and the rows of `story_counts.py` are counted
over the stories of several outlets; `--examples` prints some stories of each row. Measured on the events of
`events-fulltext` with two or more reports are:

- words: how many lead paragraphs, openings and quotations are in one paragraph, word for word, of each
  article that they are attributed to, and how many stories show none;
- ms a story: the CPU time of rendering a story (title, lead, openings, quotations, names, topics), which is the
  better of two runs, averaged over the stories. `--before` also prints the time of another checkout of the project,
  which is run in its own process, in the same Python environment.
"""

import argparse
import gzip
import json
import os
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

from aggregator.model.article import ArticleView
from aggregator.stories.story_tuning import shipped_tuning

ROOT = Path(__file__).resolve().parents[1]
SEEN = datetime(2026, 1, 1, tzinfo=UTC)
# The development sets whose stories are counted; the leads have texts of a sentence or two, as feeds have them.
SETS = ("months", "fulltext", "second-day", "reading-list", "leads")


def stories(path: Path, least: int = 2) -> Iterator[list[ArticleView]]:
    """Yield the articles of each event of a labelled set that has at least `least`, in the order of event names."""
    events: dict[str, list[ArticleView]] = defaultdict(list)
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for number, line in enumerate(lines):
            record = json.loads(line)
            published = datetime.fromisoformat(record["published"]).astimezone(UTC)
            article = ArticleView(
                id=record["id"],
                inbox_no=number,
                outlet=record["source"],
                outlet_key=record["source"],
                url=record.get("url"),
                title=record["title"],
                published=published,
                published_precision="day",
                seen=SEEN,
                effective_at=published,
                language=record.get("lang", "en"),
                copy_of=None,
                wire=None,
                role="report",
                lead=record["text"].partition("\n")[0],
                text=record["text"],
            )
            events[record["cluster"]].append(article)
    yield from (
        articles for _, articles in sorted(events.items()) if len(articles) >= least
    )


def wrong_words(articles: Sequence[ArticleView]) -> tuple[int, list[str]]:
    """Return how many texts a story shows, and those that are not in an article that they are attributed to."""
    from aggregator.stories.rendering import story_text
    from aggregator.stories.titles.title import headline

    shown = story_text(articles, headline(articles, None).title, shipped_tuning())
    passages = [
        (passage.text, passage.article_id) for passage in (*shown.lead, *shown.openings)
    ]
    for quotation in shown.quotations:
        passages += [
            (quotation.text, article_id) for article_id in quotation.article_ids
        ]
    paragraphs = {article.id: article.text.split("\n") for article in articles}
    wrong = [
        text
        for text, id_ in passages
        if not any(text in line for line in paragraphs[id_])
    ]
    return len(passages), wrong


def milliseconds(groups: Sequence[Sequence[ArticleView]]) -> float:
    """Return the mean CPU time of rendering a story, because other programs may use the machine."""
    try:
        rendering = import_module("aggregator.stories.rendering")
    except ImportError:  # an older checkout has the module elsewhere
        rendering = import_module("aggregator.stories.text.rendering")
    times = []
    for articles in groups:
        runs = []
        for _ in range(2):
            started = time.process_time()
            rendering.render(articles[0].title, articles, shipped_tuning())
            runs.append(1000 * (time.process_time() - started))
        times.append(min(runs))
    return statistics.fmean(times)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    default = os.environ.get("AGGREGATOR_DATA", str(ROOT.parent / "shared" / "data"))
    parser.add_argument("--data", type=Path, default=Path(default))
    parser.add_argument(
        "--before", type=Path, help="a checkout whose time is given, too"
    )
    parser.add_argument("--time", action="store_true", help="only the time")
    parser.add_argument(
        "--examples", type=int, default=0, help="stories printed of each count"
    )
    asked = parser.parse_args()
    groups = list(stories(asked.data / "events-fulltext.jsonl.gz"))
    if not asked.time:
        counted = [wrong_words(articles) for articles in groups]
        texts, wrong = (
            sum(count for count, _ in counted),
            [text for _, found in counted for text in found],
        )
        empty = sum(count == 0 for count, _ in counted)
        print(
            f"words: {texts - len(wrong)} of {texts} texts right; {empty} of {len(groups)} stories are empty"
        )
        print(*wrong, sep="\n", end="\n" if wrong else "")
        # Imported here, because an older checkout that is timed does not have the module.
        from benchmarks.story_counts import counts, examples, placed_stories

        for name in SETS:
            shown = placed_stories(asked.data / f"events-{name}.jsonl.gz")
            print(f"\n{name}:")
            for what, count in counts(shown).items():
                print(f"{count:6}  {what}")
            print(*examples(shown, asked.examples), sep="\n")
    print(f"ms a story of several: {milliseconds(groups):.1f}")
    if asked.before:
        print("before: ", end="", flush=True)
        command = [
            sys.executable,
            str(Path(__file__).resolve()),
            "--time",
            "--data",
            str(asked.data),
        ]
        environment = {**os.environ, "PYTHONPATH": str(asked.before.resolve())}
        subprocess.run(command, check=True, cwd=asked.before, env=environment)


if __name__ == "__main__":
    main()
