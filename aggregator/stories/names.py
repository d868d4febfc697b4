"""Which words of a story are names, and which names a sentence means without saying them."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from aggregator.stories.lexicon import word_list, words_of
from aggregator.stories.words import WordToken

INHERITED = 3  # names a sentence takes over from the one before
PLACES, CAPITAL = frozenset({"city", "province", "town"}), frozenset({"capital"})
CAPITAL_NOUNS = frozenset({"de", "lb"})
BARE_PREPOSITIONS = frozenset(
    {"aus", "bei", "gegen", "in", "nach", "nahe", "um", "von", "vor", "zwischen", "über"}
)
PRONOUN_OPENERS = frozenset({"he", "she", "they", "it"})


@dataclass(frozen=True, slots=True)
class StoryNames:
    """Names as the story itself shows them: capitalised inside sentences, seldom in small letters."""

    words: frozenset[str]
    capital: str | None  # the name that the story most often attaches to "the capital"

    @classmethod
    def of(
        cls, sentences: Sequence[Sequence[WordToken]], languages: Collection[str | None] = ()
    ) -> "StoryNames":
        """Read from all sentences; a word that only ever opens a sentence is not taken for a name.

        Where every noun has a capital (German), only what stands beside another capital or behind a bare
        preposition is, and not what articles stand before.
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
                        weigh = inside if before.lower in BARE_PREPOSITIONS else small
                        weigh[token.lower] += 1
        not_names = words_of("not_names").union(*(word_list(each, "not_names") for each in languages))
        names = frozenset(w for w, n in inside.items() if n >= small[w] and w not in not_names)
        return cls(names, _capital(sentences, names))

    def is_name(self, token: WordToken) -> bool:
        """Capitalised and known as a name in this story."""
        return token.capital and bool(token.head) and token.lower in self.words

    def named(self, words: Sequence[WordToken]) -> list[str]:
        """Heads of the names in a sentence, in order, each once."""
        return list(dict.fromkeys(token.head for token in words if self.is_name(token)))

    def places_of(self, sentences: Sequence[Sequence[WordToken]]) -> list[str | None]:
        """For each sentence of a report the name last called a city or province before it."""
        last: str | None = None
        places: list[str | None] = []
        for words in sentences:
            places.append(last)
            last = _attached(words, self.words, PLACES) or last
        return places

    def context(
        self, words: Sequence[WordToken], before: Sequence[WordToken] | None, place: str | None
    ) -> list[str]:
        """Heads of names that the sentence means: of "the capital", "the city", of the sentence before."""
        own = self.named(words)
        meant: list[str] = []
        lowered = {token.lower for token in words}
        if "capital" in lowered and self.capital:
            meant.append(self.capital)
        if place and lowered & PLACES and not _attached(words, self.words, PLACES):
            meant.append(place)
        opener = words[0].lower if words else ""
        if before is not None and (not own or opener in PRONOUN_OPENERS):
            meant += self.named(before)[:INHERITED]
        return [head for head in dict.fromkeys(meant) if head not in own]


def _beside(token: WordToken | None, other: WordToken | None) -> bool:
    """Whether two words with capitals stand beside each other, a space between them; not "Die Stadt"."""
    if token is None or other is None or not token.head:
        return False
    return token.capital and other.capital and other.start - token.end == 1


def _attached(words: Sequence[WordToken], names: frozenset[str], kinds: frozenset[str]) -> str | None:
    """The name that follows "capital", "city of": the next word, "of" and commas skipped."""
    for index, token in enumerate(words):
        if token.lower not in kinds:
            continue
        following = [w for w in words[index + 1 : index + 3] if w.lower != "of"][:1]
        if following and following[0].capital and following[0].lower in names and following[0].head:
            return following[0].head
    return None


def _capital(sentences: Sequence[Sequence[WordToken]], names: frozenset[str]) -> str | None:
    found = Counter(name for words in sentences if (name := _attached(words, names, CAPITAL)))
    return min(found, key=lambda name: (-found[name], name)) if found else None
