"""Tells whether the clock of the machine runs without jumps. While it may be wrong, nothing is deleted by age."""

from datetime import datetime, timedelta

from sqlalchemy import Connection

from aggregator.store.tables import counter_value, set_counter

# Counters: seconds since 1970.
_RECORDED_AT = "retained_at"
_STEADY_FROM = "steady_from"


def record_time(connection: Connection, now: datetime, gap: timedelta) -> None:
    """Store that the clock shows `now`.

    If it jumped back, or ahead by more than `gap`, it counts as steady only from now on.
    """
    seconds = int(now.timestamp())
    if (
        not 0
        <= seconds - counter_value(connection, _RECORDED_AT)
        <= gap.total_seconds()
    ):
        set_counter(connection, _STEADY_FROM, seconds)
    set_counter(connection, _RECORDED_AT, seconds)


def is_steady(connection: Connection, now: datetime, gap: timedelta) -> bool:
    """Return whether the clock has run for `gap` without a jump, according to the calls of `record_time`.

    If not, deletions by age must wait, because the clock may be wrong and jump back. True before the first call.
    """
    recorded_at = counter_value(connection, _RECORDED_AT)
    steady_from = counter_value(connection, _STEADY_FROM)
    # Whole seconds are compared, because only these are recorded.
    seconds = int(now.timestamp())
    least = gap.total_seconds()
    return recorded_at == 0 or (
        seconds - recorded_at <= least and seconds - steady_from >= least
    )
