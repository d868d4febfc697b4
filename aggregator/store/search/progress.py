"""The progress of the full-text index: two counters.

This is a module of its own, so that they can be read without loading the patterns of words.
"""

from sqlalchemy import Connection

from aggregator.store.tables import counter_value, read_map

LAST = "searchable"  # counter: the last article number in the index
REST = "unindexed"  # counter: articles up to this number wait to be indexed again


def indexed_to(connection: Connection) -> int:
    """Return the inbox number of the last indexed article."""
    return counter_value(connection, LAST)


def unindexed_to(connection: Connection) -> int:
    """Return the last inbox number of the articles to index again; 0 if there are none."""
    return counter_value(connection, REST)


def unindexed_at_most(connection: Connection, newest: int) -> int:
    """Return an upper bound of the articles up to `newest` that are not indexed, from their numbers."""
    reached = read_map(
        connection,
        "SELECT name, value FROM counter WHERE name IN (:last, :rest)",
        last=LAST,
        rest=REST,
    )
    return max(0, newest - reached[LAST]) + reached[REST]
