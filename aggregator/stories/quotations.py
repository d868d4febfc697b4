"""Quotations of named speakers, word for word as in the reports.

A speaker is a run of capitalized words beside a verb of speech: `Anna Berg later said`, `said Anna Berg`,
`Anna Berg, the mayor, said`. In scripts without capital letters no speaker is found.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from aggregator.model.core import ArticleView, Quotation
from aggregator.stories.lexicon import clean_title, word_list, words_of
from aggregator.stories.sentences import QUOTED, sentences_of_report, shows_alone
from aggregator.stories.words import heads
from aggregator.text.calendar import forms
from aggregator.text.names import CAPITAL_NOUNS

MOST = 6  # quotations of a story
MOST_OF_SPEAKER = 2
MOST_TRIED = 48  # candidates: the full name of each is looked for in all reports
CHARS_READ = 6_000  # of a report: later quotations are seldom of the news
LATE_COST = 0.3  # for a quotation at the end of those, beside the share of the story's words in it (chosen)
QUOTED_MARK = re.compile(r"[“”\"„«»「]")
ARTICLES_NAMED = 24  # in which a quotation stands
SAME_QUOTED = 0.6  # of the words of the shorter of two quotations: the same one, cut otherwise
QUOTED_WORDS = 6  # of a quotation at least; fewer are a term in quotation marks
QUOTED_SHARE = 0.4  # of the words of the sentence at least
APPOSITION = 14  # words between a name and its verb: "Anna Berg, the mayor of Port Ellis, said"
ROLE_WORDS = 5  # lower-case words between a verb and a name: "said the mayor of Port Ellis, ..."
NAME_WORDS, NAME_CHARS = 3, 40  # before a surname: first names and particles
PARTY = re.compile(r"[A-Z]-[A-Z]")  # "R-Varna", after the name of a member of parliament
FORMS_READ = 8  # of one name in a text
FIRST_NAME = re.compile(r"[^\W\d_a-z][\w'’-]*[a-zß-ÿ]|(?:[A-Z]\.){1,2}")  # not "GOP", "Thursday,"
WEEKDAYS = forms("weekdays", "en")
_PART = re.compile(
    r"(?:[A-Z]\.){2,3}(?=\s[A-Z])|[A-Z][a-z]{0,3}\.(?=\s[A-Z])"  # "H.R. McMaster", "Gov. Anna Berg"
    r"|[^\W\d_]+(?:['’.-]+[^\W\d_]+)*\.?(?<=\w)|“”|[^\w\s]"
)
_QUOTE = "“”"
_NO_SUBJECT_AFTER = ("told", "tells")  # "told The Hill"
_HONORIFICS = ("Mr.", "Mrs.", "Ms.", "The")


class _Candidate(NamedTuple):
    """A quotation that may be shown."""

    worth: float
    article: ArticleView
    speaker: str  # as the sentence names them
    text: str
    quoted: frozenset[str]  # its words inside quotation marks, in lower case


def quotations_of(
    reports: Sequence[ArticleView],
    articles: Sequence[ArticleView],
    shown: Collection[str],
    key_words: Collection[str],
) -> tuple[Quotation, ...]:
    """Return up to MOST quotations of named speakers, each once, the newest first.

    `reports` are read, `articles` are all of the story, in which a quotation may stand word for word, too.
    `shown` are texts that the story shows already. Quotations with more of `key_words`, the heads of title
    and lead, and early in their reports are chosen.
    """
    candidates: list[_Candidate] = []
    for report in reports:
        candidates.extend(_quotations_in(report, key_words))
    candidates.sort(key=lambda candidate: (-candidate.worth, candidate.article.effective_at, candidate.text))
    chosen: list[_Candidate] = []
    of_speaker: Counter[str] = Counter()
    for candidate in candidates[:MOST_TRIED]:
        if len(chosen) == MOST:
            break
        is_shown = any(candidate.text in text for text in shown)
        if is_shown or any(_is_same(candidate, other) for other in chosen):
            continue
        name = full_name(candidate.speaker, candidate.text, candidate.article, reports)
        surname = name.rpartition(" ")[2]
        if name and of_speaker[surname] < MOST_OF_SPEAKER:
            of_speaker[surname] += 1
            chosen.append(candidate._replace(speaker=name))
    chosen.sort(key=lambda candidate: candidate.article.effective_at, reverse=True)
    quotations = []
    for candidate in chosen:
        ids = _articles_with(candidate, articles)
        quotations.append(Quotation(speaker=candidate.speaker, text=candidate.text, article_ids=ids))
    return tuple(quotations)


def _quotations_in(report: ArticleView, key_words: Collection[str]) -> Iterator[_Candidate]:
    """Yield the quotations of one report, in order."""
    text = report.text[:CHARS_READ]
    with_marks = "\n".join(line for line in text.split("\n") if QUOTED_MARK.search(line))
    for sentence in sentences_of_report(with_marks, clean_title(report)):
        if sentence.is_inside_quotation or quoted_share(sentence.text) < QUOTED_SHARE:
            continue
        speaker = speaker_of(sentence.text, report.language)
        if speaker and shows_alone(sentence.text, report.language):
            words = heads(sentence.text, report.language)
            share = sum(word in words for word in key_words) / max(1, len(key_words))
            worth = share - LATE_COST * text.find(sentence.text) / CHARS_READ
            yield _Candidate(worth, report, speaker, sentence.text, _quoted(sentence.text))


def _quoted(text: str) -> frozenset[str]:
    quoted = " ".join(match.group() for match in QUOTED.finditer(text))
    return frozenset(re.findall(r"\w+", quoted.lower()))


def _is_same(first: _Candidate, second: _Candidate) -> bool:
    shorter = min(len(first.quoted), len(second.quoted))
    return len(first.quoted & second.quoted) >= SAME_QUOTED * shorter


def _articles_with(quotation: _Candidate, articles: Sequence[ArticleView]) -> tuple[str, ...]:
    """Return the ids of the articles in which it stands word for word, its own first."""
    own = quotation.article.id
    others = (article.id for article in articles if article.id != own and quotation.text in article.text)
    return own, *islice(others, ARTICLES_NAMED - 1)


def quoted_share(text: str) -> float:
    """Return the share of words inside quotation marks; 0 for fewer than `QUOTED_WORDS`."""
    quoted = sum(len(match.group().split()) for match in QUOTED.finditer(text))
    return quoted / max(1, len(text.split())) if quoted >= QUOTED_WORDS else 0.0


def speaker_of(text: str, language: str | None) -> str:
    """Return the speaker of a sentence with a quotation, as it names them; "" if it names none."""
    verbs = word_list(language, "quoting")
    no_speakers = WEEKDAYS | word_list(language, "no_speakers") | words_of("outlet_words")
    no_speakers |= words_of("titles")
    words = _PART.findall(QUOTED.sub(f" {_QUOTE} ", text))
    for place, word in enumerate(words):
        if word.lower() in verbs:
            for run in (_before(words, place, language), _after(words, place, language)):
                if run and run[-1].lower() not in no_speakers and not PARTY.match(run[-1]):
                    return " ".join(run[1:] if run[0] in _HONORIFICS and len(run) > 1 else run)
    return ""


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
    if len(forms) > 1 and title not in _HONORIFICS and _is_title(title):
        of_title = [form for form in forms if any(f"{title} {form}" in each.text for each in reports)]
        forms = Counter({form: forms[form] for form in of_title})
        name = f"{title} {person}"
    if forms:
        return max(forms, key=lambda form: (forms[form], len(form), form))
    if person != name:
        return name if _is_name(name.split()[0]) else ""
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
    while start > 0 and (_is_name(words[start - 1]) or _links(words[start - 1])):
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
    return FIRST_NAME.fullmatch(word) is not None or (word.islower() and _links(word))


def _is_title(word: str) -> bool:
    return word.lower().rstrip(".").rpartition("-")[2] in words_of("titles")  # "Secretary-General"


def _has_word(text: str, word: str) -> bool:
    return re.search(rf"\b{re.escape(word)}\b", text) is not None


def _is_name(word: str) -> bool:
    is_capital = any(part[:1].isupper() for part in word.split("-"))  # "al-Rahmoun"
    return is_capital and word[0].isalpha() and word[-2:] not in ("'s", "’s")


def _before(words: Sequence[str], verb: int, language: str | None) -> list[str]:
    """Return the name before a verb, over a few adverbs or over an apposition between commas."""
    end = verb
    while end > 0 and (
        words[end - 1] in word_list(language, "before_quoting")
        or (words[end - 1].islower() and words[end - 1].endswith("ly"))
    ):
        end -= 1
    if end > 0 and words[end - 1] == ",":
        comma = next((n for n in range(end - 2, max(0, end - APPOSITION), -1) if words[n] == ","), None)
        if comma is None:
            return []
        end = comma
    start = end
    while start > 0 and (_is_name(words[start - 1]) or (start < end and _joins(words, start - 1))):
        start -= 1
    # "McCall, of DePauw University, said", "the envoy to Ukraine Marie Berg said"
    before = words[start - 1] if start else ""
    is_place = _links(before) or before in word_list(language, "not_a_role")
    return [] if is_place and before.lower() != "the" else list(words[start:end])


def _joins(words: Sequence[str], place: int) -> bool:
    """Whether a word such as "of" stands between two names, or before another such word."""
    if place == 0 or not _links(words[place]):
        return False
    return _is_name(words[place - 1]) or (place > 1 and _links(words[place - 1]))


def _links(word: str) -> bool:
    """Whether a word such as "of" may stand inside a name."""
    return word.lower() in words_of("name_links")


def _after(words: Sequence[str], verb: int, language: str | None) -> list[str]:
    """Return the role and name after a verb that follows a quotation: "said the mayor, Anna Berg"."""
    before = verb
    while before > 0 and words[before - 1] in word_list(language, "before_quoting"):
        before -= 1  # "a déclaré Jean Ardouin"
    is_after_quotation = words[:before][-1:] == [_QUOTE] or words[:before][-2:] == [_QUOTE, ","]
    if not is_after_quotation or words[verb].lower() in _NO_SUBJECT_AFTER:
        return []
    start = verb + 1
    if words[start : start + 1] == ["the"]:
        start += 1
    elif words[start : start + 1] in (["a"], ["an"]):
        return []  # "said a Republican"
    end = place = start
    while place < len(words) and place - end < ROLE_WORDS:
        if _is_name(words[place]):
            end = place + 1
        elif not words[place][0].isalpha() or words[place] in word_list(language, "not_a_role"):
            break
        place += 1
    return list(words[start:end])
