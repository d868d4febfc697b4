"""Whether the rows of a database agree with each other: `aggregator db check`. Reads only.

What is asked must hold between any two transactions; the parts are in `checks/`. Each question, and each
piece of a long walk, is a transaction of its own, so a daemon may go on meanwhile and no reader holds
SQLite's log for long (but for the words of a whole index). Derived rows that may lag behind for a moment (the
full-text index, merged texts) are asked only as far as they say that they are. What is dear is asked of some
thousand rows, others each time, or of all (`thorough`).
"""

import datetime as dt
import secrets
from collections.abc import Iterator, Mapping

import msgspec
from sqlalchemy import func, select

from aggregator.cluster.copies.copy_check import CopyTuning
from aggregator.cluster.events.weights import shipped_model
from aggregator.config.tuning import Tuning, effective_tuning
from aggregator.model.errors import DamagedFileError
from aggregator.store.engine.database import Database
from aggregator.store.maintenance.checks import (
    conservation,
    references,
    search_index,
    sqlite_file,
    story_rows,
    texts,
    values,
)
from aggregator.store.maintenance.checks.conservation import Balance
from aggregator.store.maintenance.checks.finding import CheckScope, CheckStep, CheckTuning, Fault
from aggregator.store.maintenance.checks.story_rows import StoryCheckTuning
from aggregator.store.maintenance.salvage import GARBLED
from aggregator.store.tables import article
from aggregator.stories.tuning import StoryTuning

__all__ = ["Balance", "Fault", "balance", "faults", "step_count"]

_FIRST = "first what is said of the file"
_RENDER_SHARE = (
    0.1  # of the stories that are looked at: to tell one anew takes as long as ten others (measured)
)
_STEPPED_CHECKS = 12  # walks over rows, see `faults`; for who shows how far it is


def faults(
    database: Database,
    all_tuning: Tuning | None = None,
    *,
    families: Mapping[str, str] | None = None,
    thorough: bool = False,
    now: dt.datetime | None = None,
    seed: int | None = None,
    step: CheckStep = lambda _rows: None,
) -> Iterator[Fault]:
    """All that is wrong, and notes; nothing where all is well.

    `all_tuning` and `families`: by what stories are worked out (None: as shipped). `seed` chooses the rows
    that are
    looked at closely where they are too many. `step` hears of each some hundred rows.
    """
    all_tuning = all_tuning or effective_tuning()
    tuning = all_tuning.section("checking", CheckTuning)
    extent = _extent(database, tuning.sample, thorough=thorough, seed=seed)
    database = database.lossy_text()
    of_stories = StoryCheckTuning(
        shipped_model(all_tuning), all_tuning.version, families, all_tuning.section("stories", StoryTuning)
    )
    copies = all_tuning.section("copies", CopyTuning)
    torn = list(sqlite_file.of_pages(database))
    is_torn = not all(one.can_repair for one in torn)
    yield from (_left_alone(one) if is_torn else one for one in torn)
    few = CheckScope(
        every=max(1, round(extent.every / _RENDER_SHARE)) if extent.every > 1 else 1, seed=extent.seed
    )
    parts = {
        "where all is that came": conservation.faults(database),
        "references": sqlite_file.of_references(database),
        "what refers to what": references.faults(database),
        "the words and times in rows": values.faults(database, now or dt.datetime.now(dt.UTC)),
        "the bytes in rows": values.unreadable(database, extent, step),
        "stories": story_rows.faults(database, of_stories, extent, step),
        "merged texts": story_rows.merged_text_faults(database, of_stories.stories, few, step),
        "articles": texts.faults(database, copies, tuning.full_share, extent, step),
        "the keys of copies": texts.strays(database, copies, step) if extent.every == 1 else iter(()),
        "the full-text index": search_index.faults(database, extent, step),
    }
    for name, found in parts.items():
        yield from _as_far_as_it_goes(name, found, is_torn=is_torn)


def _as_far_as_it_goes(name: str, found: Iterator[Fault], *, is_torn: bool) -> Iterator[Fault]:
    """Damage that stops one question stops no other. In a torn file nothing is repaired."""
    try:
        for one in found:
            yield _left_alone(one) if is_torn else one
    except DamagedFileError:
        what = f"{name}: not all could be looked at, damage is in the way"
        yield Fault(what=what, rows=1, advice=sqlite_file.DAMAGED, is_note=is_torn)
    except GARBLED as error:
        what = f"{name}: not all could be looked at, a value is not of its kind ({error})"
        yield Fault(what=what, rows=1, is_note=is_torn)


def _left_alone(fault: Fault) -> Fault:
    return msgspec.structs.replace(fault, remedy=None, advice=_FIRST) if fault.can_repair else fault


def balance(database: Database) -> Balance | None:
    """Where all is that ever came; None where damage is in the way."""
    try:
        with database.lossy_text().read() as connection:
            return conservation.balance(connection)
    except (DamagedFileError, *GARBLED):
        return None


def step_count(database: Database, all_tuning: Tuning, *, thorough: bool) -> int:
    """About how many rows `step` will hear of."""
    extent = _extent(database, all_tuning.section("checking", CheckTuning).sample, thorough=thorough, seed=0)
    return _articles(database) * _STEPPED_CHECKS // extent.every


def _articles(database: Database) -> int:
    try:
        with database.lossy_text().read() as connection:
            return connection.execute(select(func.count()).select_from(article)).scalar_one()
    except DamagedFileError:
        return 0


def _extent(database: Database, sample: int, *, thorough: bool, seed: int | None) -> CheckScope:
    every = 1 if thorough else max(1, _articles(database) // sample)
    return CheckScope(every=every, seed=secrets.randbelow(1 << 30) if seed is None else seed)
