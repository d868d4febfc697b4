"""One name for each speaker of a story: the full name, without titles, bodies and middle initials.

Reports name one person in different ways ("Mr. Berg", "EU President Ann Berg", "Ann M. Berg"). Names with one surname
are one person unless their first names differ.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache

from aggregator.model.article import ArticleView
from aggregator.stories.lexicon import words_of
from aggregator.stories.story_words import behind_last
from aggregator.text.calendar import forms
from aggregator.text.names import UPPER

# This much of each report is searched for first names.
CHARS_READ = 20_000
# A first name counts if so many reports have it: one report may speak of a relative.
REPORTS_NAMING = 2
# A word before a name that is a body or an office: "EU", "U.N.", "CEO"
_BODY = re.compile(r"(?:[A-Z]\.){2,}|[A-Z][A-Z-]+|[\w]+['’]s")
_INITIALS = re.compile(r"(?:[A-Z]\.?)+")
# A first name and a surname
FULL_NAME_WORDS = 2
# First names and particles are searched for in this many characters before a surname.
NAME_CHARS = 40
# The most forms of one name that are read in a text
FORMS_READ = 8
# Not "GOP"
_FIRST_NAME = re.compile(rf"(?:[A-Z]\.){{1,2}}|[{UPPER}][\w'’-]*[a-zß-ÿ](?<!['’]s)")
# A name ends before these characters
_NO_NAME = re.compile(r"[^\w.'’ -]")
_PARTICLES = {"de", "van", "von", "der", "bin", "al"}
# The surname goes on ("Boll-Meyer", a soft hyphen, a combining accent); "'s" does not count.
_GOES_ON = re.compile(r"(?!['’]s\b)[\w'’\-\u00ad\u0300-\u036f]")
# Persons with these titles are known by them and one name: "Pope Francis"
_PART_OF_NAME = re.compile(r"(?:King|Queen|Prince|Princess|Pope) \S+")


def one_name_each(
    names: Sequence[str], reports: Sequence[ArticleView]
) -> dict[str, str]:
    """Return the name to show for each name of a speaker in `names`."""
    persons = {name: plain_name(name) for name in names}
    full_names = sorted(filter(_has_given, persons.values()), key=len, reverse=True)
    shown = {}
    for name, person in persons.items():
        surname = person.rpartition(" ")[2]
        same = [full for full in full_names if full.endswith(f" {surname}")]
        if _has_given(person):
            same = [full for full in same if is_one_given_name(full, person)]
        elif not same and not is_body(person):
            same = _full_names_in(reports, surname)
        # A bare surname may be any of two persons.
        is_one = all(is_one_given_name(full, same[0]) for full in same)
        shown[name] = same[0] if same and is_one else person
    return shown


def _has_given(person: str) -> bool:
    return " " in person


def plain_name(name: str) -> str:
    """Return a name without titles, bodies and offices before it, and without middle initials."""
    if _PART_OF_NAME.fullmatch(name):
        return name
    words = without_role(name).split()
    institutions = words_of("institutions")
    # "Varna Conservative Union Matt Boll", but not "Union of Varna"
    bodies = behind_last(words[:-2], lambda word: word.lower() in institutions)
    if bodies and words[bodies] not in ("of", "for", "and"):
        words = words[bodies:]
    while len(words) > FULL_NAME_WORDS and _BODY.fullmatch(words[0]):
        del words[0]
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
        word.isupper() and len(word) > FULL_NAME_WORDS and "." not in word
        for word in words
    )


def is_one_given_name(one: str, other: str) -> bool:
    """Return whether two full names may be of one person: their first names are equal, or forms of one name."""
    first, second = one.split(maxsplit=1)[0].lower(), other.split(maxsplit=1)[0].lower()
    base = _given_names()
    return first == second or base.get(first, first) == base.get(second, second)


def weekdays() -> frozenset[str]:
    return forms("weekdays", "en")


@cache
def _given_names() -> dict[str, str]:
    names = {}
    for group in words_of("given_names"):
        base, *others = group.split()
        names.update(dict.fromkeys(others, base))
    return names


def _full_names_in(reports: Sequence[ArticleView], surname: str) -> list[str]:
    """Return the full name of a surname if several reports have it and none has another first name; else []."""
    found: Counter[str] = Counter()
    for report in reports:
        named = _full_forms(f"{report.title}\n{report.text[:CHARS_READ]}", surname)
        found.update({form.split(maxsplit=1)[0] for form in named})
    ((first, count),) = found.most_common(1) or [("", 0)]
    is_known = len(found) == 1 and count >= REPORTS_NAMING
    return [f"{first} {surname}"] if is_known else []


def full_name(name: str, text: str, report: ArticleView) -> str:
    """Return the full name of the speaker of a sentence `text`, without titles and roles.

    "Mayor Boll" becomes "Emrys Boll" if the report has this form in the sentence or before it; the last such form is
    returned. Only the same report is read, because other reports may speak of another Boll. If the report has the bare
    surname before any first name ("President Boll ... Anna Boll"), Anna may be another person, so `name` is returned.
    If the report has no form with first names, or first names of two persons, `name` is returned if it has a title;
    else "", because a single word may be a body, a place or the beginning of a sentence.
    """
    person = without_role(name)
    if " " in person:
        return person
    whole = report.text
    full = list(_full_forms(whole[: whole.find(text) + len(text)], person))
    first = re.search(rf"\b{re.escape(person)}(?!{_GOES_ON.pattern})", whole)
    introduced = (
        [] if first is None else list(_full_forms(whole[: first.end()], person))
    )
    if full and len({form.split()[0] for form in (*full, *introduced)}) == 1:
        return full[0] if introduced else name
    return name if person != name else ""


def without_role(name: str) -> str:
    """Return the name without titles and roles before it, and without "of Arizona" after the name of a person."""
    words = name.split()
    institutions = words_of("institutions")
    if words[-1].lower() in institutions and "of" not in words:
        return name  # "Democratic National Committee"
    titles = behind_last(words[:-1], lambda word: _is_title(word) or word == "Party")
    person = words[titles:]
    if titles and person[0] == "of":
        if len(person) == 2:
            return name  # "President of Varna"
        person = person[2:]  # "Secretary of State John Kerry"
    if "of" in person:
        place = person.index("of")
        is_body = not institutions.isdisjoint(map(str.lower, person[:place]))
        if not is_body and (titles or place > 1):
            person = person[:place]  # "Anna Berg of the Harbour Office"
    # "Bluewave economist Anna Berg"
    links = words_of("name_links")
    roles = behind_last(person, lambda word: word.islower() and word not in links)
    return " ".join(person[roles:]) or name


def _full_forms(text: str, surname: str) -> Iterator[str]:
    """Yield the forms of a surname with first names in a text, from the last mention to the first."""
    place = len(text)
    for _ in range(FORMS_READ):
        place = text.rfind(surname, 0, place)
        if place < 0:
            return
        if _GOES_ON.match(text, place + len(surname)):
            continue
        start = text.rfind(" ", 0, max(0, place - NAME_CHARS)) + 1  # no word is cut
        *words, between = _NO_NAME.split(text[start:place])[-1].split(" ")
        first = behind_last(words, _is_no_first_name)
        if between or (first and words[first - 1] == "of"):
            continue  # "of Port Berg" is a place
        names = words[first:]
        # A word that the text also has in lower case is not a name. It is capitalised because it begins a sentence:
        # "Neither Carney nor ..."
        while names and re.search(rf"\b{re.escape(names[0].lower())}\b", text):
            del names[0]
        if names:
            yield " ".join((*names, surname))


def _is_no_first_name(word: str) -> bool:
    """Return whether a word before a surname is not part of the name: not a first name, initial or particle."""
    lower = word.lower()
    if _is_title(word) or lower in words_of("stop") or lower in weekdays():
        return True
    return word not in _PARTICLES and _FIRST_NAME.fullmatch(word) is None


def _is_title(word: str) -> bool:
    # "Secretary-General"
    return word.lower().rstrip(".").rpartition("-")[2] in words_of("titles")
