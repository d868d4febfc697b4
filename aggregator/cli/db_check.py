"""The command db check: the integrity check, and the repair of derived rows."""

from typing import TYPE_CHECKING, Annotated

import typer

from aggregator.cli import output
from aggregator.cli.context import Context
from aggregator.cli.correct import PATIENCE_SECONDS, WriterSession
from aggregator.cli.progress import progress_bar
from aggregator.config.messages import counted
from aggregator.model.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aggregator.config.settings import Config
    from aggregator.pipeline.placement.repair import RepairCommand
    from aggregator.store.engine.database import Database
    from aggregator.store.maintenance.integrity_check import Balance, Fault

_ROUNDS = 4  # of repair and check: a repair may reveal further faults


def check(
    context: Context,
    thorough: Annotated[
        bool, typer.Option("--thorough", help="Check all texts and index rows instead of a sample.")
    ] = False,
    repair: Annotated[
        bool, typer.Option("--repair", help="Recompute faulty rows that are derived from other rows.")
    ] = False,
    format_: output.TextOrJson = "text",
) -> None:
    """Check that nothing was lost and all rows are consistent.

    Nothing is changed without --repair. The exit code is 1 if faults remain or there is no database. A daemon
    may run meanwhile; it then does the repair.

    \b
    Examples:
      aggregator db check
      aggregator db check --thorough
      aggregator db check --repair
    """
    from aggregator.store.maintenance.integrity_check import balance

    with context.obj.reading(must_exist=True) as (config, database):
        lines = context.obj.verbose > 0
        faults = _faults(config, database, thorough=thorough, lines=lines)
        repaired = 0
        if repair:
            faults, repaired = _repaired(config, database, faults, thorough=thorough, lines=lines)
        _print_result(balance(database), faults, repaired, format_)
    if any(not fault.is_note for fault in faults):
        raise typer.Exit(1)


def _faults(config: "Config", database: "Database", *, thorough: bool, lines: bool) -> "list[Fault]":
    from aggregator.extract.wire.agencies import family_table
    from aggregator.store.maintenance import integrity_check

    all_tuning = config.effective_tuning
    length = integrity_check.step_count(database, thorough=thorough)
    with progress_bar("rows", length, lines=lines) as advance:
        families = family_table(config.families)
        return list(
            integrity_check.faults(database, all_tuning, families=families, thorough=thorough, step=advance)
        )


# --- repairing ---------------------------------------------------------------------------------------------


def _repaired(
    config: "Config", database: "Database", faults: "list[Fault]", *, thorough: bool, lines: bool
) -> "tuple[list[Fault], int]":
    """Repair, and return the remaining faults and the number of repaired rows."""
    from aggregator.pipeline.placement.repair import pieces

    total = 0
    for _ in range(_ROUNDS):
        commands = list(pieces(faults))
        if not commands:
            break
        with (
            WriterSession(config, database) as writer,
            progress_bar("repairs", len(commands), lines=lines) as advance,
        ):
            rows = 0
            for command in commands:
                rows += _run_repair(writer, command)
                advance(1)
            if writer.is_writer:
                _index_and_render(config, database)
        total += rows
        faults = _faults(config, database, thorough=thorough, lines=lines)
        if not rows:
            break
    return faults, total


def _run_repair(writer: WriterSession, command: "RepairCommand") -> int:
    from aggregator.pipeline.placement.repair import RepairResult

    if command.remedy == "index" and not writer.is_writer:
        raise UsageError("an index of the file must be rebuilt: stop the daemon, then repair again")
    repaired = writer.carry_out(
        "repair",
        command,
        lambda: writer.placer().repair(command),
        RepairResult,
        patience_seconds=PATIENCE_SECONDS,
    )
    if repaired is None:
        raise UsageError("the process that is the writer does not answer; it continues the repair later")
    return repaired.rows


def _index_and_render(config: "Config", database: "Database") -> None:
    """Index and render what the repair left to do; a daemon does this as a maintenance task."""
    from aggregator.store.search import index
    from aggregator.store.stories.merged_texts import render_next
    from aggregator.stories.tuning import StoryTuning

    index.index_all(database)
    tuning = config.effective_tuning.section("stories", StoryTuning)
    while render_next(database, 20, tuning):
        pass


# --- printing ----------------------------------------------------------------------------------------------


def _print_result(balance: "Balance | None", faults: "Sequence[Fault]", repaired: int, format_: str) -> None:
    if format_ == "json":
        output.json_line({"balance": balance, "faults": faults, "repaired": repaired})
        return
    if balance is None:
        output.out("     the entries cannot be counted because the database is damaged\n")
    else:
        _print_balance(balance)
    for fault in faults:
        named = f": {', '.join(fault.keys[:3])}{' ...' if len(fault.keys) > 3 else ''}" if fault.keys else ""
        output.out(f"{fault.rows:9,}  {'(note) ' if fault.is_note else ''}{fault.what}{named}\n")
        if not fault.is_note:
            advice = "repair it with `aggregator db check --repair`" if fault.can_repair else fault.advice
            output.out(f"           → {advice}\n")
    if repaired:
        output.say(f"repaired {counted(repaired, 'row')}")
    fault_count = sum(not fault.is_note for fault in faults)
    if fault_count:
        output.say(f"{counted(fault_count, 'fault')}; make a copy of the database before you change anything")
    else:
        output.say("no faults")


def _print_balance(balance: "Balance") -> None:
    refused = ", ".join(f"{count:,} {verdict}" for verdict, count in balance.refused_as)
    earlier = f" + {balance.earlier:,} earlier, not counted by outcome" if balance.earlier else ""
    deleted = f" + {balance.deleted:,} deleted by retention" if balance.deleted else ""
    output.out(
        f"{balance.seen:9,}  entries received = {balance.stored:,} stored + {balance.known:,} already known"
        f" + {balance.refused_as_forgotten:,} refused as forgotten{earlier}\n"
        f"{balance.stored:9,}  stored = {balance.placed:,} placed + {balance.waiting:,} waiting"
        f" + {balance.refused:,} rejected{f' ({refused})' if refused else ''}{deleted}\n"
        f"{balance.articles:9,}  articles\n"
    )
