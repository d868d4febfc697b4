"""The command db check: whether all rows agree, and putting right what follows from others."""

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from aggregator.cli import output
from aggregator.cli.admin import db
from aggregator.cli.context import Settings, missing_database
from aggregator.cli.correct import PATIENCE_SECONDS, WriterSession
from aggregator.cli.progress import progress_bar
from aggregator.config.messages import counted
from aggregator.model.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aggregator.config.settings import Config
    from aggregator.pipeline.placement.repair import RepairCommand
    from aggregator.store.engine.database import Database
    from aggregator.store.maintenance.integrity_check import Balance, Fault

_ROUNDS = 4  # of repairing and looking again: what is put right may show what was behind it


def register(_app: typer.Typer) -> None:
    """Add the commands of this module."""
    db.command()(check)


def check(
    context: typer.Context,
    thorough: Annotated[
        bool, typer.Option("--thorough", help="Look at every text and every index row, however many.")
    ] = False,
    repair: Annotated[
        bool, typer.Option("--repair", help="Work out again what follows from other rows.")
    ] = False,
    format_: Annotated[Literal["text", "json"], typer.Option("--format", metavar="text|json")] = "text",
) -> None:
    """Whether nothing was lost, and all rows agree with each other.

    Changes nothing without --repair. Ends with 1 where something is wrong, or left wrong, or where there is
    no database. A daemon may go on meanwhile; it is the one that repairs then.

    \b
    Examples:
      aggregator db check
      aggregator db check --thorough
      aggregator db check --repair
    """
    settings: Settings = context.obj
    with settings.reading() as (config, database):
        if missing_database(config) is not None:
            raise typer.Exit(1)
        lines = settings.verbose > 0
        found = _found(config, database, thorough=thorough, lines=lines)
        repaired = 0
        if repair:
            found, repaired = _repaired(config, database, found, thorough=thorough, lines=lines)
        _print_result(_balance(database), found, repaired, format_)
    if any(not one.is_note for one in found):
        raise typer.Exit(1)


def _found(config: "Config", database: "Database", *, thorough: bool, lines: bool) -> "list[Fault]":
    from aggregator.extract.wire.agencies import family_table
    from aggregator.store.maintenance import integrity_check

    all_tuning = config.effective_tuning
    length = integrity_check.step_count(database, all_tuning, thorough=thorough)
    with progress_bar("rows", length, lines=lines) as advance:
        families = family_table(config.families)
        return list(
            integrity_check.faults(database, all_tuning, families=families, thorough=thorough, step=advance)
        )


def _balance(database: "Database") -> "Balance | None":
    from aggregator.store.maintenance import integrity_check

    return integrity_check.balance(database)


# --- repairing ---------------------------------------------------------------------------------------------


def _repaired(
    config: "Config", database: "Database", found: "list[Fault]", *, thorough: bool, lines: bool
) -> "tuple[list[Fault], int]":
    """What is left wrong, and how many rows were put right."""
    from aggregator.pipeline.placement.repair import pieces

    total = 0
    for _ in range(_ROUNDS):
        wanted = list(pieces(found))
        if not wanted:
            break
        with (
            WriterSession(config, database) as writer,
            progress_bar("pieces", len(wanted), lines=lines) as advance,
        ):
            done = sum(_carried_out(writer, command, advance) for command in wanted)
            if writer.is_here:
                _caught_up(config, database)
        total += done
        found = _found(config, database, thorough=thorough, lines=lines)
        if not done:
            break
    return found, total


def _carried_out(writer: WriterSession, command: "RepairCommand", advance: "Callable[[int], None]") -> int:
    import msgspec

    from aggregator.pipeline.placement.repair import RepairResult

    if writer.is_here:
        rows = writer.repair(command).rows
    else:
        if command.remedy == "index":
            raise UsageError(
                "an index of the file has to be made anew: stop the daemon first, then repair again"
            )
        number = writer.enqueue("repair", msgspec.json.encode(command))
        answer = writer.wait_for_answer(number, PATIENCE_SECONDS)
        if answer is None:
            raise UsageError("the process that is the writer now does not answer; it goes on by itself")
        rows = msgspec.json.decode(answer, type=RepairResult).rows
    advance(1)
    return rows


def _caught_up(config: "Config", database: "Database") -> None:
    """What a daemon does by itself afterwards: the index of what waits for it, and merged texts."""
    from aggregator.store.search import index
    from aggregator.store.stories.merged_texts import render_next
    from aggregator.stories.tuning import StoryTuning

    more = True
    while more:
        with database.write() as connection:
            more = bool(index.index_older(connection, 200))
    tuning = config.effective_tuning.section("stories", StoryTuning)
    while render_next(database, 20, tuning):
        pass


# --- telling -----------------------------------------------------------------------------------------------


def _print_result(told: "Balance | None", found: "Sequence[Fault]", repaired: int, format_: str) -> None:
    if format_ == "json":
        import msgspec

        output.out(msgspec.json.encode({"balance": told, "faults": found, "repaired": repaired}) + b"\n")
        return
    if told is None:
        output.out("     what came cannot be counted: damage is in the way\n")
    else:
        _print_balance(told)
    for fault in found:
        named = f": {', '.join(fault.keys[:3])}{' ...' if len(fault.keys) > 3 else ''}" if fault.keys else ""
        output.out(f"{fault.rows:9,}  {'(note) ' if fault.is_note else ''}{fault.what}{named}\n")
        if not fault.is_note:
            advice = "`aggregator db check --repair` works it out again" if fault.can_repair else fault.advice
            output.out(f"           → {advice}\n")
    if repaired:
        output.say(f"put right: {counted(repaired, 'row')}")
    wrong = sum(not one.is_note for one in found)
    if wrong:
        output.say(f"{wrong} things are wrong; keep a copy of the database before anything else is tried")
    else:
        output.say("nothing is wrong")


def _print_balance(told: "Balance") -> None:
    refused = ", ".join(f"{count:,} {verdict}" for verdict, count in told.refused_as)
    earlier = f" + {told.earlier:,} earlier, not counted apart" if told.earlier else ""
    gone = f" + {told.let_go:,} not kept any more" if told.let_go else ""
    output.out(
        f"{told.seen:9,}  entries seen = {told.stored:,} stored + {told.known:,} known"
        f" + {told.refused_at_the_door:,} refused as forgotten{earlier}\n"
        f"{told.stored:9,}  stored = {told.placed:,} placed + {told.waiting:,} waiting"
        f" + {told.refused:,} refused{f' ({refused})' if refused else ''}{gone}\n"
        f"{told.articles:9,}  articles\n"
    )
