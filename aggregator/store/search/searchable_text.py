"""Searches a text for the phrases of a query, without a database."""

from collections.abc import Iterable
from functools import lru_cache

from aggregator.extract.language.search_tokens import index_words
from aggregator.store.search.index_rows import EVERY, TITLE, mark_tokens
from aggregator.store.search.query import Phrase, Query, Term


class SearchableText:
    """A text with its words indexed, so that phrases can be searched in it."""

    def __init__(
        self, *texts: str, title: str = "", tokens: Iterable[str] = ()
    ) -> None:
        """`texts`: no phrase spans two of them; `title`: matched by `title:`; `tokens`: from `tokens_of` an article."""
        tokens = [*tokens, *mark_tokens(TITLE, title)]
        for text in texts:
            tokens += [EVERY, *index_words(text)]
        self._line = f" {' '.join(tokens)} "

    def holds_term(self, term: Term) -> bool:
        """Return whether the text contains all phrases of an alternative of the term."""
        return any(
            all(_needle(phrase) in self._line for phrase in way) for way in term.any_of
        )

    def fits(self, query: Query) -> bool:
        """Return whether the text matches all terms of `query` and none of `without`."""
        return all(map(self.holds_term, query.terms)) and not any(
            map(self.holds_term, query.without)
        )


@lru_cache(maxsize=8192)
def _needle(phrase: Phrase) -> str:
    return f" {' '.join(phrase.tokens)}{'' if phrase.ends_in_prefix else ' '}"
