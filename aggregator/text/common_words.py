"""Lists of common words, for languages whose words in news were not counted."""

from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from itertools import chain

from aggregator.text.scripts import simplify_chinese

# A word below each heading of the lists is assumed to occur in this share of events. The shares were chosen on
# tests/data/languages/{dev,check}.jsonl (named .06 and topical .12 cost .01 of F1). The 230 most common stems of
# the English table have .27, the next 490 .12, others .02.
SHARES = {"very common": 0.5, "common": 0.3, "named": 0.015, "topical": 0.2}
# Words in no list are assumed to have this share (.002 to .006 are as good, .01 costs .005, .03 costs .02)
UNLISTED_SHARE = 0.004

_FIRST_HAN = "\u3400"


@cache
def listed_words(language: str) -> dict[str, list[str]]:
    """Return the lists of common words by their headings (see SHARES); empty for a language without lists.

    common/LANGUAGE.txt has inflected words below the headings "very common", "common", "named" (countries,
    capitals, institutions) and "topical" (typical words of kinds of events: quakes, matches, trials). The
    lists were written by hand for this project, not counted in a corpus. Chinese words are returned in
    simplified characters.
    """
    path = files("aggregator.text").joinpath("common", f"{language}.txt")
    lists: dict[str, list[str]] = {}
    for line in path.read_text("utf-8").splitlines() if path.is_file() else ():
        if line in SHARES:
            lists[line] = []
        elif lists:
            words = simplify_chinese(line) if language == "zh" else line
            lists[next(reversed(lists))] += words.split()
    return lists


@cache
def words_of_han(language: str) -> frozenset[str]:
    """Return the listed words that consist of two or more Chinese characters and nothing else."""
    return frozenset(
        word
        for word in all_listed(language)
        if len(word) > 1 and min(word) >= _FIRST_HAN
    )


def all_listed(language: str) -> Iterable[str]:
    """Return the words of all lists of a language."""
    return chain.from_iterable(listed_words(language).values())
