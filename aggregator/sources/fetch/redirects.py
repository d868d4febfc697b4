"""Addresses that move for ever (301, 308), and feeds that are gone (410). Pure.

One such answer proves little: a hotel's network, a parked domain or a slip of an administrator give it too.
So an answer must be the same several times over some days, and a new address must have shown an entry that
we knew from the old one, before it is believed (docs/decisions/0017).
"""

import datetime as dt

import msgspec

from aggregator.sources.limits import NetRules


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """A permanent redirect under observation; `to` is None where there is none."""

    to: str | None = None
    count: int = 0
    since: dt.datetime | None = None
    proven: bool = False  # the target showed what we knew before it was ever asked


def watched(move: Move, to: str | None, *, now: dt.datetime, shares: bool) -> Move:
    """The observation after one more good answer.

    `to` is where the whole chain led for ever, None where it did not. `shares` says whether the answer held
    an entry that was known before; it counts at the first answer from a target only, for afterwards its
    entries are known from the target itself.
    """
    if to is None:
        return Move()
    if to != move.to:
        return Move(to=to, count=1, since=now, proven=shares)
    return msgspec.structs.replace(move, count=move.count + 1)


def is_ripe(move: Move, now: dt.datetime, rules: NetRules) -> bool:
    """Whether the target is to be asked from now on."""
    return (
        move.proven
        and move.since is not None
        and move.count >= rules.adopt_times
        and now - move.since >= dt.timedelta(hours=rules.adopt_hours)
    )


def is_gone(count: int, since: dt.datetime | None, now: dt.datetime, rules: NetRules) -> bool:
    """Whether a feed that answered 410 `count` times in a row, first at `since`, is asked no more."""
    return (
        since is not None
        and count >= rules.gone_times
        and now - since >= dt.timedelta(hours=rules.gone_hours)
    )
