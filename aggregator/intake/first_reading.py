"""The end of the first reading: what came source by source is decided again in order of time, once.

Grouping decides better in order of time, and the first polls of many sources take minutes. The order is
stored with the new decisions, in one transaction (intake/recluster/recluster.py). The command is queued in
the transaction in which the first reading ends, so a killed daemon does it after its next start.
"""

import datetime as dt
import logging
from functools import partial

import msgspec

from aggregator.config.messages import counted
from aggregator.intake.recluster.recluster import ReclusterCommand
from aggregator.store import commands
from aggregator.store.engine.database import Connection, Database
from aggregator.store.intake import first_reading, inbox_order
from aggregator.store.tables import counter_value

log = logging.getLogger(__name__)
# Of which the new order is made: minutes, and some hundred MB on the disk (chosen)
_MOST_ENTRIES = 20_000


def end_first_reading(database: Database, now: dt.datetime) -> bool:
    """If the first reading is over, store that; return whether a command to decide it again was queued."""
    with database.read() as connection:
        if not first_reading.is_over(connection, now):
            return False
    return database.transact(partial(_end, now=now))


def _end(connection: Connection, now: dt.datetime) -> bool:
    first_reading.end(connection)
    entries = counter_value(connection, "inbox")
    words = counted(entries, "entry", "entries")
    if entries > _MOST_ENTRIES:
        log.warning(
            "the first reading brought %s: more than %s are not decided again in order of time",
            words,
            f"{_MOST_ENTRIES:,}",
            extra={"event": "first_reading_too_large"},
        )
        return False
    if all(
        number == by_time
        for number, by_time in inbox_order.order_of_time(connection).items()
    ):
        return False
    commands.enqueue(
        connection,
        now,
        "recluster",
        msgspec.json.encode(ReclusterCommand(in_order_of_time=True)).decode(),
    )
    log.info(
        "the first reading has ended: its %s are decided again in order of time",
        words,
        extra={"event": "first_reading_ended"},
    )
    return True
