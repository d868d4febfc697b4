"""Unions of two storylines of several stories, which the program made and which can be taken apart again."""

from collections.abc import Iterable
from datetime import datetime

from msgspec.structs import asdict
from sqlalchemy import Connection

from aggregator.model.structs import FrozenStruct
from aggregator.store.stories import storyline_rows
from aggregator.store.tables import (
    insert_rows,
    read_structs,
    read_value,
    read_values,
    storyline_union,
    write_sql,
)


class Union(FrozenStruct):
    """A union; `stories` are the ids of the stories of the younger storyline, joined by commas."""

    union_no: int
    at: datetime
    kept: str
    gone: str
    source: str
    stories: str


def note_union(
    connection: Connection, at: datetime, kept: str, gone: str, source: str
) -> None:
    """Store that an article of a source is about to unite the storyline `gone` with the older storyline `kept`."""
    number = "SELECT coalesce(max(union_no), 0) + 1 FROM storyline_union"
    union = Union(
        union_no=read_value(connection, number),
        at=at,
        kept=kept,
        gone=gone,
        source=source,
        stories=",".join(storyline_rows.stories_of(connection, gone)),
    )
    insert_rows(connection, storyline_union, [asdict(union)])


def unions_of(connection: Connection, line: str) -> list[Union]:
    """Return the unions that made this storyline, the newest first."""
    return read_structs(
        connection,
        Union,
        "SELECT * FROM storyline_union WHERE kept IN :stories ORDER BY union_no DESC",
        stories=storyline_rows.stories_of(connection, line),
    )


def take_apart(connection: Connection, union: Union) -> list[str]:
    """Give the stories of a union their own storyline again; return them.

    Stories that left meanwhile stay where they are, and stories that joined since stay with the older storyline.
    """
    line = storyline_rows.line_of(connection, union.kept)
    present = storyline_rows.stories_of(connection, line) if line else []
    moving = [story for story in union.stories.split(",") if story in present]
    staying = [story for story in present if story not in moving]
    for part, storyline in ((moving, union.gone), (staying, line)):
        storyline_rows.put_back(
            connection, dict.fromkeys(part, storyline if len(part) > 1 else None)
        )
    write_sql(
        connection,
        "DELETE FROM storyline_union WHERE union_no = :number",
        number=union.union_no,
    )
    return moving


def take_apart_of(connection: Connection, sources: Iterable[str]) -> None:
    """Take apart what articles of these sources united, the newest union first."""
    made = (
        "SELECT * FROM storyline_union WHERE source IN :sources ORDER BY union_no DESC"
    )
    for union in read_structs(connection, Union, made, sources=list(sources)):
        take_apart(connection, union)


def sources_without_articles(
    connection: Connection, sources: Iterable[str]
) -> set[str]:
    """Return those of these sources that have no article any more."""
    left = "SELECT DISTINCT source FROM article WHERE source IN :sources"
    return set(sources) - set(read_values(connection, left, sources=list(sources)))
