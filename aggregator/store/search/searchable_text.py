"""A text in which the phrases of a search are looked for."""

from functools import lru_cache

from aggregator.extract.language.search_tokens import index_words
from aggregator.store.search.query import Phrase, Query, Term


class SearchableText:
    """A text in which phrases are searched."""

    def __init__(self, *texts: str, title: str = "") -> None:
        """No phrase spans two of `texts`; phrases with `title:` match only in `title`."""
        self._line = "\n".join(map(_line, texts))
        self._title = _line(title)

    def holds(self, phrase: Phrase) -> bool:
        """Return whether the text contains the phrase."""
        return _needle(phrase) in (self._title if phrase.in_title else self._line)

    def holds_term(self, term: Term) -> bool:
        """Return whether the text contains all phrases of an alternative."""
        return any(all(map(self.holds, way)) for way in term.any_of)

    def fits(self, query: Query) -> bool:
        """Return whether the text matches all terms of `query` and none of `without`."""
        return all(map(self.holds_term, query.terms)) and not any(
            map(self.holds_term, query.without)
        )


@lru_cache(maxsize=8192)
def _needle(phrase: Phrase) -> str:
    return f" {' '.join(phrase.in_index)}{'' if phrase.ends_in_prefix else ' '}"


def _line(text: str) -> str:
    return f" {' '.join(index_words(text))} "
