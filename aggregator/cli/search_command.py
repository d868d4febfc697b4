"""The command `search`."""

from shlex import quote
from typing import TYPE_CHECKING, Annotated

from aggregator.cli import output as show
from aggregator.cli.command_context import Context, missing_database
from aggregator.cli.filter_options import with_filters
from aggregator.cli.output import argument, option
from aggregator.config.story_query import ArticleFilters
from aggregator.model.clock import utc_now
from aggregator.model.errors import UsageError
from aggregator.text.lines import word_list

if TYPE_CHECKING:
    from aggregator.model.read_model import SearchHit

_COLUMNS_CSV = word_list("""
    article story story_title title outlet url effective language snippet
""")


@with_filters(ArticleFilters, "Find articles")
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
    asked: ArticleFilters,
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
    from aggregator.publish.story_json import remove_invisible
    from aggregator.store.read.reader import StoryReader

    bounds = asked.story_filter(utc_now(), limit)
    with context.obj.reading() as (config, database):
        results = StoryReader(database).search(text, limit, bounds)
    if results.problem:
        raise UsageError(results.problem)
    if results.partial:
        show.say(
            "older articles are not indexed yet; `aggregator run` rebuilds the index"
        )
    if format_ == "json":
        show.json_line(remove_invisible(results))
    elif format_ == "jsonl":
        show.json_lines(remove_invisible(results).hits)
    elif format_ == "csv":
        show.write_csv(_COLUMNS_CSV, results.hits, {"effective": "effective_at"})
    elif results.hits:
        by_story: dict[str, list[SearchHit]] = {}
        for hit in results.hits:
            by_story.setdefault(hit.story, []).append(hit)
        lines = show.fill_template(
            "search.txt",
            by_story=by_story,
            counts={story.id: story.found for story in results.stories},
            # If the output is not a terminal, each hit is one line.
            before_snippet=" | " if show.terminal_width() is None else "\n    ",
        )
        show.out(show.wrap_text(lines))
        if results.more:
            show.say(f"There are more articles. Show them with --limit {limit * 5}.")
    elif results.nearest:
        show.say(f"No articles found. Try: aggregator search {quote(results.nearest)}")
    elif missing_database(config) is None:
        show.say("No articles found. Try fewer words, or a prefix such as rebel*.")
