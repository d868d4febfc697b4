"""How well grouping does, as far as the database can tell: the newest stories, and what persons corrected."""

import datetime as dt
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, select

from aggregator.model.read_model import Quality
from aggregator.store.read import last_changed as told_texts
from aggregator.store.sql import in_parts
from aggregator.store.stories.corrections import all_corrections
from aggregator.store.tables import story

NEWEST: Final = 1000  # stories that are looked at: the page costs the same at any size
DAYS: Final = 90  # whose corrections are counted
FLOORS: Final = (1, 2, 3, 5, 10, 20)  # least number of independent reports of a row of the table
REPORTS_TO_AGREE: Final = 3  # where so many report one event, two should say one thing alike
_NAMED: Final = 10  # stories of one list


def measured(connection: Connection, now: dt.datetime) -> Quality:
    """Counts over the newest stories, and over the corrections of the last days."""
    columns = (story.c.id, story.c.title, story.c.report_count, story.c.article_count)
    live: Select[Any] = select(*columns).where(story.c.redirect_to.is_(None))
    rows = connection.execute(live.order_by(story.c.updated.desc(), story.c.n.desc()).limit(NEWEST)).all()
    largest = sorted(rows, key=lambda row: (-row.article_count, row.id))[:3]
    told, without = _facts(connection, [row for row in rows if row.report_count >= REPORTS_TO_AGREE])
    since = now - dt.timedelta(days=DAYS)
    lately = all_corrections(connection, since)
    standing = [one for one in lately if one.undone_at is None]
    return Quality(
        stories=len(rows),
        by_reports=tuple(
            (least, sum(1 for row in rows if least <= row.report_count < above))
            for least, above in zip(FLOORS, (*FLOORS[1:], 2**31), strict=True)
        ),
        largest=tuple((row.id, row.title, row.article_count) for row in largest if row.article_count > 1),
        told=told,
        without_fact_count=len(without),
        without_fact=tuple((row.id, row.title, row.report_count) for row in without[:_NAMED]),
        days=DAYS,
        merges=sum(1 for one in standing if one.kind == "merge"),
        parted=sum(1 for one in standing if one.kind != "merge"),
        undone=len(lately) - len(standing),
    )


def _facts(connection: Connection, rows: list[Row[Any]]) -> tuple[int, list[Row[Any]]]:
    """How many of these stories have their merged text, and those of them in which no two outlets agree."""
    by_id = {row.id: row for row in rows}
    ids, told, without = list(by_id), 0, []
    for some in in_parts(ids):
        part = select(story.c.id, story.c.merged).where(story.c.id.in_(some), story.c.merged.is_not(None))
        for id_, merged in connection.execute(part):
            told += 1
            held = told_texts.read_merged(id_, merged)
            if held is None or not any(fact.outlets > 1 for fact in held.facts):
                without.append(by_id[id_])
    return told, sorted(without, key=lambda row: (-row.report_count, row.id))
