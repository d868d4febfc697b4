"""Corrections by people, and the constraints that they put on articles. A later correction overrules an earlier one.

A correction names articles and not stories: "these articles belong together", or "the articles of one side do not
belong with the articles of the other side". So it still applies when the same articles are placed again.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Literal, NamedTuple

import msgspec
from sqlalchemy import Connection

from aggregator.model.errors import UsageError
from aggregator.model.evidence import Evidence
from aggregator.model.structs import FrozenStruct
from aggregator.store.stories import stored_articles, storyline_rows
from aggregator.store.tables import (
    insert_rows,
    link_constraint,
    read_rows,
    read_structs,
    read_value,
    write_sql,
)

Relation = Literal["together", "apart"]


class Constraint(FrozenStruct):
    """One article in one correction. `side` is its side of a correction of relation "apart", 0 or 1."""

    correction: int
    article: str
    relation: Relation
    side: int = 0


class LinkedArticles(NamedTuple):
    """The articles that must be in the story of an article, and those that must not."""

    together: set[str]
    apart: set[str]


class ConstraintTable:
    """The constraints of the corrections in force, by article.

    Memory is linear in the number of named articles, because pairs are formed only when they are looked up.
    """

    def __init__(self, constraints: Iterable[Constraint]) -> None:
        # The articles with the relation "apart", even if a later correction overrules it
        self.separated: set[str] = set()
        # Constraints by article, the latest last
        self._constraints = defaultdict(list)
        self._sides: defaultdict[tuple[int, Relation, int], set[str]] = defaultdict(set)
        for constraint in sorted(constraints, key=attrgetter("correction")):
            article = constraint.article
            side = constraint.correction, constraint.relation, constraint.side
            self._constraints[article].append(constraint)
            self._sides[side].add(article)
            if constraint.relation == "apart":
                self.separated.add(article)

    def linked_articles(self, article: str) -> LinkedArticles:
        """Return the articles that corrections link to `article`.

        If two corrections link the same pair, the later one decides.
        """
        together = set()
        apart: set[str] = set()
        for constraint in self._constraints.get(article, ()):
            number = constraint.correction
            if constraint.relation == "together":
                same_side = self._sides[number, "together", constraint.side]
                together |= same_side
                apart -= same_side
            else:
                other_side = self._sides[number, "apart", 1 - constraint.side]
                apart |= other_side
                together -= other_side
        return LinkedArticles(together - {article}, apart)

    def barred_groups(self, groups: Mapping[str, str], group: str) -> set[str]:
        """Return the groups that corrections keep apart from `group`; `groups`: by article."""
        apart: set[str] = set()
        for article, its_group in groups.items():
            if its_group == group:
                apart |= self.linked_articles(article).apart
        return {groups[article] for article in apart if article in groups}

    def latest_correction(self, article: str) -> int:
        """Return the number of the latest correction that names the article."""
        return self._constraints[article][-1].correction


CorrectionKind = Literal["merge", "split", "move", "join", "leave", "part"]
# Corrections of the kinds "join", "leave" and "part" constrain storylines. Their relations have this
# prefix in the rows.
_PREFIX = "storyline "


class MovedArticle(FrozenStruct):
    """An article that a correction took from one story to another."""

    article: str
    before: str
    after: str
    # The evidence before the correction, if the correction replaced it
    evidence: Evidence | None = None


class Redirect(FrozenStruct):
    """A redirect that the correction changed."""

    story: str
    to: str


class CorrectionDetail(FrozenStruct):
    """The changes that a correction made, for undoing and listing it."""

    moved: tuple[MovedArticle, ...] = ()
    retired: tuple[str, ...] = ()  # ids of stories that redirect since then
    # The redirects to the retired stories before the correction
    redirects: tuple[Redirect, ...] = ()
    founded: str | None = None  # the story that it created
    # Stories and the articles of their headlines before the correction
    titles: tuple[tuple[str, str], ...] = ()
    # Stories and their storylines before the correction
    storylines: tuple[tuple[str, str | None], ...] = ()
    words: str = ""  # the command in words, for the list


class Correction(FrozenStruct):
    """One correction as it is stored."""

    correction_no: int = msgspec.field(name="n")
    at: datetime
    kind: CorrectionKind
    undone_at: datetime | None
    detail: CorrectionDetail


def add(
    connection: Connection,
    at: datetime,
    kind: CorrectionKind,
    detail: CorrectionDetail,
    *,
    together: Sequence[str] = (),
    leaving: Sequence[str] = (),
    staying: Sequence[str] = (),
) -> int:
    """Store a correction and its constraints; return its number.

    `together`: articles that belong in one story or storyline; `leaving`: articles that do not belong with
    `staying`.
    """
    n = read_value(
        connection, "SELECT coalesce(max(correction_no), 0) + 1 FROM correction"
    )
    write_sql(
        connection,
        "INSERT INTO correction (correction_no, at, kind, detail) VALUES (:n, :at, :kind, :detail)",
        n=n,
        at=at,
        kind=kind,
        detail=msgspec.json.encode(detail).decode(),
    )
    prefix = _PREFIX if kind in ("join", "leave", "part") else ""
    for relation, side, ids in (
        ("together", 0, together),
        ("apart", 0, leaving),
        ("apart", 1, staying),
    ):
        shared = {"correction": n, "relation": prefix + relation, "side": side}
        insert_rows(
            connection, link_constraint, [shared | {"article": id_} for id_ in ids]
        )
    return n


def undo(connection: Connection, n: int, at: datetime) -> None:
    """Mark correction `n` as undone and delete its constraints."""
    write_sql(
        connection,
        "UPDATE correction SET undone_at = :at WHERE correction_no = :n",
        at=at,
        n=n,
    )
    write_sql(connection, "DELETE FROM link_constraint WHERE correction = :n", n=n)


def all_corrections(
    connection: Connection, *, before: int | None = None, limit: int | None = None
) -> list[Correction]:
    """Return the corrections with numbers below `before`, newest first."""
    chosen = """
        SELECT * FROM correction WHERE correction_no < :before ORDER BY correction_no DESC LIMIT :limit
        """
    most = 2**31 - 1  # both databases accept this as a number of rows
    bounds = {"before": before or most, "limit": most if limit is None else limit}
    return [
        Correction(
            **{
                **row._mapping,
                "detail": msgspec.json.decode(row.detail, type=CorrectionDetail),
            }
        )
        for row in read_rows(connection, chosen, **bounds)
    ]


def to_undo(connection: Connection, number: int | None) -> Correction:
    """Return the correction with this number, or the last correction in force if it is None. Raises UsageError."""
    for entry in all_corrections(connection):
        if entry.correction_no == number and entry.undone_at is not None:
            raise UsageError(f"correction {number} is already undone")
        if entry.correction_no == number or (
            number is None and entry.undone_at is None
        ):
            return entry
    if number is None:
        raise UsageError("there is no correction to undo")
    raise UsageError(
        f"there is no correction {number}; `aggregator correct list` shows them"
    )


def all_constraints(
    connection: Connection, *, of_storylines: bool = False, after: int = 0
) -> list[Constraint]:
    """Return the constraints in force on stories, or on storylines, from corrections with numbers above `after`."""
    like = "LIKE" if of_storylines else "NOT LIKE"
    return read_structs(
        connection,
        Constraint,
        f"""
        SELECT correction, article, replace(relation, '{_PREFIX}', '') AS relation, side
        FROM link_constraint WHERE relation {like} '{_PREFIX}%' AND correction > :after
        ORDER BY correction, article, relation
        """,  # noqa: S608
        after=after,
    )


class StoryConstraints(NamedTuple):
    """The live stories that corrections link to an article, or keep apart from it."""

    # The article belongs to all of these stories, so several stories are one.
    must_link: tuple[str, ...] = ()
    barred: frozenset[str] = frozenset()


class Constraints:
    """The corrections in force, kept in memory because they are few."""

    def __init__(self) -> None:
        # The constraints of stories (False) and of storylines (True)
        self._tables: dict[bool, ConstraintTable] = {}

    def forget(self) -> None:
        """Forget the corrections, so that they are read again after a change."""
        self._tables.clear()

    def story_constraints(
        self, connection: Connection, article: str
    ) -> StoryConstraints:
        """Return the constraints of an article. A must-link takes precedence over a cannot-link."""
        linked = self._table(connection).linked_articles(article)
        must_link = _stories_of(connection, linked.together)
        barred = _stories_of(connection, linked.apart) - must_link
        return StoryConstraints(tuple(sorted(must_link)), frozenset(barred))

    def may_leave(self, connection: Connection, articles_: Iterable[str]) -> bool:
        """Return whether no correction links these articles to articles outside this set."""
        table = self._table(connection)
        moving = set(articles_)
        return all(
            table.linked_articles(article).together <= moving for article in moving
        )

    def may_join(
        self, connection: Connection, articles_: Iterable[str], story: str
    ) -> bool:
        """Return whether no correction keeps any of these articles out of the story."""
        return all(
            story not in self.story_constraints(connection, article).barred
            for article in articles_
        )

    def may_merge(self, connection: Connection, story: str, other_story: str) -> bool:
        """Return whether no correction separates an article of one story from an article of the other."""
        table = self._table(connection)
        stories = stored_articles.assigned_stories(connection, table.separated)
        return other_story not in table.barred_groups(stories, story)

    def same_storyline(self, connection: Connection, article: str) -> set[str]:
        """Return the stories that corrections put into the storyline of an article."""
        linked = self._table(connection, of_storylines=True).linked_articles(article)
        return _stories_of(connection, linked.together)

    def barred_storylines(self, connection: Connection, storyline: str) -> set[str]:
        """Return the storylines that corrections keep apart from `storyline`."""
        table = self._table(connection, of_storylines=True)
        lines = storyline_rows.lines_of_articles(connection, table.separated)
        return table.barred_groups(lines, storyline)

    def _table(
        self, connection: Connection, *, of_storylines: bool = False
    ) -> ConstraintTable:
        if of_storylines not in self._tables:
            self._tables[of_storylines] = ConstraintTable(
                all_constraints(connection, of_storylines=of_storylines)
            )
        return self._tables[of_storylines]


def _stories_of(connection: Connection, articles_: Iterable[str]) -> set[str]:
    return set(stored_articles.assigned_stories(connection, articles_).values())
