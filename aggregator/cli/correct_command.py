"""The commands of `correct`, which change which articles form a story."""

from pathlib import Path
from typing import Annotated, Any

import typer

from aggregator.cli import output as show
from aggregator.cli.command_context import Context
from aggregator.cli.output import argument, flag, option, write_atomically
from aggregator.cli.writer_session import WriterSession, written_before
from aggregator.model.errors import UsageError

correct = typer.Typer(
    name="correct",
    help="Correct which articles form a story. Later runs respect the corrections.",
    no_args_is_help=True,
    epilog="`aggregator stories` and `aggregator story ID` show the ids.",
)

storyline = typer.Typer(
    name="storyline",
    help="Correct which stories stand in one storyline.",
    no_args_is_help=True,
)
correct.add_typer(storyline)

NoWait = Annotated[
    bool, flag("--no-wait", "Exit without waiting for a running daemon to do the work.")
]


@correct.command()
def merge(
    context: Context,
    stories: Annotated[
        list[str],
        argument("STORY...", "Merge the stories with these ids, at least two."),
    ],
    no_wait: NoWait = False,
    format_: show.TextOrJson = "text",
) -> None:
    """Merge stories that report the same event.

    The story with the most independent reports keeps its id; the other ids redirect to it.

    \b
    Examples:
      aggregator correct merge STORY ANOTHER-STORY
    """
    if len(stories) < 2:
        raise UsageError(
            "give at least two stories: aggregator correct merge STORY STORY"
        )
    _correct(context, format_, no_wait, kind="merge", stories=tuple(stories))


@correct.command()
def split(
    context: Context,
    story: Annotated[str, argument("STORY", "Split the story with this id.")],
    articles: Annotated[
        list[str],
        argument("ARTICLE...", "Remove the articles with these ids from the story."),
    ],
    no_wait: NoWait = False,
    format_: show.TextOrJson = "text",
) -> None:
    """Split articles from a story into a story of their own.

    Their copies go with them. The articles are never again grouped with the rest of the story.

    \b
    Examples:
      aggregator correct split STORY ARTICLE
    """
    _correct(
        context,
        format_,
        no_wait,
        kind="split",
        stories=(story,),
        articles=tuple(articles),
    )


@correct.command()
def move(
    context: Context,
    article: Annotated[str, argument("ARTICLE", "Move the article with this id.")],
    story: Annotated[str, argument("STORY", "Move it to the story with this id.")],
    no_wait: NoWait = False,
    format_: show.TextOrJson = "text",
) -> None:
    """Move an article to another story.

    Its copies go with it. The article is never again grouped with its present story.

    \b
    Examples:
      aggregator correct move ARTICLE STORY
    """
    _correct(
        context, format_, no_wait, kind="move", stories=(story,), articles=(article,)
    )


@storyline.command()
def join(
    context: Context,
    stories: Annotated[
        list[str],
        argument(
            "STORY...",
            "Merge the storylines of the stories with these ids, at least two.",
        ),
    ],
    no_wait: NoWait = False,
    format_: show.TextOrJson = "text",
) -> None:
    """Merge the storylines of stories that tell one affair.

    The storyline that began first keeps its id.

    \b
    Examples:
      aggregator correct storyline join STORY ANOTHER-STORY
    """
    if len(stories) < 2:
        raise UsageError(
            "give at least two stories: aggregator correct storyline join STORY STORY"
        )
    _correct(context, format_, no_wait, kind="join", stories=tuple(stories))


@storyline.command()
def leave(
    context: Context,
    story: Annotated[
        str, argument("STORY", "Remove the story with this id from its storyline.")
    ],
    no_wait: NoWait = False,
    format_: show.TextOrJson = "text",
) -> None:
    """Remove a story from its storyline.

    It never again stands in one with the other stories of its storyline.

    \b
    Examples:
      aggregator correct storyline leave STORY
    """
    _correct(context, format_, no_wait, kind="leave", stories=(story,))


@storyline.command()
def part(
    context: Context,
    story: Annotated[
        str, argument("STORY", "Name a story of the younger of two united storylines.")
    ],
    no_wait: NoWait = False,
    format_: show.TextOrJson = "text",
) -> None:
    """Undo the union of two storylines.

    The stories of the younger storyline leave together, and never again stand in one with the others.

    \b
    Examples:
      aggregator correct storyline part STORY
    """
    _correct(context, format_, no_wait, kind="part", stories=(story,))


@correct.command()
def undo(
    context: Context,
    number: Annotated[
        int | None,
        argument(
            "NUMBER",
            "Undo the correction with this number of `correct list` (default: the last).",
        ),
    ] = None,
    no_wait: NoWait = False,
    format_: show.TextOrJson = "text",
) -> None:
    """Undo a correction.

    Its articles return to their former stories, and former ids of stories become valid again. Undo later
    corrections of the same articles first.

    \b
    Examples:
      aggregator correct undo
      aggregator correct undo 1
    """
    _correct(context, format_, no_wait, undo=number)


@correct.command(name="list")
def list_(context: Context, format_: show.TableOrJson = "table") -> None:
    """List all corrections, the newest last.

    \b
    Examples:
      aggregator correct list
      aggregator correct list --format json
    """
    from aggregator.store.stories.corrections import all_corrections

    with context.obj.reading() as (_, database), database.read() as connection:
        corrections = all_corrections(connection)[::-1]
    if format_ == "json":
        show.json_line(corrections)
        return
    if not corrections:
        show.say(
            "No corrections yet. Make one with `aggregator correct merge`, `split` or `move`."
        )
    for correction in corrections:
        undone = "undone  " if correction.undone_at else ""
        show.out(
            f"{correction.correction_no:4}  {correction.at:%Y-%m-%d %H:%M}  "
            f"{correction.kind:6}  {undone}{correction.detail.words}\n"
        )


@correct.command()
def export(
    context: Context,
    output: Annotated[
        str,
        option("--output", "FILE", "Write to this file instead of standard output."),
    ] = "",
) -> None:
    """Export corrected articles as a dataset for `eval`.

    Each line is the JSON record of one article, labelled with its story.

    \b
    Examples:
      aggregator correct export > labels.jsonl
      aggregator correct export --output labels.jsonl
    """
    from aggregator.admin.labelled_data import labelled_records

    with context.obj.reading() as (_, database):
        data = b"".join(labelled_records(database))
    if not data:
        show.say("No corrections yet, so there is nothing to export.")
    if output:
        write_atomically(Path(output), data)
    else:
        show.out(data)


def _correct(context: Context, format_: str, no_wait: bool, **what: Any) -> None:
    """Run or queue a correction, and print the result. `what` has the fields of `CorrectionCommand`."""
    from aggregator.grouping.corrections.correction_command import (
        CorrectionCommand,
        CorrectionResult,
    )

    command = CorrectionCommand(**what)
    with (
        written_before(context.obj) as (config, database),
        WriterSession(config, database) as writer,
    ):
        corrected: CorrectionResult | None = writer.carry_out(
            "correct", command, no_wait=no_wait
        )
    if corrected is None:
        show.say(
            f"queued as command {writer.queued_as} for the process that is the writer; commands run in their order"
        )
    elif format_ == "json":
        show.json_line(corrected)
    else:
        show.out(f"{corrected.words}\nstories: {' '.join(corrected.stories)}\n")
        if command.kind is not None:
            show.say(f"undo it with `aggregator correct undo {corrected.n}`")
