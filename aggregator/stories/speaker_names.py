"""One name for each speaker of a story: the full name, without titles, bodies and middle initials.

Reports name one person in different ways ("Mr. Berg", "EU President Ann Berg", "Ann M. Berg"). Names with one surname
are one person unless their first names differ.
"""

import re
from collections.abc import Sequence
from functools import cache

from aggregator.model.article import ArticleView
from aggregator.stories.lexicon import words_of
from aggregator.text.names import UPPER

# This much of each report is searched for first names.
CHARS_READ = 20_000
# A first name counts if so many reports have it: one report may speak of a relative.
REPORTS_NAMING = 2
# A word before a name that is a body or an office: "EU", "U.N.", "CEO"
_BODY = re.compile(r"(?:[A-Z]\.){2,}|[A-Z][A-Z-]+|[\w]+['’]s")
_INITIALS = re.compile(r"(?:[A-Z]\.?)+")
_SUFFIX = re.compile(r"(?:Jr|Sr)\.?|I{2,3}")
_FEWEST_WORDS = 2
# Persons with these titles are known by them and one name: "Pope Francis"
_PART_OF_NAME = frozenset({"king", "queen", "prince", "princess", "pope"})


def one_name_each(
    names: Sequence[str], reports: Sequence[ArticleView]
) -> dict[str, str]:
    """Return the name to show for each name of a speaker in `names`."""
    persons = {name: plain_name(name) for name in names}
    shown = {}
    for name, person in persons.items():
        first, _, surname = person.rpartition(" ")
        # The forms of this person, the longest first; a form without a first name may be anybody of the surname.
        forms = [other for other in persons.values() if _surname(other) == surname]
        full = sorted({form for form in forms if " " in form}, key=len, reverse=True)
        if first:
            full = [form for form in full if is_one_given_name(form, person)]
        elif not all(is_one_given_name(full[0], form) for form in full):
            full = []
        if not full and not first and not is_body(person):
            full = _full_names_in(reports, surname)
        shown[name] = full[0] if full else person
    return shown


def plain_name(name: str) -> str:
    """Return a name without titles, bodies and offices before it, and without middle initials."""
    words = name.split()
    titles = words_of("titles")
    institutions = words_of("institutions")
    for place in range(len(words) - 1, 0, -1):
        word = words[place - 1].lower().rstrip(".").rpartition("-")[2]
        is_title = word in titles and not (
            word in _PART_OF_NAME and place == len(words) - 1
        )
        is_institution = word in institutions and place <= len(words) - _FEWEST_WORDS
        is_of_body = place == len(words) - 1 and words[-1].lower() in institutions
        if is_of_body:  # "Justice Department"
            continue
        if (is_title or is_institution) and words[place] not in ("of", "for", "and"):
            words = words[place:]
            break
    while len(words) > _FEWEST_WORDS and _BODY.fullmatch(words[0]):
        del words[0]
    while len(words) > _FEWEST_WORDS and _SUFFIX.fullmatch(words[-1].strip(",")):
        del words[-1]
    if is_body(" ".join(words)):
        return " ".join(words)
    *given, last = words
    whole = [word for word in given if not _INITIALS.fullmatch(word)]
    return " ".join((*(whole or given[:1]), last))


def is_body(name: str) -> bool:
    """Return whether a name is that of a body and not of a person: "Justice Department", "ACLU of Washington"."""
    words = name.split()
    is_institution = not words_of("institutions").isdisjoint(map(str.lower, words))
    return is_institution or any(
        word.isupper() and len(word) > _FEWEST_WORDS and "." not in word
        for word in words
    )


def is_one_given_name(one: str, other: str) -> bool:
    """Return whether two full names may be of one person: their first names are equal, or forms of one name."""
    first, second = one.split(maxsplit=1)[0].lower(), other.split(maxsplit=1)[0].lower()
    forms = _given_names()
    return first == second or forms.get(first, first) == forms.get(second, second)


@cache
def _given_names() -> dict[str, str]:
    return {
        form: group.split()[0]
        for group in words_of("given_names")
        for form in group.split()
    }


def _surname(name: str) -> str:
    return name.rpartition(" ")[2]


def _full_names_in(reports: Sequence[ArticleView], surname: str) -> list[str]:
    """Return the full name of a surname if several reports have it and none has another first name; else []."""
    form = re.compile(
        rf"(?<![\w.’'-])([{UPPER}][\w’'-]*[a-zß-ÿ]) (?:[A-Z]\. )?{re.escape(surname)}(?![\w-])"
    )
    no_names = words_of("titles") | words_of("stop")
    found: dict[str, int] = {}
    for report in reports:
        text = f"{report.title}\n{report.text[:CHARS_READ]}"
        given = {first for first in form.findall(text) if first.lower() not in no_names}
        for first in given:
            found[first] = found.get(first, 0) + 1
    if len(found) == 1 and max(found.values()) >= REPORTS_NAMING:
        return [f"{next(iter(found))} {surname}"]
    return []
