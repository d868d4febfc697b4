"""Commands that change which articles are one story: correct, recluster."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from aggregator.cli import output as show
from aggregator.cli.context import Settings, missing_database
from aggregator.cli.progress import as_steps, progress_bar
from aggregator.config.logging import one_line
from aggregator.model.errors import UsageError

if TYPE_CHECKING:
    import datetime as dt

    from aggregator.config.settings import Config
    from aggregator.pipeline.placement.apply_corrections import CorrectionCommand, CorrectionResult
    from aggregator.pipeline.placement.erase import ForgetCommand, ForgetResult
    from aggregator.pipeline.placement.place import Placer
    from aggregator.pipeline.placement.recluster import GroupingDifference, Reclusterer
    from aggregator.pipeline.placement.repair import RepairCommand, RepairResult
    from aggregator.pipeline.placement.retention import Retention, RetentionPlan
    from aggregator.store.engine.database import Database
    from aggregator.store.stories.commands import CommandKind

PATIENCE_SECONDS = 60.0  # for a running daemon to carry a correction out; it does so between two batches
RECLUSTER_PATIENCE_SECONDS = 24 * 3600.0

correct = typer.Typer(
    help="Say what is one story and what is not. It is done at once and binds every later run.",
    no_args_is_help=True,
    epilog="`aggregator stories` and `aggregator story ID` show the ids.",
)

NoWait = Annotated[bool, typer.Option("--no-wait", help="Do not wait where a running daemon does it.")]
Format = Annotated[Literal["text", "json"], typer.Option("--format", metavar="text|json")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    correct.command("merge")(merge)
    correct.command("split")(split)
    correct.command("move")(move)
    correct.command("undo")(undo)
    correct.command("list")(list_)
    correct.command("export")(export)
    app.add_typer(correct, name="correct")
    app.command()(recluster)


def merge(
    context: typer.Context,
    stories: Annotated[list[str], typer.Argument(metavar="STORY...", help="Two or more ids.")],
    no_wait: NoWait = False,
    format_: Format = "text",
) -> None:
    """These stories are one.

    The one with more independent reports keeps its id, the others redirect.

    \b
    Examples:
      aggregator correct merge STORY ANOTHER-STORY
    """
    from aggregator.pipeline.placement.apply_corrections import CorrectionCommand

    if len(stories) < 2:
        raise UsageError("name two stories or more: aggregator correct merge STORY STORY")
    _carried_out(
        context.obj, CorrectionCommand(kind="merge", stories=tuple(stories)), format_, wait=not no_wait
    )


def split(
    context: typer.Context,
    story: Annotated[str, typer.Argument(metavar="STORY")],
    articles: Annotated[list[str], typer.Argument(metavar="ARTICLE...", help="Those that do not belong.")],
    no_wait: NoWait = False,
    format_: Format = "text",
) -> None:
    """These articles are a story of their own.

    With their copies, and never again with the rest of the story.

    \b
    Examples:
      aggregator correct split STORY ARTICLE
    """
    from aggregator.pipeline.placement.apply_corrections import CorrectionCommand

    command = CorrectionCommand(kind="split", stories=(story,), articles=tuple(articles))
    _carried_out(context.obj, command, format_, wait=not no_wait)


def move(
    context: typer.Context,
    article: Annotated[str, typer.Argument(metavar="ARTICLE")],
    story: Annotated[str, typer.Argument(metavar="STORY", help="Where it belongs.")],
    no_wait: NoWait = False,
    format_: Format = "text",
) -> None:
    """This article belongs to that story.

    With its copies, and never again to the one it is in.

    \b
    Examples:
      aggregator correct move ARTICLE STORY
    """
    from aggregator.pipeline.placement.apply_corrections import CorrectionCommand

    command = CorrectionCommand(kind="move", stories=(story,), articles=(article,))
    _carried_out(context.obj, command, format_, wait=not no_wait)


def undo(
    context: typer.Context,
    number: Annotated[
        int | None, typer.Argument(metavar="NUMBER", help="Of the list; the last without.")
    ] = None,
    no_wait: NoWait = False,
    format_: Format = "text",
) -> None:
    """Take a correction back.

    Its articles return, retired ids live again, it binds nothing any more. What a later correction says of
    the same articles has to be undone first.

    \b
    Examples:
      aggregator correct undo
      aggregator correct undo 1
    """
    from aggregator.pipeline.placement.apply_corrections import CorrectionCommand

    _carried_out(context.obj, CorrectionCommand(undo=number), format_, wait=not no_wait)


def list_(
    context: typer.Context,
    format_: Annotated[Literal["table", "json"], typer.Option("--format", metavar="table|json")] = "table",
) -> None:
    """All corrections, the newest last.

    \b
    Examples:
      aggregator correct list
      aggregator correct list --format json
    """
    import msgspec

    from aggregator.store.stories.corrections import all_corrections

    settings: Settings = context.obj
    with settings.reading() as (_, database), database.read() as connection:
        made = all_corrections(connection)
    if format_ == "json":
        show.out(msgspec.json.encode(made) + b"\n")
        return
    if not made:
        show.say("nobody has corrected anything yet; `aggregator correct --help` tells how")
    rows = [
        f"{one.n:4}  {one.at:%Y-%m-%d %H:%M}  {one.kind:6}  {'undone  ' if one.undone_at else ''}"
        f"{one.detail.words}\n"
        for one in made
    ]
    show.out("".join(rows))


def export(
    context: typer.Context,
    output: Annotated[str, typer.Option("--output", metavar="FILE", help="Written atomically.")] = "",
) -> None:
    """The corrected articles as labels for eval.

    One JSON record a line, each with its story: a dataset.

    \b
    Examples:
      aggregator correct export > labels.jsonl
      aggregator correct export --output labels.jsonl
    """
    from aggregator.admin.evaluate import labelled_records
    from aggregator.cli.output import write_atomically

    settings: Settings = context.obj
    with settings.reading() as (_, database):
        data = b"".join(labelled_records(database))
    if not data:
        show.say("nobody has corrected anything yet, so there is nothing to export")
    if output:
        write_atomically(Path(output), data)
    else:
        show.out(data)


def recluster(
    context: typer.Context,
    since: Annotated[
        str, typer.Option("--since", metavar="TIME", help="Only what came in since: 7d, 2026-05-01.")
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the difference, write nothing.")] = False,
    no_wait: NoWait = False,
    format_: Format = "text",
) -> None:
    """Decide again where every article belongs. Corrections hold.

    By the rules of today. Worked out aside first, so it needs as much room on the disk as the database has;
    what is the same keeps its id and its time. A run that was stopped goes on where it was.

    \b
    Examples:
      aggregator recluster --dry-run
      aggregator recluster --since 7d
    """
    import msgspec

    settings: Settings = context.obj
    with written_before(settings) as (config, database):
        difference = _reclustered(config, database, since, dry_run=dry_run, wait=not no_wait)
    if difference is None:
        show.say("left for the process that is the writer now; the log of the daemon says when it is done")
    elif format_ == "json":
        show.out(msgspec.json.encode(difference) + b"\n")
    else:
        show.out(_describe(difference))


# --- carrying out ------------------------------------------------------------------------------------------


def _carried_out(settings: Settings, command: "CorrectionCommand", format_: str, *, wait: bool) -> None:
    import msgspec

    from aggregator.pipeline.placement.apply_corrections import CorrectionResult

    with written_before(settings) as (config, database):
        writer = WriterSession(config, database)
        with writer:
            if writer.is_here:
                corrected: CorrectionResult | None = writer.correct(command)
            else:
                number = writer.enqueue("correct", msgspec.json.encode(command))
                answer = writer.wait_for_answer(number, PATIENCE_SECONDS if wait else 0.0)
                corrected = None if answer is None else msgspec.json.decode(answer, type=CorrectionResult)
    if corrected is None:
        show.say(
            f"left as request {number} for the process that is the writer now; "
            "it is carried out before anything that is asked later"
        )
    elif format_ == "json":
        show.out(msgspec.json.encode(corrected) + b"\n")
    else:
        show.out(f"{corrected.words}\nstories: {' '.join(corrected.stories)}\n")
        if command.kind is not None:
            show.say(f"`aggregator correct undo {corrected.n}` takes it back")


def _reclustered(
    config: "Config", database: "Database", since: str, *, dry_run: bool, wait: bool
) -> "GroupingDifference | None":
    import datetime as dt

    import msgspec

    from aggregator.pipeline.placement.recluster import GroupingDifference, ReclusterCommand

    start = show.moment(since, dt.datetime.now(dt.UTC)) if since else None
    if dry_run:
        with _reclustering(config, database) as run, progress_bar("articles", None) as advance:
            return run.difference(start, as_steps(advance))
    with WriterSession(config, database) as writer:
        if writer.is_here:
            return writer.recluster(start)
        number = writer.enqueue("recluster", msgspec.json.encode(ReclusterCommand(since=start)))
        if wait:
            show.say("another process is the writer; waiting until it has decided again (--no-wait: do not)")
        answer = writer.wait_for_answer(number, RECLUSTER_PATIENCE_SECONDS if wait else 0.0)
        return None if answer is None else msgspec.json.decode(answer, type=GroupingDifference)


@contextmanager
def written_before(settings: Settings) -> "Iterator[tuple[Config, Database]]":
    """A database that is there: where none is yet, nothing can be corrected, and none is made."""
    missing = missing_database(settings.load())
    if missing is not None:
        raise UsageError(f"there is no database at {missing} yet; `aggregator ingest FOLDER` makes it")
    with settings.writing() as opened:
        yield opened


class WriterSession:
    """The writer of stories: this process where nobody else is it, and what was left for the writer before.

    Requests are carried out in the order in which they were made, so one that was left for a process that
    ended since goes before what is asked now.
    """

    def __init__(self, config: "Config", database: "Database") -> None:
        from aggregator.store.engine.writer_lease import open_writer_lease

        self._config = config
        self._database = database
        self._lock = open_writer_lease(database, config.effective_tuning)
        self.is_here = False

    def __enter__(self) -> "WriterSession":
        self._try()
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def correct(self, command: "CorrectionCommand") -> "CorrectionResult":
        """Carry it out here."""
        return make_placer(self._config, self._lock.fenced).correct(command)

    def forget(self, command: "ForgetCommand") -> "ForgetResult":
        """Forget it here."""
        from aggregator.pipeline.placement.recluster import drop_scratch

        drop_scratch(self._lock.fenced)
        return make_placer(self._config, self._lock.fenced).erase(command)

    def retention_job(self, plan: "RetentionPlan") -> "Retention":
        """What does here what `plan` asks for."""
        placer = make_placer(self._config, self._lock.fenced)
        return placer.retention_job(plan, self._config.effective_tuning, is_asked=True)

    def repair(self, command: "RepairCommand") -> "RepairResult":
        """Put a piece right here."""
        return make_placer(self._config, self._lock.fenced).repair(command)

    def recluster(self, since: "dt.datetime | None", request: int | None = None) -> "GroupingDifference":
        """Decide again here."""
        placer = make_placer(self._config, self._lock.fenced)
        with _reclustering(self._config, self._lock.fenced) as run, progress_bar("articles", None) as advance:
            return run.take_over(placer, since, as_steps(advance), request=request)

    def enqueue(self, kind: "CommandKind", payload: bytes) -> int:
        """Leave it for the process that is the writer."""
        from aggregator.model.core import utc_now
        from aggregator.pipeline import command_queue

        return command_queue.enqueue(self._database, utc_now(), kind, payload)

    def wait_for_answer(self, number: int, patience_seconds: float) -> str | None:
        """Wait for the answer; where the writer has ended meanwhile, this process takes its place."""
        from aggregator.pipeline import command_queue

        ends = time.monotonic() + patience_seconds
        while True:
            left = ends - time.monotonic()
            answer = command_queue.wait_for_answer(
                self._database, number, patience_seconds=min(1.0, max(0.0, left))
            )
            if answer is not None or left <= 0:
                return answer
            self._try()

    def _try(self) -> None:
        self.is_here = self.is_here or self._lock.become_writer()
        if self.is_here:
            self._catch_up()

    def _catch_up(self) -> None:
        """What others asked of a writer that is not there any more goes first."""
        from aggregator.extract.wire.agencies import family_table
        from aggregator.model.core import utc_now
        from aggregator.pipeline import command_queue
        from aggregator.pipeline.pipeline import Pipeline
        from aggregator.pipeline.workers.factory import open_executor

        if not command_queue.pending_commands(self._database):
            return
        config = self._config
        executor = open_executor(config.work.executor, config.work.worker_count, config.effective_tuning)
        try:
            Pipeline(
                self._lock.fenced,
                executor,
                config.effective_tuning,
                utc_now,
                summary_words=config.publish.excerpt_words,
                families=family_table(config.families),
                bumps=config.feeds.bump,
                prefer=config.publish.prefer,
            ).run_commands()
        finally:
            executor.close()


@contextmanager
def _reclustering(config: "Config", database: "Database") -> Iterator["Reclusterer"]:
    from aggregator.extract.wire.agencies import family_table
    from aggregator.model.core import utc_now
    from aggregator.pipeline.placement.recluster import Reclusterer
    from aggregator.pipeline.workers.factory import open_executor

    executor = open_executor(config.work.executor, config.work.worker_count, config.effective_tuning)
    try:
        yield Reclusterer(
            database,
            executor,
            config.effective_tuning,
            summary_words=config.publish.excerpt_words,
            now=utc_now,
            families=family_table(config.families),
            prefer=config.publish.prefer,
        )
    finally:
        executor.close()


def make_placer(config: "Config", database: "Database") -> "Placer":
    from aggregator.extract.wire.agencies import family_table
    from aggregator.model.core import utc_now
    from aggregator.pipeline.placement.place import Placer

    return Placer(
        database,
        config.effective_tuning,
        utc_now,
        summary_words=config.publish.excerpt_words,
        families=family_table(config.families),
        bumps=config.feeds.bump,
        prefer=config.publish.prefer,
    )


def _describe(difference: "GroupingDifference") -> str:
    done = "" if difference.written else "  (nothing was written)"
    lines = [
        f"articles decided again {difference.articles:9}",
        f"of them elsewhere now  {difference.moved:9}",
        f"stories before         {difference.stories_before:9}",
        f"stories after          {difference.stories_after:9}",
        f"pairs still together   {difference.pairs_kept:9.2%}",
        f"stories changed        {difference.changed_stories:9}{done}",
    ]
    for one in difference.changes:
        lines.append(f"  {one.story}  {one.before} → {one.after} articles  {one_line(one.title)}")
        lines += [f"      + {article}" for article in one.came]
        lines += [f"      - {article}" for article in one.went]
    if difference.changed_stories > len(difference.changes):
        lines.append(f"  and {difference.changed_stories - len(difference.changes)} more")
    return "\n".join(lines) + "\n"
