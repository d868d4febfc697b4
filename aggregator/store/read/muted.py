"""The stories that leave a list because the owner muted them in the browser.

A story leaves if its title has a muted word, if its storyline is muted, or if each of its articles is muted: by
a word in its title or opening, by its outlet, its source or its kind.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from sqlalchemy import (
    ColumnElement,
    Connection,
    TextClause,
    and_,
    bindparam,
    exists,
    func,
    select,
    text,
)

from aggregator.model.read_model import Mute
from aggregator.store.stories.storyline_rows import ANSWERING
from aggregator.store.tables import article, in_parts, read_rows, story

if TYPE_CHECKING:
    from aggregator.store.search.query import Term

_COLUMNS = {
    "outlets": article.c.outlet,
    "sources": article.c.source,
    "kinds": article.c.kind,
}
_WORDS = select(article.c.story, article.c.title, article.c.lead)


def has_words(mutes: Sequence[Mute]) -> bool:
    """Return whether `without_muted_words` has something to do."""
    return any(kind == "words" for kind, _ in mutes)


def not_muted(mutes: Sequence[Mute]) -> list[ColumnElement[bool] | TextClause]:
    """Return the conditions of the mutes on a story, but for words."""
    conditions: list[ColumnElement[bool] | TextClause] = []
    lines = [muted for kind, muted in mutes if kind == "storylines"]
    if lines:
        in_none = f"coalesce(story.storyline, story.id) NOT IN (SELECT {ANSWERING})"
        conditions.append(
            text(in_none).bindparams(bindparam("ids", lines, expanding=True))
        )
    if any(kind in _COLUMNS for kind, _ in mutes):
        of_story = article.c.story == story.c.id
        conditions.append(exists().where(of_story, _is_other(mutes)))
    return conditions


def _is_other(mutes: Sequence[Mute]) -> ColumnElement[bool]:
    conditions = []
    for kind, column in _COLUMNS.items():
        values = [muted for named, muted in mutes if named == kind]
        if values:
            conditions.append(func.coalesce(column, "").not_in(values))
    return and_(True, *conditions)


def without_muted_words(
    connection: Connection, ids: Iterable[str], mutes: Sequence[Mute]
) -> set[str]:
    """Return those of the stories that stay: their articles are read, so `ids` should be those of a page."""
    if not has_words(mutes):
        return set(ids)
    # The search compiles large patterns, so it is imported where words are muted.
    from aggregator.store.search.query import muted_term

    words = (muted for kind, muted in mutes if kind == "words")
    terms = list(filter(None, map(muted_term, words)))
    titled = set()
    headed = "SELECT id, title FROM story WHERE id IN :ids"
    for row in read_rows(connection, headed, ids=ids):
        if not _has_any(terms, row.title):
            titled.add(row.id)
    shown = _WORDS.where(_is_other(mutes))
    staying = set()
    for part in in_parts(sorted(titled)):
        for row in connection.execute(shown.where(article.c.story.in_(part))):
            if row.story not in staying and not _has_any(terms, row.title, row.lead):
                staying.add(row.story)
    return staying


def _has_any(terms: "Iterable[Term]", *texts: str) -> bool:
    from aggregator.store.search.searchable_text import SearchableText

    return any(map(SearchableText(*texts).holds_term, terms))
