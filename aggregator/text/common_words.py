"""Lists of common words of languages whose words in news were not counted."""

from functools import cache
from importlib.resources import files

# Headings of the lists; config/tuning.yaml has the share of events in which a word of each occurs.
LISTS = ("very common", "common", "named", "topical")


@cache
def common_words(language: str) -> tuple[tuple[str, str], ...]:
    """Return the lists of common words with their headings (see LISTS); empty for a language without lists.

    common/LANGUAGE.txt has inflected words below the headings "very common", "common", "named" (countries,
    capitals, institutions) and "topical" (typical words of kinds of events: quakes, matches, trials). The
    lists were written by hand for this project; they are not counted from any corpus.
    """
    path = files("aggregator.text").joinpath("common", f"{language}.txt")
    if not path.is_file():
        return ()
    lists: dict[str, list[str]] = {}
    for line in path.read_text("utf-8").splitlines():
        if line in LISTS:
            lists[line] = []
        elif lists:
            lists[next(reversed(lists))].append(line)
    return tuple((name, "\n".join(words)) for name, words in lists.items())
