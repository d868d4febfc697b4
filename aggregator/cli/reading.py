"""Commands that read: stories, search, story, explain, feed."""

import datetime as dt
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aggregator.cli import show
from aggregator.cli.context import Settings, missing_database
from aggregator.errors import UsageError

if TYPE_CHECKING:
    from aggregator.model import ArticleView, LiveLink
    from aggregator.shelf import SearchHit, StoryFilter

_LINK_WORDS = 40  # shown of an entry of a live blog
_WIDTH_FOR_TWO_IDS = 100  # columns: two ids, a time and an outlet leave half of them to the text

Query = Annotated[str, typer.Option("--query", metavar="TEXT", help='Words; "two words" stand side by side.')]
Since = Annotated[str, typer.Option("--since", metavar="TIME", help="24h, 7d, or a date.")]
Until = Annotated[str, typer.Option("--until", metavar="TIME", help="24h, 7d, or a date.")]
MinOutlets = Annotated[
    int, typer.Option("--min-outlets", min=1, metavar="N", help="At least so many outlets.")
]
MinReports = Annotated[
    int, typer.Option("--min-reports", min=1, metavar="N", help="At least so many independent reports.")
]
Outlet = Annotated[str, typer.Option("--outlet", metavar="NAME", help="With an article by this outlet.")]
Folder = Annotated[
    str, typer.Option("--folder", metavar="NAME", help="With an article of this folder of sources.")
]
Language = Annotated[
    str, typer.Option("--language", metavar="TAG", help="With an article in this language: en.")
]


_CSV = {
    "id": "id",
    "title": "title",
    "articles": "article_count",
    "outlets": "outlet_count",
    "reports": "report_count",
    "first_published": "first_published",
    "last_published": "last_published",
    "updated": "updated",
}


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(stories)
    app.command()(search)
    app.command()(story)
    app.command()(explain)
    app.command()(feed)


def stories(
    context: typer.Context,
    query: Query = "",
    since: Since = "",
    until: Until = "",
    min_outlets: MinOutlets = 1,
    min_reports: MinReports = 1,
    outlet: Outlet = "",
    folder: Folder = "",
    language: Language = "",
    limit: Annotated[int, typer.Option("--limit", min=1, metavar="N", help="At most so many.")] = 50,
    format_: Annotated[str, typer.Option("--format", metavar="table|json|jsonl|csv")] = "table",
) -> None:
    """The newest stories.

    The table counts articles (art), outlets (out) and independent reports (rep).

    Example: aggregator stories --since 7d --min-reports 2
    """
    from aggregator.publish import story_json
    from aggregator.store.reading import Reading
    from aggregator.store.statistics import statistics

    _one_of(format_, "table", "json", "jsonl", "csv")
    wanted = _filter(query, since, until, min_outlets, min_reports, outlet, folder, language, limit)
    settings: Settings = context.obj
    with settings.reading() as (config, database):
        page = Reading(database).stories(wanted)
        stored = 0 if page.stories else dict(statistics(database))["stories"]
    if format_ == "json":
        show.out(story_json.page_json(page.stories, page.next))
    elif format_ == "jsonl":
        show.out(story_json.jsonl(page.stories))
    elif format_ == "csv":
        columns = (
            "id",
            "title",
            "articles",
            "outlets",
            "reports",
            "first_published",
            "last_published",
            "updated",
        )
        show.write_csv(
            columns,
            ([getattr(one, name) for name in _CSV.values()] for one in page.stories),
        )
    elif page.stories:
        rows = (
            (s.id, s.last_published, s.article_count, s.outlet_count, s.report_count, s.title)
            for s in page.stories
        )
        show.table(("id", "last report", "art", "out", "rep", "title"), rows, wide=("title",))
    elif stored:
        show.say(f"no story matches these filters ({stored} stored)")
    elif missing_database(config) is None:
        show.say("no stories yet; read some articles with: aggregator ingest FOLDER")


def search(
    context: typer.Context,
    text: Annotated[
        str, typer.Argument(metavar="TEXT", help='Words; "two words" stand side by side; rebel* begins.')
    ],
    limit: Annotated[int, typer.Option("--limit", min=1, metavar="N", help="At most so many.")] = 20,
    format_: Annotated[str, typer.Option("--format", metavar="table|jsonl")] = "table",
) -> None:
    """Articles that hold the words, best first."""
    import msgspec

    from aggregator.store.reading import Reading

    _one_of(format_, "table", "jsonl")
    settings: Settings = context.obj
    with settings.reading() as (config, database):
        results = Reading(database).search(text, limit)
    if results.problem:
        raise UsageError(results.problem)
    if format_ == "jsonl":
        for hit in results.hits:
            show.out(msgspec.json.encode(hit) + b"\n")
    elif results.hits:
        _search_table(results.hits)
    elif missing_database(config) is None:
        show.say("nothing found")


def _search_table(hits: "Sequence[SearchHit]") -> None:
    """With the articles' ids, for `explain`, where there is room for two ids."""
    width = show.terminal_width()
    both = width is None or width >= _WIDTH_FOR_TWO_IDS
    ids = ("story", "article") if both else ("story",)
    rows = (
        (
            *(getattr(hit, name) for name in ids),
            hit.effective,
            hit.outlet,
            f"{hit.title} — {_found(hit)}",
        )
        for hit in hits
    )
    show.table((*ids, "time", "outlet", "found"), rows, wide=("found",))


def _found(hit: "SearchHit") -> str:
    """The words around what was searched for; of a live blog the entries, each with its time."""
    from aggregator.publish.story_json import clock

    entries = (
        f"{f'{one.day} ' if one.day else ''}{clock(one.clock_minutes)}: {one.snippet}" for one in hit.entries
    )
    return " | ".join(entries) or hit.snippet


def story(
    context: typer.Context,
    id_: Annotated[str, typer.Argument(metavar="ID", help="As `aggregator stories` shows it.")],
    format_: Annotated[str, typer.Option("--format", metavar="text|json")] = "text",
) -> None:
    """One story: what its reports say, where they differ.

    Ends with every article and its id, which `aggregator explain` takes.
    """
    from aggregator.publish import story_json
    from aggregator.shelf import Moved
    from aggregator.store.reading import Reading
    from aggregator.stories.render import as_text

    _one_of(format_, "text", "json")
    settings: Settings = context.obj
    with settings.reading() as (config, database):
        reading = Reading(database, config.rule_book)
        found = reading.story(id_)
        if isinstance(found, Moved):
            show.say(f"{id_} was merged into {found.to}")
            found = reading.story(found.to)
        if found is None or isinstance(found, Moved):
            raise UsageError(f"there is no story {id_}; `aggregator stories` lists them")
        merged = reading.merged(found.id)
    if format_ == "json":
        show.out(story_json.whole_story_json(found, merged))
    else:
        assert merged is not None, "a story that exists can be told"
        told = as_text(merged, found.articles).rstrip("\n")
        show.out(show.wrapped("\n".join([told, "", *_articles(found.articles), *_links(found.links)])))


def _articles(members: "Sequence[ArticleView]") -> list[str]:
    """A line an article: id, time, role, outlet; the ids are what `explain` takes."""
    now = dt.datetime.now(dt.UTC)
    return [
        "Articles (aggregator explain ID says why one is here)",
        *(
            f"- {one.id}  {show.cell(one.effective, now):11}  {one.role:9}  {show.cell(one.outlet, now)}"
            for one in sorted(members, key=lambda one: (one.effective, one.id))
        ),
    ]


def _links(links: "Sequence[LiveLink]") -> list[str]:
    """A line an entry of a live blog of another story that tells of this one."""
    from aggregator.publish.rights import first_words
    from aggregator.publish.story_json import clock
    from aggregator.stories.render import NO_OUTLET

    lines = [
        f"- {f'{one.day} ' if one.day else ''}{clock(one.clock_minutes)}  {one.outlet or NO_OUTLET}, "
        f"{one.title} (story {one.home}): {first_words(' '.join(one.text.split()), _LINK_WORDS)}"
        for one in links
    ]
    return ["", "Also told in live blogs", *lines] if lines else []


def explain(
    context: typer.Context,
    article: Annotated[str, typer.Argument(metavar="ARTICLE", help="Its id or address.")],
    other: Annotated[str, typer.Argument(metavar="ANOTHER", help="Why are the two (not) together?")] = "",
    format_: Annotated[str, typer.Option("--format", metavar="text|json")] = "text",
) -> None:
    """Why an article is in its story, or two are (not) in one.

    `aggregator story ID` and `aggregator search TEXT` show the ids of articles.
    """
    import msgspec

    from aggregator.explaining import explanation
    from aggregator.store.reading import Reading

    _one_of(format_, "text", "json")
    settings: Settings = context.obj
    with settings.reading() as (config, database):
        told = explanation(Reading(database), article, other or None, config.rule_book)
    show.out(msgspec.json.encode(told) + b"\n" if format_ == "json" else show.wrapped(told.as_text()))


def feed(
    context: typer.Context,
    query: Query = "",
    since: Since = "",
    until: Until = "",
    min_outlets: MinOutlets = 1,
    min_reports: MinReports = 1,
    outlet: Outlet = "",
    folder: Folder = "",
    language: Language = "",
    limit: Annotated[int, typer.Option("--limit", min=1, metavar="N", help="At most so many.")] = 100,
    format_: Annotated[str, typer.Option("--format", metavar="rss")] = "rss",
    output: Annotated[str, typer.Option("--output", metavar="FILE", help="Written atomically.")] = "",
) -> None:
    """The feed of merged stories, to standard output or a file."""
    from aggregator.daemon import publish_settings
    from aggregator.publish.rendering import environment
    from aggregator.publish.rss import rss
    from aggregator.store.reading import Reading

    _one_of(format_, "rss")
    wanted = _filter(query, since, until, min_outlets, min_reports, outlet, folder, language, limit)
    settings: Settings = context.obj
    with settings.reading() as (config, database):
        page = Reading(database).stories(wanted)
        chosen = publish_settings(config)
        data = rss(page.stories, chosen, environment(), f"{chosen.base_url}/feeds/stories.rss")
    if output:
        write_atomically(Path(output), data)
    else:
        show.out(data)


def write_atomically(path: Path, data: bytes) -> None:
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_bytes(data)
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise UsageError(f"{path} cannot be written: {error.strerror}") from error


def _filter(
    query: str,
    since: str,
    until: str,
    min_outlets: int,
    min_reports: int,
    outlet: str,
    folder: str,
    language: str,
    limit: int,
) -> "StoryFilter":
    from aggregator.shelf import StoryFilter

    now = dt.datetime.now(dt.UTC)
    return StoryFilter(
        query=query,
        since=show.moment(since, now) if since else None,
        until=show.end(until, now) if until else None,
        min_outlets=min_outlets,
        min_reports=min_reports,
        outlet=outlet or None,
        folder=folder or None,
        language=language or None,
        limit=limit,
    )


def _one_of(given: str, *choices: str) -> None:
    if given not in choices:
        raise UsageError(f"--format {given}: choose {' or '.join(choices)}")
