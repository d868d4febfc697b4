"""The stories that leave a list because the owner muted them in the browser.

A story leaves if its title has a muted word, if the mute of its storyline hides it, or if each of its articles is
muted. An article is muted by a word in its title or lead, by its outlet, its source or its kind.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from aggregator.model.read_model import Mute
from aggregator.store.stories.storyline_mutes import HIDDEN
from aggregator.store.tables import Where, read_rows

if TYPE_CHECKING:
    from aggregator.store.search.query import Term

_COLUMNS = {"outlets": "outlet", "sources": "source", "kinds": "kind"}


def has_words(mutes: Sequence[Mute]) -> bool:
    """Return whether `without_muted_words` has something to do."""
    return any(kind == "words" for kind, _ in mutes)


def not_muted(mutes: Sequence[Mute]) -> Where:
    """Return the conditions for a story that is not muted, except for mutes of words."""
    staying = Where()
    if any(kind == "storylines" for kind, _ in mutes):
        staying.add(f"story.id NOT IN ({HIDDEN})")
    if any(kind in _COLUMNS for kind, _ in mutes):
        other = _other_articles(mutes)
        staying.add(
            f"EXISTS (SELECT 1 FROM article WHERE article.story = story.id AND {other})",  # noqa: S608
            **other.values,
        )
    return staying


def _other_articles(mutes: Sequence[Mute]) -> Where:
    """Return the conditions for an article that is not muted, except for mutes of words."""
    other = Where()
    for kind, column in _COLUMNS.items():
        values = [muted for named, muted in mutes if named == kind]
        if values:
            other.add(
                f"coalesce(article.{column}, '') NOT IN :muted_{kind}",
                **{f"muted_{kind}": values},
            )
    return other


def without_muted_words(
    connection: Connection, ids: set[str], mutes: Sequence[Mute]
) -> set[str]:
    """Return those of the stories `ids` that no word mutes. All their articles are read, so `ids` should be few."""
    if not has_words(mutes):
        return ids
    # The search compiles large patterns, so it is imported only if words are muted.
    from aggregator.store.search.query import muted_term

    words = (muted for kind, muted in mutes if kind == "words")
    terms = list(filter(None, map(muted_term, words)))
    titles = "SELECT id, title FROM story WHERE id IN :ids"
    titled = {
        row.id
        for row in read_rows(connection, titles, ids=ids)
        if not _has_any(terms, row.title)
    }
    other = _other_articles(mutes)
    staying = set()
    for row in other.read_rows(
        connection,
        f"SELECT story, title, lead FROM article WHERE story IN :titled AND {other}",  # noqa: S608
        titled=titled,
    ):
        if row.story not in staying and not _has_any(terms, row.title, row.lead):
            staying.add(row.story)
    return staying


def _has_any(terms: "Iterable[Term]", *texts: str) -> bool:
    from aggregator.store.search.searchable_text import SearchableText

    return any(map(SearchableText(*texts).holds_term, terms))
