"""Choose the quotations of named speakers that a story shows, word for word as in the reports.

A speaker is a run of capitalised words beside a verb of speech: `Anna Berg later said`, `said Anna Berg`,
`Anna Berg, the mayor, said`. In scripts without capital letters, no speakers are found.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from functools import cache
from typing import NamedTuple

from aggregator.model.article import ArticleView
from aggregator.model.story import Quotation
from aggregator.stories.lexicon import word_list, words_of
from aggregator.stories.speaker_names import full_name, is_body, one_name_each, weekdays
from aggregator.stories.story_sentences import (
    ANY_MARK,
    QUOTED,
    sentences_of_report,
    shows_alone,
)
from aggregator.stories.story_words import heads
from aggregator.stories.titles.title_text import clean_title
from aggregator.text.names import UPPER

# The most quotations of a story
MOST = 6
MOST_OF_SPEAKER = 2
# The most candidates that are examined, because the full name of each speaker is searched for in the report
MOST_TRIED = 48
# Only this much of a report is read, because later quotations are seldom about the news.
CHARS_READ = 6_000
# The cost of a quotation at the end of CHARS_READ; having all key words is worth 1 (chosen).
LATE_COST = 0.3
# The most articles that are named for a quotation
ARTICLES_NAMED = 24
# Two quotations that share this share of the words of the shorter are the same quotation, cut at different places.
SAME_QUOTED = 0.6
# The least number of words in a quotation; fewer are a term in quotation marks
QUOTED_WORDS = 6
# The least share of quoted words in a sentence
QUOTED_SHARE = 0.4
_WORD = re.compile(r"\w+")
# Words that refer to a sentence before, or to a body that was named there
LEANS = re.compile(
    r"^\W*(?:Also|And|But|However|So|Then)\b"
    r"|^\W*(?:It['’]s|It is|It was|It will be|It would be) (?:\w+ )?\w+ that this\b"
    r"|^\W*(?:This|That|These|Those|They|He|She|It|His|Her|Their|Its)\b"
    r"(?!(?:['’]s| is| was| will be| would be) (?:\w+ )?\w+ (?:that|to)\b)"
    r"|\b(?:about|of|for|with|by|on|from|like|to|in|at) (?:that|this|those|these|them|it)[,.!?”\"]"
    r"|\b(?:do|did|done|said|say|says|know|believe|happen\w*|doing|want|support) (?:that|this|it|so)[,.!?”\"]"
    r"|\b(?:those|these) \w+[,.!?”\"]"
    r"|\bthe (?:group|company|organi[sz]ation|agency|union|committee|panel|firm|party|team|campaign|pair|association"
    r"|network|department|foundation|coalition|caucus|bank|university|institute)['’]s? (?:\w+ ){0,3}"
    r"(?:president|director|chief|chair\w*|leader|head|spokes\w+|founder|secretary|officer|lawyer|attorney|members?)\b"
)


class _Candidate(NamedTuple):
    """A quotation that may be shown."""

    worth: float
    article: ArticleView
    # The speaker as the sentence names them
    speaker: str
    text: str
    # Its words inside quotation marks, in lower case
    quoted: frozenset[str]
    # It refers to something that is not shown, or a body says it: it is shown only where no other quotation is.
    is_weak: bool


def quotations_of(
    reports: Sequence[ArticleView],
    articles: Sequence[ArticleView],
    shown: Collection[str],
    key_words: Collection[str],
) -> tuple[Quotation, ...]:
    """Return up to MOST quotations of named speakers, each once, the newest first.

    Quotations are taken from `reports`; all `articles` of the story are searched for the same words. `shown` has the
    texts that the story shows already, whose quotations are left out. Quotations are preferred if they have many of
    the `key_words` (the heads of title and lead) and stand early in their reports.
    """
    candidates: list[_Candidate] = []
    for report in reports:
        candidates.extend(_quotations_in(report, key_words))
    candidates.sort(key=lambda c: (c.is_weak, -c.worth, c.article.effective_at, c.text))
    quoted = [(text, _quoted_words(text)) for text in shown]
    chosen: list[_Candidate] = []
    of_speaker: Counter[str] = Counter()
    for candidate in candidates[:MOST_TRIED]:
        if len(chosen) == MOST or (chosen and candidate.is_weak):
            break
        is_shown = any(
            candidate.text in text
            or len(candidate.quoted & in_quotes) >= SAME_QUOTED * len(candidate.quoted)
            for text, in_quotes in quoted
        )
        is_chosen = any(
            len(candidate.quoted & other.quoted)
            >= SAME_QUOTED * min(len(candidate.quoted), len(other.quoted))
            for other in chosen
        )
        if is_shown or is_chosen:
            continue
        name = full_name(candidate.speaker, candidate.text, candidate.article)
        surname = name.rpartition(" ")[2]
        if name and of_speaker[surname] < MOST_OF_SPEAKER:
            of_speaker[surname] += 1
            chosen.append(candidate._replace(speaker=name))
    chosen.sort(key=lambda candidate: candidate.article.effective_at, reverse=True)
    names = one_name_each([quote.speaker for quote in chosen], reports)
    quotations = []
    for quote in chosen:
        others = [article.id for article in articles if quote.text in article.text]
        ids = dict.fromkeys([quote.article.id, *others])
        quotations.append(
            Quotation(
                speaker=names[quote.speaker],
                text=quote.text,
                article_ids=tuple(ids)[:ARTICLES_NAMED],
            )
        )
    return tuple(quotations)


def _quotations_in(
    report: ArticleView, key_words: Collection[str]
) -> Iterator[_Candidate]:
    """Yield the sentences of a report that quote a named speaker and can be shown alone, in order."""
    text = report.text[:CHARS_READ]
    with_marks = "\n".join(line for line in text.split("\n") if ANY_MARK.search(line))
    for sentence in sentences_of_report(with_marks, clean_title(report)):
        if quoted_share(sentence) < QUOTED_SHARE:
            continue
        speaker = speaker_of(sentence, report.language)
        if speaker and shows_alone(sentence, report.language):
            words = heads(sentence, report.language)
            share = sum(word in words for word in key_words) / max(1, len(key_words))
            worth = share - LATE_COST * text.find(sentence) / CHARS_READ
            is_weak = LEANS.search(sentence) is not None or is_body(speaker)
            quoted = _quoted_words(sentence)
            yield _Candidate(worth, report, speaker, sentence, quoted, is_weak)


def _quoted_words(text: str) -> frozenset[str]:
    return frozenset(_WORD.findall(" ".join(QUOTED.findall(text)).lower()))


def quoted_share(text: str) -> float:
    """Return the share of words inside quotation marks; 0 if these are fewer than `QUOTED_WORDS`."""
    quoted = len(" ".join(QUOTED.findall(text)).split())
    return quoted / max(1, len(text.split())) if quoted >= QUOTED_WORDS else 0.0


# This replaces each quotation when the rest of its sentence is read.
_QUOTE = "“”"
_INITIALS = r"(?:[A-Z]\.){1,3}|[A-Z][a-z]{1,3}\."  # "H.R.", "Gov."
# "Berg", "al-Rahmoun"; not "Berg's", not "Cummings’", not "R-Varna", after the name of a member of parliament
_CAPITAL = rf"(?![A-Z]-[A-Z])(?:[a-z]{{2}}-)?[{UPPER}][\w'’-]*(?:\.[\w’'-]+)*(?<!['’]s)(?<!['’])(?![\w'’-])"
_LINKS = r"(?:of|for|and|the|de|la|le|du|da|di|del|der|van|von|bin|al|el|des)"
_NAME = rf"(?:(?:{_INITIALS}|{_CAPITAL}) (?:{_LINKS} ){{0,2}}){{0,9}}{_CAPITAL}"
_CLAUSE = re.compile(
    r"\b(?:who|that|which|when|while|if|neither|nor|without)\b[^,“”]*$", re.IGNORECASE
)
# The end of "... on CNN's ", before the name of a program: "Berg said on CNN's New Day". "Varna's Anna Berg" names a
# person.
_PROGRAM_OF = re.compile(r"\b(?:on|in|at|to|for) [^,“”]{1,40}['’]s $")
# "The younger Boll", "his son Emrys" name somebody else
_RELATIVE = re.compile(
    r"\b(?:[Tt]he (?:younger|elder|older)|(?:[Hh]is|[Hh]er|[Tt]heir) (?:son|daughter|wife|husband|brother|sister|father"
    r"|mother|widow)) $"
)
# A role after a name, and the speaker: " lawyer, Anna"
_ROLE = re.compile(rf" [a-zß-ÿ]+, [{UPPER}]")


def speaker_of(text: str, language: str | None) -> str:
    """Return the speaker of a quotation, as its sentence `text` names them; "" if it names nobody."""
    pattern = _pattern(language)
    if pattern is None:
        return ""
    links = (words_of("name_links") | word_list(language, "not_a_role")) - {"the"}
    outside = " ".join(QUOTED.sub(f" {_QUOTE} ", text).split()).replace(
        f"{_QUOTE} ,", f"{_QUOTE},"
    )
    no_speakers = (
        words_of("outlet_words")
        | words_of("titles")
        | word_list(language, "no_speakers")
    )
    no_beginnings = words_of("stop")
    for match in pattern.finditer(outside):
        name = (match["before"] or match["after"]).removeprefix("The ")
        before = outside[: match.start(match.lastgroup or 0)]
        # "McCall, of DePauw University, said", "said the widow of Marie Berg", "a man who met Berg said"
        is_other = (
            before.rstrip().rpartition(" ")[2] in links
            or _CLAUSE.search(before)
            or _PROGRAM_OF.search(before)
            or _RELATIVE.search(before)
        )
        # "said the Varna lawyer, Anna Berg": the first name belongs to the role after it
        is_of_role = before.endswith(" the ") and _ROLE.match(outside, match.end())
        words = name.lower().split()
        # "On Monday Marie Berg", "When Berg"
        names_nobody = (
            words[0] in no_beginnings
            or words[-1] in no_speakers
            or not weekdays().isdisjoint(words)
        )
        if not (is_other or is_of_role or names_nobody):
            return name
    return ""


@cache
def _pattern(language: str | None) -> re.Pattern[str] | None:
    """Return the pattern of a name before or after a verb of speech; None without words of the language."""
    verbs = "|".join(sorted(word_list(language, "quoting")))
    if not verbs:
        return None
    adverbs = rf"(?:(?:{'|'.join(sorted(word_list(language, 'before_quoting'))) or '(?!)'}|\w+ly) ){{0,3}}"
    not_a_role = "|".join(sorted(word_list(language, "not_a_role"))) or "(?!)"
    role = rf"(?:(?!(?:an?|{not_a_role})\b)[a-zß-ÿ][\w'’-]* ){{0,5}}"
    before = rf"(?<![\w'’-])(?P<before>{_NAME})(?:, [^,“”]{{1,120}},)? {adverbs}(?:{verbs})\b"
    after = rf"{_QUOTE},? {adverbs}(?!tells?\b|told\b)(?:{verbs}) {role}(?P<after>{_NAME}(?: {role}{_NAME})?)"
    return re.compile(f"{before}|{after}")
