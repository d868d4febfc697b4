"""The commands stories, story, explain, feed and search."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from itertools import chain
from operator import attrgetter
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated, Any, Literal

from aggregator.cli import filters
from aggregator.cli import output as show
from aggregator.cli.context import Context, missing_database
from aggregator.cli.output import argument, flag, option
from aggregator.config.logging import one_line
from aggregator.config.messages import NO_SOURCES, counted
from aggregator.model.core import utc_now
from aggregator.model.errors import UsageError

if TYPE_CHECKING:
    from aggregator.grouping.corrections.explain import Explanation
    from aggregator.model.core import StoryText, StoryView
    from aggregator.model.read_model import (
        MachineSummary,
        SearchHit,
        SearchResults,
        StoryFilter,
        StoryPage,
    )
    from aggregator.store.read.reader import StoryReader

# Columns of the CSV, and the attribute of `StoryView` in each.
_STORY_CSV = {
    "id": "id",
    "title": "title",
    "articles": "article_count",
    "outlets": "outlet_count",
    "reports": "report_count",
    "first_published": "first_published",
    "last_published": "last_published",
    "updated": "updated",
    "language": "language",
    "summary": "summary",
}


def stories(
    context: Context,
    query: filters.Query = "",
    since: filters.Since = "",
    until: filters.Until = "",
    min_outlets: filters.MinOutlets = None,
    min_reports: filters.MinReports = None,
    outlet: filters.Outlet = "",
    folder: filters.Folder = "",
    language: filters.Language = "",
    name: filters.Name = "",
    topic: filters.Topic = "",
    kind: filters.Kind = "",
    saved: filters.Saved = "",
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

    typed = filters.typed(
        query,
        since,
        until,
        min_outlets,
        min_reports,
        outlet,
        folder,
        language,
        name,
        topic,
        kind,
    )
    with context.obj.reading() as (config, database):
        wanted = filters.parsed(config, typed, limit, saved).filter
        reader = StoryReader(database)
        pages = reader.pages(replace(wanted, after=after or None))
        first = next(pages)
        if first.stories or format_ != "table":
            listed = _with_note(chain([first], pages), reader, wanted, format_)
            (_print_articles if by_article else _print)(listed, format_)
            return
        from aggregator.store.read.statistics import statistics

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
    """Yield the pages, and say at the end if stories are left out, unless a table shows as many as fit."""
    for page in pages:
        yield page
    if page.next is not None and format_ != "table":
        show.say(
            f"{wanted.limit:,} of {reader.count(wanted):,} stories; --limit shows more"
        )


def _print(pages: "Iterable[StoryPage]", format_: str) -> None:
    """Print the stories page by page."""
    from aggregator.web.story_json import story_in_list

    stories = (story for page in pages for story in page.stories)
    if format_ == "json":
        _json(pages, "stories", lambda story: [story_in_list(story)])
    elif format_ == "jsonl":
        for one in stories:
            show.json_line(story_in_list(one))
    elif format_ == "csv":
        show.write_csv(
            tuple(_STORY_CSV), map(attrgetter(*_STORY_CSV.values()), stories)
        )
    else:
        columns = ("id", "last report", "art", "out", "rep", "title")
        values = (
            "id",
            "last_published",
            "article_count",
            "outlet_count",
            "report_count",
            "title",
        )
        show.table(columns, map(attrgetter(*values), stories), wide=("title",))


def _print_articles(pages: "Iterable[StoryPage]", format_: str) -> None:
    """Print the articles of the stories page by page."""
    from aggregator.web.story_json import ListedArticleJson, articles_in_list

    articles = (
        article
        for page in pages
        for story in page.stories
        for article in articles_in_list(story)
    )
    if format_ == "json":
        _json(pages, "articles", articles_in_list)
    elif format_ == "jsonl":
        for article in articles:
            show.json_line(article)
    elif format_ == "csv":
        columns = ListedArticleJson.__struct_fields__  # as the keys of the JSON
        show.write_csv(columns, map(attrgetter(*columns), articles))
    else:
        columns = ("story", "id", "published", "outlet", "title")
        show.table(columns, map(attrgetter(*columns), articles), wide=("title",))


def _json(
    pages: "Iterable[StoryPage]",
    key: str,
    rows_of: "Callable[[StoryView], Iterable[object]]",
) -> None:
    """Print `{KEY: [...], "next": cursor|null}` page by page, stories as the API answers."""
    from aggregator.web.sanitise import encode_json

    comma, cursor = b"", None
    show.out(b'{"' + key.encode() + b'":[')
    for page in pages:
        for row in chain.from_iterable(map(rows_of, page.stories)):
            show.out(comma + encode_json(row))
            comma = b","
        cursor = page.next
    show.out(b'],"next":' + encode_json(cursor) + b"}\n")


def story(
    context: Context,
    id_: Annotated[
        str,
        argument("ID", "Show the story with this id (see `aggregator stories`)."),
    ],
    format_: show.TextOrJson = "text",
) -> None:
    """Show a story: what its reports say, and its articles.

    The output has the lead of one report, the title and first sentence of each other one, quotations, and
    for each article its id (for `aggregator explain`) and the original if it is a copy.

    \b
    Examples:
      aggregator story STORY
      aggregator story STORY --format json
    """
    from aggregator.model.read_model import StoryRedirect
    from aggregator.store.read.reader import StoryReader
    from aggregator.web import story_json
    from aggregator.web.excerpts import for_reader_with_summary

    with context.obj.reading() as (config, database):
        reader = StoryReader(database, config.effective_tuning)
        found = reader.story(id_)
        if isinstance(found, StoryRedirect):
            show.say(f"{id_} was merged into {found.to}")
            found = reader.story(found.to)
        if found is None or isinstance(found, StoryRedirect):
            raise UsageError(f"there is no story {id_}; {_hint(reader, id_, 'story')}")
        text, machine_written = reader.text_with_summary(found.id)
    _, _, summarised = for_reader_with_summary(found, text, machine_written, "owner", 0)
    if format_ == "json":
        show.json_line(story_json.whole_story(found, text, summarised))
    else:
        assert text is not None, "an existing story can be rendered"
        show.out(show.wrapped(_story_text(found, text, summarised)))


def _source_or_counts(story: "StoryView") -> str:
    """Return outlet and time of the only article of a story; of several, the three counts in words."""
    from aggregator.config.messages import story_numbers
    from aggregator.stories.plain_text import source_of

    if len(story.articles) == 1:
        return source_of(story.articles[0])
    outlets = story.outlet_count, story.unknown_outlet_count
    return ", ".join(
        reversed(story_numbers(story.report_count, *outlets, story.article_count))
    )


def _story_text(
    story: "StoryView", text: "StoryText", summarised: "MachineSummary | None"
) -> str:
    """Return what a story shows: of one text all of it, else the lead, the openings and quotations."""
    from aggregator.stories.plain_text import NO_OUTLET, as_text

    return _filled(
        "story.txt",
        {"cell": partial(show.cell, now=utc_now())},
        story=story,
        counts=_source_or_counts(story),
        single=story.articles[0].text if len(story.articles) == 1 else "",
        text=text,
        reports=as_text(text, story.articles),
        summarised=summarised,
        outlets={article.id: article.outlet for article in story.articles},
        no_outlet=NO_OUTLET,
    )


def _filled(
    template: str, own_filters: Mapping[str, Callable[..., Any]], **values: object
) -> str:
    """Return a text by a template, which may use `own_filters`, too; without a newline at its end."""
    from aggregator.web.jinja import environment

    templates = environment().overlay(finalize=None)
    templates.filters |= own_filters
    return templates.get_template(template).render(values).rstrip("\n")


def _hint(reader: "StoryReader", id_: str, kind: str) -> str:
    """Return what an unknown id of this kind is, or else how to find one."""
    from aggregator.model.core import StoryView

    if reader.gone(id_):
        return "it was removed"
    if kind == "story" and (found := reader.article(id_)) is not None:
        return f"this is the id of an article; show its story with: aggregator story {found.story}"
    if kind == "article" and isinstance(reader.story(id_), StoryView):
        return (
            f"this is the id of a story; show its articles with: aggregator story {id_}"
        )
    command = "aggregator stories" if kind == "story" else "aggregator story ID"
    return f"list them with `{command}`, or find them with `aggregator search TEXT`"


def explain(
    context: Context,
    article: Annotated[
        str, argument("ARTICLE", "Explain the article with this id or address.")
    ],
    other: Annotated[
        str, argument("ANOTHER", "Compare it with the article with this id or address.")
    ] = "",
    format_: show.TextOrJson = "text",
) -> None:
    """Explain why an article is in its story.

    With two articles: why they are in the same story, or why not. `aggregator story ID` and
    `aggregator search TEXT` show the ids of articles.

    \b
    Examples:
      aggregator explain ARTICLE
      aggregator explain ARTICLE ANOTHER-ARTICLE
    """
    from aggregator.grouping.corrections.explain import explanation
    from aggregator.store.read.reader import StoryReader

    with context.obj.reading() as (config, database):
        reader = StoryReader(database)
        for one in filter(None, (article, other)):
            if reader.explained_article(one) is None:
                raise UsageError(
                    f"there is no article {one}; {_hint(reader, one, 'article')}"
                )
        explained = explanation(reader, article, other or None, config.effective_tuning)
    if format_ == "json":
        show.json_line(explained)
    else:
        show.out(show.wrapped(explanation_text(explained)))


def explanation_text(explained: "Explanation") -> str:
    """Return the lines of `aggregator explain`."""
    from aggregator.grouping.corrections import decision_words as words

    functions = (
        words.decision_words,
        words.log_words,
        words.not_counted,
        words.reason_name,
    )
    word_filters = {
        function.__name__: function
        for function in (*functions, words.reason_value, repr)
    }
    word_filters |= {
        "copy_words": words.COPY_SHARES.format,
        "minute": "{:%Y-%m-%d %H:%M}".format,
        "score_words": words.SCORE.format,
    }
    return _filled("explain.txt", word_filters, explained=explained)


def feed(
    context: Context,
    saved: filters.Saved = "",
    query: filters.Query = "",
    since: filters.Since = "",
    until: filters.Until = "",
    min_outlets: filters.MinOutlets = None,
    min_reports: filters.MinReports = None,
    outlet: filters.Outlet = "",
    folder: filters.Folder = "",
    language: filters.Language = "",
    name: filters.Name = "",
    topic: filters.Topic = "",
    kind: filters.Kind = "",
    limit: Annotated[
        int | None,
        option("--limit", "N", "Write at most N items (default: feeds.items).", min=1),
    ] = None,
    format_: Annotated[
        Literal["rss", "atom", "jsonfeed"],
        option("--format", "rss|atom|jsonfeed", "Write the feed in this format."),
    ] = "rss",
    output: Annotated[
        str, option("--output", "FILE", "Write to this file, if its content changes.")
    ] = "",
) -> None:
    """Write a feed of stories to standard output or a file.

    \b
    Examples:
      aggregator feed --min-reports 2 --output stories.rss
      aggregator feed --format jsonfeed --since 7d
    """
    import msgspec

    from aggregator.store.read.reader import StoryReader
    from aggregator.web.feeds import formats
    from aggregator.web.feeds.items import gather
    from aggregator.web.settings import publish_settings

    typed = filters.typed(
        query,
        since,
        until,
        min_outlets,
        min_reports,
        outlet,
        folder,
        language,
        name,
        topic,
        kind,
    )
    with context.obj.reading() as (config, database):
        parsed = filters.parsed(config, typed, config.feeds.items, saved, is_feed=True)
        if limit is not None:
            parsed = msgspec.structs.replace(
                parsed, filter=msgspec.structs.replace(parsed.filter, limit=limit)
            )
        publish = publish_settings(config)
        reader = StoryReader(database, config.effective_tuning)
        items = gather(reader, parsed, publish, patient=True).items
        address = publish.base_url + formats.address(parsed.saved, format_)
        channel = formats.channel(
            parsed.saved,
            parsed,
            items,
            publish,
            self_url=address
            + (f"?{parsed.query_string}" if parsed.query_string else ""),
        )
        data = formats.written(channel, format_)
    if output:
        show.write_atomically(Path(output), data)
    else:
        show.out(data)


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
    from aggregator.store.read.reader import StoryReader
    from aggregator.web.filters import search_bounds
    from aggregator.web.story_json import search_results

    bounded = {"since": since, "until": until, "outlet": outlet, "language": language}
    with context.obj.reading() as (config, database):
        bounds = search_bounds(filters.parsed(config, bounded, limit).filter)
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
        for one in search_results(results).hits:
            show.json_line(one)
    elif format_ == "csv":
        show.write_csv(tuple(_CSV), map(attrgetter(*_CSV.values()), results.hits))
    elif results.hits:
        _print_hits(results)
        if results.more:
            show.say(f"There are more articles. Show them with --limit {limit * 5}.")
    elif results.nearest:
        show.say(f"No articles found. Try: aggregator search {quote(results.nearest)}")
    elif missing_database(config) is None:
        show.say("No articles found. Try fewer words, or a prefix such as rebel*.")


def _print_hits(results: "SearchResults") -> None:
    """Print each story with its matching articles."""
    by_story: dict[str, list[SearchHit]] = {}
    for hit in results.hits:
        by_story.setdefault(hit.story, []).append(hit)
    found = {one.story: one.found for one in results.stories}
    blocks = []
    for story, hits in by_story.items():
        matching = counted(max(found.get(story, 0), len(hits)), "matching article")
        headline = one_line(hits[0].story_title) or "Untitled"
        blocks.append(
            show.wrapped(
                "\n".join([headline, f"{story}, {matching}", *map(_hit_lines, hits)])
            )
        )
    show.out("\n".join(blocks))


def _hit_lines(hit: "SearchHit") -> str:
    """Return id, time, outlet and title of a hit, and its snippet; one line if there is no terminal."""
    now = utc_now()
    line = f"  {hit.article} {show.cell(hit.effective_at, now):11} {show.cell(hit.outlet, now)}"
    if hit.title and hit.title != hit.story_title:
        line += f": {one_line(hit.title)}"
    said = [one_line(hit.snippet)] if hit.snippet else []
    return (" | " if show.terminal_width() is None else "\n    ").join([line, *said])
