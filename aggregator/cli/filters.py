"""The filters of the command line, alike for every command that shows stories."""

import datetime as dt
from typing import TYPE_CHECKING, Annotated

import typer

from aggregator.cli import output
from aggregator.cli.completion import complete_saved

if TYPE_CHECKING:
    from aggregator.config.settings import Config
    from aggregator.model.read_model import StoryFilter

Saved = Annotated[
    str,
    typer.Option(
        "--saved",
        metavar="NAME",
        help="A query of config.yaml; other options go before it.",
        autocompletion=complete_saved,
    ),
]
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


def story_filter(
    config: "Config",
    *,
    limit: int,
    saved: str = "",
    query: str = "",
    since: str = "",
    until: str = "",
    min_outlets: int = 1,
    min_reports: int = 1,
    outlet: str = "",
    folder: str = "",
    language: str = "",
) -> "StoryFilter":
    """The stories that the options ask for, laid over a saved query where one is named.

    A number of 1, which restricts nothing, is as good as none. Raises UsageError for a time that is none, and
    for a name that no query has.
    """
    import msgspec

    from aggregator.model.read_model import StoryFilter

    now = dt.datetime.now(dt.UTC)
    below = config.saved_query(saved).wanted(now, limit) if saved else StoryFilter(limit=limit)
    given = {
        "query": query,
        "since": output.moment(since, now) if since else None,
        "until": output.end(until, now) if until else None,
        "min_outlets": min_outlets if min_outlets > 1 else None,
        "min_reports": min_reports if min_reports > 1 else None,
        "outlet": outlet,
        "folder": folder,
        "language": language,
    }
    return msgspec.structs.replace(below, **{name: value for name, value in given.items() if value})
