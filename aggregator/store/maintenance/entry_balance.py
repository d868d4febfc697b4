"""Conservation of entries: each received entry is stored, known or refused; stored ones are placed or wait.

`acceptance.count_received` counts entries when they are received; here the counts are compared with rows.
"""

from collections import Counter

from sqlalchemy import Connection

from aggregator.model.structs import FrozenStruct
from aggregator.store.intake.acceptance import STORED
from aggregator.store.tables import article, count_rows, counter_value, read_rows


class Balance(FrozenStruct, omit_defaults=False):
    """Numbers of all received entries, from one state of the database.

    `seen` = `stored` + `known` + `refused_as_forgotten`, and
    `stored` = `placed` + `waiting` + `refused` + `deleted`. `refused_as`: by verdict.
    """

    seen: int
    stored: int
    known: int
    refused_as_forgotten: int
    placed: int
    waiting: int
    refused: int
    refused_as: tuple[tuple[str, int], ...]
    deleted: int  # stored, but deleted since
    articles: int


def balance_of(connection: Connection) -> Balance:
    outcomes: Counter[str] = Counter()  # all that was received
    deleted = 0
    received = "SELECT outcome, count, deleted FROM intake_count"
    for outcome, count, deleted_since in read_rows(connection, received):
        outcomes[outcome] += count
        deleted += deleted_since
    states: Counter[str] = Counter()
    refused_as: Counter[str] = Counter()
    kinds = "SELECT state, verdict, count(*) FROM entry GROUP BY state, verdict"
    for state, verdict, rows in read_rows(connection, kinds):
        states[state] += rows
        if state == "refused":
            refused_as[verdict or ""] += rows
    return Balance(
        seen=counter_value(connection, "entry"),
        stored=sum(outcomes[outcome] for outcome in STORED),
        known=outcomes["known"],
        refused_as_forgotten=outcomes["forgotten"],
        placed=states["done"],
        waiting=states["page"] + states["ready"],
        refused=states["refused"],
        refused_as=tuple(sorted(refused_as.items())),
        deleted=deleted,
        articles=count_rows(connection, article),
    )


WITHOUT_ARTICLE = """
    SELECT count(*) FROM entry WHERE state = 'done'
    AND NOT EXISTS (SELECT 1 FROM article WHERE article.id = entry.article)
    AND NOT EXISTS (SELECT 1 FROM tombstone WHERE tombstone.article = entry.article)
    """
