"""The command search: the matching articles, grouped by story."""

import datetime as dt
from collections.abc import Iterator
from operator import attrgetter
from typing import TYPE_CHECKING, Annotated, TypeVar

from aggregator.cli import output
from aggregator.cli.context import Context, missing_database
from aggregator.cli.options import argument, option
from aggregator.config.logging import one_line
from aggregator.config.messages import counted
from aggregator.model.errors import UsageError

if TYPE_CHECKING:
    from aggregator.model.read_model import EntryHit, SearchHit, SearchResults

Snippet = TypeVar("Snippet", "SearchHit", "EntryHit")
# Columns of the CSV, and the attribute of `SearchHit` in each.
_CSV = {
    "article": "article",
    "story": "story",
    "story_title": "story_title",
    "title": "title",
    "outlet": "outlet",
    "url": "url",
    "effective": "effective_at",
    "language": "language",
    "snippet": "snippet",
}
_WIDTH_FOR_IDS = 100  # columns of a terminal; a narrower one leaves out the ids of articles


def search(
    context: Context,
    text: Annotated[
        str,
        argument(
            "TEXT",
            'Find articles with all these words; use "two words" for a phrase, rebel* for a prefix, '
            "-word to exclude, a OR b, title: outlet: author: lang: after:2024-12-01 before:2024-12-31.",
        ),
    ],
    since: Annotated[str, option("--since", "TIME", "Find articles since then: 24h, 7d, or a date.")] = "",
    until: Annotated[str, option("--until", "TIME", "Find articles until then: 24h, 7d, or a date.")] = "",
    outlet: Annotated[str, option("--outlet", "NAME", "Find articles by this outlet.")] = "",
    language: Annotated[str, option("--language", "TAG", "Find articles in this language, such as en.")] = "",
    limit: Annotated[int, option("--limit", "N", "Show at most N articles.", min=1)] = 20,
    format_: output.ListFormat = "table",
) -> None:
    """Search articles for words, best match first.

    The articles are grouped by story. JSON contains both lists.

    \b
    Examples:
      aggregator search 'dam siren'
      aggregator search '"central bank" rate*' --limit 5
      aggregator search 'title:strike -port' --since 30d --language en --format csv
      aggregator search -- -sport
    """
    from aggregator.model.read_model import SearchBounds
    from aggregator.store.read.reader import StoryReader

    now = dt.datetime.now(dt.UTC)
    bounds = SearchBounds(
        since=output.moment(since, now) if since else None,
        until=output.end(until, now) if until else None,
        outlet=outlet or None,
        language=language or None,
    )
    with context.obj.reading() as (config, database):
        reader = StoryReader(database)
        results = reader.search(text, limit, bounds)
        similar_words = reader.similar_words(text) if format_ == "table" and not results.hits else {}
    if results.problem:
        raise UsageError(results.problem)
    if results.partial:
        output.say("older articles are not indexed yet; `aggregator run` rebuilds the index")
    if format_ == "json":
        output.json_line({"articles": list(map(_marked, results.hits)), "stories": results.stories})
    elif format_ == "jsonl":
        for hit in results.hits:
            output.json_line(_marked(hit))
    elif format_ == "csv":
        output.write_csv(tuple(_CSV), map(attrgetter(*_CSV.values()), results.hits))
    elif results.hits:
        _print(results)
        if results.more:
            output.say(f"There are more articles. Show them with --limit {limit * 5}.")
    elif missing_database(config) is None:
        output.say("No articles found. Try fewer words, or a prefix such as rebel*.")
        for word, similar in similar_words.items():
            output.say(f"No article has the word {word}; did you mean {similar}?")


def _marked(hit: "SearchHit") -> "SearchHit":
    """Adjust the positions of the marks to the printed snippets, which have no control characters."""
    from msgspec.structs import replace

    from aggregator.web.sanitise import visible_marked

    def shown(found: Snippet) -> Snippet:
        snippet, marks = visible_marked(found.snippet, found.marks)
        return replace(found, snippet=snippet, marks=marks)

    return shown(replace(hit, entries=tuple(map(shown, hit.entries))))


def _print(results: "SearchResults") -> None:
    """Print each story with its matching articles."""
    by_story: dict[str, list[SearchHit]] = {}
    for hit in results.hits:
        by_story.setdefault(hit.story, []).append(hit)
    found = {one.story: one.found for one in results.stories}
    blocks = []
    for story, hits in by_story.items():
        matching = counted(max(found.get(story, 0), len(hits)), "matching article")
        headline = one_line(hits[0].story_title) or "Untitled"
        lines = [f"{story}, {matching}", *(line for hit in hits for line in _hit_lines(hit))]
        blocks.append(output.wrapped(headline) + "\n".join(lines) + "\n")
    output.out("\n".join(blocks))


def _hit_lines(hit: "SearchHit") -> Iterator[str]:
    """Yield the lines of a hit: time, outlet and title, and its snippets; a wide terminal has its id, too.

    Each fits the terminal: a long title has a line of its own, and a snippet is cut around its match. If
    standard output is no terminal, a hit is one line with all of it.
    """
    from aggregator.web.story_json import clock

    width = output.terminal_width()
    now = dt.datetime.now(dt.UTC)
    head = f"{output.cell(hit.effective_at, now):11} {output.cell(hit.outlet, now)}"
    if width is None or width >= _WIDTH_FOR_IDS:
        head = f"{hit.article} {head}"
    title = one_line(hit.title) if hit.title != hit.story_title else ""
    with_title = f"  {head}: {title}" if title else f"  {head}"
    snippets: list[tuple[str, SearchHit | EntryHit]] = [
        (f"{f'{one.day} ' if one.day else ''}{clock(one.clock_minutes)}: ", one) for one in hit.entries
    ] or [("", hit)]
    texts = [(when, one_line(one.snippet), one.marks) for when, one in snippets if one.snippet]
    if width is None:
        yield with_title + "".join(f" | {when}{text}" for when, text, _ in texts)
        return
    if output.shortened(with_title, width) == with_title:
        yield with_title
    else:
        yield output.shortened(f"  {head}", width)
        yield from output.wrapped(f"    {title}").splitlines() if title else ()
    for when, text, marks in texts:
        room = max(1, width - len(when) - 4)
        yield f"    {when}{output.shortened(text, room, around=marks[0][0] if marks else 0)}"
