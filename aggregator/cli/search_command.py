"""The command `search`."""

from shlex import quote
from typing import TYPE_CHECKING, Annotated

from aggregator.cli import output as show
from aggregator.cli.command_context import Context, missing_database
from aggregator.cli.output import argument, option
from aggregator.config.logging import one_line
from aggregator.config.messages import pluralise
from aggregator.model.clock import utc_now
from aggregator.model.errors import UsageError

if TYPE_CHECKING:
    from aggregator.model.read_model import SearchHit, SearchResults

_COLUMNS_CSV = (
    "article", "story", "story_title", "title", "outlet", "url", "effective", "language", "snippet",
)  # fmt: skip


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
    since: Annotated[
        str, option("--since", "TIME", "Find articles since then: 24h, 7d, or a date.")
    ] = "",
    until: Annotated[
        str, option("--until", "TIME", "Find articles until then: 24h, 7d, or a date.")
    ] = "",
    outlet: Annotated[
        str, option("--outlet", "NAME", "Find articles by this outlet.")
    ] = "",
    language: Annotated[
        str, option("--language", "TAG", "Find articles in this language, such as en.")
    ] = "",
    limit: Annotated[
        int, option("--limit", "N", "Show at most N articles.", min=1)
    ] = 20,
    format_: show.ListFormat = "table",
) -> None:
    """Search articles for words, best match first.

    The articles are grouped by story. JSON contains both lists, as the API answers.

    \b
    Examples:
      aggregator search 'dam siren'
      aggregator search '"central bank" rate*' --limit 5
      aggregator search 'title:strike -port' --since 30d --language en --format csv
      aggregator search -- -sport
    """
    from aggregator.config.story_query import StoryQuery
    from aggregator.publish.story_json import search_results
    from aggregator.store.read.reader import StoryReader

    asked = {"since": since, "until": until, "outlet": outlet, "language": language}
    bounds = StoryQuery.read(asked).story_filter(utc_now(), limit)
    with context.obj.reading() as (config, database):
        results = StoryReader(database).search(text, limit, bounds)
    if results.problem:
        raise UsageError(results.problem)
    if results.partial:
        show.say(
            "older articles are not indexed yet; `aggregator run` rebuilds the index"
        )
    if format_ == "json":
        show.json_line(search_results(results))
    elif format_ == "jsonl":
        show.json_lines(search_results(results).hits)
    elif format_ == "csv":
        show.write_csv(_COLUMNS_CSV, results.hits, {"effective": "effective_at"})
    elif results.hits:
        _print_hits(results)
        if results.more:
            show.say(f"There are more articles. Show them with --limit {limit * 5}.")
    elif results.nearest:
        show.say(f"No articles found. Try: aggregator search {quote(results.nearest)}")
    elif missing_database(config) is None:
        show.say("No articles found. Try fewer words, or a prefix such as rebel*.")


def _print_hits(results: "SearchResults") -> None:
    """Print each story with its matching articles; each is one line without a terminal."""
    now = utc_now()
    by_story: dict[str, list[SearchHit]] = {}
    for hit in results.hits:
        by_story.setdefault(hit.story, []).append(hit)
    counts = {story.id: story.found for story in results.stories}
    blocks = []
    for story, hits in by_story.items():
        matching = pluralise(max(counts.get(story, 0), len(hits)), "matching article")
        headline = one_line(hits[0].story_title) or "Untitled"
        lines = [headline, f"{story}, {matching}"]
        for hit in hits:
            line = f"  {hit.article} {show.cell(hit.effective_at, now):11} {show.cell(hit.outlet, now)}"
            if hit.title and hit.title != hit.story_title:
                line += f": {one_line(hit.title)}"
            if hit.snippet:
                line += " | " if show.terminal_width() is None else "\n    "
                line += one_line(hit.snippet)
            lines.append(line)
        blocks.append(show.wrap_text("\n".join(lines)))
    show.out("\n".join(blocks))
