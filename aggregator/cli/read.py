"""Commands that read: search, story, explain."""

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from aggregator.cli import output
from aggregator.cli.context import Settings, missing_database
from aggregator.cli.filters import complete_story
from aggregator.model.errors import UsageError

if TYPE_CHECKING:
    from aggregator.model.core import ArticleView, LiveBlogLink, StoryView
    from aggregator.model.read_model import SearchHit
    from aggregator.store.read.reader import DatabaseStoryReader

_LINK_WORDS = 40  # shown of an entry of a live blog
_CSV = ("article", "story", "story_title", "title", "outlet", "url", "effective", "language", "snippet")
_WIDTH_FOR_TWO_IDS = 100  # columns: two ids, a time and an outlet leave half of them to the text

_Id = Annotated[
    str,
    typer.Argument(metavar="ID", help="As `aggregator stories` shows it.", autocompletion=complete_story),
]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(search)
    app.command()(story)
    app.command()(explain)


def search(
    context: typer.Context,
    text: Annotated[
        str,
        typer.Argument(
            metavar="TEXT",
            help='Words; "two words" stand side by side; rebel* begins one; -word is not there; a OR b; '
            "title: outlet: author: lang: after:2024-12-01 before:2024-12-31.",
        ),
    ],
    since: Annotated[
        str, typer.Option("--since", metavar="TIME", help="Articles of then or later: 24h, 7d, or a date.")
    ] = "",
    until: Annotated[str, typer.Option("--until", metavar="TIME", help="Articles of then or earlier.")] = "",
    outlet: Annotated[str, typer.Option("--outlet", metavar="NAME", help="By this outlet.")] = "",
    language: Annotated[str, typer.Option("--language", metavar="TAG", help="In this language: en.")] = "",
    limit: Annotated[int, typer.Option("--limit", min=1, metavar="N", help="At most so many.")] = 20,
    format_: Annotated[
        Literal["table", "json", "jsonl", "csv"], typer.Option("--format", metavar="table|json|jsonl|csv")
    ] = "table",
) -> None:
    """Articles that hold the words, best first.

    JSON has the stories that they are in as well.

    \b
    Examples:
      aggregator search 'dam siren'
      aggregator search '"central bank" rate*' --limit 5
      aggregator search 'title:strike -port' --since 30d --language en --format csv
    """
    import msgspec

    from aggregator.model.read_model import SearchBounds
    from aggregator.store.read.reader import DatabaseStoryReader

    now = dt.datetime.now(dt.UTC)
    bounds = SearchBounds(
        since=output.moment(since, now) if since else None,
        until=output.end(until, now) if until else None,
        outlet=outlet or None,
        language=language or None,
    )
    settings: Settings = context.obj
    with settings.reading() as (config, database):
        results = DatabaseStoryReader(database).search(text, limit, bounds)
    if results.problem:
        raise UsageError(results.problem)
    if results.partial:
        output.say("older articles cannot be found yet: `aggregator run` makes the index anew")
    if format_ == "json":
        output.out(msgspec.json.encode({"articles": results.hits, "stories": results.stories}) + b"\n")
    elif format_ == "jsonl":
        for hit in results.hits:
            output.out(msgspec.json.encode(hit) + b"\n")
    elif format_ == "csv":
        output.write_csv(_CSV, ([getattr(hit, name) for name in _CSV] for hit in results.hits))
    elif results.hits:
        _search_table(results.hits)
        if results.more:
            output.say(f"there are more; --limit {limit * 5} shows more of them")
    elif missing_database(config) is None:
        output.say("nothing found; fewer words, or the beginning of one (rebel*), find more")


def _search_table(hits: "Sequence[SearchHit]") -> None:
    """With the articles' ids, for `explain`, where there is room for two ids."""
    width = output.terminal_width()
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
    output.table((*ids, "time", "outlet", "found"), rows, wide=("found",), spare=("outlet", "time"))


def _found(hit: "SearchHit") -> str:
    """The words around what was searched for; of a live blog the entries, each with its time."""
    from aggregator.web.story_json import clock

    entries = (
        f"{f'{one.day} ' if one.day else ''}{clock(one.clock_minutes)}: {one.snippet}" for one in hit.entries
    )
    return " | ".join(entries) or hit.snippet


def story(
    context: typer.Context,
    id_: _Id,
    format_: Annotated[Literal["text", "json"], typer.Option("--format", metavar="text|json")] = "text",
) -> None:
    """One story: what its reports say, where they differ.

    With a timeline, and every article: its id, which `aggregator explain` takes, and whose text it prints.

    \b
    Examples:
      aggregator story STORY
      aggregator story STORY --format json
    """
    from aggregator.model.read_model import StoryRedirect
    from aggregator.store.read.reader import DatabaseStoryReader
    from aggregator.stories.text.plain_text import as_text
    from aggregator.web import story_json

    settings: Settings = context.obj
    with settings.reading() as (config, database):
        reading = DatabaseStoryReader(database, config.effective_tuning)
        found = reading.story(id_)
        if isinstance(found, StoryRedirect):
            output.say(f"{id_} was merged into {found.to}")
            found = reading.story(found.to)
        if found is None or isinstance(found, StoryRedirect):
            raise UsageError(f"there is no story {id_}; {_suggest(reading, id_, 'story')}")
        merged = reading.merged(found.id)
    if format_ == "json":
        output.out(story_json.whole_story_json(found, merged))
    else:
        assert merged is not None, "a story that exists can be told"
        told = as_text(merged, found.articles).rstrip("\n")
        lines = [told, "", *_articles(found.articles), *_copy_trails(found), *_links(found.links)]
        output.out(output.wrapped("\n".join(lines)))


def _suggest(reading: "DatabaseStoryReader", word: str, kind: str) -> str:
    """What to type instead of an id that there is not."""
    suggest_ids = reading.suggest_ids(word)
    for one in suggest_ids:
        if one.id == word.lower() and kind == "story":
            return f"that is an article, its story: aggregator story {one.story}"
        if one.id == word.lower():
            return f"that is a story, its articles: aggregator story {one.id}"
    same = [one for one in suggest_ids if one.kind == kind]
    if same:
        return "did you mean " + " or ".join(f"{one.id} ({one.title})" for one in same) + "?"
    shows = "aggregator stories" if kind == "story" else "aggregator story ID"
    return f"`{shows}` lists them, `aggregator search TEXT` finds them by their words"


def _articles(members: "Sequence[ArticleView]") -> list[str]:
    """A line an article: id, time, role, outlet, whose text it is; `explain` takes the ids."""
    now = dt.datetime.now(dt.UTC)
    return [
        "Their ids (aggregator explain ID says why one is here)",
        *(
            f"- {one.id}  {output.cell(one.effective, now):11}  {one.role:9}  {output.cell(one.outlet, now)}"
            + (f" (text of {one.copy_of})" if one.copy_of else "")
            for one in sorted(members, key=lambda one: (one.effective, one.id))
        ),
    ]


def _copy_trails(story: "StoryView") -> list[str]:
    """Who copied whom, and how much later."""
    from aggregator.stories.text.plain_text import NO_OUTLET

    lines = []
    for trail in story.trails:
        by = [
            f"{one.outlet or NO_OUTLET}{'' if one.is_whole else ' (a part)'}{_later(one.minutes_later)}"
            for one in trail.reprints
        ]
        lines.append(f"- {trail.outlet or NO_OUTLET} ({trail.article}): {', '.join(by)}")
    return ["", "Who printed whose text", *lines] if lines else []


def _later(minutes: int | None) -> str:
    if minutes is None:
        return ""
    hours, rest = divmod(abs(minutes), 60)
    long = f"{hours // 24} days" if hours >= 48 else f"{hours} h {rest} min" if hours else f"{rest} min"
    return f" {long} {'later' if minutes >= 0 else 'earlier'}"


def _links(links: "Sequence[LiveBlogLink]") -> list[str]:
    """A line an entry of a live blog of another story that tells of this one."""
    from aggregator.stories.text.plain_text import NO_OUTLET
    from aggregator.web.excerpts import first_words
    from aggregator.web.story_json import clock

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
    format_: Annotated[Literal["text", "json"], typer.Option("--format", metavar="text|json")] = "text",
) -> None:
    """Why an article is in its story, or two are (not) in one.

    `aggregator story ID` and `aggregator search TEXT` show the ids of articles.

    \b
    Examples:
      aggregator explain ARTICLE
      aggregator explain ARTICLE ANOTHER-ARTICLE
    """
    import msgspec

    from aggregator.pipeline.placement.explain import explanation
    from aggregator.store.read.reader import DatabaseStoryReader

    settings: Settings = context.obj
    with settings.reading() as (config, database):
        reading = DatabaseStoryReader(database)
        for one in filter(None, (article, other)):
            if reading.explained_article(one) is None:
                raise UsageError(f"there is no article {one}; {_suggest(reading, one, 'article')}")
        told = explanation(reading, article, other or None, config.effective_tuning)
    output.out(msgspec.json.encode(told) + b"\n" if format_ == "json" else output.wrapped(told.as_text()))
