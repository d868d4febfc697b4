"""The names in a story, and the names that a sentence refers to without repeating them."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from aggregator.stories.lexicon import word_list, words_of
from aggregator.stories.words import WordToken

INHERITED = 3  # names that a sentence takes over from the previous one
PLACES, CAPITAL = frozenset({"city", "province", "town"}), frozenset({"capital"})
CAPITAL_NOUNS = frozenset({"de", "lb"})
BARE_PREPOSITIONS = frozenset(
    {"aus", "bei", "gegen", "in", "nach", "nahe", "um", "von", "vor", "zwischen", "über"}
)
PRONOUN_OPENERS = frozenset({"he", "she", "they", "it"})


@dataclass(frozen=True, slots=True)
class StoryNames:
    """The names of a story: words that are capitalized inside sentences and seldom in lower case."""

    words: frozenset[str]
    capital: str | None  # the name most often attached to "the capital"

    @classmethod
    def of(
        cls, sentences: Sequence[Sequence[WordToken]], languages: Collection[str | None] = ()
    ) -> "StoryNames":
        """Find the names in all sentences; a word that only opens sentences is not a name.

        Where every noun is capitalized (German), a name is next to another capitalized word or after a
        preposition without an article.
        """
        inside: Counter[str] = Counter()
        small: Counter[str] = Counter()
        nouns = not CAPITAL_NOUNS.isdisjoint(languages)
        for words in sentences:
            for index, token in enumerate(words):
                if not token.capital:
                    small[token.lower] += 1
                elif index and not nouns:
                    inside[token.lower] += 1
                elif nouns:
                    before = words[index - 1] if index else None
                    after = words[index + 1] if index + 1 < len(words) else None
                    if _beside(before, token) or _beside(token, after):
                        inside[token.lower] += 1
                    elif before is not None:
                        counter = inside if before.lower in BARE_PREPOSITIONS else small
                        counter[token.lower] += 1
        not_names = words_of("not_names").union(*(word_list(each, "not_names") for each in languages))
        names = frozenset(w for w, n in inside.items() if n >= small[w] and w not in not_names)
        return cls(names, _capital(sentences, names))

    def is_name(self, token: WordToken) -> bool:
        """Whether the token is capitalized and a name in this story."""
        return token.capital and bool(token.head) and token.lower in self.words

    def named(self, words: Sequence[WordToken]) -> list[str]:
        """Return the heads of the names in a sentence, in order, each once."""
        return list(dict.fromkeys(token.head for token in words if self.is_name(token)))

    def places_of(self, sentences: Sequence[Sequence[WordToken]]) -> list[str | None]:
        """Return for each sentence of a report the last name before it that was called a city or province."""
        last: str | None = None
        places: list[str | None] = []
        for words in sentences:
            places.append(last)
            last = _attached(words, self.words, PLACES) or last
        return places

    def context(
        self, words: Sequence[WordToken], before: Sequence[WordToken] | None, place: str | None
    ) -> list[str]:
        """Return heads of names that the sentence refers to by "the capital", "the city" or a pronoun."""
        own = self.named(words)
        implied: list[str] = []
        lowered = {token.lower for token in words}
        if "capital" in lowered and self.capital:
            implied.append(self.capital)
        if place and lowered & PLACES and not _attached(words, self.words, PLACES):
            implied.append(place)
        opener = words[0].lower if words else ""
        if before is not None and (not own or opener in PRONOUN_OPENERS):
            implied += self.named(before)[:INHERITED]
        return [head for head in dict.fromkeys(implied) if head not in own]


def _beside(token: WordToken | None, other: WordToken | None) -> bool:
    """Whether two capitalized words are separated by one space; not "Die Stadt"."""
    if token is None or other is None or not token.head:
        return False
    return token.capital and other.capital and other.start - token.end == 1


def _attached(words: Sequence[WordToken], names: frozenset[str], kinds: frozenset[str]) -> str | None:
    """Return the name after "capital", "city of": the next word except "of"."""
    for index, token in enumerate(words):
        if token.lower not in kinds:
            continue
        following = [w for w in words[index + 1 : index + 3] if w.lower != "of"][:1]
        if following and following[0].capital and following[0].lower in names and following[0].head:
            return following[0].head
    return None


def _capital(sentences: Sequence[Sequence[WordToken]], names: frozenset[str]) -> str | None:
    counts = Counter(name for words in sentences if (name := _attached(words, names, CAPITAL)))
    return min(counts, key=lambda name: (-counts[name], name)) if counts else None
