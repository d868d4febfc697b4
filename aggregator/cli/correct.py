"""Commands that change which articles form a story: correct, recluster, forget."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from aggregator.cli import output as show
from aggregator.cli.context import Context, Settings, missing_database
from aggregator.cli.filters import parsed
from aggregator.cli.output import argument, flag, option, progress_bar, write_atomically
from aggregator.config.logging import one_line
from aggregator.config.messages import counted
from aggregator.model.errors import UsageError

if TYPE_CHECKING:
    from aggregator.config.settings import Config
    from aggregator.grouping.deletion.forget import ForgetCommand
    from aggregator.intake.pipeline import Pipeline
    from aggregator.intake.recluster.regrouping import GroupingDifference
    from aggregator.intake.workers.executor import Executor
    from aggregator.model.core import FrozenStruct
    from aggregator.store.engine.database import Database
    from aggregator.store.maintenance.erase_target import EraseSummary
    from aggregator.store.maintenance.row_stream import Advance
    from aggregator.store.stories.commands import CommandKind

# To wait for a running daemon, which runs commands between two batches
PATIENCE_SECONDS = 60.0
RECLUSTER_PATIENCE_SECONDS = 24 * 3600.0

correct = typer.Typer(
    name="correct",
    help="Correct which articles form a story. Later runs respect the corrections.",
    no_args_is_help=True,
    epilog="`aggregator stories` and `aggregator story ID` show the ids.",
)

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
    rows = [
        f"{one.correction_no:4}  {one.at:%Y-%m-%d %H:%M}  {one.kind:6}  {'undone  ' if one.undone_at else ''}"
        f"{one.detail.words}\n"
        for one in corrections
    ]
    show.out("".join(rows))


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
    from aggregator.admin.evaluate import labelled_records

    with context.obj.reading() as (_, database):
        data = b"".join(labelled_records(database))
    if not data:
        show.say("No corrections yet, so there is nothing to export.")
    if output:
        write_atomically(Path(output), data)
    else:
        show.out(data)


def recluster(
    context: Context,
    since: Annotated[
        str,
        option(
            "--since",
            "TIME",
            "Regroup only articles received since then: 7d, 2026-05-01.",
        ),
    ] = "",
    dry_run: Annotated[
        bool, flag("--dry-run", "Show the differences without writing anything.")
    ] = False,
    no_wait: NoWait = False,
    format_: show.TextOrJson = "text",
) -> None:
    """Group all articles into stories again.

    This applies the present rules. Corrections are respected, and unchanged stories keep their ids and times.
    The new grouping is computed in a temporary database, which needs as much disk space as the database. An
    interrupted run changes nothing.

    \b
    Examples:
      aggregator recluster --dry-run
      aggregator recluster --since 7d
    """
    from aggregator.intake.configured import story_options
    from aggregator.intake.recluster.recluster import ReclusterCommand, Reclusterer
    from aggregator.intake.workers.factory import workers
    from aggregator.model.core import utc_now

    regrouped: GroupingDifference | None
    with (
        written_before(context.obj) as (config, database),
        progress_bar("articles", None) as advance,
    ):
        start = parsed(config, {"since": since}, 1).filter.since
        if dry_run:
            with workers(config) as executor:
                options = story_options(config)
                run = Reclusterer(
                    database, executor, config.effective_tuning, options, now=utc_now
                )
                regrouped = run.difference(start, advance)
        else:
            with WriterSession(config, database) as writer:
                if not (no_wait or writer.is_writer):
                    show.say(
                        "another process is the writer; waiting until it has regrouped (skip with --no-wait)"
                    )
                command = ReclusterCommand(since=start)
                regrouped = writer.carry_out(
                    "recluster",
                    command,
                    no_wait=no_wait,
                    patience_seconds=RECLUSTER_PATIENCE_SECONDS,
                    advance=advance,
                )
    if regrouped is None:
        show.say(
            "queued for the process that is the writer; the log of the daemon reports when it is done"
        )
    else:
        _print_difference(regrouped, format_)


# --- running commands --------------------------------------------------------------------------------------


def _correct(context: Context, format_: str, no_wait: bool, **what: Any) -> None:
    """Run or queue a correction; `what`: fields of `CorrectionCommand`."""
    from aggregator.grouping.corrections.apply_corrections import (
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
        number = writer.queued_as
        show.say(
            f"queued as command {number} for the process that is the writer; commands run in their order"
        )
    elif format_ == "json":
        show.json_line(corrected)
    else:
        show.out(f"{corrected.words}\nstories: {' '.join(corrected.stories)}\n")
        if command.kind is not None:
            show.say(f"undo it with `aggregator correct undo {corrected.n}`")


@contextmanager
def written_before(settings: Settings) -> "Iterator[tuple[Config, Database]]":
    """Yield the configuration and an existing database to write to. Raises UsageError if there is none."""
    missing = missing_database(settings.load())
    if missing is not None:
        raise UsageError(
            f"there is no database at {missing} yet; create one with `aggregator ingest FOLDER`"
        )
    with settings.writing() as opened:
        yield opened


class WriterSession:
    """Runs commands in this process if it can become the writer; else queues them for the writer.

    Commands run in the order in which they were queued: this process first runs those that were queued for a
    writer that has ended since.
    """

    def __init__(self, config: "Config", database: "Database") -> None:
        from aggregator.store.engine.writer_lease import WriterLease

        self._config = config
        self._database = database
        self._lock = WriterLease(database)
        self.is_writer = False
        # The number of the last command that was queued
        self.queued_as: int | None = None

    def __enter__(self) -> "WriterSession":
        self._become_writer()
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    @property
    def database(self) -> "Database":
        """The database for what only the writer may write."""
        return self._lock.fenced

    def carry_out(
        self,
        kind: "CommandKind",
        command: "FrozenStruct",
        *,
        no_wait: bool = False,
        patience_seconds: float = PATIENCE_SECONDS,
        advance: "Advance" = lambda _count: None,
    ) -> Any:
        """Execute a command and return its answer; if another process is the writer, that process does it.

        Becomes the writer if that process ends. None: no answer after `patience_seconds`, with `no_wait` at
        once. `advance` is called with the progress in this process.
        """
        from aggregator.intake import command_handlers
        from aggregator.intake.workers.executor import InlineExecutor
        from aggregator.intake.workers.factory import workers
        from aggregator.model.core import utc_now

        handler = command_handlers.HANDLERS[kind]
        if self.is_writer:  # only regrouping needs workers
            with (
                workers(self._config)
                if kind == "recluster"
                else nullcontext(InlineExecutor()) as executor
            ):
                pipeline = make_pipeline(self._config, self._lock.fenced, executor)
                return handler.execute(pipeline.writer, command, None, advance)
        payload = msgspec.json.encode(command)
        number = self.queued_as = command_handlers.enqueue(
            self._database, utc_now(), kind, payload
        )
        ends = time.monotonic() + (0.0 if no_wait else patience_seconds)
        while True:
            left = ends - time.monotonic()
            answer = command_handlers.wait_for_answer(
                self._database, number, patience_seconds=min(1.0, max(0.0, left))
            )
            if answer is not None:
                return msgspec.json.decode(answer, type=handler.answer)
            if left <= 0:
                return None
            self._become_writer()

    def _become_writer(self) -> None:
        """Become the writer if there is none; then run the commands that were queued for the last one."""
        from aggregator.intake import command_handlers
        from aggregator.intake.workers.factory import workers

        self.is_writer = self.is_writer or self._lock.become_writer()
        if self.is_writer and command_handlers.pending_commands(self._database):
            with workers(self._config) as executor:
                make_pipeline(self._config, self._lock.fenced, executor).run_commands()


def make_pipeline(
    config: "Config",
    database: "Database",
    executor: "Executor",
    *,
    texts_here: bool = False,
) -> "Pipeline":
    """Return the pipeline of the configuration. `database`: fenced by the lease of the writer."""
    from aggregator.intake.configured import story_options
    from aggregator.intake.pipeline import Pipeline
    from aggregator.model.core import utc_now

    options = story_options(config)
    return Pipeline(
        database,
        executor,
        config.effective_tuning,
        utc_now,
        options,
        texts_here=texts_here,
    )


def _print_difference(difference: "GroupingDifference", format_: str) -> None:
    if format_ == "json":
        show.json_line(difference)
        return
    done = "" if difference.written else "  (nothing was written)"
    lines = [
        f"articles regrouped     {difference.articles:9}",
        f"articles moved         {difference.moved:9}",
        f"stories before         {difference.stories_before:9}",
        f"stories after          {difference.stories_after:9}",
        f"pairs still together   {difference.pairs_kept:9.2%}",
        f"stories changed        {difference.changed_stories:9}{done}",
    ]
    for one in difference.changes:
        lines.append(
            f"  {one.story}  {one.before} → {one.after} articles  {one_line(one.title)}"
        )
        lines += [f"      + {article}" for article in one.came]
        lines += [f"      - {article}" for article in one.went]
    if difference.changed_stories > len(difference.changes):
        lines.append(
            f"  and {difference.changed_stories - len(difference.changes)} more"
        )
    show.out("\n".join(lines) + "\n")


_LISTED = 1_000


def forget(
    context: Context,
    name: Annotated[
        str,
        argument(
            "[URL|ARTICLE|OUTLET]",
            "Erase the article with this address or id, or all articles of this outlet.",
        ),
    ] = "",
    yes: Annotated[bool, flag("--yes", "Skip the confirmation.")] = False,
    dry_run: Annotated[
        bool, flag("--dry-run", "Show what would be erased without changing anything.")
    ] = False,
    list_: Annotated[
        bool, flag("--list", "List forgotten articles, the newest first.")
    ] = False,
    no_wait: NoWait = False,
    format_: show.TextOrJson = "text",
) -> None:
    """Erase articles permanently and refuse them in the future.

    This deletes the text, its earlier versions, its index entries and its output. Ids and hashes remain, so
    that the article is recognised and refused. Copies printed by other outlets are separate articles: forget
    them separately. This cannot be undone.

    \b
    Examples:
      aggregator forget ARTICLE --dry-run
      aggregator forget ARTICLE --yes
      aggregator forget Herald --yes
      aggregator forget --list
    """
    from aggregator.grouping.deletion.forget import ForgetCommand

    if list_:
        _list(context.obj, format_)
        return
    if not name:
        raise UsageError(
            "give the address or id of an article, or the name of an outlet"
        )
    with written_before(context.obj) as (config, database):
        kind = erase_articles(
            config,
            database,
            ForgetCommand(name=name),
            yes=yes,
            dry_run=dry_run,
            no_wait=no_wait,
            format_=format_,
        )
    if kind == "outlet" and not dry_run:
        show.say(
            "new articles of this outlet are still accepted; `aggregator sources remove` stops that"
        )


def erase_articles(
    config: "Config",
    database: "Database",
    command: "ForgetCommand",
    *,
    yes: bool,
    dry_run: bool = False,
    no_wait: bool = False,
    format_: str = "text",
    once_confirmed: Callable[[], None] = lambda: None,
) -> str:
    """Ask, call `once_confirmed`, erase, and print what was erased; return the kind of the target.

    Raises UsageError if there is nothing to erase, or if the answer is no.
    """
    from aggregator.admin.backup import backups
    from aggregator.grouping.deletion.forget import ForgetResult, to_forget

    with database.read() as connection:
        target, summary = to_forget(connection, command)
    if dry_run:
        _print_summary(summary, format_, "would be forgotten")
        return target.kind
    if not yes:
        _print_summary(
            summary, "text", f"will be forgotten, for the {target.kind} {command.name}"
        )
        show.confirm("Erase permanently?")
    once_confirmed()
    with WriterSession(config, database) as writer:
        forgotten: ForgetResult | None = writer.carry_out(
            "forget", command, no_wait=no_wait
        )
    if forgotten is None:
        show.say(
            f"queued as command {writer.queued_as} for the process that is the writer"
        )
        return target.kind
    _print_summary(forgotten.summary, format_, "forgotten")
    if not forgotten.log_folded:
        show.say(
            "another process was reading: SQLite's log contains the text until the next checkpoint"
        )
    for backup in backups(config):  # the user decides which ones to delete
        show.say(f"the backup {backup.path} still contains it")
    return target.kind


def _print_summary(summary: "EraseSummary", format_: str, what: str) -> None:
    if format_ == "json":
        show.json_line(summary)
        return
    lines = [
        (summary.articles, "articles", what),
        (summary.entries, "entries of them", ""),
        (
            summary.stories,
            "stories lose articles",
            f"{summary.emptied:,} of them are deleted",
        ),
        (summary.copies, "copies of them", "remain: they are separate articles"),
    ]
    show.out(
        "".join(
            f"{count:9,}  {name:24}{more}".rstrip() + "\n"
            for count, name, more in lines
        )
    )


def _list(settings: Settings, format_: str) -> None:
    from aggregator.store.intake.tombstones import newest_tombstones

    with settings.reading() as (config, database):
        if missing_database(config) is not None:
            return
        with database.read() as connection:
            tombstones = newest_tombstones(connection, _LISTED)
    if format_ == "json":
        show.json_line(tombstones)
        return
    if not tombstones:
        show.say("No articles have been forgotten.")
    for one in tombstones:
        refused = (
            f"refused {counted(one.rejected_count, 'time')}"
            if one.rejected_count
            else ""
        )
        show.out(f"{one.article}  {one.at:%Y-%m-%d %H:%M}  {refused}".rstrip() + "\n")
