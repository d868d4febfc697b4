"""Names as texts write them: which linked words form one name, and the form of names that is compared."""

import functools
import re
import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING

from aggregator.stories.lexicon import words_of
from aggregator.stories.story_words import behind_last
from aggregator.text.calendar import forms
from aggregator.text.language import primary_tag
from aggregator.text.names import CAPITAL_NOUNS, LINKS, PARTICLES, link_pattern

if TYPE_CHECKING:  # programs that only read stories need not load numpy
    from aggregator.text.vocabulary import Vocabulary

# The words of a name in the form for comparison
NameKey = tuple[str, ...]

# Names with more characters are sentences (chosen).
_LONGEST = 80
# The most words of a name without links (chosen)
_MOST_WORDS = 5
# The most words of a name with links: "Bureau of Alcohol, Tobacco, Firearms and Explosives" has 7 (chosen).
_MOST_LINKED_WORDS = 9
_NO_NAME = re.compile(r"[DRI]-[A-Z]|.*-[a-z]{3}")  # "R-Utah", "Obama-era"
_PARTICLE = re.compile(PARTICLES)
LINK_WORDS = frozenset(re.findall(r"\w+", " ".join(map(" ".join, LINKS.values()))))
# An everyday word, such as "Tobacco", is in at least this many texts of the background (chosen) ...
_OFTEN = 20
# ... and a name in a smaller share of these texts than this (chosen: "Fox" has .10).
_RARELY_NAME = 0.05
# An ordinary word is a name in a smaller share of the texts than this. The share is not small, because words in the
# names of bodies count as names: "Prevention" has .22 (chosen: "Harvard" has .37).
_SOMETIMES_NAME = 0.35


@functools.lru_cache(maxsize=4096)
def read_names(
    written: str, vocabulary: "Vocabulary"
) -> tuple[tuple[str, NameKey], ...]:
    """Return the names in a run of capitalised words, or in several runs with the words that link them.

    Each name is returned with its key.
    """
    language = vocabulary.language
    names = [written]
    if language in LINKS:
        run, *rest = link_pattern(language).split(written)
        names = [run]
        for link, following in zip(rest[::2], rest[1::2], strict=True):
            if _is_joined(names[-1], run, link.strip(), following, vocabulary):
                names[-1] += link + following
            else:
                names.append(following)
            run = following
    if language != "en" and len(names) > 1:
        # If the runs were separated, each must be a name by itself, by the rules of text/names.py.
        names = [
            name
            for name in names
            if not vocabulary.is_common(name)
            and (language not in CAPITAL_NOUNS or " " in name)
        ]
    read = []
    for run in names:
        if name := _name(run, vocabulary):
            key = tuple(form_of(word, vocabulary) for word in name.split())
            read.append((name, key))
    return tuple(read)


def _is_joined(
    group: str, run: str, link: str, following: str, vocabulary: "Vocabulary"
) -> bool:
    """Return whether `following` belongs to the name `group`, which ends with `run`.

    The link "of" joins words to the name of a body or another everyday noun before it ("Bank of England", "Sea of
    Japan"). The link of a list joins words to the name of a body before or after it ("Department of Health and Human
    Services", "Food and Drug Administration").
    """
    language = vocabulary.language
    words = [word.lower() for word in following.split()]
    if language == "en" and _PARTICLE.fullmatch(link):
        return True
    if not words_of("titles").isdisjoint(words[:-1]) or not _dates().isdisjoint(words):
        return False  # "Bank of England Governor Oda Renn"
    last = run.rpartition(" ")[2]
    if re.fullmatch(LINKS[language][0], link):
        return _is_institution(last, language) or (
            link.startswith("of") and _is_everyday(last, vocabulary)
        )
    # A list belongs to the body that `group` names before it, or that `following` names at its end.
    head = link_pattern(language).split(group, 1)[0]
    is_body = head != group and _is_institution(head.rpartition(" ")[2], language)
    # Only English has word lists that show whether a word is a name
    if is_body and language != "en":
        return True
    if not is_body:
        is_body = (
            _is_institution(following.rsplit(maxsplit=1)[-1], language)
            and not _is_institution(run.rpartition(" ")[2], language)
            and _is_ordinary(run, vocabulary)
        )
    return is_body and _is_ordinary(following, vocabulary)


def _is_institution(word: str, language: str) -> bool:
    institutions = words_of("institutions")
    word = word.lower()
    return word in institutions or (
        language in CAPITAL_NOUNS and word.endswith(tuple(institutions))
    )


def _is_ordinary(run: str, vocabulary: "Vocabulary") -> bool:
    """Return whether all words of the run are ordinary nouns or adjectives, as far as the background knows."""
    for word in run.split():
        is_noun = _is_institution(word, vocabulary.language)
        if not is_noun and _share_as_name(word, vocabulary) >= _SOMETIMES_NAME:
            return False
    return True


def _is_everyday(word: str, vocabulary: "Vocabulary") -> bool:
    """Return whether a word is hardly ever a name in the texts of the background."""
    return _share_as_name(word, vocabulary, of_at_least=_OFTEN) < _RARELY_NAME


def _share_as_name(
    word: str, vocabulary: "Vocabulary", *, of_at_least: int = 1
) -> float:
    """Return in which share of the background's texts with the word it is a name; 1 if the texts are too few."""
    from aggregator.text.document_frequency import ANY_LANGUAGE, shipped_background

    background = shipped_background()
    in_texts = background.table("w", vocabulary.language).get(vocabulary.stem(word), 0)
    as_name = background.table("n", ANY_LANGUAGE).get(word.casefold(), 0)
    return as_name / in_texts if in_texts >= of_at_least else 1.0


def _name(written: str, vocabulary: "Vocabulary") -> str:
    """Return a name without the titles and stop words before it; "" if nothing that can be a name is left."""
    words = written.removesuffix("'").split()
    before_name = words
    most = _MOST_WORDS
    if any(map(str.islower, words)):
        # "Justice" is not a title in "Department of Justice".
        before_name = words[:-1]
        most = _MOST_LINKED_WORDS
    titles = words_of("titles")
    del words[: behind_last(before_name, lambda word: word.lower() in titles)]
    while words and not vocabulary.stem(words[0]):  # a stop word: "For Team ..."
        del words[0]
    # The last word must have three letters, or two if they are capitals: "EU".
    if not 0 < len(words) <= most or len(words[-1]) < 3 - words[-1].isupper():
        return ""
    name = " ".join(words)
    if (
        len(name) > _LONGEST
        or not _dates().isdisjoint(map(str.lower, words))
        or _NO_NAME.match(name)
    ):
        return ""
    if len(words) == 1:
        return "" if _is_everyday(name, vocabulary) else name
    return "" if _is_heading(words, vocabulary) else name


def _is_heading(words: Sequence[str], vocabulary: "Vocabulary") -> bool:
    """Return whether these words are an English heading, whose small words have capitals, too: "Time Of Dying"."""
    if vocabulary.language != "en" or _is_institution(words[0], "en"):
        return False  # "Doctors Without Borders"
    return any(not vocabulary.stem(word) and word.istitle() for word in words[1:])


def _dates() -> frozenset[str]:
    return forms("months", "en", short=True) | forms("weekdays", "en", short=True)


@functools.lru_cache(maxsize=4096)
def form_of(word: str, vocabulary: "Vocabulary") -> str:
    """Return the form of a word for comparing names: in lower case, without accents, "'s" or endings of cases."""
    word = word.removesuffix(",")
    if vocabulary.declines_names:
        return vocabulary.stem(word) or word.casefold()
    plain = word.casefold().replace("’", "'").removesuffix("'s")
    plain = unicodedata.normalize("NFKD", plain)
    return "".join(sign for sign in plain if not unicodedata.combining(sign)) or word


@functools.lru_cache(maxsize=16)
def vocabulary_of(language: str | None) -> "Vocabulary":
    """Return the vocabulary of a language, with the background that the program ships."""
    from aggregator.text.document_frequency import shipped_background
    from aggregator.text.vocabulary import Vocabulary

    return Vocabulary(primary_tag(language) or "und", shipped_background())
