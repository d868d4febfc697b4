"""The command `stories`."""

from collections.abc import Iterable, Iterator
from itertools import chain
from operator import attrgetter
from shlex import quote
from typing import TYPE_CHECKING, Annotated

from aggregator.cli import output as show
from aggregator.cli.command_context import Context, missing_database
from aggregator.cli.filter_options import Saved, with_filters
from aggregator.cli.output import flag, option
from aggregator.config.messages import NO_SOURCES
from aggregator.config.story_query import StoryQuery
from aggregator.model.clock import utc_now
from aggregator.text.lines import word_list
from aggregator.web.list_query import ListQuery, select_stories

if TYPE_CHECKING:
    from aggregator.config.story_query import StoryFilter
    from aggregator.model.read_model import StoryPage
    from aggregator.model.story import StoryView
    from aggregator.store.read.reader import StoryReader

_STORY_CSV = word_list("""
    id title articles outlets reports first_published last_published updated language summary
""")
_STORY_COUNTS = {
    "articles": "article_count",
    "outlets": "outlet_count",
    "reports": "report_count",
}
# The columns of the table, and the attribute of a story that each shows
_STORY_TABLE = {
    "id": "id",
    "last report": "last_published",
    "art": "article_count",
    "out": "outlet_count",
    "rep": "report_count",
    "title": "title",
}
_ARTICLE_TABLE = {
    name: name for name in ("story", "id", "published", "outlet", "title")
}


@with_filters(StoryQuery, "Select stories")
def stories(
    context: Context,
    asked: ListQuery,
    saved: Saved = "",
    limit: Annotated[
        int, option("--limit", "N", "List at most N stories.", min=1)
    ] = 50,
    after: Annotated[
        str,
        option(
            "--next", "CURSOR", "Continue after the `next` of an earlier JSON list."
        ),
    ] = "",
    by_article: Annotated[
        bool, flag("--articles", "List the articles of the stories, one each row.")
    ] = False,
    format_: show.ListFormat = "table",
) -> None:
    """List stories, the last bumped first.

    The table counts articles (art), outlets (out) and independent reports (rep).

    \b
    Examples:
      aggregator stories --since 7d --min-reports 2
      aggregator stories --query '"central bank" rate*' --language en
      aggregator stories --limit 1000000 --format csv > stories.csv
      aggregator stories --limit 1000000 --articles --format csv > articles.csv
    """
    from msgspec.structs import replace

    from aggregator.store.read.reader import StoryReader

    with context.obj.reading() as (config, database):
        named = config.saved_query(saved)
        asked = asked.model_copy(update={"after": after})
        selected = select_stories(asked, named, utc_now(), limit)
        wanted = selected.filter
        reader = StoryReader(database)
        pages = (
            replace(page, next=selected.next_of(page.next))
            for page in reader.pages(wanted)
        )
        first = next(pages)
        if first.stories or format_ != "table":
            listed = _with_note(chain([first], pages), reader, wanted, format_)
            _print(listed, format_, by_article=by_article)
            return
        from aggregator.store.read.health.row_counts import statistics

        stored = dict(statistics(database))
        nearest = reader.nearest_search(wanted.query) if wanted.query else None
    if nearest:
        show.say(
            f"No story has these words. Try: aggregator stories --query {quote(nearest)}"
        )
    elif stored["stories"]:
        show.say(f"No story matches these filters ({stored['stories']} stored).")
    elif missing_database(config) is None:
        todo = "`aggregator run` polls the sources" if stored["sources"] else NO_SOURCES
        show.say(
            f"No stories yet; {todo}. Articles in files: `aggregator ingest FOLDER`."
        )


def _with_note(
    pages: "Iterable[StoryPage]",
    reader: "StoryReader",
    wanted: "StoryFilter",
    format_: str,
) -> "Iterator[StoryPage]":
    """Yield the pages, and say at the end how many stories --limit has left out, except for a table."""
    for page in pages:
        yield page
    if page.next is not None and format_ != "table":
        show.say(
            f"{wanted.limit:,} of {reader.count(wanted):,} stories; --limit shows more"
        )


def _print(pages: "Iterable[StoryPage]", format_: str, *, by_article: bool) -> None:
    """Print the stories, or their articles, page by page."""
    from aggregator.publish.sanitise import encode_json
    from aggregator.publish.story_json import (
        ListedArticleJson,
        articles_in_list,
        story_in_list,
    )

    def rows_of(story: "StoryView") -> "Iterable[object]":
        return articles_in_list(story) if by_article else [story_in_list(story)]

    if format_ == "json":
        key = "articles" if by_article else "stories"
        comma = b""
        cursor = None
        show.out(f'{{"{key}":[')
        for page in pages:
            for row in chain.from_iterable(map(rows_of, page.stories)):
                show.out(comma + encode_json(row))
                comma = b","
            cursor = page.next
        show.out(b'],"next":' + encode_json(cursor) + b"}\n")
        return
    stories = chain.from_iterable(map(attrgetter("stories"), pages))
    rows = chain.from_iterable(map(rows_of, stories))
    if format_ == "jsonl":
        show.json_lines(rows)
    elif format_ == "csv" and by_article:
        # The columns have the names of the JSON keys.
        show.write_csv(ListedArticleJson.__struct_fields__, rows)
    elif format_ == "csv":
        show.write_csv(_STORY_CSV, rows, _STORY_COUNTS)
    else:
        table = _ARTICLE_TABLE if by_article else _STORY_TABLE
        show.table(
            tuple(table), map(attrgetter(*table.values()), rows), wide=("title",)
        )


def hint(reader: "StoryReader", id_: str, kind: str) -> str:
    """Return why no story or article (`kind`) has this id, or else how to find an id."""
    from aggregator.model.story import StoryView

    if reader.gone(id_):
        return "it was removed"
    if kind == "story" and (article := reader.article(id_)) is not None:
        return f"this is the id of an article; show its story with: aggregator story {article.story}"
    if kind == "article" and isinstance(reader.story(id_), StoryView):
        return (
            f"this is the id of a story; show its articles with: aggregator story {id_}"
        )
    command = "aggregator stories" if kind == "story" else "aggregator story ID"
    return f"list them with `{command}`, or find them with `aggregator search TEXT`"
