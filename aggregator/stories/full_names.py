"""The full name of a speaker, as the reports of a story give it: "Emrys Boll" for "Mayor Boll"."""

import re
from collections import Counter
from collections.abc import Sequence

from aggregator.model.core import ArticleView
from aggregator.stories.lexicon import words_of
from aggregator.stories.speakers import HONORIFICS, WEEKDAYS, is_name, links
from aggregator.text.names import CAPITAL_NOUNS

NAME_WORDS, NAME_CHARS = 3, 40  # before a surname: first names and particles
FORMS_READ = 8  # of one name in a text
FIRST_NAME = re.compile(r"[^\W\d_a-z][\w'’-]*[a-zß-ÿ]|(?:[A-Z]\.){1,2}")  # not "GOP", "Thursday,"


def full_name(name: str, text: str, report: ArticleView, reports: Sequence[ArticleView]) -> str:
    """Return the full name of the speaker of a sentence `text`, without titles and roles.

    "Mayor Boll" becomes "Emrys Boll", by the form with first names that stands nearest before the sentence in
    its report, else by the form that most `reports` have. Without any it is `name` where that has a title, or
    where the report writes it within sentences and always with a capital letter; else "".
    """
    person = without_role(name)
    if " " in person:
        return person
    own = report.text
    form = _nearest_form(own[: own.find(text) + len(text)], person)
    if form:
        return form
    forms: Counter[str] = Counter()
    for each in reports:
        forms.update(_forms_in(each.text, person))
    title = own.partition(person)[0].rstrip().rpartition(" ")[2]
    if len(forms) > 1 and title not in HONORIFICS and _is_title(title):
        of_title = [form for form in forms if any(f"{title} {form}" in each.text for each in reports)]
        forms = Counter({form: forms[form] for form in of_title})
        name = f"{title} {person}"
    if forms:
        return max(forms, key=lambda form: (forms[form], len(form), form))
    if person != name:
        return name if is_name(name.split()[0]) else ""
    if _has_word(own, name.lower()) or (report.language or "en") in CAPITAL_NOUNS:
        return ""
    return name if re.search(rf"[a-zß-ÿ,] {re.escape(name)}\b", own) else ""


def without_role(name: str) -> str:
    """Return the name without the titles before it, and without "of Arizona" behind the name of a person."""
    words = name.split()
    bodies = words_of("bodies")
    if words[-1].lower() in bodies and "of" not in words:
        return name  # "Democratic National Committee"
    titles = [place for place, word in enumerate(words[:-1]) if _is_title(word)]
    if titles:
        words = words[titles[-1] + 1 :]
        if words[0] == "of" and len(words) == 2:
            return name  # "President of Varna"
        if words[0] == "of":
            words = words[2:] if len(words) == 3 else words[-2:]  # "Secretary of State John Kerry"
    place = words.index("of") if "of" in words else 0
    is_body = any(word.lower() in bodies for word in words[:place])
    if not is_body and place > (0 if titles else 1):
        words = words[:place]  # "Senator John McCain of Arizona", "Anna Berg of the Harbour Office"
    start = len(words)
    while start > 0 and (is_name(words[start - 1]) or links(words[start - 1])):
        start -= 1  # what is left of a role has small letters: "Bluewave economist Anna Berg"
    while start < len(words) - 1 and words[start].islower():
        start += 1
    return " ".join(words[start:])


def _nearest_form(text: str, surname: str) -> str:
    """Return the form with first names of the last of FORMS_READ mentions that has one; else ""."""
    place = len(text)
    for _ in range(FORMS_READ):
        place = text.rfind(surname, 0, place)
        form = _form_at(text, place, surname) if place >= 0 else ""
        if form or place < 0:
            return form
    return ""


def _forms_in(text: str, surname: str) -> set[str]:
    """Return the forms with first names in which a text has a surname, of FORMS_READ mentions."""
    forms = set()
    place = text.find(surname)
    for _ in range(FORMS_READ):
        if place < 0:
            break
        forms.add(_form_at(text, place, surname))
        place = text.find(surname, place + 1)
    return forms - {""}


def _form_at(text: str, place: int, surname: str) -> str:
    """Return the surname at `place` with the first names directly before it; "" without any."""
    end = place + len(surname)
    if text[end : end + 1].isalnum():
        return ""
    before = text[max(0, place - NAME_CHARS) : place].rpartition("\n")[2]
    words = before.split(" ")
    if len(words) < 2 or words.pop():
        return ""  # no space before the surname
    start = len(words)
    while start > 0 and len(words) - start < NAME_WORDS and _is_first_name(words[start - 1]):
        start -= 1
    while start < len(words) and words[start].islower():
        start += 1  # a particle without a name before it
    is_within = start > 0 and words[start - 1][-1:].isalnum()
    if start > 0 and words[start - 1] == "of" and len(words) - start > 1:
        start += 1  # "Secretary of State John Kerry"
    elif start < len(words) and not is_within and _has_word(text, words[start].lower()):
        start += 1  # a word with which a sentence begins: "Neither Carney nor ..."
    return " ".join([*words[start:], surname]) if start < len(words) else ""


def _is_first_name(word: str) -> bool:
    is_other_name = _is_title(word) or word.lower() in words_of("stop") | WEEKDAYS
    if is_other_name or word.endswith(("'s", "’s")):
        return False
    return FIRST_NAME.fullmatch(word) is not None or (word.islower() and links(word))


def _is_title(word: str) -> bool:
    return word.lower().rstrip(".").rpartition("-")[2] in words_of("titles")  # "Secretary-General"


def _has_word(text: str, word: str) -> bool:
    return re.search(rf"\b{re.escape(word)}\b", text) is not None
