"""The lead of a story: the opening of one report, whose first sentences are the summary in lists.

The report is chosen by the words of the title in its first sentence, by its time and style, and by the likeness of its
opening to the openings of all reports, which reactions and quips lack. All sentences are of one report: in a blind
test, an editor preferred one report to a second report's lead behind it in 35 of 44 stories
(docs/decisions/0050-plain-stories.md).
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from aggregator.extract.front_matter import without_dateline
from aggregator.extract.kind import is_withdrawal
from aggregator.model.article import ArticleView
from aggregator.stories.counting.originals import with_originals, with_standing
from aggregator.stories.openings import (
    Opening,
    OpeningSentence,
    is_confirmed,
    is_repeated,
    openings_of,
    read_opening,
)
from aggregator.stories.story_sentences import (
    BOILERPLATE,
    QUOTED,
    WORD,
    front_matter,
    has_odd_marks,
)
from aggregator.stories.story_tuning import StoryTuning, shipped_tuning
from aggregator.stories.story_words import dice, heads
from aggregator.stories.titles.title import BY_TIME, style_cost
from aggregator.stories.titles.title_text import clean_title
from aggregator.text.lines import count_words, ends_sentence
from aggregator.text.sentences import (
    SENTENCE_WORDS,
    join_sentences,
    paragraphs,
    split_sentences,
)
from aggregator.text.tokens import PART

# The choice of the report.

# In the mean likeness of an opening to all openings, its likeness to itself counts this much less (with 0, 8 fewer of
# 149 leads are right; with 1, ROUGE-1 is .3 lower).
OWN_LESS = 0.5
# The cost of each unit of style in a lead (stories/titles/title.py)
STYLE_COST = 0.3
# The cost of a first sentence with at most so many words of the title: it tells a side fact or a scene (on labelled
# leads as many are right, and hardly any are such sentences)
FEW_SHARED = 1
FEW_SHARED_COST = 0.2
# Articles of these kinds begin with something other than the news. Beside a report, their openings are not the lead.
OTHER_OPENINGS = {"list", "preview"}
# A person at the beginning of a sentence. This works in English, where nouns that are not names have small letters.
PERSON = re.compile(
    r"(?!The )[A-Z][\w.-]+ (?:[A-Z]\. )?(?:[A-Z]\w*-)?(?P<surname>[A-Z]\w+)(?! [A-Z])"
)
# With fewer openings, a person that no other opening names may be the news itself
EXAMPLE_OPENINGS = 3

# The paragraphs that a story shows.

LEAD_PARAGRAPHS = 3
# The most words of these paragraphs together (docs/decisions/0050-plain-stories.md)
LEAD_WORDS = 130
# This many lines are read for a lead; some may be headings between its paragraphs.
LINES_READ = 8
# Only this many characters of a paragraph, or of a report for its opening, are read, which limits the time for a
# hostile text.
CHARS_READ = 6_000
# A paragraph that repeats this many words in a row from a quotation above it is left out of the lead.
REPEATED_WORDS = 5
# The faults (`front_matter`) of a text that a feed has cut
CUT_SHORT = {"no beginning", "no end"}
# The faults that a heading between two paragraphs may have: a question, or no full stop. Lines with other faults,
# such as a caption, end the lead.
HEADING_FAULTS = {"question", "no end"}


class _Rank(NamedTuple):
    """The reasons to prefer an opening, compared from first to last; the opening with the greatest rank is the lead."""

    # False for a list or a preview beside a report, and for an opening that begins with an example
    tells_news: bool
    # The sum for words of the title, likeness to all openings, style and age
    score: float
    # If the scores are equal, the newest article is preferred; the id decides if the times are equal, too.
    effective_at: datetime
    article: str


def summary(
    articles: Sequence[ArticleView],
    max_words: int,
    tuning: StoryTuning | None = None,
    shown_title: str | None = None,
) -> str:
    """Return the first sentences of the lead, at most `max_words` words; a longer first sentence is cut."""
    lead = lead_of(articles, tuning or shipped_tuning(), shown_title, max_words)
    if lead is None:
        return ""
    _, sentences = lead
    text = " ".join(join_sentences(sentences).split())
    if count_words(text) <= max_words:
        return text
    cut = " ".join(text.split()[:max_words])
    while count_words(cut) > max_words:  # a script without spaces
        cut = cut[: 2 * max_words][:-1]
    if " " in cut and not text[len(cut) :].startswith(" "):
        cut = cut.rpartition(" ")[0]  # Thai has spaces between its phrases alone
    return cut.rstrip(" ,;:–—-") + "…"


def lead_of(
    articles: Sequence[ArticleView],
    tuning: StoryTuning,
    shown_title: str | None,
    max_words: int = 1,
) -> tuple[ArticleView, list[str]] | None:
    """Return the report whose opening is the lead, and its first sentences to show, word for word.

    The sentences have at most `max_words` words, but the first sentence may be longer. The report and its first
    sentence do not depend on `max_words`. Return None if no article may be quoted; articles with `nosnippet` may not.
    The lead ends before a sentence that no other report confirms (`is_confirmed`).
    """
    if max_words <= 0:
        return None
    withdrawal = _withdrawal(articles)
    if withdrawal is not None:
        article = withdrawal.article
        return article, [sentence.text for sentence in _begin(withdrawal, max_words)]
    openings = openings_of(articles, tuning, shown_title)
    if not openings:
        return None
    newest = max(opening.article.effective_at for opening in openings)
    old = timedelta(hours=tuning.summary_old_hours)
    is_reported = any(opening.article.kind == "report" for opening in openings)
    words = {opening.article.id: _words_of(opening.sentences) for opening in openings}

    def rank(opening: Opening) -> _Rank:
        article = opening.article
        begin = _begin(opening, tuning.summary_words)
        in_title = heads(shown_title or clean_title(article), article.language).keys()
        in_first = heads(begin[0].text, article.language).keys()
        title_share = len(in_title & in_first) / max(1, len(in_title))
        begin_words = _words_of(begin)
        # The mean F1 of words, as ROUGE-1 counts them, with all openings
        likeness = sum(dice(begin_words, other) for other in words.values())
        likeness -= OWN_LESS * dice(begin_words, words[article.id])
        likeness /= len(words) - OWN_LESS
        score = (
            title_share
            + tuning.summary_likeness_weight * likeness
            - STYLE_COST * style_cost(article)
        )
        if len(in_title & in_first) <= FEW_SHARED:
            score -= FEW_SHARED_COST
        if newest - article.effective_at >= old:
            score -= tuning.summary_old_cost
        opens_otherwise = is_reported and article.kind in OTHER_OPENINGS
        tells_news = not (
            opens_otherwise or _begins_with_example(opening, openings, shown_title)
        )
        return _Rank(
            tells_news=tells_news,
            score=score,
            effective_at=article.effective_at,
            article=article.id,
        )

    best = openings[0]
    if len(openings) > 1:
        best = max(openings, key=rank)
    first, *further = _begin(best, max_words)
    reports = [opening.article for opening in openings]
    shown = [first.text]
    for sentence in further:
        # A short sentence ("He denies it.") has no word that another report could share.
        is_short = sentence.words < SENTENCE_WORDS
        if not (is_short or is_confirmed(sentence.text, best.article, reports)):
            break
        shown.append(sentence.text)
    return best.article, shown


def _withdrawal(articles: Sequence[ArticleView]) -> Opening | None:
    """Return the newest withdrawal of an article from the sentence on that takes it back; None without any.

    A story says first that an outlet took its article back. Where some sources have standing, only theirs count:
    otherwise any new feed could withdraw what others report.
    """
    withdrawals = [
        article
        for article in with_standing(with_originals(articles))
        if article.kind == "withdrawal"
        and article.version is None
        and article.copy_of is None
        and article.lead.strip()
        and not article.nosnippet
    ]
    if not withdrawals:
        return None
    newest = max(withdrawals, key=BY_TIME)
    sentences = read_opening(
        newest.lead, newest.language, clean_title(newest), is_alone=True
    )
    for place, sentence in enumerate(sentences):
        if is_withdrawal(sentence.text):
            return Opening(newest, sentences[place:])
    return Opening(newest, sentences)


def lead_paragraphs(
    text: str, first: str, is_supported: Callable[[str], bool] = bool
) -> list[str]:
    """Return up to LEAD_PARAGRAPHS paragraphs of a text, at most LEAD_WORDS words, from the sentence `first` on.

    Each paragraph is a line of the text or its beginning. Headings between them are left out, and so are paragraphs
    that repeat a quotation. The lead ends before text that does not belong to the report, such as a caption or a
    credit, before a sentence that others do not confirm (`is_supported`), and before a quotation that the lead would
    cut. The list is empty if nothing is left.
    """
    _, begin, rest = text.partition(first)
    passages: list[str] = []
    left = LEAD_WORDS
    for whole in paragraphs(begin + rest)[:LINES_READ]:
        line = without_dateline(whole)
        if passages and _is_heading(line[:CHARS_READ]):
            continue
        line = _without_repeat(line, passages)
        read = line[:CHARS_READ]
        passage = _passage(line, split_sentences(read, 1), left, first, is_supported)
        # A tweet that is embedded below a report, for example, repeats a quotation of the report.
        quotations = QUOTED.findall(" ".join(passages))
        runs = _runs(passage)
        if any(not runs.isdisjoint(_runs(quotation)) for quotation in quotations):
            continue
        if not line:
            continue
        if passage:
            passages.append(passage)
        left -= count_words(passage)
        if passage != line or len(passages) == LEAD_PARAGRAPHS:
            break
    return passages


def _without_repeat(line: str, passages: Sequence[str]) -> str:
    """Return a line without its first sentence if the passages above say it: a text that begins twice."""
    first = next(iter(split_sentences(line[:CHARS_READ], 1)), "")
    said = split_sentences(passages[0], 1)[:1] if len(passages) == 1 else []
    if first and any(is_repeated(first, sentence) for sentence in said):
        return line.partition(first)[2].strip()
    return line


def _is_heading(line: str) -> bool:
    """Return whether a line between two paragraphs is a heading: it has no whole sentence, and is not a caption."""
    if split_sentences(line):
        return False
    # `front_matter` returns None for a line without a fault.
    return front_matter(line) in (None, *HEADING_FAULTS)


def _runs(text: str) -> set[tuple[str, ...]]:
    """Return the runs of REPEATED_WORDS words in a text, in lower case."""
    words = tuple(WORD.findall(text.lower().replace("’", "'")))
    ends = range(REPEATED_WORDS, len(words) + 1)
    return {words[end - REPEATED_WORDS : end] for end in ends}


def _passage(
    line: str,
    sentences: Sequence[str],
    words: int,
    first: str,
    is_supported: Callable[[str], bool],
) -> str:
    """Return the beginning of a line that may be shown, up to the end of one of its `sentences`.

    It has at most `words` words. Only the `first` sentence of the lead may have been cut by the feed.
    """
    read_to = shown_to = 0
    is_quoting = False
    for sentence in sentences:
        is_first = sentence == first
        place = line.find(sentence, read_to)
        read_to = place + len(sentence)
        unfit = BOILERPLATE - CUT_SHORT if is_first else BOILERPLATE
        if (
            place < 0
            or count_words(line[:read_to]) > words
            or front_matter(sentence) in unfit
            or not (is_first or is_supported(sentence))
            or (not is_first and is_repeated(first, sentence))
        ):
            # This sentence and all sentences after it are left out.
            return line[:shown_to].strip()
        if has_odd_marks(sentence):
            is_quoting = not is_quoting
        # The passage may not end in a quotation.
        if not is_quoting:
            shown_to = read_to
    # The rest of the line may be too short to count as a sentence: "Not so fast."
    are_all_shown = shown_to > 0 and not is_quoting
    if are_all_shown and ends_sentence(line) and count_words(line) <= words:
        return line
    return line[:shown_to].strip()


def _begins_with_example(
    opening: Opening, openings: Sequence[Opening], shown_title: str | None
) -> bool:
    """Return whether an opening begins with a person whom neither the title nor any other opening names.

    Such an opening tells an example or a reaction: "Ann Boll used to sit down at her kitchen table ...".
    """
    person = PERSON.match(opening.sentences[0].text)
    if (
        person is None
        or len(openings) < EXAMPLE_OPENINGS
        or (opening.article.language or "en") != "en"
    ):
        return False
    others = [shown_title or ""]
    for other in openings:
        if other is not opening:
            others += [sentence.text for sentence in other.sentences]
    return not any(person["surname"] in text for text in others)


def _begin(opening: Opening, max_words: int) -> list[OpeningSentence]:
    """Return the first sentence of an opening, and sentences after it that can be shown, up to `max_words` words."""
    first, *further = opening.sentences
    begin = [first]
    words = first.words
    for sentence in further:
        words += sentence.words
        if not sentence.can_be_shown or words > max_words:
            break
        begin.append(sentence)
    return begin


def _words_of(sentences: Sequence[OpeningSentence]) -> frozenset[str]:
    """Return each word with a number for each time that it occurs ("the 0", "the 1").

    Comparing two such sets counts the words that two texts share, including repeated words.
    """
    numbered: list[str] = []
    text = " ".join(sentence.text for sentence in sentences).lower()
    for word, count in Counter(PART.findall(text)).items():
        numbered += [f"{word} {number}" for number in range(count)]
    return frozenset(numbered)
